"""CustomResourceDefinition objects out of our files.

A file consists of ``type NAME`` (reused schemas) and ``kind NAME`` blocks. A kind begins with facts
about itself (``group``, ``plural``, ``short``, ``categories``, ``scope``, ``column``, ``versions``: the
first is stored unless ``storage`` says otherwise), followed by ``spec`` and perhaps ``status``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import resources

from meshcourse.embedded.istioctl.crds import language
from meshcourse.embedded.istioctl.crds.language import Compiler, Node, Schema
from meshcourse.embedded.kube.objects import Object

_ISTIO = ("networking", "security", "telemetry", "extensions")
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_FACTS = frozenset(
    {"group", "plural", "short", "categories", "versions", "column", "scope", "storage"}
)


def istio() -> list[Object]:
    """The CRDs that ``istioctl install`` brings."""
    return [crd for name in _ISTIO for crd in _file(name, _istio_metadata)]


def gateway_api() -> list[Object]:
    """The CRDs of the Kubernetes Gateway API, which are installed separately, as in reality."""
    return _file("gateway-api", _gateway_metadata)


def _file(name: str, metadata: Callable[[str], Object]) -> list[Object]:
    nodes = language.parse(_read("common.txt") + _read(f"{name}.txt"))
    types = {node.words[1]: node for node in nodes if node.head == "type"}
    kinds = [node for node in nodes if node.head == "kind"]
    if not kinds:
        raise language.LanguageError(f"{name}.txt defines no kind")
    compiler = Compiler(types)
    return [_definition(node, compiler, metadata) for node in kinds]


@functools.cache
def _read(name: str) -> str:
    return (resources.files(__package__) / name).read_text()


def _definition(node: Node, compiler: Compiler, metadata: Callable[[str], Object]) -> Object:
    facts = {child.head: child.words[1:] for child in node.children if child.head in _FACTS}
    kind, (group,), (plural,) = node.words[1], facts["group"], facts["plural"]
    names: Object = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": facts.get("short", []),
        "categories": facts.get("categories") or ["istio-io", group.replace(".", "-")],
    }
    schema = _schema(node, compiler)
    columns = [_column(child) for child in node.children if child.head == "column"]
    stored = facts.get("storage", facts["versions"][:1])[0]
    version = {
        "served": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [*columns, _AGE],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata(f"{plural}.{group}"),
        "spec": {
            "group": group,
            "names": {key: value for key, value in names.items() if value},
            "scope": facts.get("scope", ["Namespaced"])[0],
            "versions": [
                {"name": name, "storage": name == stored, **version} for name in facts["versions"]
            ],
        },
    }


def _schema(node: Node, compiler: Compiler) -> Schema:
    shell = Node(["object"], "", node.number)
    shell.children = [child for child in node.children if child.head not in _FACTS]
    schema = compiler.object(shell)
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    explanation = {"description": node.text} if node.text else {}
    return {**explanation, **schema, "properties": {**properties, **schema["properties"]}}


def _column(node: Node) -> Object:
    name, type_, path = node.words[1:4]
    column: Object = {"name": name.replace("_", " "), "type": type_, "jsonPath": path}
    if node.text:
        column["description"] = node.text
    for word in node.words[4:]:
        column["priority"] = int(word.removeprefix("priority="))
    return column


def _istio_metadata(name: str) -> Object:
    labels = {"app": "istio-pilot", "chart": "istio", "heritage": "Tiller", "release": "istio"}
    labels |= {
        "install.operator.istio.io/owning-resource-namespace": "istio-system",
        "operator.istio.io/component": "Base",
        "operator.istio.io/managed": "Reconcile",
    }
    return {
        "name": name,
        "labels": labels,
        "annotations": {"helm.sh/resource-policy": "keep"},
    }


def _gateway_metadata(name: str) -> Object:
    return {
        "name": name,
        "annotations": {
            "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/4538",
            "gateway.networking.k8s.io/bundle-version": "v1.5.1",
            "gateway.networking.k8s.io/channel": "experimental",
        },
    }
