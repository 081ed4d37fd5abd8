"""What was proved, as a file, and what differs between two of them. Pure apart from reading and writing files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that was tried.

    :param what: ``papermill 03-bookinfo``, ``nbval 03-bookinfo``, ``lab 03-bookinfo``.
    :param error: what failed, "" if nothing did.
    """

    what: str
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was tried on one cluster."""

    cluster: str
    istio: str
    kubernetes: str
    outcomes: Sequence[Outcome] = field(default_factory=tuple)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.error]

    @property
    def title(self) -> str:
        return f"{self.cluster}, Kubernetes {self.kubernetes}, Istio {self.istio}"


def write(found: Report, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")


def read(path: Path) -> Report:
    data = json.loads(path.read_text(encoding="utf-8"))
    return Report(**data | {"outcomes": tuple(Outcome(**item) for item in data["outcomes"])})


def drift(before: Report, after: Report) -> list[str]:
    """A line for everything whose outcome differs: ``-`` as it was, ``+`` as it is."""
    old = {outcome.what: outcome.error for outcome in before.outcomes}
    new = {outcome.what: outcome.error for outcome in after.outcomes}
    lines = []
    for what in dict.fromkeys([*old, *new]):
        if bool(old.get(what, "not tried")) != bool(new.get(what, "not tried")):
            lines.append(f"- {what}: {_said(old.get(what, 'not tried'))}")
            lines.append(f"+ {what}: {_said(new.get(what, 'not tried'))}")
    return lines


def worse(before: Report, after: Report) -> list[str]:
    """What went well before and fails now."""
    fine = {outcome.what for outcome in before.outcomes if not outcome.error}
    return [outcome.what for outcome in after.outcomes if outcome.error and outcome.what in fine]


def page(found: Report, before: Report | None = None) -> str:
    """The report in Markdown."""
    lines = [
        f"## {found.title}",
        "",
        f"{len(found.outcomes)} tried, {len(found.failed)} failed",
        "",
    ]
    lines += [f"- `{one.what}`: {_said(one.error)}" for one in found.failed]
    if before is not None:
        changed = drift(before, found) or [f"  nothing differs from {before.title}"]
        lines += ["", f"### Drift from {before.title}", "", "```diff", *changed, "```"]
    return "\n".join(lines) + "\n"


def _said(error: str) -> str:
    return " ".join(error.split())[:300] or "ok"
