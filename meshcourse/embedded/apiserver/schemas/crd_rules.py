"""Rules of a CRD's schema (``x-kubernetes-validations``), run against a custom resource.

Source: apiextensions' CEL validation (scope, wording, when rules are skipped). A rule that refers to ``oldSelf`` runs
only on updates, and only where old and new value can be told to be the same thing. A rule that calls a function that
`cel` does not have is not evaluated.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas import cel
from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.schemas.structural import Structural
from meshcourse.embedded.kube.objects import Object

_SKIPPED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)
#: What is so wrong that rules would only add confusion.
_BLOCKING: Final = frozenset(
    f"FieldValue{kind}"
    for kind in ("NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid", "Duplicate")
)
_OLD: Final = re.compile(r"\boldSelf\b")
_MISSING: Final = object()


def check(report: Report, obj: Object, old: Object | None, node: Structural) -> None:
    """Run every rule of the schema `node` on `obj`."""
    if not node.has_rules:
        return
    if any(cause.reason in _BLOCKING for cause in report.causes):
        report.invalid("<nil>", None, _SKIPPED)
        return
    _walk(report, obj, _MISSING if old is None else old, node, "")


def _walk(report: Report, value: Any, old: Any, node: Structural, path: str) -> None:
    if value is None or not node.has_rules:
        return
    for rule in node.rules:
        _run(report, rule, value, old, node, path)
    if isinstance(value, dict):
        for field, item in value.items():
            child = node.properties.get(field) or node.additional
            if child is not None and not (not path and field == "metadata"):
                before = old.get(field, _MISSING) if isinstance(old, dict) else _MISSING
                _walk(report, item, before, child, f"{path}.{field}" if path else field)
    elif isinstance(value, list) and node.element is not None:
        for index, item in enumerate(value):
            before = _counterpart(item, old, node)
            _walk(report, item, before, node.element, f"{path}[{index}]")


def _counterpart(item: Any, old: Any, node: Structural) -> Any:
    """The old element that is the same one: only lists of type map can tell."""
    if node.list_type != "map" or not isinstance(old, list) or not isinstance(item, dict):
        return _MISSING
    identity = [item.get(key) for key in node.list_map_keys]
    for each in old:
        if isinstance(each, dict) and [each.get(key) for key in node.list_map_keys] == identity:
            return each
    return _MISSING


def _run(report: Report, rule: Object, value: Any, old: Any, node: Structural, path: str) -> None:
    text = rule.get("rule", "")
    transition = _OLD.search(text) is not None
    if transition and (old is _MISSING or old is None):
        return
    program = _program(text)
    if program is None:
        return
    scope = {"self": value, "oldSelf": old} if transition else {"self": value}
    where = f"{path}{rule.get('fieldPath', '')}".lstrip(".") or "<nil>"
    try:
        if program(scope) is True:
            return
        detail = _message(rule, scope)
    except cel.EvaluationError as error:
        shown = (rule.get("message") or text).strip()
        report.invalid(where, _kind(node), f"{error} evaluating rule: {shown}")
        return
    _refuse(report, rule, where, _kind(node), detail)


def _kind(node: Structural) -> str:
    return node.kind or ("int-or-string" if node.int_or_string else "")


def _refuse(report: Report, rule: Object, path: str, value: str, detail: str) -> None:
    reason = rule.get("reason", "FieldValueInvalid")
    if reason == "FieldValueForbidden":
        report.forbidden(path, detail)
    elif reason == "FieldValueRequired":
        report.required(path, detail)
    elif reason == "FieldValueDuplicate":
        report.duplicate(path, value)
    else:
        report.invalid(path, value, detail)


def _message(rule: Object, scope: dict[str, Any]) -> str:
    expression = rule.get("messageExpression")
    program = _program(expression) if expression else None
    if program is not None:
        try:
            made = program(scope)
        except cel.EvaluationError:
            made = None
        if isinstance(made, str) and made.strip() and "\n" not in made.strip():
            return made.strip()
    if rule.get("message"):
        return str(rule["message"]).strip()
    return f"failed rule: {rule.get('rule', '').strip()}"


@functools.lru_cache(maxsize=2048)
def _program(text: str) -> cel.Program | None:
    try:
        return cel.compile_expression(text)
    except cel.SyntaxProblem:
        return None


def syntax_problem(text: str) -> str:
    """Why a rule is not CEL; "" if it is (functions that are not known here do not count)."""
    try:
        cel.compile_expression(text)
    except cel.SyntaxProblem as problem:
        said = str(problem)
        return "" if said.startswith("undeclared reference") else said
    return ""
