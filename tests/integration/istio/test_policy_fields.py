"""The fields of the security and telemetry kinds that test_security and test_telemetry leave out."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istio.test_security import Issuer, bearer
from tests.integration.istiod.mesh import until

NETWORK = "127.147"
pytestmark = pytest.mark.asyncio(loop_scope="module")
MESH = """
accessLogFile: /dev/stdout
extensionProviders:
- name: zipkin
  zipkin: {service: zipkin.istio-system.svc.cluster.local, port: 9411}
- name: other-log
  envoyFileAccessLog: {path: /dev/stdout, logFormat: {text: "OTHER %REQ(:PATH)%\\n"}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` calls `api` (two ports); spans go to an echo."""
    folder: Path = tmp_path_factory.mktemp("policy-fields")
    async with live.running(folder, NETWORK) as found:
        found.mesh.add(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "istio", "namespace": "istio-system"},
                "data": {"mesh": MESH},
            }
        )
        ports = [
            {"name": name, "port": port, "targetPort": port}
            for name, port in (("http", 9080), ("http-b", 9081))
        ]
        found.mesh.service("api", ports=ports)
        found.mesh.service("zipkin", 9411, namespace="istio-system")
        await found.pod("web")
        name = await found.pod("api")
        where = found.mesh.snapshot().workloads[found.pods[name]].addresses.app(9081)
        await found.application("b", "b", "v1", *where)
        await found.pod("zipkin", port=9411, namespace="istio-system", proxy="")
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    mesh.seen.clear()
    mesh.bodies.clear()
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


async def call(mesh: live.Live, path: str = "/", port: int = 9080, **more: Any) -> live.Answer:
    return await mesh.get(mesh.named("web-"), f"http://api:{port}{path}", **more)


def written(kind: str, spec: str, group: str = "security") -> str:
    return f"""---
apiVersion: {group}.istio.io/v1
kind: {kind}
metadata: {{name: one}}
spec: {spec}
"""


async def plain(mesh: live.Live, port: int) -> int:
    """The status of a plaintext request, 0 if the connection is refused."""
    pod = mesh.mesh.snapshot().workloads[mesh.pods[mesh.named("api-")]].addresses.pod_ip
    try:
        return (await mesh.fetch(f"http://{pod}:{port}/")).status
    except aiohttp.ClientError:
        return 0


async def test_peer_authentication_of_pods_and_ports(clean: live.Live) -> None:
    strict = "mtls: {mode: STRICT}"
    for spec, expected in (
        (f"{{selector: {{matchLabels: {{app: api}}}}, {strict}}}", [0, 0]),
        (f"{{selector: {{matchLabels: {{app: web}}}}, {strict}}}", [200, 200]),
        (
            f"{{selector: {{matchLabels: {{app: api}}}}, {strict},"
            " portLevelMtls: {'9081': {mode: PERMISSIVE}}}",
            [0, 200],
        ),
    ):
        await clean.apply(written("PeerAuthentication", spec))
        assert [await plain(clean, 9080), await plain(clean, 9081)] == expected


#: A part of a rule, and whether `web` matches it.
NEGATIVE = [
    ("from: [{source: {notPrincipals: [cluster.local/ns/default/sa/web]}}]", False),
    ("from: [{source: {notPrincipals: [cluster.local/ns/default/sa/other]}}]", True),
    ("from: [{source: {notNamespaces: [default]}}]", False),
    ("from: [{source: {notNamespaces: [other]}}]", True),
    ("from: [{source: {notServiceAccounts: [web]}}]", False),
    ("from: [{source: {notServiceAccounts: [other]}}]", True),
    ("from: [{source: {notTrustDomains: [cluster.local]}}]", False),
    ("from: [{source: {notTrustDomains: [elsewhere]}}]", True),
    ("from: [{source: {notIpBlocks: [127.0.0.0/8]}}]", False),
    ("from: [{source: {notIpBlocks: [10.0.0.0/8]}}]", True),
    ("from: [{source: {remoteIpBlocks: [127.0.0.0/8]}}]", True),
    ("from: [{source: {remoteIpBlocks: [10.0.0.0/8]}}]", False),
    ("from: [{source: {notRemoteIpBlocks: [127.0.0.0/8]}}]", False),
    ("from: [{source: {notRequestPrincipals: ['*']}}]", True),
    ("to: [{operation: {notHosts: ['api*']}}]", False),
    ("to: [{operation: {notHosts: [elsewhere]}}]", True),
    ("to: [{operation: {notPorts: ['9080']}}]", False),
    ("to: [{operation: {notPorts: ['9081']}}]", True),
    ("to: [{operation: {notMethods: [GET]}}]", False),
    ("to: [{operation: {notMethods: [POST]}}]", True),
    ("to: [{operation: {notPaths: ['/x']}}]", False),
]


async def test_what_rules_exclude(clean: live.Live) -> None:
    for condition, matches in NEGATIVE:
        selector = "selector: {matchLabels: {app: api}}"
        await clean.apply(
            written(
                "AuthorizationPolicy", f"{{{selector}, action: DENY, rules: [{{{condition}}}]}}"
            )
        )
        assert (await call(clean, "/x")).status == (403 if matches else 200), condition


async def test_a_policy_of_other_pods_and_an_audit(clean: live.Live) -> None:
    other = "{selector: {matchLabels: {app: other}}, action: DENY, rules: [{}]}"
    await clean.apply(written("AuthorizationPolicy", other))
    assert (await call(clean)).status == 200
    await clean.apply(written("AuthorizationPolicy", "{action: AUDIT, rules: [{}]}"))
    assert (await call(clean)).status == 200


async def test_tokens_from_everywhere(clean: live.Live) -> None:
    issuer = Issuer()
    uri = "http://keys.example/jwks"
    clean.mesh.keys = {uri: issuer.jwks}
    rule = (
        f"{{issuer: {issuer.name}, jwksUri: '{uri}', audiences: [shop], forwardOriginalToken: false,"
        " fromHeaders: [{name: x-token, prefix: 'Token '}], fromParams: [token],"
        " fromCookies: [token], outputPayloadToHeader: x-payload,"
        " spaceDelimitedClaims: [roles]}"
    )
    await clean.apply(
        written("RequestAuthentication", f"{{jwtRules: [{rule}]}}")
        + written(
            "AuthorizationPolicy",
            "{rules: [{from: [{source: {requestPrincipals: ['*']}}],"
            " when: [{key: 'request.auth.claims[roles]', values: [staff]}]}]}",
        )
    )
    token = issuer.token(aud="shop", roles="guest staff")
    other = issuer.token(aud="elsewhere", roles="staff")
    found = await call(clean, headers={"x-token": f"Token {token}"})
    assert found.status == 200
    payload = found.body["headers"]["x-payload"]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == "shop"
    assert "x-token" not in found.body["headers"]
    assert (await call(clean, f"/?token={token}")).status == 200
    assert (await call(clean, headers={"cookie": f"token={token}"})).status == 200
    assert (await call(clean, headers={"x-token": f"Token {other}"})).status == 403
    assert (await call(clean, headers=bearer(token))).status == 403
    assert (await call(clean)).status == 403
    kept = rule.replace("forwardOriginalToken: false", "forwardOriginalToken: true")
    selected = f"{{selector: {{matchLabels: {{app: api}}}}, jwtRules: [{kept}]}}"
    await clean.apply(written("RequestAuthentication", selected))
    found = await call(clean, headers={"x-token": f"Token {token}"})
    assert "x-token" in found.body["headers"]
    elsewhere = selected.replace("app: api", "app: other")
    await clean.apply(written("RequestAuthentication", elsewhere))
    assert (await call(clean, headers={"x-token": f"Token {token}"})).status == 403


# -- Telemetry -----------------------------------------------------------------------------------


def telemetry(spec: str) -> str:
    return written("Telemetry", spec, "telemetry")


def spans(mesh: live.Live, path: str) -> list[dict[str, Any]]:
    """The spans of requests for a path."""
    found = [span for body in mesh.bodies for span in json.loads(body)]
    return [one for one in found if one["tags"]["http.url"].endswith(path)]


async def changed(mesh: live.Live, text: str) -> None:
    """Apply; a kept connection between the sidecars then ends with the first answer (it has the old filters)."""
    await mesh.apply(text)
    await call(mesh)


TAGS = (
    "customTags: {a: {literal: {value: blue}}, b: {environment: {name: POD_NAMESPACE}},"
    " c: {environment: {name: NOTHING, defaultValue: none}}, d: {header: {name: x-colour}},"
    " e: {header: {name: x-none, defaultValue: nothing}},"
    " f: {formatter: {value: '%REQ(x-colour)%!'}}}"
)


async def test_spans_and_their_tags(clean: live.Live) -> None:
    base = "providers: [{name: zipkin}], randomSamplingPercentage: 100"
    await changed(clean, telemetry(f"{{tracing: [{{{base}, {TAGS}, enableIstioTags: false}}]}}"))
    await call(clean, "/tagged", headers={"x-colour": "red"})
    await until(lambda: len(spans(clean, "/tagged")) == 2)
    tags = spans(clean, "/tagged")[0]["tags"]
    assert [tags[name] for name in "abcdef"] == [
        "blue",
        "default",
        "none",
        "red",
        "nothing",
        "red!",
    ]
    assert "istio.namespace" not in tags
    silent = f"{{tracing: [{{{base}}}, {{match: {{mode: SERVER}}, disableSpanReporting: true}}]}}"
    await changed(clean, telemetry(silent))
    await call(clean, "/silent")
    await call(clean, "/silent")
    await until(lambda: len(spans(clean, "/silent")) == 2)
    assert {span["kind"] for span in spans(clean, "/silent")} == {"CLIENT"}
    assert spans(clean, "/silent")[0]["tags"]["istio.namespace"] == "default"


async def test_telemetry_of_some_pods(clean: live.Live) -> None:
    logs = "accessLogging: [{providers: [{name: other-log}], match: {mode: CLIENT}}]"
    await clean.apply(telemetry(f"{{selector: {{matchLabels: {{app: web}}}}, {logs}}}"))
    web, api = clean.named("web-"), clean.named("api-")
    await call(clean, "/of-web")
    await until(lambda: "OTHER /of-web" in clean.plane.log(web))
    both = f"{{{logs.replace('CLIENT', 'CLIENT_AND_SERVER')}}}"
    await changed(clean, telemetry(both))
    await call(clean, "/of-both")
    await until(lambda: "OTHER /of-both" in clean.plane.log(api))
    assert "OTHER /of-web" not in clean.plane.log(api)


async def test_metrics_by_name_and_side(clean: live.Live) -> None:
    custom = (
        "{metrics: [{providers: [{name: prometheus}], overrides: ["
        "{match: {customMetric: REQUEST_DURATION, mode: SERVER}, disabled: true},"
        " {match: {metric: ALL_METRICS, mode: CLIENT}, tagOverrides:"
        " {path: {operation: UPSERT, value: request.path}}}]}]}"
    )
    await changed(clean, telemetry(custom))
    await call(clean, "/counted", headers={"x-answer": "288"})
    web, api = clean.named("web-"), clean.named("api-")

    def of(pod: str, name: str) -> list[dict[str, str]]:
        return [one for one, _ in clean.metrics(pod, name) if one["response_code"] == "288"]

    await until(lambda: bool(of(web, "istio_requests_total") and of(api, "istio_requests_total")))
    assert of(web, "istio_requests_total")[0]["path"] == "/counted"
    assert "path" not in of(api, "istio_requests_total")[0]
    duration = "istio_request_duration_milliseconds_count"
    await until(lambda: bool(of(web, duration)))
    assert not of(api, duration)
    off = custom.replace("name: prometheus", "name: another")
    await changed(clean, telemetry(off))
    await call(clean, "/another", headers={"x-answer": "289"})
    await until(
        lambda: any(
            one["response_code"] == "289" for one, _ in clean.metrics(web, "istio_requests_total")
        )
    )
    (found,) = (
        one
        for one, _ in clean.metrics(web, "istio_requests_total")
        if one["response_code"] == "289"
    )
    assert "path" not in found
