"""What every test shares: property tests that are the same on every machine, and no learner's state in sight."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("course", derandomize=True, deadline=None)
settings.load_profile("course")

#: What waits longest begins first, so that two processes end together (with ``--no-loadscope-reorder``).
_LONG = ("integration/notebooks/", "integration/learner/", "integration/browser/", "integration/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in which tests are few and long before those with many short ones."""
    items.sort(key=lambda item: next((n for n, part in enumerate(_LONG) if part in item.nodeid), 9))


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Clusters that tests start live in a folder of their own, whatever the machine has running."""
    folder: Path = tmp_path_factory.mktemp("state")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_STATE_HOME", str(folder))
    yield
    patch.undo()
