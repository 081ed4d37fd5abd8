from __future__ import annotations

from pathlib import Path

import pytest

from meshcourse.lab import execute


def test_an_empty_collection_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute.main([]) == 2
    assert "no notebooks to execute" in capsys.readouterr().err


def test_the_index_links_every_notebook_and_says_what_failed() -> None:
    page = execute.index(
        [execute.Outcome("00-a", 1.0), execute.Outcome("01-b", 2.0, "cell 3: <boom>")]
    )
    assert "href='html/00-a.html'" in page
    assert "<td>ok</td>" in page
    assert "cell 3: &lt;boom&gt;" in page


def test_one_failure_does_not_stop_the_others_but_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(notebook: Path, out: Path) -> execute.Outcome:
        return execute.Outcome(notebook.stem, 1.0, "boom" if notebook.stem == "a" else "")

    monkeypatch.setattr(execute, "run", run)
    assert execute.main(["--out", str(tmp_path), "a.ipynb", "b.ipynb"]) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:2]] == ["a", "b"]
    assert execute.main(["--out", str(tmp_path), "b.ipynb"]) == 0
    assert "b.html" in (tmp_path / "index.html").read_text()


def test_pages_have_their_pictures_in_them(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "a-b.png").write_bytes(b"\x89PNG")
    page = '<img alt="A" src="../img/a-b.png"/><img src="../img/none.png"/>'
    found = execute._with_pictures(page, tmp_path / "notebooks")
    assert (
        found == '<img alt="A" src="data:image/png;base64,iVBORw=="/><img src="../img/none.png"/>'
    )
