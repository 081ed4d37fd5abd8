"""ProxyConfig as far as it shapes listeners: headers that proxies add, and what stands before
gateways.

Source: istio.io "Global Mesh Options" (ProxyConfig.ProxyHeaders, Topology).
``meshConfig.defaultConfig`` is overlaid by the pod's annotation ``proxy.istio.io/config``; the rest
of ProxyConfig is the injector's and the agent's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio.model import Json, MeshConfig, Workload

#: What proxies call themselves.
_SERVER: Final = "istio-envoy"
_APPEND: Final = "APPEND_FORWARD"
_SANITIZE: Final = "SANITIZE_SET"
_SETTING_DETAILS: Final = (_APPEND, _SANITIZE)


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What one proxy does with headers.

    :param server: value of ``server``; None leaves the application's.
    :param attempts: whether destinations see ``x-envoy-attempt-count``.
    :param request_id: whether missing request ids are made.
    :param debug: whether ``x-envoy-upstream-service-time`` and the like are added.
    :param client_cert: treatment of ``x-forwarded-client-cert`` at sidecars, `details` what is put
        into it; `edge_cert` is the treatment at gateways.
    :param trusted: proxies in front of a gateway whose ``x-forwarded-for`` is believed.
    :param proxy_protocol: whether connections to gateways begin with the PROXY protocol.
    """

    server: str | None = _SERVER
    attempts: bool = True
    request_id: bool = True
    debug: bool = True
    client_cert: str = _APPEND
    details: tuple[tuple[str, bool], ...] = (("subject", True), ("dns", True), ("uri", True))
    edge_cert: str = _SANITIZE
    trusted: int = 0
    proxy_protocol: bool = False

    def headers(self, *, named: bool = True) -> Json:
        """Fields of a connection manager.

        :param named: whether the server calls itself by name (outbound it does not).
        """
        result: Json = {}
        if self.server is None:
            result["server_header_transformation"] = "PASS_THROUGH"
        elif named or self.server != _SERVER:
            result["server_name"] = self.server
        if not self.request_id:
            result["generate_request_id"] = False
        return result

    def inbound(self) -> Json:
        """Fields of an inbound connection manager about client certificates."""
        return _certificate(self.client_cert, dict(self.details))

    def edge(self) -> Json:
        """Fields of a gateway's connection manager about clients."""
        details = {"subject": True, "cert": True, "dns": True, "uri": True}
        trusted = {"xff_num_trusted_hops": self.trusted} if self.trusted else {}
        return {**_certificate(self.edge_cert, details), **trusted}


def _certificate(treatment: str, details: Json) -> Json:
    result: Json = {"forward_client_cert_details": treatment}
    if treatment in _SETTING_DETAILS:
        result["set_current_client_cert_details"] = details
    return result


#: The settings of a proxy that nobody has said anything about.
DEFAULT: Final = ProxySettings()


def of(workload: Workload, mesh: MeshConfig) -> ProxySettings:
    """The settings of a workload's proxy."""
    config = _overlaid(mesh.default_config, workload.proxy_config)
    headers, topology = config.get("proxyHeaders") or {}, config.get("gatewayTopology") or {}
    return ProxySettings(
        server=_server(headers.get("server") or {}),
        attempts=not _off(headers, "attemptCount"),
        request_id=not _off(headers, "requestId"),
        debug=not _off(headers, "envoyDebugHeaders"),
        client_cert=_treatment(headers.get("forwardedClientCert")) or _APPEND,
        details=_details(headers.get("setCurrentClientCertDetails") or {}),
        edge_cert=_treatment(topology.get("forwardClientCertDetails")) or _SANITIZE,
        trusted=int(topology.get("numTrustedProxies") or 0),
        proxy_protocol=topology.get("proxyProtocol") is not None,
    )


def _overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        result[key] = _overlaid(known, value) if both else value  # type: ignore[arg-type]
    return result


def _off(headers: Mapping[str, Any], name: str) -> bool:
    return bool((headers.get(name) or {}).get("disabled"))


def _server(setting: Mapping[str, Any]) -> str | None:
    if setting.get("disabled"):
        return None
    return str(setting.get("value") or _SERVER)


def _treatment(text: str | None) -> str:
    return "" if text in (None, "UNDEFINED") else str(text)


def _details(setting: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    found = {name: setting.get(name) is not False for name in ("subject", "dns", "uri")}
    found |= {name: True for name in ("cert", "chain") if setting.get(name)}
    return tuple(found.items())
