"""``istioctl kube-inject``: the injector applied to a file, for namespaces without automatic injection."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istiod.inject import injector, policy, values
from meshcourse.embedded.istiod.inject.owner import Owner
from meshcourse.embedded.istiod.inject.values import Values
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

#: Where the pod (or its template) is in each kind of workload.
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "kube-inject",
        parents=parents,
        help="Inject Istio sidecar into Kubernetes pod resources",
        description="Writes what the injection webhook would make of a file.",
        epilog="  istioctl kube-inject -f app.yaml | kubectl apply -f -",
    )
    parser.add_argument("--filename", "-f", required=True, help="Kubernetes resource file")
    parser.add_argument("--output", "-o", default="", help="Modified resource file")
    parser.add_argument("--meshConfigFile", default="", help="Mesh configuration filename")
    parser.add_argument("--valuesFile", default="", help="Injection values filename")
    parser.add_argument("--injectConfigFile", default="", help="accepted; templates are built in")
    parser.add_argument("--revision", "-r", default="", help="Control plane revision")
    parser.set_defaults(run=run)


def run(ctx: Context, arguments: argparse.Namespace) -> int:
    documents = _documents(arguments.filename)
    settings = _settings(ctx, arguments)
    done = [into(document, settings, ctx.namespace) for document in documents]
    text = yaml.safe_dump_all(done, sort_keys=False)
    if arguments.output:
        Path(arguments.output).write_text(text)
    else:
        ctx.out.write(text)
    return 0


def _documents(path: str) -> list[Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
        return [one for one in yaml.safe_load_all(text) if one is not None]
    except (OSError, yaml.YAMLError) as error:
        raise Failure(f"could not read {path}: {error}") from error


def _settings(ctx: Context, arguments: argparse.Namespace) -> Values:
    """From the files given, else from the ConfigMaps of the cluster."""
    suffix = f"-{arguments.revision}" if arguments.revision else ""
    helm, mesh = arguments.valuesFile, arguments.meshConfigFile
    if helm and mesh:
        return values.read(_file(helm), _file(mesh), arguments.revision)
    found = context.run(_from_cluster(ctx, suffix))
    return values.read(
        _file(helm) if helm else json.loads(found[0]),
        _file(mesh) if mesh else yaml.safe_load(found[1]) or {},
        arguments.revision,
    )


def _file(path: str) -> dict[str, Any]:
    (found,) = _documents(path)
    return dict(found)


async def _from_cluster(ctx: Context, suffix: str) -> tuple[str, str]:
    async with ctx.client() as client:
        texts = []
        for name, key in (
            (f"istio-sidecar-injector{suffix}", "values"),
            (f"istio{suffix}", "mesh"),
        ):
            try:
                found = await client.get(refs.CONFIGMAPS, name, ctx.istio_namespace)
            except ApiError as error:
                raise Failure(
                    f'could not find valid configmap "{name}" from namespace '
                    f'"{ctx.istio_namespace}": {error.message}',
                    remedy="install Istio first, or name files: --valuesFile and --meshConfigFile",
                ) from error
            texts.append(str(objects.dig(found, f"data.{key}", "{}")))
    return texts[0], texts[1]


def into(document: Any, settings: Values, namespace: str) -> Any:
    """A document with the sidecar in every pod it holds; anything else unchanged."""
    if not isinstance(document, dict):
        return document
    if document.get("kind") == "List":
        items = [into(item, settings, namespace) for item in document.get("items") or ()]
        return {**document, "items": items}
    steps = _TEMPLATES.get(str(document.get("kind")))
    if steps is None:
        return document
    where = namespace or objects.namespace(document) or "default"
    return _replace(document, steps, lambda pod: _inject(pod, document, where, settings))


def _replace(node: Object, steps: Sequence[str], change: Any) -> Object:
    if not steps:
        changed: Object = change(node)
        return changed
    return {**node, steps[0]: _replace(node.get(steps[0]) or {}, steps[1:], change)}


def _inject(pod: Object, workload: Object, namespace: str, settings: Values) -> Object:
    if not policy.required(pod, namespace):
        return pod
    owner = Owner(str(workload["apiVersion"]), str(workload["kind"]), objects.name(workload))
    return injector.inject(pod, namespace, settings, owner)
