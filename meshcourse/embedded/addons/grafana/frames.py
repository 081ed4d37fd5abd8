"""Prometheus answers → Grafana data frames. Pure. Source: grafana.com, "Data frames", ``/api/ds/query``."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

_TEMPLATE = re.compile(r"{{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*}}")


def legend(template: str, labels: dict[str, str]) -> str:
    """A line's name: ``{{label}}`` replaced, or all labels if there is no template."""
    if template and template != "__auto":
        return _TEMPLATE.sub(lambda match: labels.get(match[1], ""), template)
    name = labels.get("__name__", "")
    rest = ", ".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
    return f"{name}{{{rest}}}" if rest or not name else name


def frames(answer: Json, ref_id: str, template: str) -> list[Json]:
    """One frame per series of ``data`` of a Prometheus answer; times in milliseconds."""
    kind, result = answer["resultType"], answer["result"]
    if kind in ("scalar", "string"):
        result = [{"metric": {}, "value": result}]
    return [_frame(each, ref_id, template) for each in result]


def _frame(each: Json, ref_id: str, template: str) -> Json:
    points = each["values"] if "values" in each else [each["value"]]
    labels = each["metric"]
    config = {"displayNameFromDS": legend(template, labels)}
    fields = [
        {"name": "Time", "type": "time", "typeInfo": {"frame": "time.Time"}, "config": {}},
        {
            "name": "Value",
            "type": "number",
            "typeInfo": {"frame": "float64"},
            "labels": labels,
            "config": config,
        },
    ]
    times = [round(float(at) * 1000) for at, _ in points]
    return {
        "schema": {"refId": ref_id, "fields": fields},
        "data": {"values": [times, [number(v) for _, v in points]]},
    }


def table(answer: Json, ref_id: str) -> list[Json]:
    """One frame with a column for each label and one for the value (``format: table``)."""
    rows = answer["result"] if answer["resultType"] == "vector" else []
    names = sorted({name for row in rows for name in row["metric"]})
    fields: list[Json] = [{"name": "Time", "type": "time", "config": {}}]
    fields += [{"name": name, "type": "string", "config": {"filterable": True}} for name in names]
    fields.append({"name": f"Value #{ref_id}", "type": "number", "config": {}})
    values: list[list[Any]] = [[round(float(row["value"][0]) * 1000) for row in rows]]
    values += [[row["metric"].get(name, "") for row in rows] for name in names]
    values.append([number(row["value"][1]) for row in rows])
    return [{"schema": {"refId": ref_id, "fields": fields}, "data": {"values": values}}]


def number(text: str) -> float | None:
    """A sample's value; JSON has neither NaN nor infinities, so they are null."""
    value = float(text)
    return value if value - value == 0 else None


def substituted(expression: str, variables: dict[str, list[str]]) -> str:
    """``$name`` and ``${name}`` replaced; several values become a regular expression's alternatives."""
    texts = {
        name: values[0] if len(values) == 1 else "(" + "|".join(values) + ")"
        for name, values in variables.items()
    }

    def text(reference: re.Match[str]) -> str:
        return texts.get(reference[1] or reference[2], reference[0])

    return re.sub(r"\$(?:{(\w+)}|(\w+))", text, expression)
