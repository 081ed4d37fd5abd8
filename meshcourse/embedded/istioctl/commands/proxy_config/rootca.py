"""``istioctl proxy-config rootca-compare``: whether two proxies trust the same CA."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Sequence
from typing import Any

from meshcourse.embedded.istioctl.commands.proxy_config import dump
from meshcourse.embedded.istioctl.context import Context, Failure

_NAME = "ROOTCA"


def add(kinds: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "rootca-compare",
        aliases=["rc"],
        parents=parents,
        help="Compare ROOTCA values for the two given pods",
        description="Two workloads can speak mutual TLS only if they trust the same root certificate.",
        epilog="  istioctl proxy-config rootca-compare reviews-v1-abc.default ratings-v1-def.default",
    )
    parser.add_argument("pods", nargs="*", help="<pod-1>[.<namespace>] <pod-2>[.<namespace>]")
    parser.set_defaults(run=run)


def run(ctx: Context, options: argparse.Namespace) -> int:
    if len(options.pods) != 2:
        raise Failure("rootca-compare requires 2 pods as an argument")
    first, second = (dump.load(ctx, pod, "") for pod in options.pods)
    both = f"Both [{workload(first)}] and [{workload(second)}]"
    if root(first) != root(second):
        raise Failure(
            f"{both} have the non identical ROOTCA, theoretically the connectivity between them is "
            "unavailable"
        )
    ctx.print(
        f"{both} have the identical ROOTCA, theoretically the connectivity between them is available"
    )
    return 0


def workload(config: dict[str, Any]) -> str:
    """``name.namespace`` of the pod, out of the node's identity (``sidecar~address~name.namespace~domain``)."""
    node = dump.section(config, "BootstrapConfigDump").get("bootstrap", {}).get("node") or {}
    return (str(node.get("id", "")).split("~") + [""] * 3)[2]


def root(config: dict[str, Any]) -> bytes:
    """The root certificates in a proxy's configuration.

    :raises Failure: if it has none yet.
    """
    for _, entry in dump.secrets(config):
        if entry.get("name") == _NAME:
            trusted = (entry["secret"].get("validation_context") or {}).get("trusted_ca") or {}
            if "inline_string" in trusted:
                return str(trusted["inline_string"]).encode()
            return base64.b64decode(trusted.get("inline_bytes") or "")
    raise Failure(f"ROOTCA secret not found in the proxy of {workload(config)}")
