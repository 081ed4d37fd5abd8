"""What a command line means by its words: ``pods``, ``pods,svc``, ``pod a b``, ``deploy/web``, ``all``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.kinds import Kind
from meshcourse.cluster.manifests import Object, name_of
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError


@dataclass(frozen=True, slots=True)
class Target:
    """A kind, and one name of it, or "" for all of them."""

    kind: Kind
    name: str = ""

    def path(self, namespace: str, subresource: str = "") -> str:
        where = namespace if self.kind.namespaced else ""
        return self.kind.path(where, self.name, subresource)


def targets(cluster: Cluster, words: Sequence[str]) -> list[Target]:
    """The kinds and names meant.

    :raises KubectlError: if there are none, or kinds and ``kind/name`` are mixed.
    """
    if not words:
        raise KubectlError(
            "You must specify the type of resource to get. "
            'Use "kubectl api-resources" for a complete list of supported resources.'
        )
    if "/" in words[0]:
        return [_slashed(cluster, word) for word in words]
    kinds = [kind for part in words[0].split(",") for kind in _kinds(cluster, part)]
    if any("/" in word for word in words[1:]):
        raise KubectlError(
            "there is no need to specify a resource type as a separate argument when passing arguments "
            "in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of "
            "'kubectl get resource resource/<resource_name>'"
        )
    if len(words) == 1:
        return [Target(kind) for kind in kinds]
    return [Target(kind, name) for kind in kinds for name in words[1:]]


def one(cluster: Cluster, words: Sequence[str], default: str = "") -> Target:
    """One object: ``deploy/web``, ``deploy web``, or just its name if there is a `default` kind.

    :raises KubectlError: if it is none or several.
    """
    if len(words) == 1 and "/" not in words[0] and default:
        return Target(cluster.kind(default), words[0])
    found = targets(cluster, words)
    if len(found) != 1 or not found[0].name:
        raise KubectlError("exactly one resource name is required")
    return found[0]


def resolve(
    context: Context, words: Sequence[str], *, every: bool = False
) -> list[tuple[Target, Object]]:
    """The objects that words and selectors mean: by name, or all of a kind.

    :param every: a kind alone means all of it, without ``--all``.
    :raises ApiError: if a named one is not there.
    """
    found: list[tuple[Target, Object]] = []
    for target in targets(context.cluster, words):
        if target.name:
            found.append((target, context.cluster.api.get(target.path(context.namespace))))
            continue
        selector = context.args.text("selector")
        if not (selector or every or context.args.on("all")):
            raise KubectlError("resource(s) were provided, but no name was specified")
        items = context.cluster.api.get(
            target.path(context.namespace),
            labelSelector=selector,
            fieldSelector=context.args.text("field-selector"),
        )["items"]
        found += [(Target(target.kind, name_of(item)), item) for item in items]
    return found


def pods_of(context: Context, word: str) -> list[Object]:
    """The pods behind ``pod``, ``pod/x``, ``deploy/x``, ``svc/x``; ready ones first.

    :raises KubectlError: if nothing stands behind it.
    """
    target = one(context.cluster, [word], "pods")
    obj: Object = context.cluster.api.get(target.path(context.namespace))
    if target.kind.kind == "Pod":
        return [obj]
    selector = obj["spec"].get("selector") or {}
    labels = selector.get("matchLabels", selector)
    query = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = context.cluster.api.get(
        context.cluster.kind("pods").path(context.namespace), labelSelector=query
    )["items"]
    if not pods or not query:
        raise KubectlError(f"no pods found for {target.kind.printed}/{target.name}")
    running = [pod for pod in pods if pod.get("status", {}).get("phase") == "Running"]
    return running or list(pods)


def _slashed(cluster: Cluster, word: str) -> Target:
    kind, _, name = word.partition("/")
    if not kind or not name or "/" in name:
        raise KubectlError("arguments in resource/name form must have a single resource and name")
    return Target(cluster.kind(kind), name)


def _kinds(cluster: Cluster, word: str) -> list[Kind]:
    category = cluster.served().in_category(word)
    return category or [cluster.kind(word)]
