"""``kubectl create``: from files, and the generators the course types (namespace, deployment, configmap, …)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from meshcourse.cluster import manifests
from meshcourse.kubectl import output
from meshcourse.kubectl.apply import query_for, suffix
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (
    Flag("image", "", "list"),
    Flag("replicas", "r"),
    Flag("port"),
    Flag("from-literal", "", "list"),
    Flag("from-file", "", "list"),
    Flag("cert"),
    Flag("key"),
    Flag("save-config", "", "switch"),
)


def run(context: Context) -> int:
    if context.args.given("filename"):
        for _file, obj in context.files():
            _create(context, obj)
        return 0
    if not context.args.words:
        raise KubectlError("must specify one of -f and -k")
    what, *names = context.args.words
    if what == "secret" and names:
        what, *names = f"secret {names[0]}", *names[1:]
    if what not in _GENERATORS:
        known = ", ".join(_GENERATORS)
        raise KubectlError(
            f'unknown command "{what}" for "kubectl create"; this kubectl knows: {known}'
        )
    if len(names) != 1:
        raise KubectlError(f"exactly one NAME is required, got {len(names)}")
    _create(context, _GENERATORS[what](context, names[0]))
    return 0


def _create(context: Context, obj: manifests.Object) -> None:
    kind = context.cluster.served().by_gvk(str(obj["apiVersion"]), str(obj["kind"]))
    placed = manifests.in_namespace(obj, context.namespace) if kind.namespaced else obj
    if context.args.text("dry-run") == "client":
        created: Any = obj
    else:
        where = manifests.namespace_of(placed) if kind.namespaced else ""
        created = context.cluster.api.request(
            "POST", kind.path(where), query=query_for(context, "kubectl-create"), body=placed
        )
    if context.args.given("output"):
        output.objects(context, [(kind, created)], as_list=False)
    else:
        context.say(f"{kind.printed}/{manifests.name_of(created)} created{suffix(context)}")


def _object(api_version: str, kind: str, name: str, **more: Any) -> manifests.Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def _namespace(context: Context, name: str) -> manifests.Object:
    del context
    return _object("v1", "Namespace", name)


def _service_account(context: Context, name: str) -> manifests.Object:
    del context
    return _object("v1", "ServiceAccount", name)


def _deployment(context: Context, name: str) -> manifests.Object:
    images = context.args.many("image")
    if not images:
        raise KubectlError('required flag(s) "image" not set')
    containers = [_container(context, image) for image in images]
    labels = {"app": name}
    spec = {
        "replicas": int(context.args.text("replicas", "1")),
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    }
    return {
        **_object("apps/v1", "Deployment", name),
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


def _container(context: Context, image: str) -> dict[str, Any]:
    short = image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]
    container: dict[str, Any] = {"image": image, "name": short}
    if context.args.command:
        container["command"] = context.args.command
    if port := context.args.text("port"):
        container["ports"] = [{"containerPort": int(port)}]
    return container


def _config_map(context: Context, name: str) -> manifests.Object:
    return _object("v1", "ConfigMap", name, data=_data(context))


def _generic_secret(context: Context, name: str) -> manifests.Object:
    data = {key: _b64(value) for key, value in _data(context).items()}
    return _object("v1", "Secret", name, type="Opaque", data=data)


def _tls_secret(context: Context, name: str) -> manifests.Object:
    files = {"tls.crt": context.args.text("cert"), "tls.key": context.args.text("key")}
    if not all(files.values()):
        raise KubectlError("key and cert must be specified")
    data = {key: _b64((context.folder / file).read_text("utf-8")) for key, file in files.items()}
    return _object("v1", "Secret", name, type="kubernetes.io/tls", data=data)


def _data(context: Context) -> dict[str, str]:
    data = {}
    for text in context.args.many("from-literal"):
        key, equals, value = text.partition("=")
        if not equals:
            raise KubectlError(f"invalid literal source {text}, expected key=value")
        data[key] = value
    for text in context.args.many("from-file"):
        key, equals, file = text.rpartition("=")
        path = context.folder / file
        if not path.is_file():
            raise KubectlError(f"error reading {file}: no such file or directory")
        data[key if equals else path.name] = path.read_text("utf-8")
    return data


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_GENERATORS: dict[str, Callable[[Context, str], manifests.Object]] = {
    "namespace": _namespace,
    "ns": _namespace,
    "deployment": _deployment,
    "deploy": _deployment,
    "configmap": _config_map,
    "cm": _config_map,
    "serviceaccount": _service_account,
    "sa": _service_account,
    "secret generic": _generic_secret,
    "secret tls": _tls_secret,
}
