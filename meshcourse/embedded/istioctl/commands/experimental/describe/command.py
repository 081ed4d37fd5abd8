"""The command line of ``istioctl x describe``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl import context, pods
from meshcourse.embedded.istioctl.commands.experimental.describe import (
    asking,
    gateways,
    lookups,
    rules,
    text,
    workload,
)
from meshcourse.embedded.istioctl.commands.experimental.describe.rules import Subsets
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

Json = dict[str, Any]
_LINE: Final = "-" * 20


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "describe",
        aliases=["des"],
        parents=parents,
        help="Describe resource and related Istio configuration",
        description="Puts together what concerns a pod or a service.",
        unknown='unknown resource type "{}"',
    )
    parser.set_defaults(run=lambda _ctx, _options: _help(parser))
    group = parser.add_subparsers(dest="resource", metavar="RESOURCE")
    for name, alias, what, run in (
        ("pod", "po", "pods", _pod),
        ("service", "svc", "services", _service),
    ):
        sub = group.add_parser(
            name,
            aliases=[alias],
            parents=parents,
            help=f"Describe {what} and their Istio configuration [kube-only]",
            description=f"Which Istio objects are in force for {what}, as their proxies have them.",
            epilog=f"  istioctl x describe {name} reviews\n"
            f"  istioctl x describe {name} reviews.shop",
        )
        sub.add_argument("name", nargs="?", default="", help=f"<{name}-name>[.<namespace>]")
        flag(sub, "--ignoreUnmeshed", help="Do not mind a missing sidecar")
        sub.set_defaults(run=run)


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _pod(ctx: Context, options: argparse.Namespace) -> int:
    if not options.name:
        raise Failure("expecting pod name")
    return context.run(_Description(ctx, options).pod(options.name))


def _service(ctx: Context, options: argparse.Namespace) -> int:
    if not options.name:
        raise Failure("expecting service name")
    return context.run(_Description(ctx, options).service(options.name))


class _Description:
    """One description; prints as it finds."""

    def __init__(self, ctx: Context, options: argparse.Namespace) -> None:
        self._ctx, self._quiet = ctx, bool(options.ignoreUnmeshed)
        self._home = ctx.namespace_or_default

    async def pod(self, name: str) -> int:
        async with self._ctx.client() as client:
            key = await pods.resolve(client, self._ctx, name)
            found = await client.get(refs.PODS, key.name, key.namespace)
            self._print(workload.pod(found, self._home, unmeshed_too=self._quiet))
            labels = objects.labels(found)
            everything = (await client.list(refs.SERVICES, key.namespace)).items
            services = [one for one in everything if _selects(one, labels)]
            if not services and not self._quiet:
                where = "https://istio.io/docs/setup/kubernetes/additional-setup/requirements/"
                shown = text.name(found, self._home)
                self._ctx.print(
                    f"Warning: No Kubernetes Services select pod {shown} (see {where} )"
                )
            self._ctx.print(_LINE)
            await self._services(client, found, services, [labels])
            self._ctx.print(_LINE)
            await self._mtls(client, found)
            self._print(await gateways.lines(self._ctx, client, services, [labels]))
        return 0

    async def service(self, name: str) -> int:
        async with self._ctx.client() as client:
            found = await self._named_service(client, name)
            selector = objects.dig(found, "spec.selector", {})
            chosen = ",".join(f"{key}={value}" for key, value in selector.items())
            listed = []
            if chosen:
                where = objects.namespace(found)
                listed = (await client.list(refs.PODS, where, label_selector=chosen)).items
            ready = [pod for pod in listed if self._ready(pod)]
            if not ready:
                self._no_pods(found, len(listed))
                return 0
            labels = [objects.labels(pod) for pod in ready]
            await self._services(client, ready[0], [found], labels)
            self._print(await gateways.lines(self._ctx, client, [found], labels))
        return 0

    async def _named_service(self, client: Client, name: str) -> Object:
        first, _, namespace = name.rpartition("/")[2].partition(".")
        try:
            return await client.get(refs.SERVICES, first, namespace or self._home)
        except ApiError as error:
            raise Failure(error.message) from error

    def _ready(self, pod: Object) -> bool:
        """Whether the pod's proxy is ready; says why not."""
        name, phase = text.name(pod, self._home), objects.dig(pod, "status.phase", "")
        if phase != "Running":
            self._ctx.print(f"   Pod is not Running ({phase})")
            return False
        status = pod.get("status") or {}
        found = [
            *(status.get("containerStatuses") or ()),
            *(status.get("initContainerStatuses") or ()),
        ]
        proxy = next((one for one in found if one.get("name") == "istio-proxy"), None)
        if proxy is None:
            self._ctx.print(f'Pod {name}: no container "istio-proxy" in pod')
        elif not proxy.get("ready"):
            self._ctx.print(f"WARNING: Pod {name} Container istio-proxy NOT READY")
        return proxy is not None and bool(proxy.get("ready"))

    def _no_pods(self, service: Object, selected: int) -> None:
        name = text.name(service, self._home)
        if not selected:
            self._ctx.print(f'Service "{name}" has no pods.')
            return
        self._ctx.print(f'Service "{name}" has no Istio pods.  ({selected} pods in service).')
        self._ctx.print(
            "Use `istioctl kube-inject` or redeploy with Istio automatic sidecar injection."
        )

    async def _services(
        self, client: Client, pod: Object, services: Sequence[Object], labels: list[Any]
    ) -> None:
        try:
            config = await asking.config(self._ctx, objects.key(pod))
        except Failure as error:
            if self._quiet:
                return
            raise Failure(f"failed to execute command on sidecar: {error.message}") from error
        for row, service in enumerate(services):
            if row:
                self._ctx.print(_LINE)
            self._print(workload.service(service, pod, self._home))
            ports = [port["port"] for port in objects.dig(service, "spec.ports", [])]
            for port in ports:
                several = len(ports) > 1
                if several:
                    self._ctx.print(f"{port}:")
                indent = "   " if several else ""
                self._print(await self._rules(client, config, service, port, labels), indent)
                names = lookups.policies(config)
                if names:
                    prefix = f"{port} " if several else ""
                    self._ctx.print(f"{prefix}RBAC policies: {', '.join(names)}")

    async def _rules(
        self, client: Client, config: Json, service: Object, port: int, labels: list[Any]
    ) -> list[str]:
        """What the proxy's DestinationRule and VirtualService for a port say."""
        lines: list[str] = []
        known = Subsets()
        key = lookups.destination_rule(config, service, port)
        rule = await asking.maybe(client, refs.DESTINATIONRULES, key)
        if rule:
            lines += rules.destination_rule(rule, labels, self._home)
            known = rules.subsets(rule, labels, self._home)
        elif key:
            lines.append(asking.STALE.format("destination rule", f"{key.name}.{key.namespace}"))
        key = lookups.virtual_service(config, service, port)
        found = await asking.maybe(client, refs.VIRTUALSERVICES, key)
        if found:
            lines += rules.virtual_service(found, service, known, self._home)
        elif key:
            lines.append(asking.STALE.format("virtual service", f"{key.name}.{key.namespace}"))
        return lines

    async def _mtls(self, client: Client, pod: Object) -> None:
        revision = workload.revision(pod)
        suffix = f"-{revision}" if revision not in ("", "default") else ""
        namespace = self._ctx.istio_namespace
        try:
            config = await client.get(refs.CONFIGMAPS, f"istio{suffix}", namespace)
        except ApiError as error:
            raise Failure(
                f'failed to fetch mesh config: could not read configmap "istio{suffix}" from '
                f'namespace "{namespace}": {error.message}'
            ) from error
        mesh = yaml.safe_load(objects.dig(config, "data.mesh", "")) or {}
        root = str(mesh.get("rootNamespace") or namespace)
        homes = dict.fromkeys((root, objects.namespace(pod)))
        found = [
            one
            for home in homes
            for one in (await client.list(refs.PEERAUTHENTICATIONS, home)).items
        ]
        self._print(workload.peer_authentication(found, objects.labels(pod), root))

    def _print(self, lines: Iterator[str] | Sequence[str], indent: str = "") -> None:
        for line in lines:
            self._ctx.print(f"{indent}{line}")


def _selects(service: Object, labels: Any) -> bool:
    selector = objects.dig(service, "spec.selector", {})
    return bool(selector) and selector.items() <= labels.items()
