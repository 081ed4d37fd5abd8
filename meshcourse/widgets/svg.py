"""A few words of SVG: boxes, lines and texts with the course's colours. Pure."""

from __future__ import annotations

import html

ENVOY, APP, CONTROL, LINE, FAINT = "#7a5ca8", "#5b7db1", "#2e7d6b", "#8a8a8a", "#d9d9de"
READY, LATE = "#3f9d5b", "#c98a1b"


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


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str = LINE, dash: str = "") -> str:
    """A straight line."""
    dashed = f" stroke-dasharray='{dash}'" if dash else ""
    return f"<path d='M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}' stroke='{stroke}' fill='none'{dashed}/>"


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
