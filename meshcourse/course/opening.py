"""Which cluster there is, attaching to it, and the mesh that was opened last."""

from __future__ import annotations

import os
import sys

from meshcourse.cluster import preflight as examination
from meshcourse.cluster import progress, providers
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.provider import Provider
from meshcourse.course.meshes import Mesh
from meshcourse.widgets import picture as views

#: Which cluster notebooks attach to, for tests and classes that run several on one machine.
NAME_VARIABLE = providers.NAME_VARIABLE

_current: Mesh | None = None


def open(name: str = "") -> Mesh:
    """Attach to the running cluster, or start it; magics are ready afterwards.

    :param name: which of several clusters (default: ``$MESHCOURSE_NAME``, or the only one).
    """
    provider = choose(name)
    if not provider.running():
        provider.start(progress.auto())
    return attach(name)


def attach(name: str = "") -> Mesh:
    """The same, but never start anything.

    :raises ClusterError: if the cluster does not run.
    """
    global _current
    provider = choose(name)
    if not provider.running():
        raise ClusterError(
            f'cluster "{provider.name}" is not running', remedy="Start it: `meshcourse up`."
        )
    if _current is not None:
        _current.close()
    _current = Mesh(provider)
    if progress.in_notebook():
        _prepare_notebook(_current)
    return _current


def choose(name: str = "") -> Provider:
    """The provider of the cluster called `name` (default: the one that ``$MESHCOURSE_NAME`` names)."""
    return providers.choose(name)


def mesh() -> Mesh:
    """The mesh that was opened last.

    :raises ClusterError: if none was.
    """
    if _current is None:
        raise ClusterError("no mesh is open", remedy="Run the setup cell: `mesh = course.open()`.")
    return _current


def preflight() -> views.Table:
    """Is this machine fit for the course? Every failure names its remedy.

    :raises ClusterError: if something is missing that the course cannot do without.
    """
    findings = examination.examine()
    for finding in findings:
        if finding.needed and not finding.ok:
            raise ClusterError(f"{finding.name}: {finding.seen}", remedy=finding.remedy)
    rows = [(item.mark, item.name, item.seen, "" if item.ok else item.remedy) for item in findings]
    return views.Table(("", "what", "seen", "remedy"), rows)


def _prepare_notebook(found: Mesh) -> None:
    """Magics, and ``!kubectl`` as well: tools started from a cell speak to this cluster."""
    os.environ.update(found.environment())
    shell = sys.modules["IPython"].get_ipython()
    shell.extension_manager.load_extension("meshcourse")
