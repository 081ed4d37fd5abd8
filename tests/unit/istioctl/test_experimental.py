"""The smaller experimental commands: authz check, check-inject, precheck."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.istioctl.commands.experimental import (
    authz,
    check_inject,
    envoy_stats,
    precheck,
)
from meshcourse.embedded.istioctl.commands.proxy_config import rootca
from meshcourse.embedded.istioctl.context import Failure
from meshcourse.embedded.istioctl.manifests import options
from meshcourse.embedded.istioctl.manifests.pilot import Pilot

Json = dict[str, Any]
_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"


def _rules(action: str, *names: str) -> Json:
    return {"@type": _RBAC, "rules": {"action": action, "policies": {one: {} for one in names}}}


def test_policies_are_found_in_listeners_and_in_routes() -> None:
    per_route = {
        "@type": f"{_RBAC}PerRoute",
        "rbac": {"rules": _rules("DENY", "ns[b]-policy[d]-rule[0]")["rules"]},
    }
    custom = {
        "@type": _RBAC,
        "shadow_rules": {"policies": {"istio-ext-authz-ns[b]-policy[c]-rule[0]": {}}},
    }
    allow = _rules("ALLOW", "ns[b]-policy[web]-rule[0]", "ns[b]-policy[web]-rule[1]")
    dump = {
        "configs": [
            {"filters": [{"typed_config": allow}, custom]},
            {"routes": [per_route, per_route]},
        ]
    }
    assert authz.rows(dump) == [
        ["DENY", "d.b", "1"],
        ["ALLOW", "web.b", "2"],
        ["CUSTOM", "c.b", "1"],
    ]
    assert authz.rows({"x": _rules("ALLOW")}) == [["ALLOW", "_anonymous_match_nothing_", "1"]]
    assert authz.rows({"x": {"@type": _RBAC}}) == []


@pytest.mark.parametrize(
    ("namespace", "pod", "injected", "why"),
    [
        (
            {"istio-injection": "enabled"},
            {},
            True,
            "Namespace label istio-injection=enabled matches",
        ),
        (
            {},
            {"sidecar.istio.io/inject": "true"},
            True,
            "Pod label sidecar.istio.io/inject=true matches",
        ),
        (
            {"istio-injection": "enabled"},
            {"sidecar.istio.io/inject": "false"},
            False,
            "Pod has sidecar.istio.io/inject=false label, preventing injection",
        ),
        (
            {"istio-injection": "disabled"},
            {},
            False,
            "Namespace has istio-injection=disabled label, preventing injection",
        ),
        (
            {},
            {},
            False,
            "No matching namespace labels (istio.io/rev=default, istio-injection=enabled) or pod labels "
            "(istio.io/rev=default, sidecar.istio.io/inject=true)",
        ),
    ],
)
def test_why_a_pod_is_injected(
    namespace: dict[str, str], pod: dict[str, str], injected: bool, why: str
) -> None:
    objects = Pilot(options.resolve([], ["profile=demo"])).objects()
    hooks = [one for one in objects if one["kind"] == "MutatingWebhookConfiguration"]
    ((_, revision, yes, said),) = check_inject.judge(hooks, pod, namespace)
    assert (revision, yes, said) == ("default", injected, why)


def test_precheck_knows_the_minimum() -> None:
    assert precheck.kubernetes({"major": "1", "minor": "35+", "gitVersion": "v1.35.0"}) == []
    (message,) = precheck.kubernetes({"major": "1", "minor": "20", "gitVersion": "v1.20.1"})
    assert message.render() == (
        'Error [IST0142] (Cluster) The Kubernetes Version "v1.20.1" is lower than the minimum version: '
        "1.32"
    )


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1", "invalid version 1, expected format like '1.0'"),
        ("2.1", "expected major version 1, got 2"),
        ("1.x", "minor version is not a number: x"),
    ],
)
def test_precheck_refuses_versions(version: str, said: str) -> None:
    with pytest.raises(Failure, match=said):
        precheck._minor(version)


def _trusting(name: str, certificate: str) -> Json:
    prefix = "type.googleapis.com/envoy.admin.v3."
    node = {"node": {"id": f"sidecar~127.0.0.1~{name}.default~default.svc.cluster.local"}}
    trusted = {"validation_context": {"trusted_ca": {"inline_string": certificate}}}
    secrets = [{"name": "ROOTCA", "secret": trusted}] if certificate else []
    return {
        "configs": [
            {"@type": f"{prefix}BootstrapConfigDump", "bootstrap": node},
            {"@type": f"{prefix}SecretsConfigDump", "dynamic_active_secrets": secrets},
        ]
    }


def test_roots_are_read_from_the_proxies() -> None:
    assert rootca.workload(_trusting("web", "a")) == "web.default"
    assert rootca.root(_trusting("web", "a")) == b"a"
    with pytest.raises(Failure, match=r"not found in the proxy of web\.default"):
        rootca.root(_trusting("web", ""))


@pytest.mark.parametrize(
    ("kind", "output", "wanted"),
    [
        ("server", "short", "stats"),
        ("s", "prom", "stats/prometheus"),
        ("c", "yaml", "clusters?format=json"),
    ],
)
def test_statistics_are_pages_of_the_admin_interface(kind: str, output: str, wanted: str) -> None:
    assert envoy_stats.page(kind, output) == wanted


@pytest.mark.parametrize(
    ("kind", "output", "said"),
    [
        ("x", "short", "unknown stats type x"),
        ("server", "xml", 'output format "xml" not supported'),
    ],
)
def test_unknown_statistics_are_refused(kind: str, output: str, said: str) -> None:
    with pytest.raises(Failure, match=said):
        envoy_stats.page(kind, output)
