"""istiod put together: informers, CA, webhooks, ADS, pages. `Istiod.run` until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import yaml
from aiohttp import web

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istiod import (
    debug,
    gateways,
    https,
    keysets,
    metrics,
    push,
    rejections,
    rootcert,
    settings,
    statuses,
    webhooks,
)
from meshcourse.embedded.istiod.bundles import Bundles
from meshcourse.embedded.istiod.ca import signer, store, tokens
from meshcourse.embedded.istiod.debounce import Debouncer
from meshcourse.embedded.istiod.inject import values
from meshcourse.embedded.istiod.settings import Settings
from meshcourse.embedded.istiod.world import World
from meshcourse.embedded.istiod.xds import credentials, server
from meshcourse.embedded.istiod.xds.connection import Connection
from meshcourse.embedded.kube import addresses, objects, refs

log = logging.getLogger("istiod")


class Istiod:
    """One control plane process."""

    def __init__(self, client: Client, config: Settings) -> None:
        self._client = client
        self._settings = config
        self._debouncer = Debouncer(config.debounce)
        self._world = World(client, self._debouncer.trigger)
        self._recorder = Recorder(client, "istiod")
        self._rejections = rejections.Rejections(
            self._recorder, self._world, lambda: self._pusher.snapshot
        )
        self._ads = server.AdsServer(self._on_change, self._on_nack)
        self._keys = keysets.KeySets(self._debouncer.trigger)
        self._pusher = push.Pusher(
            self._world,
            self._debouncer,
            lambda: list(self._ads.connections.values()),
            self._keys,
        )
        self._bundles: Bundles | None = None
        self._injection: tuple[object, values.Values] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            await stop.wait()
            log.info("stopping")

    @property
    def ready(self) -> bool:
        """Configuration is served, and the API server trusts our webhooks."""
        served = self._pusher.snapshot is not None and self._bundles is not None
        return served and self._bundles is not None and self._bundles.patched

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        stack.push_async_callback(self._recorder.stop)
        await self._serve_pages(stack)
        root, _ = await asyncio.gather(
            store.load(self._client, self._settings.namespace), self._world.start()
        )
        stack.push_async_callback(self._world.stop)
        metrics.ROOT_EXPIRY.set(root.expires.timestamp())
        stack.push_async_callback(self._keys.stop)
        self._report(stack)
        await self._pusher.push(time.monotonic())
        serving = credentials.ServingCertificate(root, self._settings.names)
        front = https.HttpsServer(
            serving, self._routes(signer.Signer(root, self._settings.lifetimes))
        )
        host, port = self._settings.host, self._settings.port
        await front.start(host, port(settings.HTTPS))
        stack.push_async_callback(front.stop)
        await self._ads.start(host, port(settings.XDS), credentials.mutual_tls(root, serving))
        stack.push_async_callback(self._ads.stop)
        self._background(stack, self._pusher.run(), front.keep_fresh())
        await self._distribute(root.root, stack)
        log.info("istiod is ready to serve")

    def _background(self, stack: contextlib.AsyncExitStack, *work: Any) -> None:
        for one in work:
            task = asyncio.create_task(one)
            stack.push_async_callback(_cancel, task)

    def _report(self, stack: contextlib.AsyncExitStack) -> None:
        """What follows from snapshots for the API's objects: statuses, and gateways to be run."""
        reports = statuses.Statuses(self._client, self._world)
        deployments = gateways.ManagedGateways(self._client, self._world, self._values)
        for one in (reports, deployments):
            one.start()
            stack.push_async_callback(one.stop)
        self._pusher.observers += [reports.update, deployments.update]

    async def _distribute(self, root: str, stack: contextlib.AsyncExitStack) -> None:
        """Tell the cluster of our root: namespaces and webhook configurations."""
        informer = self._world.informers.informer
        roots = rootcert.RootCertificates(
            self._client, informer(refs.NAMESPACES), informer(refs.CONFIGMAPS), root
        )
        self._bundles = Bundles(
            self._client,
            informer(refs.MUTATING_WEBHOOKS),
            informer(refs.VALIDATING_WEBHOOKS),
            self._settings.service,
            root,
        )
        for one in (roots, self._bundles):
            one.start()
            stack.push_async_callback(one.stop)

    def _routes(self, granting: signer.Signer) -> dict[str, https.Handler]:
        reviewer = tokens.TokenReviewer(self._client, self._settings.trust_domain)
        endpoint = https.CertificateEndpoint(granting, reviewer, self._discovery)
        return {
            https.CREATE_CERTIFICATE: endpoint.handle,
            "/inject": webhooks.InjectionWebhook(self._values).handle,
            "/validate": webhooks.validation,
        }

    async def _serve_pages(self, stack: contextlib.AsyncExitStack) -> None:
        pages = debug.Pages(
            self._settings.pod,
            self._pusher,
            lambda: self._ads.connections.values(),
            lambda: self.ready,
        )
        runner = web.AppRunner(pages.application(), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for number in (settings.HTTP, settings.MONITORING):
            await web.TCPSite(runner, self._settings.host, self._settings.port(number)).start()

    # -- what the parts ask of each other ------------------------------------------------------

    def _on_change(self, connection: Connection, connected: bool) -> None:
        if connected:
            self._pusher.aim(connection, time.monotonic())
        else:
            self._pusher.forget(connection)

    def _on_nack(self, connection: Connection, type_url: str, error: str) -> None:
        resources = self._pusher.resources.get(connection.id)
        self._rejections.report(connection, resources, type_url, error)

    def _discovery(self) -> tuple[str, int] | None:
        """Where proxies find us: the Service, so that a restart is only a reconnect."""
        service = self._world.get(refs.SERVICES, self._settings.namespace, self._settings.service)
        if service is None:
            return None
        try:
            return addresses.service_endpoint(service, settings.XDS)
        except LookupError:
            return None

    def _values(self) -> values.Values:
        """The injector's settings; read anew only when one of the ConfigMaps has changed."""
        suffix = f"-{self._settings.revision}" if self._settings.revision else ""
        names = (f"istio-sidecar-injector{suffix}", f"istio{suffix}")
        maps = [self._world.get(refs.CONFIGMAPS, self._settings.namespace, name) for name in names]
        version = tuple(objects.dig(one, "metadata.resourceVersion") for one in maps)
        if self._injection is None or self._injection[0] != version:
            helm = json.loads(objects.dig(maps[0], "data.values", "{}"))
            mesh: Mapping[str, Any] = yaml.safe_load(objects.dig(maps[1], "data.mesh", "{}")) or {}
            self._injection = (version, values.read(helm, mesh, self._settings.revision))
        return self._injection[1]


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
