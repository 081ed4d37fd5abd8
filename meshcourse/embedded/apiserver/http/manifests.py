"""YAML as Kubernetes reads it: JSON's data model, so no dates, and keys are strings."""

from __future__ import annotations

from typing import Any

import orjson
import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Time stamps stay text; ``y``, ``n``, ``on``, ``off`` stay text, as in sigs.k8s.io/yaml (YAML 1.2 booleans)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":bool"))]
    for first, found in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    __import__("re").compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)


def load(text: bytes | str) -> Any:
    """The first document of `text`.

    :raises yaml.YAMLError: if it does not parse.
    :raises ValueError: for values that JSON does not have.
    """
    return orjson.loads(
        orjson.dumps(yaml.load(text, Loader=_Loader), option=orjson.OPT_NON_STR_KEYS)
    )
