"""Notebooks 00 to 03 from top to bottom, twice in a row on one cluster: first by papermill, then by nbval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.notebooks import running

GROUP = running.PROMISES["first"]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with running.cluster("first"):
        yield


@pytest.mark.timeout(400)
@pytest.mark.parametrize("slug", GROUP)
def test_runs_from_top_to_bottom(slug: str) -> None:
    running.top_to_bottom(slug, GROUP[slug])


@pytest.mark.timeout(600)
def test_runs_a_second_time_and_prints_what_is_kept_in_the_repository(tmp_path: Path) -> None:
    running.again(list(GROUP), tmp_path)


def test_every_notebook_is_in_a_group_and_promises_something() -> None:
    promised = {slug: texts for group in running.PROMISES.values() for slug, texts in group.items()}
    assert set(promised) == set(running.NOTEBOOKS)
    assert all(promised.values())
