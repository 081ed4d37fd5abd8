from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.kubectl import durations, elastic, tables, yamlout
from meshcourse.kubectl.errors import KubectlError


def test_a_table_is_padded_as_kubectl_pads_it() -> None:
    rows = [["NAME", "READY", "AGE"], ["details-v1-86", "2/2", "3s"], ["x", "1/1", "10m"]]
    assert tables.render(rows) == (
        "NAME            READY   AGE\n"
        "details-v1-86   2/2     3s\n"
        "x               1/1     10m\n"
    )  # fmt: skip
    assert tables.render([]) == ""


SERVER: dict[str, Any] = {
    "columnDefinitions": [
        {"name": "Name", "priority": 0},
        {"name": "Age", "priority": 0},
        {"name": "Node", "priority": 1},
    ],
    "rows": [
        {
            "cells": ["a", None, "n1"],
            "object": {"metadata": {"namespace": "default", "labels": {"app": "x", "b": "c"}}},
        }
    ],
}


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, [["NAME", "AGE"], ["a", "<none>"]]),
        ({"wide": True}, [["NAME", "AGE", "NODE"], ["a", "<none>", "n1"]]),
        ({"namespaced": True, "headers": False}, [["default", "a", "<none>"]]),
        ({"prefix": "pod/", "headers": False}, [["pod/a", "<none>"]]),
        ({"labels": True, "headers": False}, [["a", "<none>", "app=x,b=c"]]),
        ({"columns": ["app", "none"]}, [["NAME", "AGE", "APP", "NONE"], ["a", "<none>", "x", ""]]),
    ],
)
def test_the_servers_table_becomes_rows(options: dict[str, Any], rows: list[list[str]]) -> None:
    assert tables.from_server(SERVER, **options) == rows


def test_tab_stops_are_elastic_within_neighbouring_lines_only() -> None:
    text = "Name:\tweb\nLong title:\tx\nno tab here\na:\tb"
    assert elastic.align(text) == "Name:        web\nLong title:  x\nno tab here\na:  b"


def test_inner_columns_are_aligned_within_outer_ones() -> None:
    text = "Port:\thttp\t80/TCP\nNodePort:\tlonger-name\t3/TCP"
    assert elastic.align(text) == "Port:      http         80/TCP\nNodePort:  longer-name  3/TCP"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (599, "9m59s"), (600, "10m"), (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (8 * 3600, "8h"), (47 * 3600, "47h"), (48 * 3600, "2d"),
        (2 * 86400 + 3 * 3600, "2d3h"), (8 * 86400, "8d"), (729 * 86400, "729d"), (731 * 86400, "2y1d"),
        (-5, "<invalid>"),
    ],
)  # fmt: skip
def test_ages_are_shortened_as_in_tables(span: int, text: str) -> None:
    assert durations.age(span) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("0s", 0), ("90s", 90), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), ("-1s", -1)]
)  # fmt: skip
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert durations.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "1d", "s", "1m x"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(KubectlError, match="invalid duration"):
        durations.seconds(text)


def test_yaml_has_sorted_keys_double_quotes_and_literal_blocks() -> None:
    data = {"b": ["1", 1, True, None, "y", ""], "a": "two\nlines", "c": "http://x:80", "d": "*"}
    assert yamlout.render(data) == (
        'a: |-\n  two\n  lines\nb:\n- "1"\n- 1\n- true\n- null\n- "y"\n- ""\nc: http://x:80\nd: \'*\'\n'
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii"), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_yaml_reads_back_as_what_it_was(value: Any) -> None:
    assert yaml.safe_load(yamlout.render({"value": value})) == {"value": value}
