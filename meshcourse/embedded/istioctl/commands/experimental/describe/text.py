"""Parts of rules as one line of text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def name(obj: Object, home: str) -> str:
    """``reviews``, or ``reviews.shop`` if it is of another namespace than `home`."""
    namespace = objects.namespace(obj)
    return objects.name(obj) if namespace == home else f"{objects.name(obj)}.{namespace}"


def proto(message: Any) -> str:
    """JSON in protobuf's text format: ``http_status:500 percentage:{value:100}``."""
    if isinstance(message, Mapping):
        return " ".join(_field(key, value) for key, value in message.items())
    if isinstance(message, bool):
        return str(message).lower()
    return f'"{message}"' if isinstance(message, str) else f"{message:g}"


def _field(key: str, value: Any) -> str:
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
    if isinstance(value, list):
        return " ".join(_field(key, one) for one in value)
    if isinstance(value, Mapping):
        return f"{snake}:{{{proto(value)}}}"
    return f"{snake}:{proto(value)}"


def fault(found: Mapping[str, Any]) -> str:
    """``delay:{fixed_delay:{seconds:7} percentage:{value:100}}``."""
    delay = dict(found.get("delay") or {})
    if "fixedDelay" in delay:
        seconds = re.fullmatch(r"([\d.]+)s", str(delay["fixedDelay"]))
        if seconds:
            delay = {**delay, "fixedDelay": {"seconds": float(seconds[1])}}
        delay = {"fixedDelay": delay.pop("fixedDelay"), **delay}
    parts = {"delay": delay, "abort": _abort(found.get("abort") or {})}
    return proto({key: part for key, part in parts.items() if part})


def _abort(found: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(found.items(), key=lambda pair: pair[0] == "percentage"))


def match(found: Mapping[str, Any]) -> str:
    """``Match: /api* when headers are end-user=jason``."""
    said = ""
    if found.get("uri"):
        said += string(found["uri"]) + (" uncased" if found.get("ignoreUriCase") else "")
    if found.get("headers"):
        conditions = (f"{key}={string(value)}" for key, value in found["headers"].items())
        said += f" when headers are {'; '.join(conditions)}"
    return f"Match: {said}".strip()


def string(found: Mapping[str, Any] | None) -> str:
    """A StringMatch: exact as it is, a prefix with an asterisk."""
    found = found or {}
    if "exact" in found:
        return str(found["exact"])
    return f"{found['prefix']}*" if "prefix" in found else proto(found)
