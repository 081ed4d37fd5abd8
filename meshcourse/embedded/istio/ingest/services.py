"""Kubernetes Services → services of the registry. Source: pilot's conversion of Services."""

from __future__ import annotations

from collections.abc import Iterator

from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import MeshConfig, Port, Resolution, Service
from meshcourse.embedded.kube import addresses, objects
from meshcourse.embedded.kube.objects import Object

EXPORT_TO = "networking.istio.io/exportTo"
_DISTRIBUTION = "networking.istio.io/traffic-distribution"


def hostname(name: str, namespace: str, domain: str) -> str:
    """``reviews.default.svc.cluster.local``."""
    return f"{name}.{namespace}.svc.{domain}"


def parse(obj: Object, mesh: MeshConfig) -> Service:
    """One Kubernetes Service."""
    spec = obj.get("spec") or {}
    name, namespace = objects.key(obj).name, objects.namespace(obj)
    cluster_ip = spec.get("clusterIP") or ""
    headless = cluster_ip == "None"
    external_name = spec.get("externalName", "") if spec.get("type") == "ExternalName" else ""
    return Service(
        hostname=hostname(name, namespace, mesh.domain),
        namespace=namespace,
        name=name,
        ports=tuple(_port(port) for port in spec.get("ports") or []),
        addresses=() if headless or not cluster_ip else (cluster_ip,),
        resolution=_resolution(headless=headless, external_name=external_name),
        external=bool(external_name),
        headless=headless,
        external_name=external_name,
        export_to=export_to(objects.annotations_of(obj), mesh),
        selector=tuple(sorted((spec.get("selector") or {}).items())),
        labels=objects.labels(obj),
        annotations=objects.annotations_of(obj),
        created=objects.meta(obj).get("creationTimestamp") or "",
        service_type=spec.get("type") or "ClusterIP",
        publish_not_ready=bool(spec.get("publishNotReadyAddresses")),
        virtual=tuple(_virtual(obj)),
        traffic_distribution=_distribution(obj),
        external_addresses=tuple(_external(obj)),
    )


def _resolution(*, headless: bool, external_name: str) -> Resolution:
    if external_name:
        return Resolution.DNS
    return Resolution.PASSTHROUGH if headless else Resolution.CLIENT_SIDE


def _virtual(obj: Object) -> Iterator[tuple[int, str, int]]:
    for port in (obj.get("spec") or {}).get("ports") or []:
        try:
            host, number = addresses.service_endpoint(obj, int(port["port"]))
        except LookupError:
            return
        yield int(port["port"]), host, number


def _distribution(obj: Object) -> str:
    """The annotation goes before the field."""
    written = objects.annotations_of(obj).get(_DISTRIBUTION)
    return str(written or (obj.get("spec") or {}).get("trafficDistribution") or "")


def _external(obj: Object) -> Iterator[str]:
    """Addresses outside of the cluster: the load balancer's, and ``externalIPs``."""
    for one in objects.dig(obj, "status.loadBalancer.ingress", []) or []:
        if found := one.get("ip") or one.get("hostname"):
            yield str(found)
    yield from (obj.get("spec") or {}).get("externalIPs") or []


def _port(port: Object) -> Port:
    number, name = int(port["port"]), port.get("name") or ""
    protocol = protocols.of_port(
        number, name, port.get("protocol") or "TCP", port.get("appProtocol")
    )
    return Port(number, name, protocol, port.get("targetPort") or number)


def export_to(annotations: dict[str, str], mesh: MeshConfig) -> frozenset[str]:
    """The visibility that the annotation asks for, else the mesh's default."""
    text = annotations.get(EXPORT_TO, "")
    names = [one.strip() for one in text.split(",")] if text else mesh.default_service_export_to
    return frozenset(names)
