"""``kubectl logs``."""

from __future__ import annotations

from meshcourse.cluster.manifests import Object, dig, name_of, namespace_of
from meshcourse.kubectl import durations, naming
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (
    Flag("container", "c"),
    Flag("follow", "f", "switch"),
    Flag("previous", "p", "switch"),
    Flag("tail"),
    Flag("since"),
    Flag("timestamps", "", "switch"),
    Flag("limit-bytes"),
    Flag("all-containers", "", "switch"),
    Flag("prefix", "", "switch"),
    Flag("ignore-errors", "", "switch"),
    Flag("max-log-requests"),
)
_DEFAULT = "kubectl.kubernetes.io/default-container"


def run(context: Context) -> int:
    pods = _pods(context)
    for pod in pods:
        for container in _containers(context, pod):
            _stream(context, pod, container)
    return 0


def _pods(context: Context) -> list[Object]:
    if selector := context.args.text("selector"):
        path = context.cluster.kind("pods").path(context.namespace)
        found: list[Object] = context.cluster.api.get(path, labelSelector=selector)["items"]
        if not found:
            context.say(f"No resources found in {context.namespace} namespace.")
        return found
    if not context.args.words:
        raise KubectlError(
            "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n"
            "POD or TYPE/NAME is a required argument for the logs command"
        )
    if len(context.args.words) == 2:
        context.args.flags["container"] = [context.args.words[1]]
    pods = naming.pods_of(context, context.args.words[0])
    if len(pods) > 1:
        context.say(f"Found {len(pods)} pods, using pod/{name_of(pods[0])}")
    return pods[:1]


def names(pod: Object) -> list[str]:
    """The containers of a pod, ordinary ones first, as kubectl lists them."""
    ordinary = [item["name"] for item in dig(pod, "spec.containers", [])]
    return ordinary + [f"{item['name']} (init)" for item in dig(pod, "spec.initContainers", [])]


def default_container(context: Context, pod: Object) -> str:
    """The container meant when none is said; tells the user which it is, as kubectl does."""
    wanted = dig(pod, "metadata.annotations", {}).get(_DEFAULT)
    first: str = pod["spec"]["containers"][0]["name"]
    if wanted:
        return str(wanted)
    if len(names(pod)) > 1:
        context.say(f'Defaulted container "{first}" out of: {", ".join(names(pod))}')
    return first


def _containers(context: Context, pod: Object) -> list[str]:
    if context.args.on("all-containers"):
        ordinary = [item["name"] for item in dig(pod, "spec.containers", [])]
        return [item["name"] for item in dig(pod, "spec.initContainers", [])] + ordinary
    known = [name.removesuffix(" (init)") for name in names(pod)]
    wanted = context.args.text("container")
    if wanted and wanted not in known:
        raise KubectlError(f"container {wanted} is not valid for pod {name_of(pod)}")
    return [wanted or default_container(context, pod)]


def _stream(context: Context, pod: Object, container: str) -> None:
    args = context.args
    tail = args.text("tail", "10" if args.text("selector") and not args.on("follow") else "")
    query = {
        "container": container,
        "follow": "true" if args.on("follow") else "",
        "previous": "true" if args.on("previous") else "",
        "timestamps": "true" if args.on("timestamps") else "",
        "tailLines": "" if tail == "-1" else tail,
        "sinceSeconds": int(durations.seconds(args.text("since"))) if args.text("since") else "",
        "limitBytes": args.text("limit-bytes"),
    }
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/log"
    prefix = f"[pod/{name_of(pod)}/{container}] " if args.on("prefix") else ""
    try:
        for line in context.cluster.api.lines(path, query=query, accept="*/*"):
            context.write(prefix + line.decode(errors="replace"))
    except KeyboardInterrupt:
        return
