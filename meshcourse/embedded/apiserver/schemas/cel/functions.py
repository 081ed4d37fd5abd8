"""Functions and methods that rules may call.

Source: the CEL standard definitions; Kubernetes' libraries (strings, lists, regex, URLs, IP addresses, formats).
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from meshcourse.embedded.apiserver.schemas import patterns
from meshcourse.embedded.apiserver.schemas.cel import values
from meshcourse.embedded.apiserver.schemas.cel.values import EvaluationError

_OVERLOAD: Final = "no such overload"


def size(value: Any) -> int:
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise EvaluationError(_OVERLOAD)


def text(value: Any) -> str:
    """``string(value)``."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.decode() if isinstance(value, bytes) else str(value)


def integer(value: Any) -> int:
    """``int(value)``."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise EvaluationError(f"strconv.ParseInt: parsing {value!r}: invalid syntax") from None


def double(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise EvaluationError(f"strconv.ParseFloat: parsing {value!r}: invalid syntax") from None


def matches(value: str, pattern: str) -> bool:
    """RE2 finds the pattern anywhere."""
    try:
        return patterns.compile_pattern(pattern).search(value) is not None
    except re.error as error:
        raise EvaluationError(f"error parsing regexp: {error}") from None


def substring(value: str, start: int, end: int | None = None) -> str:
    stop = len(value) if end is None else end
    if not 0 <= start <= stop <= len(value):
        raise EvaluationError(f"index out of range: {start}")
    return value[start:stop]


def split(value: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    parts = value.split(separator) if separator else list(value)
    if 0 < limit < len(parts):
        return [*parts[: limit - 1], separator.join(parts[limit - 1 :])]
    return parts


def url(value: str) -> SplitResult:
    if not is_url(value):
        raise EvaluationError(
            f'URL parse error during conversion from string: parse "{value}": invalid URI'
        )
    return urlsplit(value)


def is_url(value: str) -> bool:
    """An absolute URI or an absolute path."""
    try:
        found = urlsplit(value)
        _ = found.port
    except ValueError:
        return False
    return bool(found.scheme) or value.startswith("/")


def is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value


def is_cidr(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "/" in value


def _index(value: Any, wanted: Any) -> int:
    if isinstance(value, str):
        return value.find(wanted)
    return next((index for index, each in enumerate(value) if values.equal(each, wanted)), -1)


def _last_index(value: Any, wanted: Any) -> int:
    if isinstance(value, str):
        return value.rfind(wanted)
    found = [index for index, each in enumerate(value) if values.equal(each, wanted)]
    return found[-1] if found else -1


def _is_sorted(value: list[Any]) -> bool:
    return all(values.compare(left, right) <= 0 for left, right in itertools.pairwise(value))


class Format:
    """``format.dns1123Label()``: `validate` gives null for a good value, else what is wrong."""

    def __init__(self, rule: Callable[[str], list[str]]) -> None:
        self._rule = rule

    def validate(self, value: str) -> list[str] | None:
        return self._rule(value) or None


def named_format(name: str) -> Format:
    """:raises EvaluationError: for a format that is not known here."""
    from meshcourse.embedded.apiserver.validation import names

    rules: dict[str, Callable[[str], list[str]]] = {
        "dns1123Label": names.dns1123_label,
        "dns1123Subdomain": names.dns1123_subdomain,
        "dns1035Label": names.dns1035_label,
        "qualifiedName": names.label_key,
        "labelValue": names.label_value,
    }
    if name not in rules:
        raise EvaluationError(f"undeclared reference to 'format.{name}'")
    return Format(rules[name])


#: Functions by name.
GLOBALS: Final[dict[str, Callable[..., Any]]] = {
    "bool": lambda value: value if isinstance(value, bool) else value == "true",
    "bytes": lambda value: value.encode() if isinstance(value, str) else value,
    "double": double,
    "duration": values.duration,
    "dyn": lambda value: value,
    "int": integer,
    "isCIDR": is_cidr,
    "isIP": is_ip,
    "isURL": is_url,
    "matches": matches,
    "size": size,
    "string": text,
    "timestamp": values.timestamp,
    "type": values.type_name,
    "uint": integer,
    "url": url,
}
#: Methods by name; the receiver comes first.
METHODS: Final[dict[str, Callable[..., Any]]] = {
    "charAt": lambda value, index: substring(value, index, min(index + 1, len(value))),
    "contains": lambda value, part: part in value,
    "endsWith": lambda value, part: value.endswith(part),
    "getEscapedPath": lambda value: value.path,
    "getHost": lambda value: value.netloc.rpartition("@")[2],
    "getHostname": lambda value: value.hostname or "",
    "getPort": lambda value: str(value.port or ""),
    "getScheme": lambda value: value.scheme,
    "getSeconds": lambda value: int(value.total_seconds()),
    "indexOf": _index,
    "isSorted": _is_sorted,
    "join": lambda value, separator="": separator.join(value),
    "lastIndexOf": _last_index,
    "lowerAscii": lambda value: value.lower(),
    "matches": matches,
    "max": lambda value: max(value),
    "min": lambda value: min(value),
    "replace": lambda value, old, new, limit=-1: value.replace(old, new, limit),
    "size": size,
    "split": split,
    "startsWith": lambda value, part: value.startswith(part),
    "substring": substring,
    "sum": lambda value: sum(value),
    "trim": lambda value: value.strip(),
    "upperAscii": lambda value: value.upper(),
    "validate": lambda value, given: value.validate(given),
}


def call(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """:raises EvaluationError: if the arguments are of the wrong kind or number."""
    try:
        return function(*arguments)
    except (TypeError, AttributeError, ValueError):
        raise EvaluationError(_OVERLOAD) from None
