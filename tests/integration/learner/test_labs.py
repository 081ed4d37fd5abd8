"""The course proves itself: every lab can fail, can be solved, notices a broken solution, and leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshcourse import course
from meshcourse.lab import manifest, proof

LABS = manifest.read(Path(__file__).parents[3]).labs


@pytest.mark.timeout(240)
@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)
def test_start_fails_solution_passes_nothing_is_left(lab: manifest.Lab, mesh: course.Mesh) -> None:
    found = proof.prove(lab, mesh, course.kubectl_in)
    assert found.ok, str(found)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)
def test_a_broken_solution_is_noticed(lab: manifest.Lab, mesh: course.Mesh, tmp_path: Path) -> None:
    assert proof.survivors(lab, mesh, course.kubectl_in, tmp_path / "mutants") == []
