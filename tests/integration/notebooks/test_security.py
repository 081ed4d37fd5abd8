"""Notebooks 14 and 15 from top to bottom by papermill, on one cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.notebooks import running

GROUP = running.PROMISES["security"]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with running.cluster("security", over="context"):
        yield


@pytest.mark.timeout(400)
@pytest.mark.parametrize("slug", GROUP)
def test_runs_from_top_to_bottom(slug: str) -> None:
    running.top_to_bottom(slug, GROUP[slug])


@pytest.mark.timeout(900)
def test_runs_a_second_time_in_another_order(tmp_path: Path) -> None:
    running.again(running.another_order(GROUP), tmp_path)
