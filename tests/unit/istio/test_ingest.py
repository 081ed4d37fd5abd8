"""Kubernetes and Istio objects become a snapshot; what did not change stays the same object."""

from __future__ import annotations

import pytest

from meshcourse.embedded.istio import ingest
from meshcourse.embedded.istio.ingest import mesh as mesh_config
from meshcourse.embedded.istio.ingest import protocols, workloads
from meshcourse.embedded.istio.model import Protocol, Resolution, ServiceKey
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key
from tests.unit.istio.mesh import REVIEWS_SUBSETS, Mesh, bookinfo

REVIEWS = ServiceKey("default", "reviews.default.svc.cluster.local")


@pytest.mark.parametrize(
    ("number", "name", "app_protocol", "expected"),
    [
        (9080, "http", None, Protocol.HTTP),
        (9080, "http-web", None, Protocol.HTTP),
        (9080, "HTTP", None, Protocol.HTTP),
        (9080, "grpc-web-x", None, Protocol.GRPC_WEB),
        (9080, "grpc", None, Protocol.GRPC),
        (9080, "redis-cache", None, Protocol.REDIS),
        (443, "https", None, Protocol.HTTPS),
        (9080, "web", None, Protocol.AUTO),
        (9080, "", None, Protocol.AUTO),
        (3306, "", None, Protocol.TCP),
        (3306, "http", None, Protocol.HTTP),
        (80, "tcp", "http", Protocol.HTTP),
        (80, "http", "kubernetes.io/h2c", Protocol.HTTP2),
        (80, "http", "kubernetes.io/wss", Protocol.HTTPS),
    ],
)
def test_protocol_selection(
    number: int, name: str, app_protocol: str | None, expected: Protocol
) -> None:
    assert protocols.of_port(number, name, "TCP", app_protocol) is expected


def test_udp_ports_stay_udp() -> None:
    assert protocols.of_port(53, "http", "UDP") is Protocol.UDP


@pytest.mark.parametrize(
    ("owner", "labels", "expected"),
    [
        (None, {}, ("Pod", "p-1")),
        (("ReplicaSet", "web-5d8f"), {"pod-template-hash": "5d8f"}, ("Deployment", "web")),
        (("ReplicaSet", "web"), {}, ("ReplicaSet", "web")),
        (("StatefulSet", "db"), {}, ("StatefulSet", "db")),
        (("Job", "tick-28412345"), {}, ("CronJob", "tick")),
        (("Job", "once"), {}, ("Job", "once")),
        (("Job", "once"), {"service.istio.io/workload-name": "named"}, ("Job", "named")),
    ],
)
def test_the_workload_of_a_pod(
    owner: tuple[str, str] | None, labels: dict[str, str], expected: tuple[str, str]
) -> None:
    references = (
        [{"kind": owner[0], "name": owner[1], "controller": True}] if owner is not None else []
    )
    pod = {"metadata": {"name": "p-1", "labels": labels, "ownerReferences": references}}
    assert workloads.owner(pod) == expected


def test_canonical_names() -> None:
    labels = {"app": "a", "version": "v1"}
    assert workloads.canonical_service(labels, "w") == "a"
    assert workloads.canonical_service({}, "w") == "w"
    assert workloads.canonical_revision(labels) == "v1"
    assert workloads.canonical_revision({}) == "latest"
    named = {"service.istio.io/canonical-name": "c", "service.istio.io/canonical-revision": "r"}
    assert workloads.canonical_service({**labels, **named}, "w") == "c"
    assert workloads.canonical_revision({**labels, **named}) == "r"


def test_bookinfo_is_read() -> None:
    snapshot = bookinfo().snapshot()
    assert REVIEWS in snapshot.services
    endpoints = snapshot.endpoints[REVIEWS][9080]
    assert [dict(one.labels)["version"] for one in endpoints] == ["v1", "v2", "v3"]
    assert {one.tls_mode for one in endpoints} == {"istio"}
    workload = endpoints[0].workload
    assert workload is not None
    assert (workload.workload, workload.canonical_service) == ("reviews-v1", "reviews")
    proxy = snapshot.proxy("default", workload.name)
    assert proxy is not None
    assert proxy.node_id == (
        f"sidecar~{workload.addresses.pod_ip}~{workload.name}.default~default.svc.cluster.local"
    )


def test_a_pod_without_sidecar_is_no_proxy_and_takes_no_mutual_tls() -> None:
    mesh = Mesh()
    mesh.service("legacy")
    name = mesh.pod("legacy", proxy="")
    snapshot = mesh.snapshot()
    assert snapshot.proxy("default", name) is None
    key = ServiceKey("default", "legacy.default.svc.cluster.local")
    assert [one.tls_mode for one in snapshot.endpoints[key][9080]] == ["disabled"]


def test_unchanged_objects_are_the_same() -> None:
    mesh = bookinfo()
    mesh.apply(REVIEWS_SUBSETS)
    before = mesh.snapshot()
    again = mesh.snapshot()
    assert again.services is before.services
    assert again.endpoints is before.endpoints
    assert again.configs[refs.DESTINATIONRULES] is before.configs[refs.DESTINATIONRULES]
    mesh.apply(REVIEWS_SUBSETS.replace("{name: v3, labels: {version: v3}}", "{name: v4}"))
    changed = mesh.snapshot()
    assert changed.services is before.services
    assert changed.configs[refs.DESTINATIONRULES] is not before.configs[refs.DESTINATIONRULES]


