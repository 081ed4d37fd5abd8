"""External authorization (CUSTOM): the filter that asks a provider, delivered as an extension
(ECDS).

Source: istio.io reference of MeshConfig (envoyExtAuthzHttp, envoyExtAuthzGrpc), pilot's
translation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.build import proto, rbac
from meshcourse.embedded.istio.model import ExtensionProvider, Json

MESSAGE: Final = "extensions.filters.http.ext_authz.v3.ExtAuthz"
#: Takes the filter's place while no policy asks for it: an RBAC filter without rules does nothing.
IDLE_MESSAGE: Final = "extensions.filters.http.rbac.v3.RBAC"
KINDS: Final = frozenset(("envoyExtAuthzHttp", "envoyExtAuthzGrpc"))
_TIMEOUT: Final = "600s"


def idle() -> Json:
    """A filter configuration that lets everything through."""
    return proto.typed(IDLE_MESSAGE)


def config(provider: ExtensionProvider, host: str, cluster: str) -> Json:
    """The filter's configuration as an Any.

    :param provider: of one of `KINDS`.
    :param host: of its service, and the `cluster` of the service's port.
    """
    spec = provider.spec
    fields = proto.compact(
        status_on_error={"code": int(spec["statusOnError"])} if spec.get("statusOnError") else None,
        failure_mode_allow=spec.get("failOpen"),
        with_request_body=_body(spec.get("includeRequestBodyInCheck")),
        allowed_headers=_headers(
            spec.get("includeRequestHeadersInCheck") or spec.get("includeHeadersInCheck")
        ),
    )
    service = _grpc if provider.kind == "envoyExtAuthzGrpc" else _http
    return proto.typed(
        MESSAGE,
        transport_api_version="V3",
        filter_enabled_metadata=rbac.custom_metadata(provider.name),
        **fields,
        **service(spec, host, cluster),
    )


def _grpc(spec: Mapping[str, Any], host: str, cluster: str) -> Json:
    target = {"cluster_name": cluster, "authority": host}
    return {"grpc_service": {"envoy_grpc": target, "timeout": _timeout(spec)}}


def _http(spec: Mapping[str, Any], host: str, cluster: str) -> Json:
    uri = {"uri": f"http://{host}", "cluster": cluster, "timeout": _timeout(spec)}
    extra = spec.get("includeAdditionalHeadersInCheck") or {}
    added = [{"key": name, "value": str(extra[name])} for name in sorted(extra)]
    response = proto.compact(
        allowed_upstream_headers=_headers(spec.get("headersToUpstreamOnAllow")),
        allowed_client_headers=_headers(spec.get("headersToDownstreamOnDeny")),
        allowed_client_headers_on_success=_headers(spec.get("headersToDownstreamOnAllow")),
    )
    fields = proto.compact(
        path_prefix=spec.get("pathPrefix"),
        authorization_request={"headers_to_add": added} if added else None,
        authorization_response=response,
    )
    return {"http_service": {"server_uri": uri, **fields}}


def _timeout(spec: Mapping[str, Any]) -> str:
    return durations.proto(spec.get("timeout")) or _TIMEOUT


def _headers(names: Sequence[str] | None) -> Json | None:
    """A ListStringMatcher of names that may begin or end with ``*``; case does not matter."""
    if not names:
        return None
    patterns = []
    for name in names:
        if name.startswith("*"):
            patterns.append({"suffix": name[1:], "ignore_case": True})
        elif name.endswith("*"):
            patterns.append({"prefix": name[:-1], "ignore_case": True})
        else:
            patterns.append({"exact": name, "ignore_case": True})
    return {"patterns": patterns}


def _body(setting: Mapping[str, Any] | None) -> Json | None:
    if setting is None:
        return None
    return proto.compact(
        max_request_bytes=setting.get("maxRequestBytes"),
        allow_partial_message=setting.get("allowPartialMessage"),
        pack_as_bytes=setting.get("packAsBytes"),
    )
