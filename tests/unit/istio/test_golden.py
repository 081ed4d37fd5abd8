"""Golden pieces of configuration: ``golden/*.yaml`` hold objects, and what of the translation must
be there.

Each case: ``given`` (YAML documents added to Bookinfo), ``pod`` and ``namespace`` (whose proxy),
``expect`` (parts of clusters, endpoints, listeners, routes, extensions, secrets by name: every key
written must be equal, other keys may be there),
``absent`` (names that must not be there).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.istio.mesh import bookinfo

CASES = sorted(Path(__file__).with_name("golden").glob("*.yaml"))


def load() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['case']}")
        for path in CASES
        for case in yaml.safe_load_all(path.read_text())
    ]


def test_there_are_cases() -> None:
    assert len(load()) > 20


@pytest.mark.parametrize("case", load())
def test_golden(case: dict[str, Any]) -> None:
    mesh = bookinfo()
    mesh.apply(case["given"])
    pod = case.get("pod", "productpage-v1-5d8f-1")
    resources = mesh.resources(pod, case.get("namespace", "default"))
    assert case.get("expect") or case.get("absent"), "a case without expectations tests nothing"
    for kind, names in (case.get("expect") or {}).items():
        for name, expected in names.items():
            found = getattr(resources, kind).get(name)
            assert found is not None, f"no {name} among {sorted(getattr(resources, kind))}"
            compare(expected, found, f"{kind}/{name}")
    for kind, names in (case.get("absent") or {}).items():
        assert not set(names) & set(getattr(resources, kind))


def compare(expected: Any, found: Any, where: str) -> None:
    """Whether `expected` is part of `found`; lists must be of equal length unless they begin with
    ``...``.
    """
    if isinstance(expected, dict):
        assert isinstance(found, dict), f"{where}: {found!r} is no object"
        for key, value in expected.items():
            if value == "<absent>":
                assert key not in found, f"{where}.{key} is there: {found[key]!r}"
            else:
                assert key in found, f"{where}.{key} is missing; there are {sorted(found)}"
                compare(value, found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        some = expected[:1] == ["..."]
        wanted = expected[1:] if some else expected
        assert isinstance(found, list), f"{where}: {found!r} is no list"
        if some:
            for one in wanted:
                assert any(_fits(one, other) for other in found), (
                    f"{where}: no {one!r} in {found!r}"
                )
            return
        assert len(wanted) == len(found), f"{where}: {len(found)} elements: {found!r}"
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            compare(one, other, f"{where}[{number}]")
    else:
        assert expected == found, f"{where}: {found!r} instead of {expected!r}"


def _fits(expected: Any, found: Any) -> bool:
    try:
        compare(expected, found, "")
    except AssertionError:
        return False
    return True


def test_compare_notices_differences() -> None:
    for expected, found in (({"a": 1}, {"a": 2}), ([1], [1, 2]), ({"a": "<absent>"}, {"a": 1})):
        with pytest.raises(AssertionError):
            compare(expected, found, "x")
    compare({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3}, "x")
    compare(["...", {"b": 1}], [{"a": 0}, {"b": 1}], "x")
