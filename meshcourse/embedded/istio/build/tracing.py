"""Tracers: Zipkin and OpenTelemetry as extension providers of MeshConfig, and the tags of Istio's
spans.

Source: istio.io "Distributed Tracing", pilot's tracing builder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio import durations, names
from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.model import ExtensionProvider, Json, Proxy, ProxyKind

KINDS: Final = frozenset(("zipkin", "opentelemetry"))
_MESH_ID: Final = "cluster.local"


def build(
    provider: ExtensionProvider,
    target: tuple[str, str],
    proxy: Proxy,
    custom_tags: Mapping[str, Any],
    *,
    istio_tags: bool = True,
) -> Json:
    """``HttpConnectionManager.Tracing`` without sampling, which routes carry.

    :param target: host and cluster of the collector.
    :param custom_tags: of the Telemetry: tag name → ``{"literal": {"value": …}}`` and so on.
    """
    tags = {**(_istio_tags(proxy) if istio_tags else {}), **_custom(custom_tags)}
    result: Json = {
        "provider": _provider(provider, target, proxy),
        "client_sampling": {"value": 100.0},
        "overall_sampling": {"value": 100.0},
        "random_sampling": {"value": 0.0},
        "custom_tags": [{"tag": name, **tags[name]} for name in sorted(tags)],
    }
    if length := provider.spec.get("maxTagLength"):
        result["max_path_tag_length"] = int(length)
    if proxy.kind is ProxyKind.ROUTER:
        result["spawn_upstream_span"] = True
    return result


def _provider(provider: ExtensionProvider, target: tuple[str, str], proxy: Proxy) -> Json:
    if provider.kind == "zipkin":
        return proto.named(
            "envoy.tracers.zipkin",
            "config.trace.v3.ZipkinConfig",
            **_zipkin(provider.spec, *target),
        )
    return proto.named(
        "envoy.tracers.opentelemetry",
        "config.trace.v3.OpenTelemetryConfig",
        **_opentelemetry(provider.spec, *target, proxy),
    )


def _zipkin(spec: Mapping[str, Any], host: str, cluster: str) -> Json:
    """Reads and writes B3, and W3C's header too if the provider says so (here also by default:
    applications of the course forward either)."""
    return {
        "collector_cluster": cluster,
        "collector_endpoint": spec.get("path") or "/api/v2/spans",
        "collector_endpoint_version": "HTTP_JSON",
        "collector_hostname": host,
        "trace_id_128bit": not spec.get("enable64bitTraceId"),
        "shared_span_context": False,
        "trace_context_option": spec.get("traceContextOption") or "USE_B3_WITH_W3C_PROPAGATION",
    }


def _opentelemetry(spec: Mapping[str, Any], host: str, cluster: str, proxy: Proxy) -> Json:
    service = {"service_name": f"{proxy.workload.canonical_service}.{proxy.namespace}"}
    if (http := spec.get("http")) is not None:
        uri = {
            "uri": f"http://{host}{http.get('path') or '/v1/traces'}",
            "cluster": cluster,
            "timeout": durations.proto(http.get("timeout")) or "5s",
        }
        return {**service, "http_service": {"http_uri": uri}}
    grpc = proto.compact(
        envoy_grpc={"cluster_name": cluster, "authority": host},
        timeout=durations.proto((spec.get("grpc") or {}).get("timeout")),
    )
    return {**service, "grpc_service": grpc}


def _literal(value: str) -> Json:
    return {"literal": {"value": value}}


def _istio_tags(proxy: Proxy) -> dict[str, Json]:
    workload = proxy.workload
    return {
        "istio.canonical_revision": _literal(workload.canonical_revision),
        "istio.canonical_service": _literal(workload.canonical_service),
        "istio.cluster_id": _literal(names.CLUSTER_ID),
        "istio.mesh_id": _literal(_MESH_ID),
        "istio.namespace": _literal(proxy.namespace),
    }


def _custom(tags: Mapping[str, Any]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for name, tag in tags.items():
        if tag.get("literal"):
            result[name] = _literal(str(tag["literal"].get("value") or ""))
        elif found := tag.get("header"):
            result[name] = {"request_header": _named(found)}
        elif found := tag.get("environment"):
            result[name] = {"environment": _named(found)}
        elif found := tag.get("formatter"):
            result[name] = {"value": str(found.get("value") or "")}
    return result


def _named(found: Mapping[str, Any]) -> Json:
    return proto.compact(name=found.get("name"), default_value=found.get("defaultValue"))