def test_a_status_change_of_a_pod_changes_nothing() -> None:
    mesh = bookinfo()
    before = mesh.snapshot()
    pod = {**mesh.objects[refs.PODS][0]}
    pod["metadata"] = {**pod["metadata"]}
    pod["status"] = {**pod["status"], "conditions": [{"type": "Ready"}]}
    mesh.add(pod)
    after = mesh.snapshot()
    key = Key("default", pod["metadata"]["name"])
    assert after.workloads[key] is before.workloads[key]
    assert after.endpoints is before.endpoints


def test_only_the_endpoints_of_a_changed_service_are_new() -> None:
    mesh = bookinfo()
    before = mesh.snapshot()
    mesh.pod("reviews", "v4")
    after = mesh.snapshot()
    details = ServiceKey("default", "details.default.svc.cluster.local")
    assert after.endpoints[details] is before.endpoints[details]
    assert len(after.endpoints[REVIEWS][9080]) == 4


def test_unready_endpoints_are_left_out_unless_the_service_wants_them() -> None:
    for publish, expected in ((False, 0), (True, 1)):
        mesh = Mesh()
        mesh.service("db", publishNotReadyAddresses=publish)
        mesh.pod("db")
        for one in mesh.objects[refs.ENDPOINTSLICES]:
            one["endpoints"][0]["conditions"]["ready"] = False
        key = ServiceKey("default", "db.default.svc.cluster.local")
        assert len(mesh.snapshot().endpoints[key][9080]) == expected


def test_configs_are_sorted_by_age_then_name() -> None:
    mesh = Mesh()
    for name, created in (("b", "2026-01-02"), ("a", "2026-01-02"), ("z", "2026-01-01")):
        mesh.apply(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
            f"metadata: {{name: {name}, creationTimestamp: '{created}T00:00:00Z'}}\n"
            "spec: {hosts: [x]}\n"
        )
    assert [one.name for one in mesh.snapshot().of_kind(refs.VIRTUALSERVICES)] == ["z", "a", "b"]


def test_a_service_entry_has_a_service_for_each_host() -> None:
    mesh = Mesh()
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: two}
spec:
  hosts: [a.example, b.example]
  resolution: DNS
  ports: [{number: 443, name: tls, protocol: TLS}]
""")
    snapshot = mesh.snapshot()
    for host in ("a.example", "b.example"):
        service = snapshot.services[ServiceKey("default", host)]
        assert (service.external, service.resolution) == (True, Resolution.DNS)
        (endpoint,) = snapshot.endpoints[ServiceKey("default", host)][443]
        assert (endpoint.address, endpoint.port) == (host, 443)


def test_the_mesh_configuration_is_read_and_survives_nonsense() -> None:
    found = mesh_config.parse(
        {"data": {"mesh": "accessLogFile: /dev/stdout\nconnectTimeout: 1m30s"}}
    )
    assert (found.access_log_file, found.connect_timeout) == ("/dev/stdout", 90.0)
    for text in ("", "[]", "{", "just text"):
        assert mesh_config.parse({"data": {"mesh": text}}).outbound_policy == "ALLOW_ANY"
    assert mesh_config.parse(None).auto_mtls


def test_key_uris_are_collected() -> None:
    mesh = Mesh()
    mesh.apply("""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt}
spec:
  jwtRules:
  - {issuer: a, jwksUri: 'https://a/keys'}
  - {issuer: b, jwks: '{}', jwksUri: 'https://b/keys'}
""")
    assert ingest.key_uris(mesh.snapshot()) == ["https://a/keys"]


NAMED_ENDPOINT = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: world}}
spec:
  hosts: [elsewhere.example]
  resolution: DNS
  ports: [{{number: 9080, name: http, protocol: HTTP}}, {{number: 81, name: other, protocol: HTTP}}]
  endpoints: [{{address: {name}}}]
"""


@pytest.mark.parametrize(
    "name", ["reviews.default", "reviews.default.svc", "Reviews.default.svc.cluster.local."]
)
def test_an_endpoint_named_as_a_service_is_its_cluster_ip(name: str) -> None:
    """As a cluster's DNS would say; a port that the Service has not is left as it is written."""
    mesh = bookinfo()
    mesh.apply(NAMED_ENDPOINT.format(name=name))
    found = mesh.snapshot()
    ((_, host, number), *_) = found.services[REVIEWS].virtual
    ports = found.endpoints[ServiceKey("default", "elsewhere.example")]
    assert [(one.address, one.port) for one in ports[9080]] == [(host, number)]
    assert [(one.address, one.port) for one in ports[81]] == [(name, 81)]


def test_other_names_are_left_to_dns() -> None:
    mesh = bookinfo()
    mesh.apply(NAMED_ENDPOINT.format(name="reviews.elsewhere"))
    ports = mesh.snapshot().endpoints[ServiceKey("default", "elsewhere.example")]
    assert [one.address for one in ports[9080]] == ["reviews.elsewhere"]
