"""The question, followed from proxy to proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from meshcourse import simulate
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.manifests import dig, name_of, namespace_of
from meshcourse.explain import places
from meshcourse.explain.places import Place
from meshcourse.explain.result import FLAGS, Explanation, Station, readable
from meshcourse.simulate import Outcome, Request, Step
from meshcourse.simulate.forward import MUTUAL, TLS

#: The gateway by which requests come in when a path is asked for.
GATEWAY, GATEWAY_NAMESPACE = "istio-ingressgateway", "istio-system"
#: TLS mode SIMPLE towards a pod of the mesh.
_STILL_ENCRYPTED = (
    ", still encrypted: a DestinationRule asks for TLS that is not the mesh's own, and the Envoy there passes it on. "
    "If the application speaks plain HTTP, there is no connection [UF]"
)
#: The answer of a sidecar where REGISTRY_ONLY forbids unknown hosts.
_BLOCKED, _BLACK_HOLE = "block_all", "BlackHoleCluster"


def explain(
    cluster: Cluster,
    source: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
) -> Explanation:
    """Where a request would go, and why; nothing is sent.

    :param source: who sends it: ``deploy/productpage-v1``, ``pod/x``, ``productpage``; "" is somebody outside, who
        enters by the ingress gateway.
    :param target: a URL; from outside also only a path (``/productpage``).
    :raises MeshcourseError: if there is no such source, or its Envoy does not answer.
    """
    asked = _request(target, dict(headers or {}), method)
    question = f"{method} {target} from {source or 'outside'}"
    if not source:
        return _from_outside(cluster, asked, target, question)
    place = places.source(cluster, source)
    if not place.meshed:
        return _without_proxy(cluster, place, asked, target, question)
    address = _address(cluster, place, target)
    left = simulate.outbound(place.config, asked, address)
    return _arriving(cluster, place, asked, Station(f"{place.name} (outbound)", left), question)


def _request(target: str, headers: dict[str, str], method: str) -> Request:
    parts = urlsplit(target)
    lowered = {key.lower(): value for key, value in headers.items()}
    path = parts.path or "/"
    return Request(
        authority=lowered.pop("host", "") or parts.netloc,
        path=f"{path}?{parts.query}" if parts.query else path,
        method=method,
        headers=lowered,
        tls=parts.scheme == "https",
        server_name=parts.hostname or "" if parts.scheme == "https" else "",
        scheme=parts.scheme or "http",
    )


def _address(cluster: Cluster, place: Place, target: str) -> str:
    """What the application connects to, after it asked DNS: a Service's cluster IP, else the name itself."""
    parts = urlsplit(target)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    name, _, rest = (parts.hostname or "").partition(".")
    where = rest.split(".")[0] or place.namespace
    if cluster.exists("services", name, where):
        ip = dig(cluster.get("services", name, where), "spec.clusterIP", "")
        return f"{ip}:{port}"
    return f"{parts.hostname}:{port}"


def _from_outside(cluster: Cluster, asked: Request, target: str, question: str) -> Explanation:
    parts = urlsplit(target)
    port = 443 if parts.scheme == "https" else 80
    place, number = places.edge(cluster, GATEWAY, GATEWAY_NAMESPACE, port)
    asked = replace(asked, authority=asked.authority or "localhost")
    entered = simulate.gateway(place.config, asked, number)
    station = Station(f"{place.name} (gateway)", entered)
    return _arriving(cluster, place, asked, station, question)


def _without_proxy(
    cluster: Cluster, place: Place, asked: Request, target: str, question: str
) -> Explanation:
    """A caller outside of the mesh: plaintext to the Service."""
    found = places.of_service(cluster, target, place.namespace)
    note = Outcome(steps=(Step("no sidecar", place.name, "it calls in plaintext"),))
    first = Station(f"{place.name} (no proxy)", note)
    if found is None:
        verdict = f"it leaves by itself: {asked.authority} is no Service"
        return Explanation(question, (first,), verdict)
    there, number = found
    sent = replace(asked, source_ip=place.ip or asked.source_ip)
    return _delivered(cluster, there, number, sent, (first,), question)


