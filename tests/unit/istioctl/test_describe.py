"""What ``istioctl x describe`` says of rules and workloads."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from meshcourse.embedded.istioctl.commands.experimental.describe import (
    ingress,
    lookups,
    rules,
    text,
    workload,
)
from meshcourse.embedded.istioctl.commands.experimental.describe.rules import Subsets
from meshcourse.embedded.kube.objects import Key

Json = dict[str, Any]


def obj(name: str, spec: str, **meta: Any) -> Json:
    return {
        "metadata": {"name": name, "namespace": "default", **meta},
        "spec": yaml.safe_load(spec),
    }


_REVIEWS = obj("reviews", "{ports: [{name: http, port: 9080, protocol: TCP}]}")
_RULE = obj(
    "reviews",
    "{host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}",
)
_V1 = [{"app": "reviews", "version": "v1"}]


def test_a_destination_rule_says_which_subsets_match() -> None:
    assert list(rules.destination_rule(_RULE, _V1, "default")) == [
        'DestinationRule: reviews for "reviews"',
        "   Matching subsets: v1",
        "      (Non-matching subsets v2)",
        "   No Traffic Policy",
    ]
    (_, warning, *_) = rules.destination_rule(_RULE, [{"version": "v9"}], "other")
    assert warning == "   WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets v1,v2)"
    policy = obj(
        "r",
        "{host: a, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}, loadBalancer: {}, outlierDetection: {}, "
        "portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}, connectionPool: {}}]}}",
    )
    assert list(rules.destination_rule(policy, _V1, "default"))[1:] == [
        "   Traffic Policy TLS Mode: ISTIO_MUTUAL",
        "   Policies: load balancer/outlier detection",
        "   Port Level Settings:",
        "    80:",
        "      TLS Mode: DISABLE",
        "      Policies: connection pool",
    ]


def _described(http: str, known: Subsets) -> list[str]:
    service = obj("reviews", f"{{hosts: [reviews], http: {http}}}")
    lines = list(rules.virtual_service(service, _REVIEWS, known, "default"))
    assert lines[0] == "VirtualService: reviews"
    return lines[1:]


def test_a_virtual_service_says_what_reaches_the_pod() -> None:
    known = rules.subsets(_RULE, _V1, "default")
    to = "{destination: {host: reviews, subset: %s}%s}"
    v1, v2, v9 = (to % (v, "") for v in ("v1", "v2", "v9"))
    match = "match: [{headers: {end-user: {exact: jason}}}]"
    weighted = to % ("v1", ", weight: 80"), to % ("v2", ", weight: 20")
    assert _described(f"[{{route: [{', '.join(weighted)}]}}]", known) == [
        '   Route to host "reviews" subset "v1" with weight 80%'
    ]
    assert _described(f"[{{{match}, route: [{v1}]}}, {{route: [{v2}]}}]", known) == [
        "   Match:  when headers are end-user=jason",
        "   1 additional destination(s) that will not reach this pod",
    ]
    assert _described(f"[{{{match}, route: [{v2}]}}]", known) == [
        "   WARNING: No destinations match pod subsets (checked 1 HTTP routes)",
        "      Route to non-matching subset v2 for (Match:  when headers are end-user=jason)",
    ]
    assert _described(f"[{{route: [{v9}]}}]", known)[1] == (
        "      Warning: Route to UNKNOWN subset v9; check DestinationRule reviews"
    )
    assert _described(f"[{{route: [{v9}]}}]", Subsets())[1] == (
        "      Warning: Route to subset v9 but NO DESTINATION RULE defining subsets!"
    )
    assert _described("[{route: [{destination: {host: reviews}}]}]", Subsets()) == [
        "   1 HTTP route(s)"
    ]


def test_faults_and_matches_as_text() -> None:
    fault = {
        "delay": {"percentage": {"value": 100}, "fixedDelay": "7s"},
        "abort": {"httpStatus": 500},
    }
    assert text.fault(fault) == (
        "delay:{fixed_delay:{seconds:7} percentage:{value:100}} abort:{http_status:500}"
    )
    assert text.match({"uri": {"prefix": "/api"}, "ignoreUriCase": True}) == "Match: /api* uncased"
    assert text.match({"uri": {"regex": "a.*"}}) == 'Match: regex:"a.*"'


def _pod(**meta: Any) -> Json:
    found = obj(
        "reviews-1",
        "{containers: [{name: reviews, ports: [{containerPort: 9080, name: web}]}, {name: istio-proxy, "
        "ports: [{containerPort: 53, protocol: UDP}]}]}",
        **meta,
    )
    ready = [{"name": "reviews", "ready": False}, {"name": "istio-proxy", "ready": True}]
    return {**found, "status": {"phase": "Running", "containerStatuses": ready}}


def test_a_pod() -> None:
    pod = _pod(
        labels={"app": "reviews"},
        annotations={"sidecar.istio.io/status": '{"revision": "canary"}'},
    )
    assert list(workload.pod(pod, "other", unmeshed_too=False)) == [
        "Pod: reviews-1.default",
        "   Pod Revision: canary",
        "   Pod Ports: 9080 (reviews), 53/UDP (istio-proxy)",
        "WARNING: Pod reviews-1.default Container reviews NOT READY",
        "Suggestion: add required service revision label for Istio telemetry. See "
        "https://istio.io/v1.30/docs/ops/deployment/requirements/.",
    ]
    bare = {**pod, "spec": {"containers": [{"name": "reviews"}]}}
    assert list(workload.pod(bare, "default", unmeshed_too=False))[-1] == (
        "WARNING: reviews-1 is not part of mesh; no Istio sidecar"
    )


def test_a_service_and_its_ports() -> None:
    service = obj(
        "reviews",
        "{ports: [{name: http, port: 80, targetPort: web}, {port: 81}, {name: x, port: 82, targetPort: other}]}",
    )
    assert list(workload.service(service, _pod(uid="u-1"), "default")) == [
        "Service: reviews",
        "   Port: http 80/HTTP targets pod port 9080",
        "   Port:  81/auto-detect targets pod port 81",
        "   no suitable port for manifest: u-1",
    ]


@pytest.mark.parametrize(
    ("policies", "mode"),
    [
        ([], "PERMISSIVE"),
        (["istio-system {}  {mode: STRICT}"], "STRICT"),
        (["istio-system {} {mode: STRICT}", "default {} {mode: DISABLE}"], "DISABLE"),
        (["istio-system {} {mode: STRICT}", "default {} {mode: UNSET}"], "STRICT"),
        (["default {matchLabels:{app:other}} {mode: STRICT}"], "PERMISSIVE"),
    ],
)
def test_the_nearest_peer_authentication_counts(policies: list[str], mode: str) -> None:
    found = []
    for number, line in enumerate(policies):
        namespace, selector, mtls = line.split(maxsplit=2)
        spec = yaml.safe_load(f"{{selector: {selector.replace(':', ': ')}, mtls: {mtls}}}")
        found.append({"metadata": {"name": f"p{number}", "namespace": namespace}, "spec": spec})
    lines = list(workload.peer_authentication(found, {"app": "reviews"}, "istio-system"))
    assert lines[:2] == ["Effective PeerAuthentication:", f"   Workload mTLS mode: {mode}"]


def test_ports_of_a_peer_authentication() -> None:
    own = obj(
        "p",
        "{selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}, portLevelMtls: {90: {mode: DISABLE}}}",
    )
    lines = list(workload.peer_authentication([own], {"app": "a"}, "istio-system"))
    assert lines[2:] == [
        "   Port Level mTLS mode:",
        "      90: DISABLE",
        "Applied PeerAuthentication:",
        "   p.default",
    ]


def _metadata(kind: str) -> Json:
    path = f"/apis/networking.istio.io/v1/namespaces/default/{kind}/reviews"
    return {"metadata": {"filter_metadata": {"istio": {"config": path}}}}


def test_objects_are_found_through_the_configuration_of_envoy() -> None:
    fqdn = "reviews.default.svc.cluster.local"
    cluster = {"name": f"outbound|9080||{fqdn}", **_metadata("destination-rule")}
    action = {"match": {"prefix": "/"}, "route": {"cluster": cluster["name"]}}
    host = {"domains": ["*"], "routes": [{**action, **_metadata("virtual-service")}]}
    prefix = "type.googleapis.com/envoy.admin.v3."
    dump: Json = {
        "configs": [
            {
                "@type": f"{prefix}ClustersConfigDump",
                "dynamic_active_clusters": [{"cluster": cluster}],
            },
            {
                "@type": f"{prefix}RoutesConfigDump",
                "dynamic_route_configs": [
                    {"route_config": {"name": "http.8080", "virtual_hosts": [host]}}
                ],
            },
        ]
    }
    assert lookups.destination_rule(dump, _REVIEWS, 9080) == Key("default", "reviews")
    assert lookups.virtual_service(dump, _REVIEWS, 9080) == Key("default", "reviews")
    assert lookups.virtual_service(dump, _REVIEWS, 81) is None
    configuration = dump["configs"][1]["dynamic_route_configs"][0]["route_config"]
    configuration["name"] = "outbound"
    host |= {"name": f"{fqdn}:9080", "domains": [f"{fqdn}:9080"]}
    host["routes"][0]["route"] = {"cluster": "elsewhere"}
    assert lookups.virtual_service(dump, _REVIEWS, 9080) == Key("default", "reviews")
    assert lookups.virtual_service(dump, _REVIEWS, 81) is None


def test_an_ingress_names_its_address() -> None:
    door = obj(
        "ingress",
        "{selector: {istio: ingressgateway}, clusterIP: 127.0.0.9, ports: [{name: http2, port: 80}]}",
        annotations={
            "meshcourse.io/addresses": '{"clusterIP": "127.0.0.9", "ports": {"80": 8080}}'
        },
    )
    door["status"] = {"loadBalancer": {"ingress": [{"ip": "127.0.0.8"}]}}
    pod = _pod(labels={"istio": "ingressgateway"})
    (found,) = ingress.find([door, _REVIEWS], [pod])
    assert list(found.lines()) == ["Exposed on Ingress Gateway http://127.0.0.8:8080"]
    assert found.serves(obj("gw", "{selector: {istio: ingressgateway}}"))
    assert not found.serves(obj("gw", "{selector: {istio: other}}"))
