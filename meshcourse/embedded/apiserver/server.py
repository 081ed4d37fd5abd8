"""The API server as one object: start it, talk to it, stop it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from aiohttp import web

from meshcourse.embedded.apiserver import bootstrap, kubeconfig, pki
from meshcourse.embedded.apiserver.admission.accounts import ServiceAccounts
from meshcourse.embedded.apiserver.admission.attributes import Plugin
from meshcourse.embedded.apiserver.admission.chain import Chain
from meshcourse.embedded.apiserver.admission.lifecycle import NamespaceLifecycle
from meshcourse.embedded.apiserver.admission.limits import Limits
from meshcourse.embedded.apiserver.admission.webhooks import Webhooks
from meshcourse.embedded.apiserver.allocators import ServiceAllocator
from meshcourse.embedded.apiserver.auth import users
from meshcourse.embedded.apiserver.auth.authenticator import Authenticator
from meshcourse.embedded.apiserver.auth.authorizer import Authorizer
from meshcourse.embedded.apiserver.auth.tokens import TokenIssuer
from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.definitions import Definitions
from meshcourse.embedded.apiserver.http.handler import Handler
from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.registry.registry import Registry
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.apiserver.streams.backend import NodeBackend
from meshcourse.errors import MeshcourseError

_LARGEST_BODY = 8 * 1024 * 1024
_SHUTDOWN_SECONDS = 1.0
_ADMIN = "kubernetes-admin"


class Server:
    """One cluster's API server.

    :param state_dir: where everything that outlives the process is kept (``apiserver/`` and ``kubeconfig``).
    :param cluster_name: the name of cluster, user and context in the kubeconfig.
    :param cluster_number: 64-126; chooses the addresses 127.N.x.y that Services get.
    """

    def __init__(self, state_dir: Path, cluster_name: str, *, cluster_number: int = 66) -> None:
        self._state = state_dir
        self._folder = state_dir / "apiserver"
        self._name = cluster_name
        self._number = cluster_number
        self._core: Core | None = None
        self._runner: web.AppRunner | None = None
        self._backend: NodeBackend | None = None
        self._definitions: Definitions | None = None
        self.url = ""

    @property
    def kubeconfig_path(self) -> Path:
        """The administrator's kubeconfig, written by `start`."""
        return self._state / "kubeconfig"

    @property
    def ca_path(self) -> Path:
        """The certificate of the cluster's CA (PEM)."""
        return self._folder / "ca.crt"

    @property
    def core(self) -> Core:
        """:raises RuntimeError: before `start`."""
        if self._core is None:
            raise RuntimeError("the API server has not been started")
        return self._core

    @property
    def backend(self) -> NodeBackend | None:
        """Who answers for the node: logs, exec, port-forward, metrics."""
        return self._backend

    @backend.setter
    def backend(self, backend: NodeBackend | None) -> None:
        self._backend = backend
        if self._core:
            self._core.backend = backend

    def local(self, user: str | User) -> LocalClient:
        """A client in this process; a name stands for a component that may do everything."""
        return LocalClient(self.core, users.administrator(user) if isinstance(user, str) else user)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Load the state, listen, and write the kubeconfig.

        :param port: 0 means the port of last time, or a free one the first time.
        :raises MeshcourseError: if the port is taken.
        """
        store = Store(self._folder / "objects.db")
        try:
            await self._start(store, host, port)
        except BaseException:
            await self.stop()
            store.close()
            raise

    async def _start(self, store: Store, host: str, port: int) -> None:
        services = ServiceAllocator(self._number, store)
        keys = pki.load(self._folder, [services.api_server_ip])
        self._core = core = self._assemble(store, services, keys)
        listening = self._listen(host, port)
        try:
            self.url = f"https://{host}:{listening.getsockname()[1]}"
            client = self.local("system:apiserver")
            await bootstrap.objects_of_every_cluster(core, client, self.url)
            await self._serve(Handler(core), listening, _tls(keys))
        except BaseException:
            listening.close()
            raise
        ca = keys.ca.read_bytes()
        kubeconfig.write(self.kubeconfig_path, self._name, self.url, ca, keys.admin_token)

    def _assemble(self, store: Store, services: ServiceAllocator, keys: pki.Pki) -> Core:
        registry, tokens = Registry(), TokenIssuer(keys.token_key)
        static = {keys.admin_token: users.administrator(_ADMIN)}
        authenticator = Authenticator(store, tokens, static)
        plugins: list[Plugin] = [NamespaceLifecycle(store), ServiceAccounts(store), Limits()]
        chain = Chain(plugins, Webhooks(store, registry))
        core = Core(store, registry, chain, authenticator, Authorizer(store), tokens, services)
        core.backend = self._backend
        self._definitions = Definitions(core)
        self._definitions.follow()
        return core

    def _listen(self, host: str, port: int) -> socket.socket:
        remembered = self._folder / "port"
        wanted = port or (int(remembered.read_text()) if remembered.exists() else 0)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, wanted))
        except OSError as error:
            listening.close()
            raise MeshcourseError(
                f"The API server cannot listen on {host}:{wanted}: {error.strerror}",
                remedy=f"Stop what uses that port, or delete {remembered} to get another one.",
            ) from error
        pki.write(remembered, str(listening.getsockname()[1]).encode())
        return listening

    async def _serve(self, handler: Handler, listening: socket.socket, tls: ssl.SSLContext) -> None:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", handler.handle)
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listening, ssl_context=tls, backlog=512).start()

    async def stop(self) -> None:
        """End watches cleanly, close the port and the store. The state stays."""
        core, self._core = self._core, None
        if core is None:
            return
        core.store.end_watches()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        if self._definitions:
            await self._definitions.close()
        await core.chain.close()
        core.store.close()


def _tls(keys: pki.Pki) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(keys.serving.certificate, keys.serving.key)
    context.load_verify_locations(keys.ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context
