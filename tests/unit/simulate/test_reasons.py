"""Why a request fails, in words; and a config dump is read as the resources that made it."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from meshcourse import simulate
from meshcourse.simulate import Request
from tests.unit.istio.mesh import REVIEWS_SUBSETS, Mesh, bookinfo
from tests.unit.simulate import dumps

CLIENT, SERVER = "productpage-v1-5d8f-1", "reviews-v2-5d8f-4"
ME = "spiffe://cluster.local/ns/default/sa/bookinfo-productpage"


def mesh(*texts: str) -> Mesh:
    found = bookinfo()
    for text in (REVIEWS_SUBSETS, *texts):
        found.apply(text)
    return found


def leave(found: Mesh, status: dict[str, Any] | None = None, **more: Any) -> simulate.Outcome:
    """Out of productpage's sidecar, through what its config dump says."""
    config = simulate.from_dump(dumps.config_dump(found.resources(CLIENT)), status)
    return simulate.outbound(config, Request(**{"authority": "reviews:9080", **more}))


def arrive(found: Mesh, **more: Any) -> simulate.Outcome:
    config = simulate.from_dump(dumps.config_dump(found.resources(SERVER)))
    return simulate.inbound(
        config, Request(**{"authority": "reviews", "principal": ME, **more}), 9080
    )


