"""The access logs of the Envoys of an application, read from its pods' ``istio-proxy`` containers."""

from __future__ import annotations

import contextlib
import html
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ApiError
from meshcourse.errors import MeshcourseError
from meshcourse.observe import accesslog, inventory

HEAD = ("Envoy of", "way", "request", "code", "flags", "ms", "to", "request id")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: whose Envoy wrote it, what it says, and how it stands in the log."""

    app: str
    pod: str
    entry: accesslog.Entry
    text: str


@dataclass(frozen=True)
class Log:
    """Lines of one or several Envoys, oldest first."""

    lines: tuple[Line, ...]

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> Line:
        return self.lines[index]

    def to(self, service: str) -> Log:
        """The lines of calls to a service only."""
        return Log(tuple(one for one in self.lines if one.entry.towards.split(" ")[0] == service))

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row for each line, as under `HEAD`."""
        return [_row(line) for line in self.lines]

    def __repr__(self) -> str:
        if not self.lines:
            return "no lines"
        cells = [HEAD, *self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(HEAD))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )

    def _repr_html_(self) -> str:
        if not self.lines:
            return "<i>no lines</i>"
        head = "".join(f"<th style='text-align:left'>{cell}</th>" for cell in HEAD)
        body = "".join(_html_row(line) for line in self.lines)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def read(cluster: Cluster, app: str = "", *, containing: str = "", last: int | None = None) -> Log:
    """The lines of an application's Envoys ("": of all in the mesh), gateways by ``istio-ingressgateway``.

    :param containing: only lines with this text (a request id, a path).
    :param last: at most so many, the newest.
    :raises MeshcourseError: if no such application has an Envoy.
    """
    found = inventory.take(cluster, cluster.namespace)
    every = [item for item in (*found.gateways, *found.pods) if item.proxy]
    members = [item for item in every if app in ("", item.app, item.name)]
    if not members:
        known = ", ".join(sorted({item.app for item in every})) or "none"
        raise MeshcourseError(f'no Envoy of "{app}"', remedy=f"Envoys there are: {known}.")
    lines = [line for member in members for line in _lines(cluster, member, containing)]
    lines.sort(key=lambda line: line.entry.start)
    return Log(tuple(lines[-last:] if last else lines))


def until(look: Callable[[], Log], enough: Callable[[Log], bool], seconds: float = 15.0) -> Log:
    """Look until there is enough: Envoys write their lines with a delay of up to some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if enough(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _lines(cluster: Cluster, member: inventory.Member, containing: str) -> Sequence[Line]:
    path = f"/api/v1/namespaces/{member.namespace}/pods/{member.name}/log"
    text = ""
    with contextlib.suppress(ApiError):  # the pod may have gone meanwhile
        text = cluster.api.get(path, accept="*/*", container=inventory.PROXY, tailLines=4000)
    wanted = [line for line in str(text).splitlines() if containing in line]
    parsed = [(line, accesslog.parse(line)) for line in wanted]
    return [Line(member.app, member.name, entry, line) for line, entry in parsed if entry]


def _row(line: Line) -> tuple[str, ...]:
    entry = line.entry
    return (
        line.app,
        "in" if entry.inbound else "out",
        f"{entry.method} {entry.path}",
        str(entry.code),
        entry.flags,
        str(entry.duration),
        entry.towards or "its application" if entry.cluster not in ("", "-") else "nobody",
        entry.request_id[:8],
    )


def _html_row(line: Line) -> str:
    colour = "#b23b3b" if line.entry.code >= 500 or line.entry.flags != "-" else "inherit"
    cells = "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in _row(line))
    return f"<tr style='color:{colour}' title='{html.escape(line.entry.meaning)}'>{cells}</tr>"
