"""A canary over time: the stairs of its share, its error rate with interval, the limit, and how it ended."""

from __future__ import annotations

import math
from dataclasses import dataclass

from meshcourse.rollout.canary import Canary, Step, words
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture

_LEFT, _WIDTH, _TOP, _HEIGHT = 60, 600, 50, 150
_GAP = 34
_COLOURS = {"promoted": svg.OUT, "running": svg.CONTROL[1]}


@dataclass(frozen=True, repr=False)
class Timeline(Picture):
    """The picture, and the canary behind it."""

    canary: Canary

    @property
    def outcome(self) -> str:
        """``promoted``, ``rolled back``, ``stopped`` or ``running``."""
        return self.canary.outcome


def draw(found: Canary) -> Timeline:
    """The picture and the same in words."""
    text = list(words(found))
    if found.visitors is not None:
        sent = found.visitors
        text.append(f"  {sent.n} pages asked for meanwhile, {sent.failed or 'none'} failed")
    span = max(found.seconds, 5.0)
    errors = _TOP + _HEIGHT + _GAP
    colour = _COLOURS.get(found.outcome, svg.FAILED)
    head = text[0].partition(" (")[0]
    parts = [
        svg.text(_LEFT, 16, head, size=13, anchor="start", fill=colour, weight="bold"),
        svg.text(_LEFT, 34, found.why, anchor="start", fill=svg.LINE),
        _axis(_TOP, f"{found.plan.candidate} gets", ("0 %", "50 %", "100 %")),
        *(_stair(step, span) for step in found.steps),
        _axis(errors, "fails", ("0 %", f"{_most(found) / 2:.0%}", f"{_most(found):.0%}")),
        _limit(found, errors),
        *_rates(found, span, errors),
        svg.text(_LEFT, errors + _HEIGHT + 16, "0 s", size=10, fill=svg.LINE),
        svg.text(_LEFT + _WIDTH, errors + _HEIGHT + 16, f"{span:.0f} s", size=10, fill=svg.LINE),
    ]
    height = errors + _HEIGHT + 26
    picture = svg.page(_LEFT + _WIDTH + 90, height, *parts, title=text[0])
    return Timeline(picture, "\n".join(text), found)


def _x(seconds: float, span: float) -> float:
    return _LEFT + min(1.0, seconds / span) * _WIDTH


def _axis(top: float, title: str, ticks: tuple[str, str, str]) -> str:
    parts = [svg.text(_LEFT + _WIDTH + 8, top + 10, title, size=11, anchor="start", fill=svg.LINE)]
    for number, tick in enumerate(ticks):
        y = top + _HEIGHT * (1 - number / 2)
        parts.append(svg.line(_LEFT, y, _LEFT + _WIDTH, y, stroke=svg.FAINT))
        parts.append(svg.text(_LEFT - 6, y + 4, tick, size=10, anchor="end", fill=svg.LINE))
    return "".join(parts)


def _stair(step: Step, span: float) -> str:
    left, right = _x(step.began, span), _x(step.began + step.seconds, span)
    height = _HEIGHT * step.percent / 100
    colour = svg.FAILED if step.decision == "bad" else svg.OUT
    bar = (
        f"<rect x='{left:.1f}' y='{_TOP + _HEIGHT - height:.1f}' width='{max(2.0, right - left):.1f}' "
        f"height='{height:.1f}' fill='{colour}' fill-opacity='.35' stroke='{colour}'/>"
    )
    middle, base = (left + right) / 2, _TOP + _HEIGHT - height
    return bar + svg.text(middle, max(base - 4, _TOP + 11), f"{step.percent} %", size=11)


def _most(found: Canary) -> float:
    """The upper end of the axis of errors: the limit is in its lower half, and so is most of what was seen."""
    worst = max((counts.rate().share for _, counts in found.seen if counts.requests), default=0.0)
    return min(1.0, max(2 * found.plan.limit, math.ceil(20 * worst) / 20 + 0.05))


def _y(share: float, found: Canary, top: float) -> float:
    return top + _HEIGHT * (1 - min(1.0, share / _most(found)))


def _limit(found: Canary, top: float) -> str:
    y = _y(found.plan.limit, found, top)
    right = _LEFT + _WIDTH
    return svg.line(_LEFT, y, right, y, stroke=svg.FAILED, dash="5 4") + svg.text(
        right + 8, y + 4, f"limit {found.plan.limit:.0%}", size=11, anchor="start", fill=svg.FAILED
    )


def _rates(found: Canary, span: float, top: float) -> list[str]:
    """At each look a whisker from the low to the high end of the interval, and a dot where the rate is."""
    parts = []
    for at, counts in found.seen:
        if not counts.requests:
            continue
        x, rate = _x(at, span), counts.rate()
        low, high = _y(rate.low, found, top), _y(rate.high, found, top)
        parts.append(svg.line(x, low, x, high, stroke="#f2b134"))
        y = _y(rate.share, found, top)
        parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{svg.INK}'/>")
    return parts
