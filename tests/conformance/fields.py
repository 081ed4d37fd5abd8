"""The fields of Istio's and the Gateway API's kinds, taken from the CRDs that the cluster serves."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from meshcourse.embedded.istioctl import crds

#: Group and kind.
Kind = tuple[str, str]


@functools.cache
def by_kind() -> dict[Kind, tuple[str, ...]]:
    """Paths of all fields of ``spec`` that hold values, in the order of the CRD."""
    found = {}
    for crd in (*crds.istio(), *crds.gateway_api()):
        spec = crd["spec"]
        schema = spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        found[spec["group"], spec["names"]["kind"]] = tuple(_paths(schema, ""))
    return found


def _paths(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if schema.get("type") == "array":
        yield from _paths(schema["items"], f"{path}[]")
    elif schema.get("properties"):
        for name, one in schema["properties"].items():
            yield from _paths(one, f"{path}.{name}" if path else name)
    elif isinstance(schema.get("additionalProperties"), dict):
        yield from _paths(schema["additionalProperties"], f"{path}{{}}")
    else:
        yield path


@functools.cache
def schema(kind: Kind) -> Mapping[str, Any]:
    """The schema of ``spec`` of a kind."""
    for crd in (*crds.istio(), *crds.gateway_api()):
        spec = crd["spec"]
        if (spec["group"], spec["names"]["kind"]) == kind:
            found: Mapping[str, Any] = spec["versions"][0]["schema"]["openAPIV3Schema"]
            return found["properties"]["spec"]  # type: ignore[no-any-return]
    raise KeyError(kind)
