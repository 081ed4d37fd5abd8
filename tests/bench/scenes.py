"""What is measured, a function each; its docstring is the headline, its result the figures with their units."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench import changing, panels, scale, starting, telemetry
from tests.bench.stage import Figures

ALL: dict[str, Callable[[], Figures]] = {
    "start": starting.start,
    "memory": starting.memory,
    "changes": changing.changes,
    "loss": changing.loss,
    "recovery": starting.recovery,
    "traffic": changing.traffic,
    "boutique": starting.boutique,
    "scale": scale.scale,
    "telemetry": telemetry.telemetry,
    "panels": panels.panels,
}
