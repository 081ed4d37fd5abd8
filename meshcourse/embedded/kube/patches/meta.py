"""What strategic merge patch and server-side apply need to know of a kind's schema.

Source: the OpenAPI extensions ``x-kubernetes-patch-strategy``, ``x-kubernetes-patch-merge-key``,
``x-kubernetes-list-type``, ``x-kubernetes-list-map-keys`` and ``x-kubernetes-map-type``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Structure(Protocol):
    """One node of a schema. Navigation never fails: what is unknown is `UNKNOWN`.

    All attributes are read-only. ``""`` and ``()`` mean that the schema does not say.
    """

    @property
    def patch_strategy(self) -> str:
        """Comma-separated: ``merge``, ``replace``, ``retainKeys``, ``merge,retainKeys`` or ``""``."""
        ...

    @property
    def merge_key(self) -> str:
        """The field that identifies an element of a list under strategic merge patch."""
        ...

    @property
    def list_type(self) -> str:
        """``map``, ``set``, ``atomic`` or ``""`` (a list without a word is atomic)."""
        ...

    @property
    def list_map_keys(self) -> tuple[str, ...]:
        """The fields that identify an element of a ``map`` list under server-side apply."""
        ...

    @property
    def map_type(self) -> str:
        """``atomic``, ``granular`` or ``""`` (a map without a word is granular)."""
        ...

    @property
    def default(self) -> Any:
        """The schema's default value (list-map keys may be omitted where they have one), else None."""
        ...

    def declares(self, field: str) -> bool:
        """Whether `field` is a named property here (not one of ``additionalProperties``)."""
        ...

    def child(self, field: str) -> Structure:
        """The node of a field of an object: its property, else ``additionalProperties``."""
        ...

    def items(self) -> Structure:
        """The node of a list's elements."""
        ...


@dataclass(frozen=True, slots=True)
class Unknown:
    """No schema: maps are granular, lists atomic (how the API server treats unstructured data)."""

    patch_strategy: str = ""
    merge_key: str = ""
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    default: Any = None

    def declares(self, field: str) -> bool:
        return False

    def child(self, field: str) -> Structure:
        return self

    def items(self) -> Structure:
        return self


#: The structure of everything whose schema is not known.
UNKNOWN: Structure = Unknown()
