"""Identity and policy through real Envoys: mutual TLS, authorization, tokens, forged headers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istio.tokens import Issuer
from tests.integration.istiod.mesh import until

NETWORK = "127.141"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` and `other` call `api`; `legacy` has no sidecar."""
    folder: Path = tmp_path_factory.mktemp("security")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("api")
        found.mesh.service("authorizer", 9080)
        for app in ("web", "other", "api", "authorizer"):
            await found.pod(app)
        await found.pod("legacy", proxy="")
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    """The mesh, with whatever a test applied taken away again."""
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


def pod(mesh: live.Live, app: str) -> str:
    return next(name for name in mesh.pods if name.startswith(f"{app}-"))


async def call(mesh: live.Live, app: str, path: str = "/", **more: Any) -> live.Answer:
    return await mesh.get(pod(mesh, app), f"http://api:9080{path}", **more)


def address(mesh: live.Live, app: str) -> str:
    key = mesh.pods[pod(mesh, app)]
    return mesh.mesh.snapshot().workloads[key].addresses.pod_ip


PEER = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: istio-system}}
spec: {{mtls: {{mode: {mode}}}}}
"""


async def test_the_server_sees_the_clients_identity(mesh: live.Live) -> None:
    answer = await call(mesh, "web")
    assert answer.status == 200
    certificate = answer.body["headers"]["x-forwarded-client-cert"]
    assert "URI=spiffe://cluster.local/ns/default/sa/web" in certificate


async def test_peer_headers_neither_reach_the_application_nor_count_from_plaintext(
    mesh: live.Live,
) -> None:
    forged = {"x-mesh-peer-workload": "forged", "x-mesh-peer-namespace": "forged"}
    answer = await mesh.fetch(f"http://{address(mesh, 'api')}:9080/forged", headers=forged)
    assert answer.status == 200
    assert not [name for name in answer.body["headers"] if name.startswith("x-mesh-peer")]
    through = await call(mesh, "web", "/forged", headers=forged)
    assert not [name for name in through.body["headers"] if name.startswith("x-mesh-peer")]
    sources = {
        labels["source_workload"]
        for labels, _ in mesh.metrics(pod(mesh, "api"), "istio_requests_total")
    }
    assert "unknown" in sources
    assert "forged" not in sources


async def test_strict_refuses_plaintext_and_loses_no_request_between_sidecars(
    clean: live.Live,
) -> None:
    counts: Counter[str] = Counter()
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            answer = await call(clean, "web")
            counts[str(answer.status)] += 1

    workers = [asyncio.create_task(load()) for _ in range(3)]
    plain = f"http://{address(clean, 'api')}:9080/"
    for mode in ("STRICT", "PERMISSIVE") * 4:
        await clean.apply(PEER.format(mode=mode))
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            if mode == "PERMISSIVE":
                async with session.get(plain) as response:
                    assert response.status == 200
            else:
                with pytest.raises(aiohttp.ClientError):
                    await session.get(plain)
        enough = counts.total() + 20
        await until(lambda: counts.total() > enough)  # noqa: B023
    stop.set()
    await asyncio.gather(*workers)
    assert set(counts) == {"200"}


ALLOW_WEB = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow-web}
spec:
  selector: {matchLabels: {app: api}}
  action: ALLOW
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/web]}}]
    to: [{operation: {methods: [GET], paths: [/info*]}}]
"""


async def test_authorization_by_principal_method_and_path(clean: live.Live) -> None:
    await clean.apply(ALLOW_WEB)
    assert (await call(clean, "web", "/info/1")).status == 200
    assert (await call(clean, "web", "/other")).status == 403
    assert (await call(clean, "web", "/info/1", method="POST")).status == 403
    denied = await call(clean, "other", "/info/1")
    assert (denied.status, denied.body) == (403, "RBAC: access denied")
    plain = await clean.fetch(f"http://{address(clean, 'api')}:9080/info/1")
    assert plain.status == 403


CONDITIONS = [
    ("from: [{source: {namespaces: [default]}}]", True),
    ("from: [{source: {namespaces: [other]}}]", False),
    ("from: [{source: {notPrincipals: ['*']}}]", False),
    ("from: [{source: {serviceAccounts: [web]}}]", True),
    ("from: [{source: {serviceAccounts: [other/web]}}]", False),
    ("from: [{source: {trustDomains: [cluster.local]}}]", True),
    (f"from: [{{source: {{ipBlocks: ['{NETWORK}.0.0/16']}}}}]", True),
    ("from: [{source: {ipBlocks: ['10.0.0.0/8']}}]", False),
    ("to: [{operation: {hosts: ['api*']}}]", True),
    ("to: [{operation: {hosts: [elsewhere]}}]", False),
    ("to: [{operation: {ports: ['9080']}}]", True),
    ("to: [{operation: {notPaths: ['/x']}}]", True),
    ("to: [{operation: {paths: ['/a/{*}/c']}}]", True),
    ("to: [{operation: {paths: ['/a/{**}']}}]", True),
    ("to: [{operation: {paths: ['/a/{*}']}}]", False),
    ("when: [{key: 'request.headers[x-team]', values: [blue]}]", True),
    ("when: [{key: 'request.headers[x-team]', notValues: [blue]}]", False),
    ("when: [{key: source.namespace, values: [default]}]", True),
    ("when: [{key: destination.port, values: ['9081']}]", False),
    ("when: [{key: connection.sni, values: ['outbound_.9080_._.api*']}]", True),
]


