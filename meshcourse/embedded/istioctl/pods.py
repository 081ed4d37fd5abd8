"""Which pod is meant by ``[<type>/]<name>[.<namespace>]``, and which pods run istiod."""

from __future__ import annotations

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

_TYPES: dict[str, Resource] = {
    "deployment": refs.DEPLOYMENTS,
    "deployments": refs.DEPLOYMENTS,
    "deploy": refs.DEPLOYMENTS,
    "replicaset": refs.REPLICASETS,
    "replicasets": refs.REPLICASETS,
    "rs": refs.REPLICASETS,
    "statefulset": refs.STATEFULSETS,
    "statefulsets": refs.STATEFULSETS,
    "sts": refs.STATEFULSETS,
    "daemonset": refs.DAEMONSETS,
    "daemonsets": refs.DAEMONSETS,
    "ds": refs.DAEMONSETS,
    "job": refs.JOBS,
    "jobs": refs.JOBS,
    "service": refs.SERVICES,
    "services": refs.SERVICES,
    "svc": refs.SERVICES,
}


async def resolve(client: Client, ctx: Context, text: str) -> Key:
    """Namespace and name of the pod.

    :raises Failure: if there is none.
    """
    kind, separator, rest = text.rpartition("/")
    if not separator or kind in ("pod", "pods", "po"):
        return await _pod(client, ctx, rest)
    if kind not in _TYPES:
        raise Failure(f"the resource type {kind!r} is not one that has pods")
    name, _, namespace = rest.partition(".")
    where = namespace or ctx.namespace or "default"
    try:
        owner = await client.get(_TYPES[kind], name, where)
    except ApiError as error:
        raise Failure(error.message) from error
    pods = await _selected(client, owner, where)
    if not pods:
        raise Failure(f"no pods found for {kind}/{name} in namespace {where}")
    return objects.key(pods[0])


async def _pod(client: Client, ctx: Context, text: str) -> Key:
    """A pod's name may itself contain dots: try it whole first."""
    default = ctx.namespace or "default"
    candidates = [Key(default, text)]
    name, dot, namespace = text.rpartition(".")
    if dot:
        candidates.append(Key(namespace, name))
    for key in candidates:
        try:
            await client.get(refs.PODS, key.name, key.namespace)
        except ApiError as error:
            if error.code != 404:
                raise
        else:
            return key
    wanted = candidates[-1]
    raise Failure(f'pods "{wanted.name}" not found in namespace "{wanted.namespace}"')


async def _selected(client: Client, owner: Object, namespace: str) -> list[Object]:
    selector = objects.dig(owner, "spec.selector", {})
    labels = selector.get("matchLabels", selector)
    text = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = (await client.list(refs.PODS, namespace, label_selector=text)).items
    return [pod for pod in pods if objects.dig(pod, "status.phase") == "Running"]


async def istiods(client: Client, ctx: Context) -> list[Object]:
    """Running pods of the control plane, by name.

    :raises Failure: if Istio is not installed.
    """
    found = await client.list(refs.PODS, ctx.istio_namespace, label_selector="app=istiod")
    running = [pod for pod in found.items if objects.dig(pod, "status.phase") == "Running"]
    if not running:
        raise Failure(
            f"no running Istio pods in {ctx.istio_namespace!r}",
            remedy="install Istio: istioctl install --set profile=demo -y",
        )
    return sorted(running, key=objects.name)
