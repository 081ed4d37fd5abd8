"""The page that ``kubectl describe`` prints: indented lines whose cells line up, and the parts many kinds share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from meshcourse.cluster.manifests import Object, dig
from meshcourse.kubectl import durations, elastic

#: Annotations longer than this are folded (characters).
ANNOTATION_LIMIT = 140
_HIDDEN = {"kubectl.kubernetes.io/last-applied-configuration"}


class Page:
    """Lines with tabs between cells."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._lines: list[str] = []

    def line(self, level: int, text: str) -> None:
        """A line, indented by two spaces a level."""
        self._lines.append("  " * level + text)

    def flush(self) -> None:
        """What follows is aligned independently of what came before."""
        if self._lines:
            self._done.append(elastic.align("\n".join(self._lines)))
            self._lines = []

    def text(self) -> str:
        self.flush()
        return "\n".join(self._done) + "\n"

    def labels(self, title: str, labels: Mapping[str, str] | None) -> None:
        """``Labels:  a=b`` with one label a line, sorted."""
        self.column(title, [f"{key}={value}" for key, value in sorted((labels or {}).items())])

    def annotations(self, title: str, annotations: Mapping[str, str] | None) -> None:
        """Annotations, without the copy of the object that ``apply`` keeps there."""
        shown = {key: value for key, value in (annotations or {}).items() if key not in _HIDDEN}
        lines = []
        for key, value in sorted(shown.items()):
            value = value.removesuffix("\n")
            if len(key) + len(value) + 2 > ANNOTATION_LIMIT or "\n" in value:
                lines += [f"{key}:", *(f"  {_short(part)}" for part in value.split("\n"))]
            else:
                lines.append(f"{key}: {value}")
        self.column(title, lines)

    def column(self, title: str, lines: Sequence[str]) -> None:
        """A title with one or more values below each other."""
        first, *rest = lines or ["<none>"]
        self.line(0, f"{title}:\t{first}")
        for text in rest:
            self.line(0, f"\t{text}")

    def tolerations(self, title: str, tolerations: Sequence[Mapping[str, Any]]) -> None:
        ordered = sorted(tolerations, key=lambda item: str(item.get("key", "")))
        self.column(title, [_toleration(item) for item in ordered])

    def events(self, events: Sequence[Object]) -> None:
        """The events at the end, oldest first."""
        if not events:
            self.line(0, "Events:\t<none>")
            return
        self.flush()
        self.line(0, "Events:")
        self.line(1, "Type\tReason\tAge\tFrom\tMessage")
        self.line(1, "----\t------\t----\t----\t-------")
        for event in sorted(events, key=_when):
            source = dig(event, "source.component", "") or event.get("reportingComponent") or ""
            message = str(event.get("message", "")).strip()
            if path := dig(event, "involvedObject.fieldPath", ""):
                message = f"{path}: {message}"
            cells = (
                event.get("type", ""),
                event.get("reason", ""),
                _interval(event),
                source,
                message,
            )
            self.line(1, "\t".join(map(str, cells)))


def date(timestamp: str) -> str:
    """``Sat, 22 Nov 2025 23:10:42 +0000``, in the time zone of whoever looks."""
    return _parse(timestamp).astimezone().strftime("%a, %d %b %Y %H:%M:%S %z")


def since(timestamp: str | None) -> str:
    """How long ago, as tables show it."""
    if not timestamp:
        return "<unknown>"
    return durations.age((dt.datetime.now(dt.UTC) - _parse(timestamp)).total_seconds())


def _parse(timestamp: str) -> dt.datetime:
    return dt.datetime.fromisoformat(timestamp.replace("Z", "+00:00"))


def _interval(event: Object) -> str:
    first = event.get("eventTime") or event.get("firstTimestamp")
    if series := event.get("series"):
        return (
            f"{since(series.get('lastObservedTime'))} (x{series.get('count')} over {since(first)})"
        )
    if (event.get("count") or 1) > 1:
        return f"{since(event.get('lastTimestamp'))} (x{event['count']} over {since(first)})"
    return since(first)


def _when(event: Object) -> str:
    return str(
        event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or ""
    )


def _toleration(item: Mapping[str, Any]) -> str:
    text = str(item.get("key", ""))
    text += f"={item['value']}" if item.get("value") else ""
    text += f":{item['effect']}" if item.get("effect") else ""
    if item.get("operator") == "Exists" and not item.get("value"):
        text += " op=Exists" if text else "op=Exists"
    seconds = item.get("tolerationSeconds")
    return f"{text} for {seconds}s" if seconds is not None else text


def _short(text: str) -> str:
    limit = ANNOTATION_LIMIT - 2
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
