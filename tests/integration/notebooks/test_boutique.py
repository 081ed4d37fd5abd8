"""Notebooks 08 to 10 from top to bottom by papermill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.notebooks import running

GROUP = running.PROMISES["boutique"]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with running.cluster("boutique"):
        yield


@pytest.mark.timeout(400)
@pytest.mark.parametrize("slug", GROUP)
def test_runs_from_top_to_bottom(slug: str) -> None:
    running.top_to_bottom(slug, GROUP[slug])