def rule(http: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec: {{hosts: [reviews], http: {http}}}
"""


V2 = "route: [{destination: {host: reviews, subset: v2}}]"


def policy(spec: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: viewer}}
spec: {spec}
"""


NEAREST = [
    (
        "headers: {end-user: {exact: jason}}",
        'header end-user equal to "jason"; the request has none',
    ),
    ("uri: {prefix: /v2}", "a path that begins with /v2; the request has /reviews/0"),
    ("uri: {regex: '/x.*'}", "a path that matches /x.*; the request has /reviews/0"),
    ("method: {exact: POST}", 'method equal to "POST"; the request has "GET"'),
    ("queryParams: {v: {exact: '2'}}", 'query parameter v equal to "2"; the request has none'),
    ("withoutHeaders: {x: {}}", 'header x not present; the request has "1"'),
]


@pytest.mark.parametrize(("condition", "expected"), NEAREST)
def test_no_route_matched_says_what_the_nearest_one_wants(condition: str, expected: str) -> None:
    far = "{match: [{uri: {exact: /far}, headers: {a: {exact: b}}}], directResponse: {status: 200}}"
    found = leave(
        mesh(rule(f"[{far}, {{match: [{{{condition}}}], {V2}}}]")),
        path="/reviews/0",
        headers={"x": "1"},
    )
    assert (found.status, found.flag) == (404, "NR")
    (hint,) = found.hints
    assert expected in hint
    assert "/virtual-service/reviews" in hint


def test_an_unknown_host_is_told_from_the_known_ones() -> None:
    config = simulate.from_dump(dumps.config_dump(mesh().resources(CLIENT)))
    routes = {
        name: {**one, "virtual_hosts": one["virtual_hosts"][:2]}
        for name, one in config.routes.items()
    }
    outcome = simulate.outbound(dataclasses.replace(config, routes=routes), Request("nowhere:1"))
    assert (outcome.status, outcome.failure) == (404, "no virtual host for nowhere:1")
    assert outcome.hints[0].startswith("known are ")


def test_ejected_hosts_are_no_healthy_upstream() -> None:
    found = mesh("""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: all}
spec: {host: ratings, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}}
""")
    good = leave(found, authority="ratings:9080")
    (cluster,) = good.clusters
    status = dumps.ejected(cluster, good.endpoints[cluster])
    outcome = leave(found, status, authority="ratings:9080")
    assert (outcome.status, outcome.flag) == (503, "UH")
    assert "all 1 endpoints" in outcome.failure
    assert "ejected" in outcome.failure


def test_an_empty_subset_and_an_unknown_one() -> None:
    nobody = mesh(REVIEWS_SUBSETS.replace("version: v2}", "version: v9}"), rule(f"[{{{V2}}}]"))
    assert leave(nobody).flag == "UH"
    unknown = mesh(rule(f"[{{{V2.replace('v2', 'v7')}}}]"))
    outcome = leave(unknown)
    assert (outcome.flag, outcome.status) == ("NC", 503)
    assert "unknown host, port or subset" in outcome.failure


def test_how_endpoints_are_called() -> None:
    found = mesh()
    assert set(leave(found).transports.values()) == {"mutual TLS"}
    found.apply("""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ratings}
spec: {host: ratings, trafficPolicy: {tls: {mode: DISABLE}}}
""")
    assert set(leave(found, authority="ratings:9080").transports.values()) == {"plaintext"}


def test_strict_refuses_plaintext() -> None:
    found = mesh("""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
""")
    assert arrive(found).ok
    outcome = arrive(found, principal="")
    assert (outcome.status, outcome.flag) == (None, "NR")
    assert "mutual TLS is required" in outcome.failure


DENIALS = [
    (
        "{action: DENY, rules: [{to: [{operation: {paths: [/admin*]}}]}]}",
        "denied by AuthorizationPolicy",
    ),
    (
        "{rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/other]}}]}]}",
        f"the request has {ME}",
    ),
    ("{rules: [{to: [{operation: {methods: [POST]}}]}]}", 'the request has "GET"'),
    (
        "{rules: [{from: [{source: {requestPrincipals: ['*']}}]}]}",
        "wants a valid token with the right iss",
    ),
    ("{}", "no ALLOW policy matched"),
]


@pytest.mark.parametrize(("spec", "expected"), DENIALS)
def test_who_denied_it_and_why(spec: str, expected: str) -> None:
    outcome = arrive(mesh(policy(spec)), path="/admin/1")
    assert (outcome.status, outcome.flag) == (403, "UAEX")
    said = " ".join([outcome.failure, *outcome.hints])
    assert expected in said
    assert "viewer in default" in said


def token(**claims: Any) -> str:
    parts = [json.dumps(one).encode() for one in ({"alg": "RS256"}, claims)]
    text = [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts]
    return f"Bearer {'.'.join(text)}.c2lnbmF0dXJl"


JWT = """
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt}
spec: {jwtRules: [{issuer: me, audiences: [shop], jwks: '{"keys": [{"kty": "RSA", "e": "AQAB", "n": "AQAB"}]}'}]}
"""
GROUP = "{rules: [{when: [{key: 'request.auth.claims[group]', values: [staff]}]}]}"

TOKENS = [
    ({}, 403, "no token"),
    ({"iss": "me", "aud": "shop", "group": "staff"}, None, ""),
    ({"iss": "me", "aud": "shop", "group": "guest"}, 403, "guest"),
    ({"iss": "other", "aud": "shop"}, 401, "the token is of other"),
    ({"iss": "me", "aud": "shop", "exp": 1}, 401, "expired"),
    ({"iss": "me", "aud": ["else"]}, 401, "wanted is one for"),
]


@pytest.mark.parametrize(("claims", "status", "expected"), TOKENS)
def test_tokens(claims: dict[str, Any], status: int | None, expected: str) -> None:
    headers = {"authorization": token(**claims)} if claims else {}
    outcome = arrive(mesh(JWT, policy(GROUP)), headers=headers)
    assert outcome.status == status
    assert outcome.ok is (status is None)
    assert expected in " ".join([outcome.failure, *outcome.hints])


def test_a_fault_and_a_redirect_are_no_failures_of_the_mesh() -> None:
    abort = "fault: {abort: {httpStatus: 418, percentage: {value: 100}}}"
    outcome = leave(mesh(rule(f"[{{{abort}, {V2}}}]")))
    assert (outcome.status, outcome.flag) == (418, "FI")
    outcome = leave(mesh(rule("[{redirect: {uri: /new, redirectCode: 302}}]")), path="/old?a=b")
    assert (outcome.status, outcome.failure) == (302, "")
    assert outcome.steps[-1].detail == "http://reviews:9080/new?a=b"


def test_what_is_sent_on() -> None:
    change = (
        "{match: [{uri: {prefix: /old}}], rewrite: {uri: /new, authority: other},"
        f" headers: {{request: {{set: {{x-a: '1'}}, remove: [x-b]}}}}, {V2}}}"
    )
    outcome = leave(mesh(rule(f"[{change}]")), path="/old/1?q=2", headers={"x-b": "0", "x-c": "2"})
    assert outcome.sent is not None
    assert (outcome.sent.path, outcome.sent.authority) == ("/new/1?q=2", "other")
    assert outcome.sent.headers == {"x-a": "1", "x-c": "2"}
