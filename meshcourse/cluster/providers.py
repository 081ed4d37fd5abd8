"""The factory of providers: the only place that knows which there are.

``embedded`` (default), ``kind``, ``context`` or ``context:NAME``; by argument, by ``$MESHCOURSE_CLUSTER``, or as
``meshcourse up`` was told last.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from meshcourse import paths
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.provider import Provider

#: Which cluster, for tests and classes that run several on one machine.
NAME_VARIABLE = "MESHCOURSE_NAME"
KIND_VARIABLE = "MESHCOURSE_CLUSTER"
PREFIX_VARIABLE = "MESHCOURSE_NAMESPACE_PREFIX"


def choose(name: str = "", cluster: str = "", prefix: str = "") -> Provider:
    """The provider that is meant.

    :param name: which of several clusters of a kind (default: ``$MESHCOURSE_NAME``, or the only one).
    :param cluster: ``embedded``, ``kind``, ``context``, ``context:NAME``; "" as chosen before.
    :param prefix: of the learner's namespaces on a shared cluster.
    :raises ClusterError: if there is no such kind of cluster.
    """
    chosen = cluster or os.environ.get(KIND_VARIABLE) or _remembered() or "embedded"
    kind, _, detail = chosen.partition(":")
    if kind not in _MAKERS:
        raise ClusterError(
            f'there is no kind of cluster called "{kind}"',
            remedy=f"There are: {', '.join(_MAKERS)} (and context:NAME).",
        )
    wanted = name or os.environ.get(NAME_VARIABLE, "")
    return _MAKERS[kind](wanted, detail, prefix or os.environ.get(PREFIX_VARIABLE, ""))


def remember(cluster: str) -> None:
    """What the next notebook means if nothing is said; "" forgets it."""
    target = _memory()
    if not cluster or cluster == "embedded":
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.write_text(cluster + "\n", encoding="utf-8")
    os.replace(fresh, target)


def _remembered() -> str:
    try:
        return _memory().read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _memory() -> Path:
    return paths.state() / "cluster"


def _embedded(name: str, detail: str, prefix: str) -> Provider:
    from meshcourse.cluster.embedded import Embedded

    del detail, prefix
    return Embedded(name)


def _kind(name: str, detail: str, prefix: str) -> Provider:
    from meshcourse.cluster.kind import Kind

    del detail, prefix
    return Kind(name)


def _context(name: str, detail: str, prefix: str) -> Provider:
    from meshcourse.cluster.context import Context

    del name
    return Context(detail, prefix)


_MAKERS: dict[str, Callable[[str, str, str], Provider]] = {
    "embedded": _embedded,
    "kind": _kind,
    "context": _context,
}
