"""Notebooks 04 to 07 from top to bottom by papermill. They wait for real traffic, so once has to do here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.notebooks import running

GROUP = running.PROMISES["observe"]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with running.cluster("observe", over="context"):
        yield


@pytest.mark.timeout(400)
@pytest.mark.parametrize("slug", GROUP)
def test_runs_from_top_to_bottom(slug: str) -> None:
    running.top_to_bottom(slug, GROUP[slug])
