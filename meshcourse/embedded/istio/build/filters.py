"""The HTTP filters of each direction, in Istio's order.

Every filter that a policy may configure is present from the start with a configuration that does
nothing, because a changed listener drains connections. What a filter does for a route travels in
the route (``typed_per_filter_config``); the filters that take no such configuration (JWT, external
authorization) get theirs as extensions of their own (ECDS).
"""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio.build import labels, proto, route_headers
from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.proxy_settings import ProxySettings

RBAC_DENY: Final = "istio.rbac.deny"
RBAC_ALLOW: Final = "istio.rbac.allow"
RBAC_AUDIT: Final = "istio.rbac.audit"
RBAC_CUSTOM: Final = "istio.rbac.custom"
#: Filters whose configuration arrives by itself (ECDS), under these names.
JWT: Final = "istio.jwt_authn"
EXT_AUTHZ: Final = "istio.ext_authz"
#: Tells the other side who calls; virtual hosts outside the mesh turn it off (`SILENT`).
TELL_PEER: Final = "istio.peer.tell"
SILENT: Final[Json] = {
    TELL_PEER: {"@type": f"{proto.TYPE}envoy.config.route.v3.FilterConfig", "disabled": True}
}
FAULT: Final = "envoy.filters.http.fault"
CORS: Final = "envoy.filters.http.cors"
ROUTER: Final = "envoy.filters.http.router"
_FAULT: Final[Json] = proto.named(FAULT, "extensions.filters.http.fault.v3.HTTPFault")
_CORS: Final[Json] = proto.named(CORS, "extensions.filters.http.cors.v3.Cors")


def _rbac(name: str) -> Json:
    return proto.named(name, "extensions.filters.http.rbac.v3.RBAC")


def _discovered(name: str, *messages: str) -> Json:
    types = [f"{proto.TYPE}envoy.extensions.filters.http.{one}" for one in messages]
    return {"name": name, "config_discovery": {"config_source": proto.ADS, "type_urls": types}}


def _remember_peer() -> Json:
    """Keeps what the peer says of itself for the server's report (absent → nothing)."""
    states = [
        {
            "object_key": labels.peer_state(key),
            "factory_key": "envoy.string",
            "format_string": {
                "text_format_source": {"inline_string": f"%REQ({labels.peer_header(key)})%"},
                "omit_empty_values": True,
            },
            "skip_if_empty": True,
            "read_only": True,
        }
        for key in labels.PEER
    ]
    return proto.named(
        "istio.peer.remember",
        "extensions.filters.http.set_filter_state.v3.Config",
        on_request_headers=states,
    )


def _strip_peer() -> Json:
    """Removes peer headers, so that neither the application nor a forger's next hop sees them."""
    removals = [{"remove": labels.peer_header(key)} for key in labels.PEER]
    return proto.named(
        "istio.peer.strip",
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": removals},
    )


def _tell_peer() -> Json:
    """What a proxy tells the other side about its workload.

    A filter of the listener and no header of each virtual host: with two hundred hosts, reading the
    formatters again would be half the price of a changed route.
    """
    told = [
        {"append": route_headers.option(labels.peer_header(key), labels.own(key))}
        for key in labels.PEER
    ]
    return proto.named(
        TELL_PEER,
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": told},
    )


#: Pods' addresses: of clusters (64–126) and, beyond, of tests. Sidecars and gateways bind to them, applications do not.
_PODS: Final = tuple(f"127.{number}.0.0" for number in range(64, 160))


def _strip_unless_pod() -> Json:
    """Removes peer headers of callers that are no Envoy of the mesh.

    In plaintext, Istio believes these headers whoever sends them. Here they count if the connection
    comes from a pod's address: sidecars bind to it, other programs do not.
    """
    ranges = [{"address_prefix": one, "prefix_len": 20} for one in _PODS]
    matcher = {
        "matcher_list": {
            "matchers": [
                {
                    "predicate": {
                        "single_predicate": {
                            "input": proto.named(
                                "source-ip",
                                "extensions.matching.common_inputs.network.v3.DirectSourceIPInput",
                            ),
                            "custom_match": proto.named(
                                "ip",
                                "extensions.matching.input_matchers.ip.v3.Ip",
                                cidr_ranges=ranges,
                                stat_prefix="peers",
                            ),
                        }
                    },
                    "on_match": {
                        "action": proto.named(
                            "skip", "extensions.filters.common.matcher.action.v3.SkipFilter"
                        )
                    },
                }
            ]
        }
    }
    return proto.named(
        "istio.peer.check",
        "extensions.common.matching.v3.ExtensionWithMatcher",
        xds_matcher=matcher,
        extension_config=_strip_peer(),
    )


_CHECK: Final[Json] = _strip_unless_pod()
_REMEMBER: Final[Json] = _remember_peer()
_TELL: Final[Json] = _tell_peer()
_STRIP: Final[Json] = _strip_peer()
_POLICY: Final[list[Json]] = [
    _rbac(RBAC_CUSTOM),
    _discovered(EXT_AUTHZ, "ext_authz.v3.ExtAuthz", "rbac.v3.RBAC"),
    _discovered(JWT, "jwt_authn.v3.JwtAuthentication"),
    _rbac(RBAC_AUDIT),
    _rbac(RBAC_DENY),
    _rbac(RBAC_ALLOW),
]


def _router(settings: ProxySettings) -> Json:
    quiet = None if settings.debug else True
    message = "extensions.filters.http.router.v3.Router"
    return proto.named(ROUTER, message, suppress_envoy_headers=quiet)


def inbound(settings: ProxySettings, *, trusted: bool) -> list[Json]:
    """Filters in front of an application; without mutual TLS (`trusted`) peer headers count only if an
    Envoy of the mesh sent them.
    """
    peer = [_REMEMBER, _STRIP] if trusted else [_CHECK, _REMEMBER, _STRIP]
    return [*peer, *_POLICY, _FAULT, _CORS, _router(settings)]


def gateway(settings: ProxySettings) -> list[Json]:
    """Filters at the edge: peer headers from outside are never believed nor passed on."""
    return [_STRIP, _TELL, *_POLICY, _FAULT, _CORS, _router(settings)]


def outbound(settings: ProxySettings, dns_cache: Json) -> list[Json]:
    """Filters between an application and the mesh; the forward proxy resolves names outside the
    registry.
    """
    forward = proto.named(
        "envoy.filters.http.dynamic_forward_proxy",
        "extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
        dns_cache_config=dns_cache,
    )
    return [_TELL, _FAULT, _CORS, forward, _router(settings)]
