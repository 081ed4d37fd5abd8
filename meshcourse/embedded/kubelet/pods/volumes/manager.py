"""Sets up the volumes of one pod and keeps their files current."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path

from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet.pods.view import PodView
from meshcourse.embedded.kubelet.pods.volumes import atomic, content
from meshcourse.embedded.kubelet.pods.volumes.content import Files, VolumeError

_FILE_SOURCES = ("configMap", "secret", "downwardAPI", "projected")
#: A token is renewed when this part of its life has passed, as kubelet does.
_RENEW_AT = 0.8
_DEFAULT_EXPIRY = 3600
#: How soon to try again when a token could not be renewed.
_RENEW_RETRY = 10.0


@dataclass(slots=True)
class _Token:
    text: str
    renew: float  # on the monotonic clock


class VolumeManager:
    """One per pod."""

    def __init__(self, view: PodView) -> None:
        self._view = view
        self._written: dict[str, Files] = {}
        self._tokens: dict[tuple[str, str], _Token] = {}

    async def set_up(self) -> None:
        """Make every volume, or bring its files up to date.

        :raises VolumeError: if something a volume needs is missing, unknown or not offered.
        """
        await asyncio.gather(*(self._volume(v) for v in self._view.spec.get("volumes") or []))

    def next_renewal(self) -> float | None:
        """Seconds until a token wants renewing; None if the pod has none."""
        if not self._tokens:
            return None
        return max(0.0, min(token.renew for token in self._tokens.values()) - time.monotonic())

    async def _volume(self, volume: Object) -> None:
        name = volume["name"]
        path = self._view.node.layout.volume(self._view.uid, name)
        try:
            if "emptyDir" in volume or len(volume) == 1:
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
            elif "hostPath" in volume:
                _host_path(volume["hostPath"], path, self._view)
            elif any(source in volume for source in _FILE_SOURCES):
                await self._files(volume, path)
            else:
                kind = next(key for key in volume if key != "name")
                raise VolumeError(f"{kind} volumes are not offered by the embedded cluster")
        except VolumeError as error:
            raise VolumeError(
                f'MountVolume.SetUp failed for volume "{name}" : {error.message}'
            ) from error

    async def _files(self, volume: Object, path: Path) -> None:
        requests = content.token_requests(volume)
        texts = await asyncio.gather(*(self._token(volume["name"], r) for r in requests))
        tokens = dict(zip((r["path"] for r in requests), texts, strict=True))
        files = content.of_volume(volume, self._view.sources(), tokens)
        if self._written.get(volume["name"]) != files:
            atomic.write(path, files)
            self._written[volume["name"]] = files

    async def _token(self, volume: str, request: Object) -> str:
        key = (volume, request["path"])
        known = self._tokens.get(key)
        if known is not None and known.renew > time.monotonic():
            return known.text
        try:
            fresh = await self._request_token(request)
        except ApiError as error:
            if known is None:
                raise VolumeError(f"failed to fetch token: {error.message}") from error
            known.renew = time.monotonic() + _RENEW_RETRY
            return known.text
        self._tokens[key] = fresh
        return fresh.text

    async def _request_token(self, request: Object) -> _Token:
        view = self._view
        spec: Object = {
            "expirationSeconds": int(request.get("expirationSeconds") or _DEFAULT_EXPIRY),
            "boundObjectRef": {
                "kind": "Pod",
                "apiVersion": "v1",
                "name": view.name,
                "uid": view.uid,
            },
        }
        if request.get("audience"):
            spec["audiences"] = [request["audience"]]
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await view.node.client.create(
            refs.SERVICEACCOUNTS,
            body,
            view.namespace,
            name=view.service_account,
            subresource="token",
        )
        status = answer["status"]
        life = _seconds_until(status.get("expirationTimestamp"), spec["expirationSeconds"])
        return _Token(status["token"], time.monotonic() + life * _RENEW_AT)


def _seconds_until(stamp: str | None, default: float) -> float:
    if not stamp:
        return default
    moment = dt.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return max((moment - dt.datetime.now(dt.UTC)).total_seconds(), 1.0)


def _host_path(source: Object, path: Path, view: PodView) -> None:
    """A path of the node's own root, which lies in the state directory."""
    wanted = str(source.get("path") or "/")
    if ".." in wanted.split("/"):
        raise VolumeError(f'hostPath "{wanted}" must not contain ".."')
    target = view.node.layout.node_root / wanted.lstrip("/")
    kind = source.get("type") or ""
    if kind in ("", "DirectoryOrCreate"):
        target.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
    elif not target.exists():
        raise VolumeError(
            f"hostPath type check failed: {wanted} is not a {kind.lower()} "
            f"(the node's root is {view.node.layout.node_root})"
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.is_symlink():
        path.symlink_to(target)
