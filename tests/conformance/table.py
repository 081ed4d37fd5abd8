"""The table: fields and the live tests that prove them.

``table.yaml`` has three parts. ``shapes`` are groups of fields with a name. ``proofs`` says for each kind which test
(``module::function`` under tests/integration) proves which fields; ``(a|b)`` stands for either, ``path:Shape`` for all
fields of a shape below a path. ``copies`` says that a subtree is another subtree in a second place, whose
translation is the same code: its fields are proved where they stand first, and a test proves that the second place is
read. ``unproven`` are fields that are translated and have no live test (with the reason); they do not count.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from meshcourse.embedded.istio.validate import unsupported
from tests.conformance import fields
from tests.conformance.fields import Kind

FILE = Path(__file__).with_name("table.yaml")
INTEGRATION = Path(__file__).parents[1] / "integration"


@dataclass(frozen=True)
class Coverage:
    """One kind: which tests prove a field, why another has no effect, which one is translated without a live test."""

    kind: Kind
    paths: tuple[str, ...]
    proofs: Mapping[str, list[str]]
    unsupported: Mapping[str, str]
    unproven: Mapping[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Fields of which the tables say nothing."""
        known = {*self.proofs, *self.unsupported, *self.unproven}
        return [one for one in self.paths if one not in known]

    @property
    def contradictions(self) -> list[str]:
        """Fields of which the tables say two things."""
        both = set(self.proofs) & set(self.unsupported)
        return sorted(both | set(self.unproven) & {*self.proofs, *self.unsupported})


@functools.cache
def read() -> dict[Kind, Coverage]:
    """The coverage of every kind."""
    document = yaml.safe_load(FILE.read_text())
    shapes: Mapping[str, str] = document["shapes"]
    found = {}
    for kind, paths in fields.by_kind().items():
        name = "/".join(kind)
        proofs: dict[str, list[str]] = {}
        for test, patterns in (document["proofs"].get(name) or {}).items():
            for pattern in patterns.split():
                for path in expand(pattern, shapes):
                    proofs.setdefault(path, []).append(test)
        for copy in (document["copies"] or {}).get(name) or []:
            _copy(proofs, paths, copy, found)
        without = _unsupported(kind, paths)
        for path in without:
            if path in proofs and all(_copied(test) for test in proofs[path]):
                del proofs[path]
        unproven = {
            path: why
            for why, patterns in ((document["unproven"] or {}).get(name) or {}).items()
            for pattern in patterns.split()
            for path in expand(pattern, shapes)
        }
        unknown = [one for one in (*proofs, *unproven) if one not in paths]
        found[kind] = Coverage(kind, paths, proofs, without, unproven, unknown)
    return found


class Copied(str):
    """A test that proves a field in another place of the API."""

    __slots__ = ()


def _copied(test: str) -> bool:
    return isinstance(test, Copied)


def _copy(
    proofs: dict[str, list[str]],
    paths: tuple[str, ...],
    copy: Mapping[str, Any],
    found: Mapping[Kind, Coverage],
) -> None:
    """Fields below ``of`` are proved below ``at``, too."""
    kind, _, source = str(copy["of"]).rpartition(":")
    known: Mapping[str, list[str]] = found[_kind(kind)].proofs if kind else dict(proofs)
    for path in paths:
        if path.startswith(copy["at"]):
            first = source + path.removeprefix(copy["at"])
            if first in known:
                both = [*known[first], copy["by"]]
                proofs.setdefault(path, []).extend(Copied(one) for one in both)


def _kind(text: str) -> Kind:
    group, _, kind = text.partition("/")
    return group, kind


def _unsupported(kind: Kind, paths: tuple[str, ...]) -> dict[str, str]:
    if kind in unsupported.KINDS:
        return dict.fromkeys(paths, unsupported.KINDS[kind])
    return {
        path: reason
        for prefix, reason in unsupported.FIELDS.get(kind, {}).items()
        for path in paths
        if re.match(rf"{re.escape(prefix)}($|[.\[{{])", path)
    }


def expand(pattern: str, shapes: Mapping[str, str]) -> Iterator[str]:
    """``a.(b|c):Shape`` → every path that it stands for."""
    pattern, colon, shape = pattern.partition(":")
    parts = [one.strip("()").split("|") for one in re.split(r"(\([^)]*\))", pattern)]
    for chosen in itertools.product(*parts):
        path = "".join(chosen)
        if not colon:
            yield path
            continue
        for below in shapes[shape].split():
            for one in expand(below, shapes):
                yield f"{path}{one}" if one[0] in "[{" else f"{path}.{one}"


def tests() -> set[str]:
    """Every test that the table names."""
    return {one for found in read().values() for tests in found.proofs.values() for one in tests}
