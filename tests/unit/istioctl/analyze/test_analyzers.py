"""Every message: objects that raise it, and objects that do not."""

from __future__ import annotations

import pytest

from meshcourse.embedded.istioctl.analyze import catalogue, codes, messages
from tests.unit.istioctl.analyze.cases import CASES, Case
from tests.unit.istioctl.analyze.objects import Object, gathered

#: Raised by ``istioctl x precheck`` only.
_PRECHECK = {"IST0136", "IST0141", "IST0142", "IST0156", "IST0169", "IST0172"}


def _found(case: Case, objects: list[Object]) -> list[messages.Message]:
    result = catalogue.analyze(gathered(*objects, mesh=case.mesh))
    return [one for one in result.messages if one.type.code == case.code]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}: {case.text[:40]}")
def test_raised(case: Case) -> None:
    assert case.text in [one.text for one in _found(case, case.bad)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}: {case.text[:40]}")
def test_not_raised(case: Case) -> None:
    assert case.text not in [one.text for one in _found(case, case.good)]


def test_every_code_has_a_case() -> None:
    assert {case.code for case in CASES} | _PRECHECK == codes.CODES
