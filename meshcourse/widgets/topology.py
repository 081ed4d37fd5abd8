"""The mesh as it is now: pods with their Envoys below, the control plane that configures them above."""

from __future__ import annotations

from meshcourse.observe.inventory import Inventory, Member
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture

_WIDTH, _HEIGHT, _GAP, _PER_ROW = 128, 86, 20, 6
_TOP = 84


def draw(found: Inventory) -> Picture:
    """The picture and the same in words."""
    members = [*found.gateways, *found.pods]
    columns = max(1, min(_PER_ROW, len(members)))
    rows = -(-len(members) // _PER_ROW) if members else 1
    width = columns * (_WIDTH + _GAP) + _GAP + 8
    width = max(width, 420)
    height = _TOP + rows * (_HEIGHT + _GAP) + 44
    parts = [_control_plane(found, width)]
    parts.append(_links(found, members, width))
    parts += [_pod(i, member) for i, member in enumerate(members)]
    if not members:
        parts.append(
            svg.text(width / 2, _TOP + 40, f"no pods in namespace {found.namespace}", fill=svg.LINE)
        )
    parts.append(_legend(height))
    return Picture(
        svg.page(width, height, *parts, title="the mesh as it is now"), _words(found, members)
    )


def _control_plane(found: Inventory, width: float) -> str:
    middle = width / 2
    if not found.control_plane:
        empty = svg.box(middle - 120, 8, 240, 46, dash="4 3")
        return empty + svg.text(middle, 36, "no control plane", fill=svg.LINE)
    fill, stroke = svg.CONTROL
    if not all(member.ready for member in found.control_plane):
        stroke = svg.LATE
    return (
        svg.box(middle - 120, 8, 240, 46, fill=fill, stroke=stroke)
        + svg.text(middle, 28, "istiod", fill=stroke, size=14, weight="bold")
        + svg.text(middle, 45, "configuration and certificates", fill=svg.INK, size=11)
    )


def _place(index: int) -> tuple[float, float]:
    row, column = divmod(index, _PER_ROW)
    return _GAP + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _GAP)


def _links(found: Inventory, members: list[Member], width: float) -> str:
    """From istiod along the rows to the top of every Envoy's pod."""
    reached = [_place(index) for index, member in enumerate(members) if member.proxy]
    if not found.control_plane or not reached:
        return ""
    rows = sorted({y for _x, y in reached})
    trunk, middle = _GAP / 2, width / 2
    parts = [_dashes(middle, 54, middle, rows[0] - 10)]
    if len(rows) > 1:
        parts.append(_dashes(trunk, rows[0] - 10, trunk, rows[-1] - 10))
    for number, row in enumerate(rows):
        ends = [x + _WIDTH / 2 for x, y in reached if y == row]
        start = [middle] if number == 0 else []
        first = trunk if len(rows) > 1 else min(ends + start)
        parts.append(_dashes(first, row - 10, max(ends + start), row - 10))
        parts += [_dashes(x, row - 10, x, row) for x in ends]
    return "".join(parts)


def _dashes(x1: float, y1: float, x2: float, y2: float) -> str:
    return svg.line(x1, y1, x2, y2, stroke=svg.CONTROL[1], dash="3 4")


def _pod(index: int, member: Member) -> str:
    x, y = _place(index)
    fill, frame = ("#fff", svg.READY) if not member.gateway else svg.GATEWAY
    title = f"{member.app} {member.version}".strip()
    parts = [svg.box(x, y, _WIDTH, _HEIGHT, fill=fill, stroke=frame if member.ready else svg.LATE)]
    if member.proxy:
        parts.append(svg.hexagon(x + (36 if member.containers else _WIDTH / 2), y + 32, 18))
    if member.containers:
        left = x + (66 if member.proxy else 39)
        parts.append(svg.box(left, y + 17, 50, 30, fill=svg.APP[0], stroke=svg.APP[1]))
        parts.append(svg.text(left + 25, y + 37, "app", fill=svg.APP[1], weight="bold"))
    words = svg.shorten(title.removeprefix("istio-"), 18)
    parts.append(svg.text(x + _WIDTH / 2, y + 66, words, fill=svg.INK, weight="bold"))
    state = "" if member.ready else svg.shorten(member.status, 20)
    parts.append(svg.text(x + _WIDTH / 2, y + 80, state, fill=svg.LATE, size=11))
    return "".join(parts)


def _legend(height: float) -> str:
    y = height - 16
    return "".join(
        (
            svg.hexagon(_GAP + 8, y - 4, 8),
            svg.text(_GAP + 22, y, "Envoy: the data plane", anchor="start", size=11),
            svg.box(_GAP + 158, y - 11, 14, 12, fill=svg.APP[0], stroke=svg.APP[1]),
            svg.text(_GAP + 178, y, "application", anchor="start", size=11),
            svg.line(_GAP + 256, y - 4, _GAP + 284, y - 4, stroke=svg.CONTROL[1], dash="3 4"),
            svg.text(_GAP + 290, y, "configures", anchor="start", size=11),
        )
    )


def _words(found: Inventory, members: list[Member]) -> str:
    plane = "istiod" if found.control_plane else "none"
    lines = [f"control plane: {plane}; {found.proxies} Envoys in the data plane"]
    for member in members:
        parts = (["Envoy"] if member.proxy else []) + list(member.containers)
        lines.append(f"  {member.name}: {' + '.join(parts) or 'nothing'}, {member.status}")
    return "\n".join(lines)
