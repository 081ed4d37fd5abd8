"""The OpenAPI v2 document in protobuf (gnostic's ``openapi.v2.Document``), as little of it as kubectl needs.

kubectl reads it to learn whether the server knows field validation, and before it says that it knows no such kind.
Source: the message definitions of gnostic's openapiv2 (field numbers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshcourse import versions
from meshcourse.embedded.kube.refs import Resource

#: The query parameters of every write.
PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")


def document(resources: Mapping[str, Resource]) -> bytes:
    """A document with one PATCH operation for every path."""
    info = _field(1, "Kubernetes") + _field(2, versions.KUBERNETES)
    paths = b"".join(_path(path, resource) for path, resource in resources.items())
    return _field(1, "2.0") + _field(2, info) + _field(8, paths)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, value: bytes | str) -> bytes:
    """A length-delimited field."""
    body = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _path(path: str, resource: Resource) -> bytes:
    patch = 8  # PathItem.patch
    return _field(2, _field(1, path) + _field(2, _field(patch, _operation(resource))))


def _operation(resource: Resource) -> bytes:
    gvk = f'group: "{resource.group}"\nkind: {resource.kind}\nversion: {resource.version}\n'
    parameters = b"".join(_parameter(name) for name in PARAMETERS)
    return (
        parameters
        + _extension("x-kubernetes-action", "patch")
        + _extension("x-kubernetes-group-version-kind", gvk)
    )


def _parameter(name: str) -> bytes:
    """ParametersItem → Parameter → NonBodyParameter → QueryParameterSubSchema (in, name, type)."""
    query = _field(2, "query") + _field(4, name) + _field(6, "string")
    return _field(8, _field(1, _field(2, _field(3, query))))


def _extension(name: str, yaml: str) -> bytes:
    return _field(13, _field(1, name) + _field(2, _field(2, yaml)))
