"""The environment of a container: what the kubelet itself sets, service links, ``envFrom``, ``env``. Pure.

Source: kubelet's makeEnvironmentVariables and envvars.FromServices; expansion of ``$(NAME)`` as in the API reference of
EnvVar.value.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from meshcourse.embedded.kube import objects, quantities
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.errors import MeshcourseError

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_QUOTED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")

#: Its variables are set by the kubelet itself, to where the API server really is.
_API_SERVER = Key("default", "kubernetes")

#: Looks up a ConfigMap or Secret of the pod's namespace by name.
Lookup = Callable[[str], Object | None]


class ConfigError(MeshcourseError):
    """Reason CreateContainerConfigError: something that the container's configuration refers to is missing."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from.

    :param pod: the Pod; its status needs ``podIP`` and ``hostIP`` for field references, see `fields`.
    :param fields: values that the pod in the cache may not have yet (``status.podIP`` …).
    :param capacity: the node's ``{"cpu": …, "memory": …}``, the default for limits.
    """

    pod: Object
    fields: Mapping[str, str]
    configmap: Lookup
    secret: Lookup
    services: Iterable[Object]
    capacity: Mapping[str, str]


def build(base: Mapping[str, str], container: Object, sources: Sources) -> dict[str, str]:
    """`base`, then service links, then ``envFrom``, then ``env``; later ones win and may refer to earlier ones.

    :raises ConfigError: if a ConfigMap, Secret or key is missing and not optional.
    """
    env = dict(base)
    if (sources.pod.get("spec") or {}).get("enableServiceLinks", True):
        env.update(service_links(sources.services))
    for source in container.get("envFrom") or []:
        env.update(_env_from(source, sources))
    for variable in container.get("env") or []:
        value = _value(variable, container, sources, env)
        if value is not None:
            env[variable["name"]] = value
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)``; unknown names stay as written, ``$$`` is a dollar."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else env.get(name, match[0])

    return _REFERENCE.sub(replace, text)


def service_links(services: Iterable[Object]) -> Iterator[tuple[str, str]]:
    """``REVIEWS_SERVICE_HOST`` and the rest, for services with a cluster IP."""
    for service in services:
        host = objects.dig(service, "spec.clusterIP", "")
        ports = objects.dig(service, "spec.ports", [])
        if host in ("", "None") or not ports or objects.key(service) == _API_SERVER:
            continue
        prefix = objects.name(service).upper().replace("-", "_")
        yield f"{prefix}_SERVICE_HOST", host
        yield f"{prefix}_SERVICE_PORT", str(ports[0]["port"])
        for port in ports:
            if port.get("name"):
                name = port["name"].upper().replace("-", "_")
                yield f"{prefix}_SERVICE_PORT_{name}", str(port["port"])
        yield from _docker_links(prefix, host, ports)


def _docker_links(prefix: str, host: str, ports: list[Object]) -> Iterator[tuple[str, str]]:
    for index, port in enumerate(ports):
        protocol = (port.get("protocol") or "TCP").upper()
        number = str(port["port"])
        url = f"{protocol.lower()}://{host}:{number}"
        if index == 0:
            yield f"{prefix}_PORT", url
        stem = f"{prefix}_PORT_{number}_{protocol}"
        yield stem, url
        yield f"{stem}_PROTO", protocol.lower()
        yield f"{stem}_PORT", number
        yield f"{stem}_ADDR", host


def _env_from(source: Object, sources: Sources) -> Iterator[tuple[str, str]]:
    prefix = source.get("prefix") or ""
    for kind, lookup, decode in _STORES:
        ref = source.get(f"{kind}Ref")
        if ref is None:
            continue
        found = lookup(sources)(ref["name"])
        if found is None:
            if ref.get("optional"):
                continue
            raise ConfigError(f'{kind.lower()} "{ref["name"]}" not found')
        for key, value in (found.get("data") or {}).items():
            yield prefix + key, decode(value)


def _value(
    variable: Object, container: Object, sources: Sources, env: Mapping[str, str]
) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return expand(str(variable.get("value") or ""), env)
    if "fieldRef" in source:
        return field(source["fieldRef"]["fieldPath"], sources.pod, sources.fields)
    if "resourceFieldRef" in source:
        return resource_field(source["resourceFieldRef"], sources.pod, container, sources.capacity)
    return _key_ref(source, sources)


def _key_ref(source: Object, sources: Sources) -> str | None:
    for kind, lookup, decode in _STORES:
        ref = source.get(f"{kind}KeyRef")
        if ref is None:
            continue
        found = lookup(sources)(ref["name"])
        if found is None and not ref.get("optional"):
            raise ConfigError(f'{kind.lower()} "{ref["name"]}" not found')
        data = (found or {}).get("data") or {}
        if ref["key"] in data:
            return decode(data[ref["key"]])
        if not ref.get("optional"):
            title = "ConfigMap" if kind == "configMap" else "Secret"
            where = f"{objects.namespace(sources.pod)}/{ref['name']}"
            raise ConfigError(f"couldn't find key {ref['key']} in {title} {where}")
    return None


def field(path: str, pod: Object, fields: Mapping[str, str]) -> str:
    """The value of a ``fieldRef``.

    :raises ConfigError: for a field that the downward API does not offer.
    """
    if path in fields:
        return fields[path]
    quoted = _QUOTED_FIELD.fullmatch(path)
    if quoted is not None:
        return str((objects.dig(pod, f"metadata.{quoted[1]}", {})).get(quoted[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = objects.dig(pod, path, {})
        return "\n".join(f'{k}="{_quote(v)}"' for k, v in sorted(pairs.items()))
    if path in ("metadata.name", "metadata.namespace", "metadata.uid") or path in (
        "spec.nodeName",
        "spec.serviceAccountName",
    ):
        return str(objects.dig(pod, path, ""))
    raise ConfigError(f"unsupported fieldPath: {path}")


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_field(ref: Object, pod: Object, container: Object, capacity: Mapping[str, str]) -> str:
    """The value of a ``resourceFieldRef``; a missing limit means the node's capacity."""
    name = ref.get("containerName")
    if name and name != container.get("name"):
        spec = pod.get("spec") or {}
        every = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
        container = next((c for c in every if c["name"] == name), {})
    kind, _, resource = ref["resource"].partition(".")
    resources = container.get("resources") or {}
    text = (resources.get(kind) or {}).get(resource)
    if text is None and kind == "requests":
        text = (resources.get("limits") or {}).get(resource, "0")
    if text is None:
        text = capacity.get(resource, "0")
    unit = quantities.parse(str(ref.get("divisor") or "1")) or 1
    return str(math.ceil(quantities.parse(text) / unit))


def _decode_secret(value: str) -> str:
    return base64.b64decode(value).decode("utf-8", "surrogateescape")


_STORES: tuple[tuple[str, Callable[[Sources], Lookup], Callable[[str], str]], ...] = (
    ("configMap", lambda sources: sources.configmap, str),
    ("secret", lambda sources: sources.secret, _decode_secret),
)
