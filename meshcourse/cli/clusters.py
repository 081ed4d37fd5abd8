"""What the commands about clusters do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from meshcourse.cluster import components, embedded, preflight, progress, providers
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.provider import Part, Provider


def cluster(name: str = "") -> Cluster:
    """The running cluster of a name.

    :raises ClusterError: if it does not run.
    """
    provider = providers.choose(name)
    if not provider.running():
        raise ClusterError(
            f'cluster "{provider.name}" is not running', remedy="Start it: `meshcourse up`."
        )
    return Cluster(provider)


def up(
    name: str, wanted: Sequence[str], kind: str = "", prefix: str = "", *, consent: bool = False
) -> None:
    """Start or attach, bring in what is named, and say where things are."""
    started = time.monotonic()
    if consent:
        os.environ["MESHCOURSE_INSTALL"] = "yes"
    provider, shown = providers.choose(name, kind, prefix), progress.auto()
    components.check(wanted)
    provider.start(shown)
    if kind:
        providers.remember(kind)
    found = Cluster(provider)
    components.ensure(found, *wanted, progress=shown)
    print(f'cluster "{provider.name}" is ready after {time.monotonic() - started:.1f} s')
    print(f"  export KUBECONFIG={found.kubeconfig}")
    if "bookinfo" in wanted:
        page = found.url("istio-ingressgateway", "http2", "/productpage", namespace="istio-system")
        print(f"  {page}")
    found.close()


def examine(kind: str) -> list[preflight.Finding]:
    """Findings about this machine, for the kind of cluster that is meant."""
    if kind == "kind":
        from meshcourse.cluster.kind import Kind

        return Kind(os.environ.get(providers.NAME_VARIABLE, "")).preflight()
    return preflight.examine()


def down(name: str, *, everything: bool, delete: bool, kind: str = "") -> None:
    """Stop one cluster, or all of them."""
    shown = progress.auto()
    found = [providers.choose(name, kind)] if not everything else _all()
    for provider in found:
        provider.stop(shown, delete=delete)
    providers.remember("")
    if not found:
        print("there is no cluster on this machine")


def _all() -> list[Provider]:
    from meshcourse.cluster import kind

    found = [providers.choose(each, "embedded") for each in embedded.names()]
    return found + [providers.choose(each, "kind") for each in kind.names()]


def status(name: str, *, as_json: bool) -> None:
    """What is known of a cluster, for people or for programs."""
    provider = providers.choose(name)
    found = provider.status()
    parts = provider.capabilities.parts
    if as_json:
        found["parts"] = [{"name": p.name, "real": p.real, "what": p.what} for p in parts]
        print(json.dumps(found, indent=2))
        return
    print(_summary(found))
    print("\n".join(_pod(pod) for pod in found.get("pods") or []))
    print("\nwhat is real here, and what is a stand-in:")
    print("\n".join(_part(part) for part in parts))


def _summary(found: dict[str, Any]) -> str:
    if not found["running"]:
        return f'cluster "{found["name"]}" is not running'
    line = f'cluster "{found["name"]}" runs at {found["url"]} (Kubernetes {found["version"]})'
    if "processes" in found:
        line += f", {len(found['processes'])} processes, {found['memory'] / 2**20:.0f} MiB"
    for one in found.get("istio", []):
        line += f"\n  Istio {one['version'] or '?'}, revision {one['revision']}"
    return f"{line}\n  kubeconfig {found['kubeconfig']}"


def _pod(pod: dict[str, Any]) -> str:
    again = f", {pod['restarts']} restarts" if pod.get("restarts") else ""
    return f"  {pod['namespace']}/{pod['name']} {pod['ready']}/{pod['containers']} {pod['phase']}{again}"


def _part(part: Part) -> str:
    return f"  {'real    ' if part.real else 'stand-in'}  {part.name:<31} {part.what}"


def kubectl(args: Sequence[str]) -> int:
    """The real kubectl takes over this terminal; ours prints as it goes."""
    from meshcourse.kubectl import front

    found = cluster()
    if program := front.real():
        return _hand_over([program, *args], found)
    reads = any(word in ("-", "-f-") for word in args) or "-i" in args or "-it" in args
    text = sys.stdin.read() if reads and not sys.stdin.isatty() else ""
    return front.own(found, args, text=text, write=_write).code


def istioctl(args: Sequence[str]) -> int:
    found = cluster()
    return _hand_over([*found.provider.istioctl(), *args], found)


def _hand_over(command: Sequence[str], found: Cluster) -> int:
    return subprocess.run(
        command, env={**os.environ, **found.environment()}, check=False
    ).returncode


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
