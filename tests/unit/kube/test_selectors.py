from __future__ import annotations

import pytest

from meshcourse.embedded.kube import selectors

LABELS = {"app": "web", "tier": "front", "n": "5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=api", False),
        ("app!=api", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("app in (web, api)", True),
        ("app in (api)", False),
        ("app notin (api,other)", True),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("n>4", True),
        ("n<4", False),
        ("app>4", False),
        ("app=web,tier in (front,back),!legacy", True),
        ("app=web,tier=back", False),
        ("app=", False),
        ("example.com/team=x", False),
    ],
)
def test_label_selectors(text: str, expected: bool) -> None:
    assert selectors.parse_labels(text).matches(LABELS) is expected


@pytest.mark.parametrize("text", ["a b c", "=x", "app=a b", "app in (a", ",app", "-x=1", "a/b/c=1"])
def test_malformed_label_selectors(text: str) -> None:
    with pytest.raises(selectors.SelectorError, match="unable to parse requirement"):
        selectors.parse_labels(text)


def test_objects_select_by_labels_and_expressions() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["front"]},
        {"key": "legacy", "operator": "DoesNotExist"},
        {"key": "n", "operator": "Exists"},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    assert selectors.from_object(selector).matches(LABELS)
    assert not selectors.from_object(selector).matches({**LABELS, "legacy": "1"})
    assert selectors.render(selector) == "app=web,tier in (front),!legacy,n"


def test_null_selects_nothing_and_empty_everything() -> None:
    assert not selectors.from_object(None).matches(LABELS)
    assert selectors.from_object({}).matches(LABELS)
    assert not selectors.from_map({}).matches(LABELS)
    assert selectors.from_map({"app": "web"}).matches(LABELS)


def test_an_operator_that_does_not_exist() -> None:
    with pytest.raises(selectors.SelectorError, match='"Near" is not a valid label selector'):
        selectors.from_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})


POD = {
    "metadata": {"name": "a,b", "namespace": "x"},
    "spec": {"nodeName": "n1", "hostNetwork": True},
    "status": {},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("spec.nodeName=n1", True),
        ("spec.nodeName==n1,metadata.namespace!=y", True),
        ("status.phase=", True),
        ("status.phase=Running", False),
        ("spec.hostNetwork=true", True),
        ("metadata.name=a\\,b", True),
    ],
)
def test_field_selectors(text: str, expected: bool) -> None:
    assert selectors.parse_fields(text).matches(POD) is expected


def test_malformed_field_selectors() -> None:
    with pytest.raises(selectors.SelectorError, match="can't understand 'phase'"):
        selectors.parse_fields("metadata.name=a,phase")
