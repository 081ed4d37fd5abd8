"""OpenAPI documents as kubectl reads them: v3 by group and version, with prose, and a minimal v2.

Source: the API server's ``/openapi/v3`` (index with content hashes, one document per group version) and the parts of
a document that kubectl 1.2x–1.33 uses: components, and paths whose operations name their kind and parameters.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from meshcourse import versions
from meshcourse.embedded.apiserver.schemas import builtin, custom, definitions, kinds, protoapi
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_REFERENCE = "#/components/schemas/"
_ACTIONS = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
_LIST_ACTIONS = {"get": "list", "post": "post", "delete": "deletecollection"}
_CACHED = 48


def group_versions(crds: Iterable[Object]) -> dict[str, str]:
    """Content hash by group version as URLs have it (``api/v1``, ``apis/apps/v1``)."""
    found = {_path(kind.resource): definitions.fingerprint() for kind in kinds.builtin_kinds()}
    for crd in crds:
        for version in _served(crd):
            path = _path(_resource(crd, version))
            found[path] = (
                f"{found.get(path, '')} {objects.uid(crd)} {objects.dig(crd, 'metadata.generation', 0)}"
            )
    return {
        path: hashlib.sha256(f"{path} {text}".encode()).hexdigest().upper()
        for path, text in found.items()
    }


def openapi_v3_index(crds: Iterable[Object] = ()) -> Object:
    """``/openapi/v3``: where the documents are; their URLs change with their content."""
    paths = {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        for path, digest in group_versions(crds).items()
    }
    return {"paths": paths}


def openapi_v3(path: str, crds: Iterable[Object] = ()) -> bytes | None:
    """The document of one group version (``apis/apps/v1``) as JSON; None if there is none. Cached by content."""
    crds = list(crds)
    digest = group_versions(crds).get(path)
    if digest is None:
        return None
    cache = _documents()
    if digest not in cache:
        cache[digest] = orjson.dumps(_document(path, crds))
        while len(cache) > _CACHED:
            cache.popitem(last=False)
    return cache[digest]


@functools.cache
def _documents() -> OrderedDict[str, bytes]:
    return OrderedDict()


def openapi_v2(crds: Iterable[Object] = ()) -> bytes:
    """``/openapi/v2`` in its protobuf form: paths with kinds and parameters, no schemas."""
    resources = [kind.resource for kind in kinds.builtin_kinds()]
    resources += [_resource(crd, version) for crd in crds for version in _served(crd)]
    return protoapi.document({f"{_base(each)}/{{name}}": each for each in resources})


def _path(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _served(crd: Object) -> Iterator[str]:
    for version in objects.dig(crd, "spec.versions", ()):
        if version.get("served"):
            yield version["name"]


def _resource(crd: Object, version: str) -> Resource:
    spec = crd["spec"]
    names = spec["names"]
    return Resource(
        spec["group"], version, names["plural"], names["kind"], spec.get("scope") == "Namespaced"
    )


def _base(resource: Resource) -> str:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{root}{scope}/{resource.plural}"


def _document(path: str, crds: Sequence[Object]) -> Object:
    source = definitions.full()
    schemas: dict[str, Any] = {}
    paths: Object = {}
    for kind in kinds.builtin_kinds():
        if _path(kind.resource) == path:
            _add_builtin(kind, source, schemas, paths)
    for crd in crds:
        for version in _served(crd):
            if _path(_resource(crd, version)) == path:
                _add_custom(crd, version, source, schemas, paths)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": versions.KUBERNETES},
        "paths": paths,
        "components": {"schemas": _referenced(schemas)},
    }


def _add_builtin(
    kind: kinds.BuiltinKind, source: definitions.Definitions, schemas: Object, paths: Object
) -> None:
    resource = kind.resource
    name = builtin.definition_names()[resource.group, resource.version, resource.kind]
    _collect(name, source, schemas)
    _add_paths(resource, paths, kind.verbs)


def _add_custom(
    crd: Object, version: str, source: definitions.Definitions, schemas: Object, paths: Object
) -> None:
    resource = _resource(crd, version)
    raw = custom.schema_of(crd, version)
    text = {"type": "string"}
    properties = {
        "apiVersion": {"description": "The version of the schema of this object.", **text},
        "kind": {"description": "The kind of this object.", **text},
        **(raw.get("properties") or {}),
        "metadata": {"$ref": _META, "description": "Standard object metadata."},
    }
    name = f"{'.'.join(reversed(resource.group.split('.')))}.{version}.{resource.kind}"
    schemas[name] = {
        **raw,
        "properties": properties,
        "x-kubernetes-group-version-kind": [_gvk(resource)],
    }
    _collect(_META, source, schemas)
    _add_paths(resource, paths, kinds.ALL_VERBS)


def _gvk(resource: Resource) -> Object:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _collect(name: str, source: definitions.Definitions, schemas: Object) -> None:
    """A definition and all that it refers to."""
    waiting = [name]
    while waiting:
        found = waiting.pop()
        if found not in schemas:
            schemas[found] = source[found]
            waiting += _references(source[found])


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _referenced(schema: Any, *, properties: bool = False) -> Any:
    """References as a document has them. A property may itself be called ``$ref``."""
    if isinstance(schema, list):
        return [_referenced(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: _referenced(value, properties=not properties and key == "properties")
        for key, value in schema.items()
    }
    if not properties and isinstance(made.get("$ref"), str):
        return _reference(made)
    return made


def _reference(schema: Object) -> Object:
    """A reference beside other keywords goes into ``allOf``, as the API server publishes it."""
    target = {"$ref": _REFERENCE + schema.pop("$ref").removeprefix(_REFERENCE)}
    return {**schema, "allOf": [target]} if schema else target


def _add_paths(resource: Resource, paths: Object, verbs: Sequence[str]) -> None:
    base = _base(resource)
    if "create" in verbs and "get" not in verbs:
        paths[base] = {"post": _operation(resource, "post")}
        return
    paths[base] = {verb: _operation(resource, action) for verb, action in _LIST_ACTIONS.items()}
    paths[f"{base}/{{name}}"] = {
        verb: _operation(resource, action) for verb, action in _ACTIONS.items()
    }


def _operation(resource: Resource, action: str) -> Object:
    return {
        "operationId": f"{action}{resource.kind}",
        "parameters": _parameters(),
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
    }


@functools.cache
def _parameters() -> list[Object]:
    named = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in protoapi.PARAMETERS
    ]
    return [*named, {"name": "force", "in": "query", "schema": {"type": "boolean"}}]
