"""Typed reading of query parameters."""

from __future__ import annotations

from typing import cast

from multidict import MultiMapping

from meshcourse.embedded.apiserver.contracts import FieldValidation
from meshcourse.embedded.apiserver.rest.call import Options
from meshcourse.embedded.kube import status

_TRUE = frozenset({"true", "1", "True", "t", "T", "TRUE", ""})


def flag(query: MultiMapping[str], name: str) -> bool:
    """A boolean; present without a value means true."""
    return name in query and query[name] in _TRUE


def whole(query: MultiMapping[str], name: str) -> int:
    """A number that is not negative, 0 if absent.

    :raises ApiError: 400 if it is none.
    """
    text = query.get(name) or "0"
    try:
        return max(0, int(text))
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def options(query: MultiMapping[str]) -> Options:
    """The options of writes.

    :raises ApiError: 400 for values that do not exist.
    """
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        raise status.bad_request(
            f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", '
            '"Strict", "Warn"'
        )
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise status.bad_request(f'dryRun: Unsupported value: "{dry_run}": supported values: "All"')
    return Options(
        bool(dry_run),
        query.get("fieldManager", ""),
        cast(FieldValidation, validation),
        flag(query, "force"),
    )
