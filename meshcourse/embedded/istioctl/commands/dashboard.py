"""``istioctl dashboard``: the add-ons' pages, through a port-forward that lasts until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import functools
import webbrowser
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.istioctl import context, forward, pods
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key

_LOCALHOST: Final = "localhost"
_DEBUG_PORT: Final = 15014


@dataclass(frozen=True, slots=True)
class Page:
    """Where an add-on's page is."""

    title: str
    selector: str
    port: int
    path: str = ""


PAGES: Final = {
    "grafana": Page("Grafana", "app.kubernetes.io/name=grafana", 3000),
    "jaeger": Page("Jaeger", "app=jaeger", 16686),
    "kiali": Page("Kiali", "app=kiali", 20001, "/kiali"),
    "prometheus": Page("Prometheus", "app.kubernetes.io/name=prometheus", 9090),
    "zipkin": Page("Zipkin", "app=zipkin", 9411),
    "skywalking": Page("SkyWalking", "app=skywalking-ui", 8080),
}


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "dashboard",
        aliases=["dash", "d"],
        parents=parents,
        help="Access to Istio web UIs",
        description="Makes an add-on's page reachable and opens it.",
        unknown='unknown dashboard "{}"',
    )
    parser.set_defaults(run=lambda _ctx, _options: _help(parser))
    group = parser.add_subparsers(dest="dashboard", metavar="DASHBOARD")
    for name, page in PAGES.items():
        sub = group.add_parser(
            name,
            parents=parents,
            help=f"Open {page.title} web UI",
            description=f"Forwards a local port to {page.title} until Ctrl-C.",
            epilog=f"  istioctl dashboard {name}\n  istioctl dashboard {name} --browser=false",
        )
        sub.add_argument("--ui-port", type=int, default=page.port, help="The add-on's own port")
        _options(sub, functools.partial(_page, page=page))
    istiod = group.add_parser(
        "istiod-debug",
        parents=parents,
        help="Open Istio debug web UI",
        description="Forwards a local port to istiod's debug pages until Ctrl-C.",
    )
    istiod.add_argument("pod", nargs="?", default="", help="[<type>/]<name>[.<namespace>]")
    _options(istiod, _istiod)


def _options(sub: argparse.ArgumentParser, run: Any) -> None:
    sub.add_argument("--port", "-p", type=int, default=0, help="Local port to listen to")
    sub.add_argument("--address", default=_LOCALHOST, help="Local address to listen on")
    flag(sub, "--browser", default=True, help="Open a browser")
    sub.set_defaults(run=run)


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _page(ctx: Context, options: argparse.Namespace, page: Page) -> int:
    return _until_interrupted(_open(ctx, options, page, options.ui_port))


def _istiod(ctx: Context, options: argparse.Namespace) -> int:
    page = Page("Istio debug", "app=istiod", _DEBUG_PORT, "/debug")
    return _until_interrupted(_open(ctx, options, page, _DEBUG_PORT, options.pod))


def _until_interrupted(work: Coroutine[Any, Any, int]) -> int:
    """Ctrl-C is how a dashboard ends, and no failure."""
    try:
        return context.run(work)
    except KeyboardInterrupt:
        return 0


async def _open(
    ctx: Context, options: argparse.Namespace, page: Page, port: int, name: str = ""
) -> int:
    async with ctx.client() as client:
        pod = await pods.resolve(client, ctx, name) if name else await _find(client, ctx, page)
    locals_ = [options.port] if options.port else [port, 0]
    # Loopback by its number: this machine need not have ::1.
    host = "127.0.0.1" if options.address == _LOCALHOST else options.address
    async with forward.listen(ctx, pod, port, host, locals_) as (_, local):
        _show(ctx, f"http://{options.address}:{local}{page.path}", browser=options.browser)
        await asyncio.Event().wait()
    return 0


def _show(ctx: Context, url: str, *, browser: bool) -> None:
    ctx.print(url)
    if not browser:
        ctx.print("skipping opening a browser")
    elif not webbrowser.open(url):
        ctx.print(f"Failed to open browser; open {url} in your browser.")


async def _find(client: HttpClient, ctx: Context, page: Page) -> Key:
    """The add-on's pod, beside istiod or in the namespace of the context."""
    for namespace in dict.fromkeys((ctx.istio_namespace, ctx.namespace_or_default)):
        found = await client.list(refs.PODS, namespace, label_selector=page.selector)
        running = [one for one in found.items if objects.dig(one, "status.phase") == "Running"]
        if running:
            return objects.key(running[0])
    raise Failure(f"no pods found with selector {page.selector}")
