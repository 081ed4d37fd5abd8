from __future__ import annotations

from typing import Any

import pytest

from meshcourse.kubectl import jsonpath
from meshcourse.kubectl.errors import KubectlError

DATA: dict[str, Any] = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app": "x", "app.kubernetes.io/name": "long"}},
            "status": {"ready": True, "count": 1},
        },
        {"metadata": {"name": "b", "labels": {"app": "y"}}, "status": {"ready": False, "count": 5}},
    ],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.kind}", "List"),
        ("{$.kind}", "List"),
        ("{.items[*].metadata.name}", "a b"),
        ("{.items[0].metadata.name}", "a"),
        ("{.items[-1].metadata.name}", "b"),
        ("{.items[0:1].metadata.name}", "a"),
        ("{.items[0,1].metadata.name}", "a b"),
        ("{.items[1].status['ready','count']}", "false 5"),
        (r"{.items[0].metadata.labels.app\.kubernetes\.io/name}", "long"),
        ("{.items[0].metadata.labels['app\\.kubernetes\\.io/name']}", "long"),
        ('{range .items[*]}{.metadata.name}{"\\t"}{.status.ready}{"\\n"}{end}', "a\ttrue\nb\tfalse\n"),
        ('{.items[?(@.metadata.labels.app=="y")].metadata.name}', "b"),
        ("{.items[?(@.status.count>2)].metadata.name}", "b"),
        ("{.items[?(@.status.ready==true)].metadata.name}", "a"),
        ("{.items[?(@.metadata.labels.nothing)].metadata.name}", ""),
        ("{..name}", "a b"),
        ("{.nothing.at.all}", ""),
        ("plain text", "plain text"),
        ("{.kind} and {'quoted'}", "List and quoted"),
        ("{.items[0].status}", '{"ready":true,"count":1}'),
        ("{.items[*].status.count}", "1 5"),
        ("{.items[9].metadata.name}", ""),
    ],
)  # fmt: skip
def test_templates_give_what_kubectl_prints(template: str, text: str) -> None:
    assert jsonpath.render(template, DATA) == text


@pytest.mark.parametrize(
    "template",
    ["{.items[0}", "{range .items[*]}{.x}", "{.a}{end}", "{.items[abc]}", "{.kind", "kind}"],
)
def test_templates_that_do_not_parse_are_refused(template: str) -> None:
    with pytest.raises(KubectlError, match="error parsing jsonpath"):
        jsonpath.render(template, DATA)


def test_a_path_may_stand_without_braces() -> None:
    assert jsonpath.find(".items[*].metadata.name", DATA) == ["a", "b"]
    assert jsonpath.find("{.kind}", DATA) == ["List"]
    assert jsonpath.find("kind", DATA) == ["List"]
