"""The files that a volume's source asks for. Pure but for tokens, which the caller brings."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.pods import environment
from meshcourse.embedded.kubelet.pods.environment import Sources
from meshcourse.errors import MeshcourseError

_DEFAULT_MODE = 0o644


class VolumeError(MeshcourseError):
    """A volume that cannot be set up (yet), in a kubelet's words."""


@dataclass(frozen=True, slots=True)
class File:
    """One file: its bytes and permission bits."""

    data: bytes
    mode: int


#: Relative path → file.
Files = dict[str, File]


def of_volume(volume: Object, sources: Sources, tokens: Mapping[str, str]) -> Files:
    """The files of a configMap, secret, downwardAPI or projected volume.

    :param tokens: token by the path it is projected to.
    :raises VolumeError: if something that is not optional is missing.
    """
    if "configMap" in volume:
        return _configmap(volume["configMap"], sources)
    if "secret" in volume:
        return _secret(volume["secret"], sources)
    if "downwardAPI" in volume:
        return _downward(volume["downwardAPI"], sources)
    return _projected(volume["projected"], sources, tokens)


def token_requests(volume: Object) -> list[Object]:
    """The ``serviceAccountToken`` sources of a projected volume."""
    projected = (volume.get("projected") or {}).get("sources") or []
    return [s["serviceAccountToken"] for s in projected if "serviceAccountToken" in s]


def _projected(source: Object, sources: Sources, tokens: Mapping[str, str]) -> Files:
    mode = int(source.get("defaultMode") or _DEFAULT_MODE)
    found: Files = {}
    for part in source.get("sources") or []:
        if "configMap" in part:
            found |= _configmap({"defaultMode": mode, **part["configMap"]}, sources)
        elif "secret" in part:
            secret = part["secret"]
            named = {"defaultMode": mode, **secret, "secretName": secret.get("name")}
            found |= _secret(named, sources)
        elif "downwardAPI" in part:
            found |= _downward({"defaultMode": mode, **part["downwardAPI"]}, sources)
        elif "serviceAccountToken" in part:
            path = part["serviceAccountToken"]["path"]
            found[path] = File(tokens[path].encode(), 0o600)
        else:
            raise VolumeError(f"projected source {'/'.join(part)} is not offered here")
    return found


def _configmap(source: Object, sources: Sources) -> Files:
    name = str(source.get("name") or "")
    found = sources.configmap(name)
    if found is None:
        if source.get("optional"):
            return {}
        raise VolumeError(f'configmap "{name}" not found')
    data = {key: text.encode() for key, text in (found.get("data") or {}).items()}
    data |= {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}
    return dict(_pick(data, source, f"configmap {_where(sources, name)}", 0o777))


def _secret(source: Object, sources: Sources) -> Files:
    name = str(source.get("secretName") or "")
    found = sources.secret(name)
    if found is None:
        if source.get("optional"):
            return {}
        raise VolumeError(f'secret "{name}" not found')
    data = {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
    # On a node only root could read them; here they are this user's and nobody else's.
    return dict(_pick(data, source, f"secret {_where(sources, name)}", 0o700))


def _pick(
    data: Mapping[str, bytes], source: Object, what: str, mask: int
) -> Iterator[tuple[str, File]]:
    """All keys, or those that ``items`` names under the paths it gives."""
    default = int(source.get("defaultMode") or _DEFAULT_MODE)
    items: Iterable[Object] = source.get("items") or [{"key": key, "path": key} for key in data]
    for item in items:
        key = item["key"]
        if key not in data:
            if source.get("optional"):
                continue
            raise VolumeError(f"references non-existent {what.split()[0]} key: {key}")
        path = _checked(str(item["path"]))
        yield path, File(data[key], int(item.get("mode") or default) & mask)


def _downward(source: Object, sources: Sources) -> Files:
    found: Files = {}
    default = int(source.get("defaultMode") or _DEFAULT_MODE)
    for item in source.get("items") or []:
        mode = int(item.get("mode") or default)
        found[_checked(item["path"])] = File(_downward_value(item, sources).encode(), mode)
    return found


def _downward_value(item: Object, sources: Sources) -> str:
    try:
        if "fieldRef" in item:
            return environment.field(item["fieldRef"]["fieldPath"], sources.pod, sources.fields)
        return environment.resource_field(
            item["resourceFieldRef"], sources.pod, {}, sources.capacity
        )
    except environment.ConfigError as error:
        raise VolumeError(error.message) from error


def _checked(path: str) -> str:
    """A relative path that stays inside its volume.

    :raises VolumeError: if it does not.
    """
    if path.startswith("/") or ".." in path.split("/") or not path:
        raise VolumeError(f'invalid path: "{path}" must be relative and must not contain ".."')
    return path


def _where(sources: Sources, name: str) -> str:
    return f"{objects.namespace(sources.pod)}/{name}"