def _arriving(
    cluster: Cluster, place: Place, asked: Request, station: Station, question: str
) -> Explanation:
    """From the first proxy on to the pod that the request is sent to."""
    left = station.outcome
    if left.failure:
        return _failed(left, (station,), question)
    if not left.clusters:
        return _answered(left, station, question)
    name = max(left.clusters, key=lambda one: left.clusters[one])
    if name == _BLACK_HOLE:
        blocked = replace(left, failure=f"{asked.authority} is not in the registry", status=502)
        return _failed(blocked, (station,), question)
    shares = ", ".join(f"{one} {share:g} %" for one, share in left.clusters.items())
    address = next(iter(left.endpoints.get(name) or ()), "")
    found = places.by_address(cluster, address) if address else None
    if found is None:
        return Explanation(question, (station,), f"it goes to {shares}, outside of the mesh")
    there, number = found
    sent = replace(left.sent or asked, source_ip=place.ip or asked.source_ip)
    how = left.transports.get(address)
    if how == MUTUAL:
        sent = replace(sent, principal=place.principal)
    elif how == TLS:  # a DestinationRule asks for it, and the mesh's certificates are not in it
        sent = replace(sent, tls=True)
    return _delivered(cluster, there, number, sent, (station,), question)


def _delivered(
    cluster: Cluster,
    there: Place,
    port: int,
    sent: Request,
    before: tuple[Station, ...],
    question: str,
) -> Explanation:
    """At the pod that gets it."""
    if not there.meshed or there.router:
        return Explanation(question, before, f"it arrives at {there.name}:{port} (no sidecar)")
    arrived = simulate.inbound(there.config, sent, port)
    stations = (*before, Station(f"{there.name} (inbound)", arrived))
    if arrived.failure:
        if arrived.flag == "NR" and not sent.principal and arrived.status is None:
            arrived = replace(arrived, hints=tuple(_strict(cluster, there)))
        return _failed(arrived, stations, question)
    still = _STILL_ENCRYPTED if sent.tls and sent.scheme == "http" else ""
    return Explanation(question, stations, f"it arrives at {there.name}, port {port}{still}")


def _strict(cluster: Cluster, there: Place) -> list[str]:
    """The PeerAuthentications that may be the reason why plaintext is refused."""
    root = "istio-system"
    found = [
        f"PeerAuthentication {name_of(one)} in {namespace_of(one)} says STRICT"
        for one in cluster.objects("peerauthentications.security.istio.io", "*")
        if namespace_of(one) in (root, there.namespace)
        and "STRICT" in str(one.get("spec") or {})
        and _selects(dig(one, "spec.selector.matchLabels", {}), there)
    ]
    return ["plaintext is refused: mutual TLS is STRICT there", *found]


def _selects(labels: Mapping[str, str], there: Place) -> bool:
    own: Mapping[str, str] = dig(there.pod, "metadata.labels", {})
    return all(own.get(key) == value for key, value in labels.items())


def _answered(left: Outcome, station: Station, question: str) -> Explanation:
    """A proxy answers by itself, on purpose."""
    last = left.steps[-1]
    if left.step("route") == _BLOCKED:
        why = "unknown hosts are forbidden (outboundTrafficPolicy REGISTRY_ONLY)"
        return _failed(replace(left, failure=why), (station,), question)
    verdict = f"{station.where} answers {left.status} by itself: {last.kind} {last.detail}".strip()
    return Explanation(question, (station,), verdict, status=left.status)


def _failed(outcome: Outcome, stations: tuple[Station, ...], question: str) -> Explanation:
    status = f"{outcome.status} " if outcome.status else ""
    flag = f" [{outcome.flag}: {FLAGS.get(outcome.flag, '')}]" if outcome.flag else ""
    return Explanation(
        question,
        stations,
        f"{status}at {stations[-1].where}: {outcome.failure}{flag}",
        failure=outcome.failure,
        hints=tuple(map(readable, outcome.hints)),
        status=outcome.status,
    )
