"""What every command needs: the cluster, the namespaces, where to print."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

import yaml

from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.errors import MeshcourseError

_RBAC = "rbac.authorization.k8s.io"

#: Kinds that are installed, by kind.
KINDS: dict[str, Resource] = {
    one.kind: one
    for one in (
        refs.NAMESPACES,
        refs.SERVICEACCOUNTS,
        refs.CONFIGMAPS,
        refs.SERVICES,
        refs.DEPLOYMENTS,
        refs.CRDS,
        refs.MUTATING_WEBHOOKS,
        refs.VALIDATING_WEBHOOKS,
        Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
        Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
        Resource(_RBAC, "v1", "roles", "Role"),
        Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    )
}


_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's asynchronous part to its end, and let its connections close."""

    async def whole() -> _T:
        try:
            return await work
        finally:
            # A closed TLS connection leaves the event loop one turn later.
            for _ in range(3):
                await asyncio.sleep(0)

    return asyncio.run(whole())


class Failure(MeshcourseError):
    """A command that failed; printed as ``Error: …``.

    :param code: the exit code.
    """

    def __init__(self, message: str, *, remedy: str = "", code: int = 1) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


def resource_of(obj: Object) -> Resource:
    """Where objects of this kind live.

    :raises KeyError: for a kind that is never installed.
    """
    return KINDS[obj["kind"]]


@dataclass(slots=True)
class Context:
    """One invocation.

    :param namespace: ``--namespace``, "" if it was not given.
    :param istio_namespace: where the control plane is.
    """

    kubeconfig: Path
    context: str = ""
    namespace: str = ""
    istio_namespace: str = "istio-system"
    out: TextIO = sys.stdout
    err: TextIO = sys.stderr

    @property
    def namespace_or_default(self) -> str:
        """What ``--namespace`` says, else the kubeconfig's context, else ``default``."""
        return self.namespace or _namespace(self.kubeconfig, self.context) or "default"

    def client(self) -> HttpClient:
        """A client of the cluster, to be closed.

        :raises MeshcourseError: if the kubeconfig does not lead to one.
        """
        return HttpClient.from_kubeconfig(self.kubeconfig, context=self.context, agent="istioctl")

    def print(self, text: str = "") -> None:
        self.out.write(f"{text}\n")
        self.out.flush()

    def warn(self, text: str) -> None:
        self.err.write(f"{text}\n")
        self.err.flush()


def _namespace(kubeconfig: Path, context: str) -> str:
    """The namespace that a context prefers; "" if it says nothing, or cannot be read."""
    try:
        found = yaml.safe_load(kubeconfig.read_text()) or {}
        wanted = context or found.get("current-context")
        contexts = {one.get("name"): one.get("context") for one in found.get("contexts") or ()}
    except (OSError, yaml.YAMLError, AttributeError):
        return ""
    return str((contexts.get(wanted) or {}).get("namespace") or "")


_FLAGS = (
    ("--kubeconfig", "-c", "", "Kubernetes configuration file"),
    ("--context", "--context", "", "Kubernetes configuration context"),
    ("--namespace", "-n", "", "Kubernetes namespace"),
    ("--istioNamespace", "-i", "istio-system", "Istio system namespace"),
)
#: Global flags whose value is the next word.
VALUED = frozenset(name for long, short, _, _ in _FLAGS for name in (long, short))


def add_options(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """The global flags, which real istioctl takes anywhere.

    :param again: for a subcommand's parser, which must not reset what stood before its name.
    """
    group = parser.add_argument_group("global flags")
    for long, short, default, text in _FLAGS:
        names = dict.fromkeys((long, short))
        group.add_argument(*names, default=argparse.SUPPRESS if again else default, help=text)


def of(options: argparse.Namespace) -> Context:
    """The context that the flags and the environment describe."""
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    path = options.kubeconfig or first or str(Path.home() / ".kube" / "config")
    return Context(
        Path(path).expanduser(),
        options.context,
        options.namespace,
        options.istioNamespace,
        sys.stdout,
        sys.stderr,
    )


def table(rows: Sequence[Sequence[str]], gap: int = 5) -> str:
    """Aligned columns as Go's tabwriter makes them with that padding; the last column is not padded."""
    widths = (
        [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    )
    lines = []
    for row in rows:
        cells = [cell.ljust(width + gap) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append(
            "".join([*cells, row[-1]]).rstrip() if not row[-1] else "".join([*cells, row[-1]])
        )
    return "\n".join(lines)
