"""SDS resources made of Kubernetes Secrets (and ConfigMaps), for the servers of a gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import tls_gateway
from meshcourse.embedded.istio.gateways import Server
from meshcourse.embedded.istio.model import Json, Secret
from meshcourse.embedded.kube.objects import Key

Found = Mapping[Key, Secret]


def of_servers(
    servers: Iterable[Server], namespace: str, found: Found, authorities: Found
) -> dict[str, Json]:
    """The secrets that the servers name, by SDS name; missing ones are left out.

    :param namespace: of the gateway's pod: a plain ``credentialName`` is looked up there. Secrets
        of other namespaces are given to converted Gateways only, whose grants have been checked.
    :param authorities: ConfigMaps with ``ca.crt``.
    """
    result: dict[str, Json] = {}
    for server in servers:
        for name, holder in _wanted(server, namespace, found, authorities):
            if holder is not None and (server.granted or holder.namespace == namespace):
                result[name] = _made(name, holder)
    return result


def of_clusters(
    clusters: Iterable[Json], namespace: str, found: Found, authorities: Found
) -> dict[str, Json]:
    """The secrets that clusters name, by SDS name: Secrets of the proxy's own namespace, and
    ConfigMaps.
    """
    result: dict[str, Json] = {}
    for cluster in clusters:
        for name in _served((cluster.get("transport_socket") or {}).get("typed_config") or {}):
            is_root = name.endswith(names.CA_SUFFIX)
            holder = (_authority if is_root else _own)(name, namespace, found, authorities)
            public = name.startswith(names.CONFIG_MAP)
            if holder is not None and (public or holder.namespace == namespace):
                result[name] = _made(name, holder)
    return result


def _served(config: Mapping[str, Any]) -> Iterator[str]:
    """SDS names in a TLS context that istiod serves."""
    common = config.get("common_tls_context") or {}
    combined = common.get("combined_validation_context") or {}
    for one in (
        *(common.get("tls_certificate_sds_secret_configs") or ()),
        combined.get("validation_context_sds_secret_config") or {},
    ):
        if "ads" in (one.get("sds_config") or {}):
            yield str(one["name"])


def _wanted(
    server: Server, namespace: str, found: Found, authorities: Found
) -> Iterator[tuple[str, Secret | None]]:
    setting = server.tls or {}
    for name in tls_gateway.certificate_names(setting):
        yield name, _own(name, namespace, found, authorities)
    name = tls_gateway.authority_name(setting)
    if name and server.mode in tls_gateway.CLIENT_CERTIFICATES:
        yield name, _authority(name, namespace, found, authorities)


def _own(name: str, namespace: str, found: Found, _authorities: Found) -> Secret | None:
    """A certificate with its key."""
    secret = found.get(key(name, namespace))
    return secret if secret and secret.certificate and secret.key else None


def _authority(name: str, namespace: str, found: Found, authorities: Found) -> Secret | None:
    """The Secret ``NAME-cacert`` if there is one, else ``NAME``."""
    own = key(name, namespace)
    plain = Key(own.namespace, own.name.removesuffix(names.CA_SUFFIX))
    if name.startswith(names.CONFIG_MAP):
        return authorities.get(plain)
    holder = found.get(own) or found.get(plain)
    return holder if holder and holder.ca else None


def key(credential: str, namespace: str) -> Key:
    """The Secret that ``NAME`` or ``kubernetes-gateway://NAMESPACE/NAME`` refers to."""
    _, _, path = credential.rpartition("://")
    owner, _, name = path.rpartition("/")
    return Key(owner or namespace, name)


def _made(name: str, holder: Secret) -> Json:
    return _roots(name, holder) if name.endswith(names.CA_SUFFIX) else _pair(name, holder)


def _pair(name: str, secret: Secret) -> Json:
    pair = {
        "certificate_chain": {"inline_string": secret.certificate},
        "private_key": {"inline_string": secret.key},
    }
    return {"name": name, "tls_certificate": pair}


def _roots(name: str, secret: Secret) -> Json:
    context: Json = {"trusted_ca": {"inline_string": secret.ca}}
    if secret.crl:
        context["crl"] = {"inline_string": secret.crl}
    return {"name": name, "validation_context": context}
