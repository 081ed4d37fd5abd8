"""What a proxy reports in each direction, from MeshConfig and Telemetry resources."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from meshcourse.embedded.istio import hosts, names, telemetry_api
from meshcourse.embedded.istio.build import access_logs, tracing
from meshcourse.embedded.istio.build.reporting import Reporting
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Config, Json, MeshConfig, Proxy, Service
from meshcourse.embedded.istio.scope import Scope
from meshcourse.embedded.istio.telemetry_api import Tracing
from meshcourse.embedded.kube import refs


def build(scope: Scope, proxy: Proxy, mode: str, memo: Memo) -> Reporting:
    """The reporting of one direction (`telemetry_api.CLIENT` or `SERVER`)."""
    mesh = scope.mesh
    configs = in_force(scope, proxy)
    wanted = telemetry_api.tracing(configs, mesh, mode)
    collector = _collector(scope, wanted)
    return memo.get(
        ("reporting", proxy.id, mode),
        (proxy.workload, mesh, collector, *configs),
        partial(_build, configs, mesh, proxy, mode, wanted, collector),
    )


def in_force(scope: Scope, proxy: Proxy) -> list[Config]:
    """The Telemetry resources of a proxy's workload."""
    configs = scope.snapshot.of_kind(refs.TELEMETRIES)
    return telemetry_api.in_force(configs, proxy.workload, scope.mesh.root_namespace)


def _collector(scope: Scope, wanted: Tracing) -> Service | None:
    """The service that receives spans; None if there is no such service (then nothing is traced)."""
    provider = wanted.provider
    if provider is None or provider.kind not in tracing.KINDS:
        return None
    host = str(provider.spec.get("service") or "").rpartition("/")[2]
    port = int(provider.spec.get("port") or 0)
    known = _full_name(host, scope)
    service = scope.service(known)
    return service if service is not None and service.port(port) is not None else None


def _full_name(host: str, scope: Scope) -> str:
    """``zipkin.istio-system`` and ``zipkin.istio-system.svc`` are names of services, too."""
    if scope.service(host) is not None:
        return host
    parts = host.removesuffix(f".svc.{scope.mesh.domain}").removesuffix(".svc").split(".")
    if len(parts) == 2:
        return f"{parts[0]}.{parts[1]}.svc.{scope.mesh.domain}"
    return hosts.resolve(host, scope.mesh.root_namespace, scope.mesh.domain)


def _build(
    configs: Sequence[Config],
    mesh: MeshConfig,
    proxy: Proxy,
    mode: str,
    wanted: Tracing,
    collector: Service | None,
) -> Reporting:
    tracer: Json | None = None
    if collector is not None and wanted.provider is not None:
        port = int(wanted.provider.spec.get("port") or 0)
        target = collector.hostname, names.outbound(port, "", collector.hostname)
        tracer = tracing.build(
            wanted.provider, target, proxy, wanted.tags, istio_tags=wanted.istio_tags
        )
    return Reporting(
        overrides=telemetry_api.overrides(configs, mode),
        logs=_logs(configs, mesh, mode),
        tracing=tracer,
        sampling=wanted.sampling if tracer else None,
    )


def _logs(configs: Sequence[Config], mesh: MeshConfig, mode: str) -> list[Json]:
    found = telemetry_api.logs(configs, mesh, mode)
    if found is None:
        return [access_logs.of_mesh(mesh)] if mesh.access_log_file else []
    result = []
    for log in found:
        logger = access_logs.of_provider(log.provider.kind, log.provider.spec, mesh)
        if logger is not None:
            condition = access_logs.expression(log.expression) if log.expression else None
            result.append(access_logs.filtered(logger, condition))
    return result
