from __future__ import annotations

from pathlib import Path

from meshcourse.lab.progress import Store


def test_what_was_solved_and_hinted_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "progress.json"
    Store(path).mark_hints("00-hello", 2)
    Store(path).mark_solved("00-hello")
    Store(path).mark_hints("01-next", 1)
    store = Store(path)
    assert store.solved() == {"00-hello"}
    assert (store.hints("00-hello"), store.hints("01-next"), store.hints("02")) == (2, 1, 0)
    store.reset()
    assert Store(path).solved() == set()


def test_a_damaged_file_counts_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    for text in ("not json", "[1]", '{"a": 1}'):
        path.write_text(text)
        assert Store(path).solved() == set()
    Store(path).mark_solved("00-hello")
    assert Store(path).solved() == {"00-hello"}
    assert list(tmp_path.iterdir()) == [path]
