"""Where the stand-in gets its knowledge: Prometheus over HTTP, objects through informers. The only module with I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import aiohttp

from meshcourse.embedded.addons.kiali import mesh
from meshcourse.embedded.addons.kiali.graph.build import Sample
from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError
from meshcourse.errors import MeshcourseError

_TIMEOUT = aiohttp.ClientTimeout(total=30)
#: How often kinds that the cluster does not know yet (Istio is not installed) are tried again.
_RETRY = 3.0


class PrometheusError(MeshcourseError):
    """Prometheus did not answer or refused the question."""


class Prometheus:
    """Instant queries.

    :param url: base URL.
    :param session: one that knows this pod's proxy.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url.rstrip("/")
        self._session = session

    async def ask(self, query: str, when: float) -> list[Sample]:
        """The vector at `when` (seconds since the epoch; 0 for now). :raises PrometheusError:"""
        data = {"query": query, **({"time": f"{when:.3f}"} if when else {})}
        try:
            async with self._session.post(
                f"{self.url}/api/v1/query", data=data, timeout=_TIMEOUT
            ) as answer:
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise PrometheusError(
                f"Prometheus at {self.url} does not answer: {error or type(error).__name__}; "
                "is its add-on installed and ready?"
            ) from error
        if not isinstance(body, dict) or body.get("status") != "success":
            text = body.get("error") if isinstance(body, dict) else body
            raise PrometheusError(f"Prometheus refused a query: {text}")
        return [Sample(one["metric"], float(one["value"][1])) for one in body["data"]["result"]]

    async def ask_all(self, texts: Sequence[str], when: float) -> dict[str, list[Sample]]:
        """All vectors at one moment. :raises PrometheusError:"""
        answers = await asyncio.gather(*(self.ask(text, when) for text in texts))
        return dict(zip(texts, answers, strict=True))

    async def ready(self) -> bool:
        try:
            await self.ask("vector(1)", 0)
        except PrometheusError:
            return False
        return True


class Objects:
    """Caches of all kinds that Kiali shows. Kinds that are missing are tried again until they exist."""

    def __init__(
        self, client: Client, resources: Iterable[Resource] = (*mesh.CORE, *mesh.CONFIG)
    ) -> None:
        # Of ConfigMaps only Istio's own is of interest, and some are large.
        self._informers = {
            each: Informer(client, each, mesh.ROOT if each is refs.CONFIGMAPS else None)
            for each in resources
        }
        self._later: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when all kinds that the server knows are cached."""
        missing = await self._start(list(self._informers))
        if missing:
            self._later = asyncio.create_task(self._retry(missing), name="kiali late kinds")

    async def _start(self, resources: Sequence[Resource]) -> list[Resource]:
        """Those that could not be listed."""
        tried = await asyncio.gather(
            *(self._informers[each].start() for each in resources), return_exceptions=True
        )
        for failure in tried:
            if isinstance(failure, BaseException) and not isinstance(failure, ApiError):
                raise failure
        return [each for each, error in zip(resources, tried, strict=True) if error is not None]

    async def _retry(self, missing: list[Resource]) -> None:
        while missing:
            await asyncio.sleep(_RETRY)
            missing = await self._start(missing)

    async def stop(self) -> None:
        if self._later is not None:
            self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)
        await asyncio.gather(*(each.stop() for each in self._informers.values()))

    def snapshot(self) -> Mesh:
        """What is there now."""
        return Mesh({each: list(one.items.values()) for each, one in self._informers.items()})
