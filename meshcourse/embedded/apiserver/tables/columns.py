"""How a kind is printed: its columns and the function that makes a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.apiserver.tables import durations
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

NONE = "<none>"
UNSET = "<unset>"

#: One cell per column.
Row = list[Any]


@dataclass(frozen=True, slots=True)
class Printer:
    """`definitions` as in a Table's ``columnDefinitions``; `row` takes an object."""

    definitions: list[Object]
    row: Callable[[Object], Row]


def define(*names: str) -> list[Object]:
    """Column definitions: ``"Name"``, ``"*Node"`` (only with -o wide), ``"Desired:integer"`` (its type)."""
    return [_define(name) for name in names]


def _define(text: str) -> Object:
    name, _, kind = text.lstrip("*").partition(":")
    return column(name, kind or "string", priority=1 if text.startswith("*") else 0)


def column(name: str, kind: str, *, priority: int = 0, description: str = "") -> Object:
    return {
        "name": name,
        "type": kind,
        "format": "name" if name == "Name" else "",
        "description": description or _DESCRIPTIONS.get(name, name),
        "priority": priority,
    }


_DESCRIPTIONS = {
    "Name": "The name of the object, unique within its namespace.",
    "Age": "The time since the object was created.",
}


def printer(row: Callable[[Object], Row], *names: str) -> Printer:
    return Printer(define(*names), row)


def age(obj: Object) -> str:
    return durations.since(objects.dig(obj, "metadata.creationTimestamp"))


def name(obj: Object) -> str:
    return objects.name(obj)


def pairs(labels: Mapping[str, str] | None) -> str:
    """``a=b,c=d`` in order of keys, or ``<none>``."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector(spec: Mapping[str, Any] | None) -> str:
    """A label selector in the form of ``kubectl -l``; ``<none>`` if it selects all or nothing."""
    terms = [f"{key}={value}" for key, value in ((spec or {}).get("matchLabels") or {}).items()]
    for expression in (spec or {}).get("matchExpressions") or ():
        terms.append(_requirement(expression))
    return ",".join(sorted(terms)) or NONE


def _requirement(expression: Mapping[str, Any]) -> str:
    key, operator = str(expression.get("key", "")), str(expression.get("operator", ""))
    values = ",".join(sorted(expression.get("values") or ()))
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {operator.lower()} ({values})"


def containers(pod_spec: Mapping[str, Any] | None) -> tuple[str, str]:
    """Names and images of the containers, comma-separated."""
    found = (pod_spec or {}).get("containers") or ()
    return (
        ",".join(each.get("name", "") for each in found),
        ",".join(each.get("image", "") for each in found),
    )


def some(values: Sequence[str], most: int = 3, *, empty: str = NONE) -> str:
    """The first `most` values and how many more there are."""
    if not values:
        return empty
    text = ",".join(values[:most])
    return f"{text} + {len(values) - most} more..." if len(values) > most else text
