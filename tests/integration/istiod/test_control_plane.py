"""What istiod does besides translating, on a whole cluster: gateways, statuses, key sets, refusals, log records."""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse import course
from meshcourse.embedded.daemon import launcher
from meshcourse.embedded.istioctl import crds
from tests.integration.istio.tokens import Issuer

NAME = "control-plane"
PATIENCE = 60.0
APP = Path(__file__).parents[3] / "labs/apps/httpbin/httpbin.yaml"


@pytest.fixture(scope="module")
def mesh() -> Iterator[course.Mesh]:
    """Istio and httpbin; the Gateway API's kinds come later than istiod."""
    name = os.environ.get("MESHCOURSE_TEST_CLUSTER", NAME)
    found = course.open(name)
    try:
        found.ensure("istio", "fluent-bit")
        found.kubectl("label", "namespace", "default", "istio-injection=enabled", "--overwrite")
        found.apply(APP).raise_on_error()
        found.wait("deployment/httpbin")
        yield found
    finally:
        found.close()
        launcher.down(name)


def until(look: Callable[[], Any]) -> Any:
    """What `look` returns, as soon as it is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {look}"
        time.sleep(0.05)
    return found


def fetch(url: str, **headers: str) -> tuple[int, str]:
    """Status and body; 0 where nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""


def get(mesh: course.Mesh, what: str, name: str) -> dict[str, Any]:
    """An object of the namespace default (or of none); {} if there is none."""
    return mesh.get(what, name) if mesh.exists(what, name) else {}


def conditions(obj: dict[str, Any]) -> dict[str, str]:
    found = obj.get("status", {}).get("conditions") or []
    return {one["type"]: one["status"] for one in found}


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: default}
spec:
  gatewayClassName: istio
  listeners:
  - {name: web, port: 80, protocol: HTTP}
"""
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: bin, namespace: default}
spec:
  parentRefs: [{name: front}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /status}}]
    backendRefs: [{name: httpbin, port: 8000}]
"""


def test_the_gateway_api(mesh: course.Mesh) -> None:
    for crd in crds.gateway_api():
        mesh.apply(json.dumps(crd)).raise_on_error()
    classes = "gatewayclasses.gateway.networking.k8s.io"
    until(lambda: conditions(get(mesh, classes, "istio")).get("Accepted") == "True")
    assert mesh.get(classes, "istio-remote")
    mesh.apply(GATEWAY).raise_on_error()
    mesh.apply(ROUTE).raise_on_error()
    gateways = "gateways.gateway.networking.k8s.io"
    until(lambda: conditions(get(mesh, gateways, "front")).get("Programmed") == "True")
    found = mesh.get(gateways, "front")
    (listener,) = found["status"]["listeners"]
    assert listener["attachedRoutes"] == 1
    url = mesh.url("front-istio", 80)
    until(lambda: fetch(f"{url}/status/204")[0] == 204)
    assert fetch(f"{url}/get")[0] == 404
    _route_status(mesh)
    _repaired(mesh)
    mesh.delete(GATEWAY)
    until(lambda: not mesh.exists("deployment", "front-istio"))
    until(lambda: not mesh.exists("service", "front-istio"))


def _route_status(mesh: course.Mesh) -> None:
    """The route's status says what is wrong, and is not written when nothing changed."""
    routes = "httproutes.gateway.networking.k8s.io"

    def parent() -> dict[str, Any]:
        found = mesh.get(routes, "bin")
        (one,) = found["status"]["parents"]
        return {c["type"]: (c["status"], c["reason"]) for c in one["conditions"]}

    assert parent()["Accepted"] == ("True", "Accepted")
    before = mesh.get(routes, "bin")["metadata"]["resourceVersion"]
    mesh.patch("service", "httpbin", {"metadata": {"labels": {"touched": "yes"}}})
    mesh.apply(ROUTE.replace("name: httpbin", "name: nobody")).raise_on_error()
    until(lambda: parent()["ResolvedRefs"] == ("False", "BackendNotFound"))
    after = mesh.get(routes, "bin")["metadata"]["resourceVersion"]
    assert before != after
    mesh.apply(ROUTE).raise_on_error()
    until(lambda: parent()["ResolvedRefs"][0] == "True")


def _repaired(mesh: course.Mesh) -> None:
    """A managed Deployment that somebody deletes comes back."""
    uid = mesh.get("deployment", "front-istio")["metadata"]["uid"]
    mesh.kubectl("delete", "deployment", "front-istio", "--wait=false")
    until(lambda: get(mesh, "deployment", "front-istio").get("metadata", {}).get("uid", uid) != uid)


