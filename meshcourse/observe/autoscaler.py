"""A HorizontalPodAutoscaler while it works: how many pods, and how far their use is above what is wanted.

Source: Kubernetes documentation, "Horizontal Pod Autoscaling": wanted = ceil(pods × use / target).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.progress import Progress
from meshcourse.observe.prometheus import Matrix, Series

HPAS = "horizontalpodautoscalers"
_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """One look: when (seconds since the epoch), how many pods there are, and how many are wanted.

    :param ratio: the use, as a multiple of the target; None as long as nothing was measured.
    """

    at: float
    pods: int
    wanted: int
    ratio: float | None

    def __str__(self) -> str:
        use = "nothing measured yet" if self.ratio is None else f"{self.ratio:.1f} × the target"
        return f"{self.pods} {'pod' if self.pods == 1 else 'pods'}, {use}, {self.wanted} wanted"


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was seen until there were as many pods as were waited for."""

    name: str
    looks: tuple[Look, ...]

    @property
    def changes(self) -> list[tuple[float, Look]]:
        """What was new: seconds after the first look, and the look."""
        began, found = self.looks[0].at, list[tuple[float, Look]]()
        for look in self.looks:
            last = found[-1][1] if found else None
            if last is None or (last.pods, last.wanted, last.ratio) != (
                look.pods,
                look.wanted,
                look.ratio,
            ):
                found.append((look.at - began, look))
        return found

    def matrix(self) -> Matrix:
        """The same as lines over time."""
        times = tuple(look.at for look in self.looks)
        pods = Series({"line": "pods"}, times, tuple(float(look.pods) for look in self.looks))
        measured = [look for look in self.looks if look.ratio is not None]
        use = Series(
            {"line": "CPU, as a multiple of the target"},
            tuple(look.at for look in measured),
            tuple(look.ratio or 0.0 for look in measured),
        )
        return Matrix(self.name, times[0], max(times[-1], times[0] + 1), (pods, use))


def follow(
    cluster: Cluster, name: str, pods: int, progress: Progress, *, timeout: float
) -> History:
    """Look at an autoscaler until it has `pods` pods.

    :raises ClusterError: if it has not after `timeout` seconds, with what it says about that itself.
    """
    looks: list[Look] = []
    began = time.monotonic()
    with progress.stage(f"{name}: {pods} pods"):
        while not looks or looks[-1].pods != pods:
            hpa = cluster.get(HPAS, name)
            looks.append(read(hpa))
            progress.note(str(looks[-1]))
            if time.monotonic() - began > timeout:
                raise ClusterError(
                    f"{name} has {looks[-1]} after {timeout:.0f} s, not {pods}{_excuse(hpa)}",
                    remedy="`%kubectl describe hpa` tells more; without a metrics-server it sees nothing.",
                )
            time.sleep(_EVERY)
    return History(name, tuple(looks))


def read(hpa: dict[str, Any]) -> Look:
    """What an autoscaler says in its status."""
    status = hpa.get("status") or {}
    pods = int(status.get("currentReplicas") or 0)
    return Look(time.time(), pods, int(status.get("desiredReplicas") or pods), _ratio(hpa))


def _ratio(hpa: dict[str, Any]) -> float | None:
    for spec, seen in zip(
        hpa["spec"].get("metrics") or [],
        (hpa.get("status") or {}).get("currentMetrics") or [],
        strict=False,
    ):
        for kind in ("resource", "containerResource"):
            target = (spec.get(kind) or {}).get("target", {}).get("averageUtilization")
            found = (seen.get(kind) or {}).get("current", {}).get("averageUtilization")
            if target and found is not None:
                return float(found) / float(target)
    return None


def _excuse(hpa: dict[str, Any]) -> str:
    conditions = (hpa.get("status") or {}).get("conditions") or []
    wrong = [
        item["message"]
        for item in conditions
        if item.get("status") == "False" and "message" in item
    ]
    return f": {'; '.join(wrong)}" if wrong else ""
