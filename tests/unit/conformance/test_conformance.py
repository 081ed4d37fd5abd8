"""The conformance table is complete, names tests that exist, and what it calls unsupported is warned about."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.istio import validate
from meshcourse.embedded.istio.validate import unsupported
from tests.conformance import fields, report, table
from tests.conformance.fields import Kind

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", fields.by_kind(), ids=lambda kind: f"{kind[0]}/{kind[1]}")
def test_every_field_of_the_crd_has_one_place(kind: Kind) -> None:
    found = table.read()[kind]
    assert not found.missing, "neither proved, nor unsupported, nor known to be unproven"
    assert not found.contradictions, "more than one of these"
    assert not found.unknown, "not in the CRD"


def test_every_test_of_the_table_is_collected() -> None:
    named = {str(one) for one in table.tests()}
    assert len(named) > 60
    files = sorted({one.partition("::")[0] for one in named})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        + [f"tests/integration/{one}" for one in files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    collected = {
        re.sub(r"\[.*", "", line).removeprefix("tests/integration/")
        for line in done.stdout.splitlines()
        if "::" in line
    }
    assert not named - collected, done.stdout[-2000:]


def using(schema: Mapping[str, Any], path: list[str]) -> Any:
    """A value in which the field at a path is set."""
    if not path:
        return sample(schema)
    name, *rest = path
    listed, name = name.endswith("[]"), name.removesuffix("[]")
    inner = schema["properties"][name]
    value = using(inner["items"] if listed else inner, rest)
    return {name: [value] if listed else value}


def sample(schema: Mapping[str, Any]) -> Any:
    """Any value of a type."""
    samples = {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": ["x"]}
    return schema.get("enum", [samples.get(str(schema.get("type")), {"x": "y"})])[0]


USES = [
    pytest.param(kind, path, reason, id=f"{kind[1]}.{path}")
    for kind, found in unsupported.FIELDS.items()
    for path, reason in found.items()
]


@pytest.mark.parametrize(("kind", "path", "reason"), USES)
def test_the_use_of_an_unsupported_field_is_warned_about(
    kind: Kind, path: str, reason: str
) -> None:
    spec = using(fields.schema(kind), path.split("."))
    found = validate.check(
        {
            "apiVersion": f"{kind[0]}/v1",
            "kind": kind[1],
            "metadata": {"name": "one", "namespace": "default"},
            "spec": spec,
        }
    )
    place = re.escape(f"spec.{path}").replace(r"\[\]", r"\[0\]")
    assert any(re.search(f"{place} has no effect", one) for one in found.warnings), found
    assert any(reason in one for one in found.warnings)


@pytest.mark.parametrize("kind", unsupported.KINDS, ids=lambda kind: kind[1])
def test_unsupported_kinds_and_values_are_warned_about(kind: Kind) -> None:
    item = {"apiVersion": f"{kind[0]}/v1", "kind": kind[1], "metadata": {"name": "one"}}
    assert unsupported.KINDS[kind] in " ".join(validate.check({**item, "spec": {}}).warnings)
    for (group, word), paths in unsupported.VALUES.items():
        for path, values in paths.items():
            for value, reason in values.items():
                spec = using(fields.schema((group, word)), path.split("."))
                text = {"apiVersion": f"{group}/v1", "kind": word, "metadata": {"name": "one"}}
                changed = _set(spec, path.split("."), value)
                assert reason in " ".join(validate.check({**text, "spec": changed}).warnings)


def _set(part: Any, path: list[str], value: str) -> Any:
    name, *rest = path
    listed, name = name.endswith("[]"), name.removesuffix("[]")
    inner = _set(part[name][0] if listed else part[name], rest, value) if rest else value
    return {**part, name: [inner] if listed else inner}


def test_the_page_is_what_the_tables_say() -> None:
    assert report.PAGE.read_text() == report.page(), "run python -m tests.conformance --write"


def test_the_report_counts() -> None:
    lines = report.text().splitlines()
    assert len(lines) == len(fields.by_kind()) + 2
    assert "NEITHER" not in report.text()
