"""``kubectl top pods|nodes``, from the metrics API."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from meshcourse.cluster.errors import ApiError
from meshcourse.kubectl import tables
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (
    Flag("containers", "", "switch"),
    Flag("no-headers", "", "switch"),
    Flag("sort-by"),
)
_METRICS = "/apis/metrics.k8s.io/v1beta1"


def run(context: Context) -> int:
    what, *names = context.args.words or [""]
    try:
        if what in ("pod", "pods", "po"):
            return _pods(context, names)
        if what in ("node", "nodes", "no"):
            return _nodes(context, names)
    except ApiError as error:
        if error.code == 404 and not names:
            raise KubectlError("Metrics API not available") from error
        raise
    raise KubectlError("top needs `pods` or `nodes`")


def _pods(context: Context, names: list[str]) -> int:
    scope = f"/namespaces/{context.namespace}" if context.namespace else ""
    path = f"{_METRICS}{scope}/pods"
    items = _items(context, path, names)
    if not items:
        where = f" in {context.namespace} namespace." if context.namespace else ""
        context.say(f"No resources found{where}")
        return 0
    by_container = context.args.on("containers")
    head = ["POD", "NAME"] if by_container else ["NAME"]
    rows = [["NAMESPACE", *head] if not context.namespace else head]
    rows[0] = [*rows[0], "CPU(cores)", "MEMORY(bytes)"]
    for item in _sorted(context, items):
        meta, containers = item["metadata"], item["containers"]
        lead = [meta["namespace"]] if not context.namespace else []
        if by_container:
            rows += [[*lead, meta["name"], c["name"], *_usage([c["usage"]])] for c in containers]
        else:
            rows.append([*lead, meta["name"], *_usage(c["usage"] for c in containers)])
    _print(context, rows)
    return 0


def _nodes(context: Context, names: list[str]) -> int:
    items = _items(context, f"{_METRICS}/nodes", names)
    capacity = {
        node["metadata"]["name"]: node["status"]["allocatable"]
        for node in context.cluster.api.get("/api/v1/nodes")["items"]
    }
    rows = [["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]]
    for item in _sorted(context, items):
        name, usage = item["metadata"]["name"], item["usage"]
        cpu, memory = _usage([usage])
        share = {key: amount(usage[key]) / amount(capacity[name][key]) for key in ("cpu", "memory")}
        rows.append([name, cpu, f"{share['cpu']:.0%}", memory, f"{share['memory']:.0%}"])
    _print(context, rows)
    return 0


def _print(context: Context, rows: list[list[str]]) -> None:
    """``top`` pads its last column as well."""
    shown = rows[1:] if context.args.on("no-headers") else rows
    context.write(tables.render([[*row, ""] for row in shown]))


def _items(context: Context, path: str, names: list[str]) -> list[Any]:
    if names:
        return [context.cluster.api.get(f"{path}/{name}") for name in names]
    found: list[Any] = context.cluster.api.get(path, labelSelector=context.args.text("selector"))[
        "items"
    ]
    return found


def _sorted(context: Context, items: list[Any]) -> list[Any]:
    key = context.args.text("sort-by")
    if key not in ("cpu", "memory"):
        return sorted(
            items,
            key=lambda item: (item["metadata"].get("namespace", ""), item["metadata"]["name"]),
        )

    def use(item: Any) -> float:
        usages = [c["usage"] for c in item.get("containers", [])] or [item["usage"]]
        return sum(amount(usage[key]) for usage in usages)

    return sorted(items, key=use, reverse=True)


def _usage(usages: Iterable[dict[str, str]]) -> list[str]:
    cpu = memory = 0.0
    for usage in usages:
        cpu += amount(usage["cpu"])
        memory += amount(usage["memory"])
    return [f"{-(-cpu * 1000 // 1):.0f}m", f"{memory / 2**20:.0f}Mi"]


_SUFFIXES = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip


def amount(quantity: str) -> float:
    """A Kubernetes quantity as a number of cores or bytes."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity)
    if match is None or match[2] not in _SUFFIXES:
        raise KubectlError(f'"{quantity}" is not a quantity')
    return float(match[1]) * _SUFFIXES[match[2]]
