"""A few words of SVG: boxes, lines and texts with the course's colours. Pure."""

from __future__ import annotations

import html

#: The colours of the course's pictures: fill and stroke.
ENVOY, APP, CONTROL = ("#f1e6f7", "#7b3f98"), ("#e2f3f0", "#0f766e"), ("#e8effc", "#2b5cb3")
GATEWAY = ("#fdf1e3", "#cf8a3b")
OUT, FAILED = "#1f8f4e", "#b23b3b"
INK, LINE, FAINT = "#1b2433", "#7b8494", "#d5dae3"
READY, LATE = "#86b79a", "#c98a1b"


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str = "none",
    stroke: str = LINE,
    dash: str = "",
) -> str:
    """A rectangle with round corners."""
    dashed = f" stroke-dasharray='{dash}'" if dash else ""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' rx='6' "
        f"fill='{fill}' stroke='{stroke}'{dashed}/>"
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    fill: str = "currentColor",
    anchor: str = "middle",
    weight: str = "normal",
) -> str:
    """A line of text; special characters are escaped."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{fill}' text-anchor='{anchor}' "
        f"font-weight='{weight}'>{html.escape(words)}</text>"
    )


def hexagon(
    x: float, y: float, radius: float, *, fill: str = ENVOY[0], stroke: str = ENVOY[1]
) -> str:
    """An Envoy: a hexagon with its centre at `x`, `y`."""
    side = radius * 0.87
    right = [(0.0, -radius), (side, -radius / 2), (side, radius / 2)]
    points = right + [(-dx, -dy) for dx, dy in right]
    corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in points)
    return f"<polygon points='{corners}' fill='{fill}' stroke='{stroke}' stroke-width='2'/>"


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str = LINE, dash: str = "") -> str:
    """A straight line."""
    dashed = f" stroke-dasharray='{dash}'" if dash else ""
    return f"<path d='M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}' stroke='{stroke}' fill='none'{dashed}/>"


def pickable(name: str, *parts: str) -> str:
    """Parts that a live view reports when they are clicked (`widgets.live.view`)."""
    return f"<g data-pick='{html.escape(name)}' tabindex='0'>{''.join(parts)}</g>"


def page(width: float, height: float, *parts: str, title: str = "") -> str:
    """The whole picture."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height:.0f}' width='{width:.0f}' "
        f"height='{height:.0f}' role='img' font-family='system-ui,sans-serif'>"
        f"<title>{html.escape(title)}</title>{''.join(parts)}</svg>"
    )


def shorten(words: str, limit: int) -> str:
    """`words`, with an ellipsis if it is longer than `limit` characters."""
    return words if len(words) <= limit else words[: limit - 1] + "…"
