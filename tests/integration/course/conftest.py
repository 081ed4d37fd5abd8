"""One cluster with Istio and Bookinfo for all tests of this folder, through the learner's own library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from meshcourse import course
from meshcourse.embedded.daemon import launcher

NAME = "course-tests"


@pytest.fixture(scope="session")
def bookinfo() -> Iterator[course.Mesh]:
    mesh = course.open(NAME)
    try:
        mesh.ensure("istio", "bookinfo")
        yield mesh
    finally:
        mesh.close()
        launcher.down(NAME)


@pytest.fixture
def mesh(bookinfo: course.Mesh) -> Iterator[course.Mesh]:
    """The mesh without routing rules of an earlier test."""
    yield bookinfo
    for kind in ("virtualservices", "destinationrules"):
        for found in bookinfo.objects(f"{kind}.networking.istio.io", "default"):
            if found["metadata"]["name"] != "bookinfo":
                bookinfo.delete(yaml.safe_dump(found))
