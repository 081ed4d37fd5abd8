"""A webhook of our own: a TLS server that answers admission reviews as a test tells it to."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from meshcourse.embedded.apiserver import pki

Json = dict[str, Any]
#: From the request of a review to its response (without uid).
Decide = Callable[[Json], Json]


def patch(*operations: Json) -> Json:
    """An answer that allows and patches."""
    text = base64.b64encode(orjson.dumps(list(operations))).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": text}


class HookServer:
    """Listens on a loopback address with a certificate of its own CA."""

    def __init__(self, folder: Path) -> None:
        self._keys = pki.load(folder, ["127.0.0.1"])
        self._decide: dict[str, Decide] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0
        #: The requests of all reviews received.
        self.asked: list[Json] = []

    @property
    def ca_bundle(self) -> str:
        return base64.b64encode(self._keys.ca.read_bytes()).decode()

    def on(self, path: str, decide: Decide) -> None:
        self._decide[path] = decide

    async def start(self) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._keys.serving.certificate, self._keys.serving.key)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        review = await request.json()
        self.asked.append(review["request"])
        response = self._decide[request.path](review["request"])
        response.setdefault("uid", review["request"]["uid"])
        answer = {
            "kind": "AdmissionReview",
            "apiVersion": review["apiVersion"],
            "response": response,
        }
        return web.json_response(answer)

    def configuration(self, kind: str, *hooks: Json, name: str = "test") -> Json:
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": list(hooks),
        }

    def hook(self, path: str, **more: Any) -> Json:
        """A webhook for creations and updates of ConfigMaps; `more` overrides."""
        rule = {
            "operations": ["CREATE", "UPDATE"],
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["configmaps"],
        }
        url = f"https://127.0.0.1:{self.port}{path}"
        return {
            "name": f"{path.strip('/')}.example.com",
            "clientConfig": {"url": url, "caBundle": self.ca_bundle},
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
            **more,
        }