def test_key_sets_by_uri(mesh: course.Mesh) -> None:
    issuer = Issuer("https://issuer.example")
    keys = base64.urlsafe_b64encode(issuer.jwks.encode()).decode()

    def require(uri: str) -> None:
        rule = {"issuer": issuer.name, "jwksUri": uri}
        mesh.apply(
            json.dumps(
                {
                    "apiVersion": "security.istio.io/v1",
                    "kind": "RequestAuthentication",
                    "metadata": {"name": "tokens", "namespace": "istio-system"},
                    "spec": {
                        "selector": {"matchLabels": {"istio": "ingressgateway"}},
                        "jwtRules": [rule],
                    },
                }
            )
        ).raise_on_error()

    mesh.apply(INGRESS).raise_on_error()
    url = mesh.url("istio-ingressgateway", 80, namespace="istio-system") + "/status/202"
    bearer = {"Authorization": f"Bearer {issuer.token()}"}
    until(lambda: fetch(url)[0] == 202)
    require("http://httpbin.default.svc:8000/status/500")
    until(lambda: fetch(url, **bearer)[0] == 401)
    assert fetch(url)[0] == 202, "a request without a token is not refused"
    require(f"http://httpbin.default.svc:8000/base64/{keys}")
    until(lambda: fetch(url, **bearer)[0] == 202)
    forged = {"Authorization": f"Bearer {Issuer(issuer.name).token()}"}
    assert fetch(url, **forged)[0] == 401
    mesh.kubectl("delete", "requestauthentication", "tokens", "-n", "istio-system")


INGRESS = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: door, namespace: default}
spec:
  hosts: ["*"]
  gateways: [door]
  http: [{route: [{destination: {host: httpbin, port: {number: 8000}}}]}]
"""


def envoy_filter(value: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: odd, namespace: istio-system}}
spec:
  workloadSelector: {{labels: {{istio: ingressgateway}}}}
  configPatches:
  - applyTo: CLUSTER
    match: {{cluster: {{service: httpbin.default.svc.cluster.local}}}}
    patch: {{operation: MERGE, value: {value}}}
"""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{connect_timeout: -1s}", "Expected positive duration"),
        ("{no_such_field: 1}", "no_such_field"),
    ],
)
def test_refusals_are_told(mesh: course.Mesh, value: str, words: str) -> None:
    """Configuration that Envoy refuses, and such that is no valid message at all."""
    mesh.apply(envoy_filter(value)).raise_on_error()

    def told() -> list[str]:
        return [
            one["involvedObject"]["kind"]
            for one in mesh.objects("events", "istio-system")
            if one["reason"] == "EnvoyRejectedConfig" and words in one["message"]
        ]

    until(lambda: {"EnvoyFilter", "Pod"} <= set(told()))
    lines = mesh.istioctl("proxy-status").output.splitlines()
    (refused,) = [line for line in lines if "CDS refused: " in line]
    assert refused.startswith("istio-ingressgateway-")
    assert words in refused
    mesh.delete(envoy_filter(value))
    until(lambda: "refused" not in mesh.istioctl("proxy-status").output)


TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: istio-system}
spec:
  accessLogging: [{providers: [{name: fluent-bit}]}]
"""


def test_records_reach_the_collector(mesh: course.Mesh) -> None:
    mesh.apply(TELEMETRY).raise_on_error()
    url = mesh.url("istio-ingressgateway", 80, namespace="istio-system")
    logs = mesh.url("fluent-bit", 2020, namespace="istio-system")

    def records() -> list[dict[str, Any]]:
        """Of one request to /headers, as soon as both Envoys have told of it."""
        _, text = fetch(f"{url}/headers")
        sent = json.loads(text)["headers"]
        number = next(value for key, value in sent.items() if key.lower() == "x-request-id")
        number = number if isinstance(number, str) else number[0]
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            found = json.loads(fetch(f"{logs}/logs?request_id={number}")[1])
            if len(found) == 2:
                return [one["record"] for one in found]
            time.sleep(0.05)
        return []

    until(lambda: fetch(url + "/status/200")[0] == 200)
    found = until(records)
    assert {one["namespace"] for one in found} == {"istio-system", "default"}
    assert all(one["response_code"] == 200 for one in found)
    assert all(one["path"] == "/headers" for one in found)
    assert any(one["pod"].startswith("httpbin-") for one in found)
    mesh.delete(TELEMETRY)