@pytest.mark.parametrize(("condition", "matches"), CONDITIONS)
async def test_every_condition_allows_and_denies(
    clean: live.Live, condition: str, matches: bool
) -> None:
    for action in ("ALLOW", "DENY"):
        await clean.apply(f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: one}}
spec:
  selector: {{matchLabels: {{app: api}}}}
  action: {action}
  rules: [{{{condition}}}]
""")
        answer = await call(clean, "web", "/a/b/c", headers={"x-team": "blue"})
        passes = matches if action == "ALLOW" else not matches
        assert answer.status == (200 if passes else 403), (action, answer.body)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_tokens(clean: live.Live) -> None:
    issuer = Issuer()
    await clean.apply(f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: jwt}}
spec:
  selector: {{matchLabels: {{app: api}}}}
  jwtRules:
  - issuer: {issuer.name}
    jwks: '{issuer.jwks}'
    outputClaimToHeaders: [{{header: x-jwt-group, claim: group}}]
    forwardOriginalToken: true
""")
    assert (await call(clean, "web")).status == 200
    good = await call(clean, "web", headers=bearer(issuer.token(group="staff")))
    assert good.status == 200
    assert good.body["headers"]["x-jwt-group"] == "staff"
    bad = await call(clean, "web", headers=bearer(Issuer().token()))
    assert bad.status == 401
    expired = await call(clean, "web", headers=bearer(issuer.token(exp=1)))
    assert (expired.status, expired.body) == (401, "Jwt is expired")
    await clean.apply("""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: require-jwt}
spec:
  selector: {matchLabels: {app: api}}
  action: ALLOW
  rules:
  - from: [{source: {requestPrincipals: [testing@secure.istio.io/*]}}]
    when: [{key: 'request.auth.claims[groups]', values: [staff, admin]}]
""")
    assert (await call(clean, "web")).status == 403
    for groups, status in ((["staff", "x"], 200), ("admin", 200), (["guest"], 403)):
        answer = await call(clean, "web", headers=bearer(issuer.token(groups=groups)))
        assert answer.status == status, groups


async def test_a_key_set_that_could_not_be_fetched_accepts_no_token(clean: live.Live) -> None:
    issuer = Issuer()
    await clean.apply(f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: jwt}}
spec:
  selector: {{matchLabels: {{app: api}}}}
  jwtRules: [{{issuer: {issuer.name}, jwksUri: 'http://nowhere.example/jwks'}}]
""")
    assert (await call(clean, "web")).status == 200
    assert (await call(clean, "web", headers=bearer(issuer.token()))).status == 401


async def test_a_deny_all_and_a_dry_run(clean: live.Live) -> None:
    await clean.apply("""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nothing, annotations: {istio.io/dry-run: "true"}}
spec: {selector: {matchLabels: {app: api}}}
""")
    assert (await call(clean, "web")).status == 200
    await clean.apply("""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nothing}
spec: {}
""")
    assert (await call(clean, "web")).status == 403


async def test_an_external_authorizer_is_asked_where_a_rule_says_so(clean: live.Live) -> None:
    mesh_config = """
extensionProviders:
- name: sample
  envoyExtAuthzHttp:
    service: authorizer.default.svc.cluster.local
    port: 9080
    includeRequestHeadersInCheck: [x-answer]
"""
    clean.mesh.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {"mesh": mesh_config},
        }
    )
    await clean.apply("""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask}
spec:
  selector: {matchLabels: {app: api}}
  action: CUSTOM
  provider: {name: sample}
  rules: [{to: [{operation: {paths: [/guarded]}}]}]
""")
    assert (await call(clean, "web", "/free", headers={"x-answer": "200"})).status == 200
    assert (await call(clean, "web", "/guarded", headers={"x-answer": "200"})).status == 200
    refused = await call(clean, "web", "/guarded", headers={"x-answer": "403"})
    assert refused.status == 403
    asked = [path for name, _, path in clean.seen if name == pod(clean, "authorizer")]
    assert asked == ["/guarded", "/guarded"]
