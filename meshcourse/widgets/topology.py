"""The mesh as it is now: pods with their Envoys below, the control plane that configures them above."""

from __future__ import annotations

from meshcourse.observe.inventory import Inventory, Member
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture

_WIDTH, _HEIGHT, _GAP, _PER_ROW = 128, 86, 16, 6
_TOP = 96


def draw(found: Inventory) -> Picture:
    """The picture and the same in words."""
    members = [*found.gateways, *found.pods]
    columns = max(1, min(_PER_ROW, len(members)))
    rows = -(-len(members) // _PER_ROW) if members else 1
    width = columns * (_WIDTH + _GAP) + _GAP + 8
    width = max(width, 420)
    height = _TOP + rows * (_HEIGHT + _GAP) + 44
    parts = [_control_plane(found, width)]
    parts += [
        _link(i, width) for i, member in enumerate(members) if member.proxy and found.control_plane
    ]
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
    if not found.control_plane:
        return svg.box(width / 2 - 110, 8, 220, 44, dash="4 3") + svg.text(
            width / 2, 35, "no control plane", fill=svg.LINE
        )
    (first, *_rest) = found.control_plane
    colour = svg.CONTROL if first.ready else svg.LATE
    return (
        svg.box(width / 2 - 110, 8, 220, 44, fill=colour, stroke=colour)
        + svg.text(width / 2, 27, "istiod", fill="#fff", weight="bold")
        + svg.text(width / 2, 43, "configuration · certificates", fill="#fff", size=11)
    )


def _place(index: int) -> tuple[float, float]:
    row, column = divmod(index, _PER_ROW)
    return _GAP + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _GAP)


def _link(index: int, width: float) -> str:
    x, y = _place(index)
    return svg.line(width / 2, 52, x + 34, y + 30, stroke=svg.CONTROL, dash="2 4")


def _pod(index: int, member: Member) -> str:
    x, y = _place(index)
    frame = svg.READY if member.ready else svg.LATE
    title = f"{member.app} {member.version}".strip()
    parts = [
        svg.box(x, y, _WIDTH, _HEIGHT, fill="#fff", stroke=frame),
        svg.text(x + _WIDTH / 2, y + 18, svg.shorten(title, 18), fill="#222", weight="bold"),
    ]
    if member.proxy:
        parts += [
            svg.box(x + 8, y + 30, 52, 30, fill=svg.ENVOY, stroke=svg.ENVOY),
            svg.text(x + 34, y + 49, "Envoy", fill="#fff", size=11),
        ]
    if member.containers:
        left = x + (68 if member.proxy else 38)
        parts += [
            svg.box(left, y + 30, 52, 30, fill=svg.APP, stroke=svg.APP),
            svg.text(left + 26, y + 49, "app", fill="#fff", size=11),
        ]
    parts.append(
        svg.text(x + _WIDTH / 2, y + 77, svg.shorten(member.status, 20), fill="#555", size=11)
    )
    return "".join(parts)


def _legend(height: float) -> str:
    parts, x = [], float(_GAP)
    for colour, words in (
        (svg.ENVOY, "data plane: Envoy"),
        (svg.APP, "application"),
        (svg.CONTROL, "control plane"),
    ):
        parts.append(svg.box(x, height - 24, 12, 12, fill=colour, stroke=colour))
        parts.append(svg.text(x + 18, height - 14, words, anchor="start", size=11))
        x += 138
    return "".join(parts)


def _words(found: Inventory, members: list[Member]) -> str:
    plane = "istiod" if found.control_plane else "none"
    lines = [f"control plane: {plane}; {found.proxies} Envoys in the data plane"]
    for member in members:
        parts = (["Envoy"] if member.proxy else []) + list(member.containers)
        lines.append(f"  {member.name}: {' + '.join(parts) or 'nothing'}, {member.status}")
    return "\n".join(lines)
