"""``istioctl x precheck``: whether Istio can be installed or upgraded here."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.analyze import gateway_api, istio_annotations, messages
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item
from meshcourse.embedded.istioctl.analyze.messages import DOCUMENTATION, Level, Message
from meshcourse.embedded.istioctl.commands.analyze import live, printing
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

_MINIMUM: Final = 32  # minor version of Kubernetes
_KINDS: Final = ("Namespace", "Service", "Pod", "Deployment", "CustomResourceDefinition")
_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
#: What an installation creates: group, plural, whether it is namespaced.
_CREATED: Final = (
    ("", "namespaces", False),
    (_RBAC, "clusterroles", False),
    (_RBAC, "clusterrolebindings", False),
    ("apiextensions.k8s.io", "customresourcedefinitions", False),
    (_RBAC, "roles", True),
    ("", "serviceaccounts", True),
    ("", "services", True),
    ("apps", "deployments", True),
    ("", "configmaps", True),
    (_ADMISSION, "mutatingwebhookconfigurations", False),
    (_ADMISSION, "validatingwebhookconfigurations", False),
)
_REVIEWS: Final = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False
)
_SAFE: Final = (
    "✔ No issues found when checking the cluster. Istio is safe to install or upgrade!\n"
    "  To get started, check out https://istio.io/latest/docs/setup/getting-started/."
)
_TRACING: Final = (
    "tracing is no longer by default enabled to send to 'zipkin.istio-system.svc'; "
    "follow https://istio.io/latest/docs/tasks/observability/distributed-tracing/telemetry-api/"
)


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "precheck",
        parents=parents,
        help="Check whether Istio can safely be installed or upgraded",
        description="Looks at a cluster for what an installation or an upgrade would stumble over.",
        epilog="  istioctl x precheck\n  istioctl x precheck --from-version 1.20",
    )
    flag(parser, "--skip-controlplane", help="Skip the control plane")
    parser.add_argument("--from-version", "-f", default="", help="What changed since that version")
    parser.add_argument("--revision", "-r", default="", help="Control plane revision")
    printing.add_options(parser)
    parser.set_defaults(run=run)


def run(ctx: Context, options: argparse.Namespace) -> int:
    printing.check(options.output, "precheck")
    minor = _minor(options.from_version) if options.from_version else None
    found = messages.ordered(context.run(_check(ctx, options, minor)))
    shown = [one for one in found if one.type.level <= options.output_threshold]
    if shown:
        ctx.print(printing.render(shown, options.output, colour=ctx.out.isatty()))
    else:
        ctx.warn(_SAFE)
    if any(one.type.level <= Level.WARNING for one in found):
        raise Failure(
            "Issues found when checking the cluster. Istio may not be safe to install or upgrade.\n"
            f"See {DOCUMENTATION} for more information about causes and resolutions."
        )
    return 0


def _minor(version: str) -> int:
    major, dot, minor = version.partition(".")
    if not dot:
        raise Failure(f"invalid version {version}, expected format like '1.0'")
    if major != "1":
        raise Failure(f"expected major version 1, got {major}")
    if not minor.isdecimal():
        raise Failure(f"minor version is not a number: {minor}")
    return int(minor)


async def _check(ctx: Context, options: argparse.Namespace, minor: int | None) -> list[Message]:
    async with ctx.client() as client:
        found: list[Message] = []
        if not options.skip_controlplane:
            found += kubernetes(json.loads(await client.raw("/version")))
            found += [one for one in [await _permission(client, ctx, *x) for x in _CREATED] if one]
            cluster = await live.read(client, _KINDS, ctx.istio_namespace)
            items = Collection(cluster.items, cluster.mesh)
            found += gateway_api.kind_versions(items)
            wanted = ("", ctx.namespace) if ctx.namespace else None
            found += (
                one
                for one in istio_annotations.alpha(items)
                if wanted is None or (one.item and one.item.home in wanted)
            )
        if minor is not None and minor <= 21:  # 1.22 stopped sending traces by default
            found += await _tracing(client)
        return found


def kubernetes(version: Mapping[str, Any]) -> list[Message]:
    """A message if the server is too old."""
    digits = re.match(r"\d+", str(version.get("minor", "")))
    if str(version.get("major")) == "1" and digits and int(digits[0]) < _MINIMUM:
        shown = str(version.get("gitVersion", ""))
        kind = "UnsupportedKubernetesVersion"
        return [report(kind, None, shown, f"1.{_MINIMUM}", about="Cluster")]
    return []


async def _permission(
    client: HttpClient, ctx: Context, group: str, plural: str, namespaced: bool
) -> Message | None:
    attributes = {"verb": "create", "group": group, "version": "v1", "resource": plural}
    if namespaced:
        attributes["namespace"] = ctx.istio_namespace
    review = {
        "apiVersion": _REVIEWS.api_version,
        "kind": _REVIEWS.kind,
        "spec": {"resourceAttributes": attributes},
    }
    status = (await client.create(_REVIEWS, review)).get("status") or {}
    if status.get("allowed"):
        return None
    why = status.get("reason") or "permission denied"
    return report("InsufficientPermissions", None, plural, why, about="Cluster")


async def _tracing(client: HttpClient) -> list[Message]:
    try:
        service = await client.get(refs.SERVICES, "zipkin", "istio-system")
    except ApiError as error:
        if error.code == 404:
            return []
        raise
    item = Item({**service, "kind": "Service", "apiVersion": "v1"})
    field = "meshConfig.defaultConfig.tracer"
    return [report("UpdateIncompatibility", item, field, "1.21", _TRACING, "1.21")]
