"""A mesh as a learner has it, for tests that go through the learner's own library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshcourse import course
from meshcourse.embedded.daemon import launcher

NAME = "learner-tests"


@pytest.fixture(scope="session")
def mesh() -> Iterator[course.Mesh]:
    """Istio and Bookinfo; afterwards nothing is left."""
    found = course.open(NAME)
    try:
        found.ensure("istio", "bookinfo")
        yield found
    finally:
        found.close()
        launcher.down(NAME, delete=True)
