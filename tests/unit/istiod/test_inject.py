"""Injection: who is injected, what is added, and that the user's own settings win."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
import pytest

from meshcourse.embedded.istiod import admission
from meshcourse.embedded.istiod.inject import injector, owner, policy, values
from meshcourse.embedded.istiod.inject.values import Values

Object = dict[str, Any]


def pod(**more: Any) -> Object:
    metadata = {
        "generateName": "reviews-v1-abc12-",
        "labels": {"app": "reviews", "version": "v1", "pod-template-hash": "abc12"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "reviews-v1-abc12",
                "uid": "1",
                "controller": True,
            }
        ],
        "annotations": more.pop("annotations", {}),
    }
    metadata["labels"] |= more.pop("labels", {})
    container = {
        "name": "reviews",
        "image": "reviews",
        "ports": [{"containerPort": 9080}],
        "env": more.pop("env", []),
    }
    return {"metadata": metadata, "spec": {"containers": [container], **more}}


def injected(given: Object, settings: Values | None = None) -> Object:
    return injector.inject(given, "default", settings or Values())


def names(found: Object, kind: str) -> list[str]:
    return [one["name"] for one in found["spec"].get(kind) or ()]


def container(found: Object, name: str) -> Object:
    every = [*found["spec"]["containers"], *found["spec"].get("initContainers", ())]
    return next(one for one in every if one["name"] == name)


def variables(found: Object, name: str) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in container(found, name)["env"]}


@pytest.mark.parametrize(
    ("namespace", "labels", "called"),
    [
        ({}, {}, False),
        ({"istio-injection": "enabled"}, {}, True),
        ({"istio-injection": "disabled"}, {}, False),
        ({"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, False),
        ({"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, False),
        ({}, {"sidecar.istio.io/inject": "true"}, True),
        ({}, {"istio.io/rev": "default"}, True),
        ({}, {"istio.io/rev": "canary"}, False),
        ({"istio.io/rev": "default"}, {}, True),
        ({"istio.io/rev": "canary"}, {}, False),
        ({"istio.io/rev": "default"}, {"sidecar.istio.io/inject": "false"}, False),
        ({"istio.io/rev": "canary", "istio-injection": "enabled"}, {}, True),
    ],
)
def test_labels_decide_as_istio_documents(
    namespace: dict[str, str], labels: dict[str, str], called: bool
) -> None:
    assert policy.selects(namespace, labels) is called


def test_a_revision_is_chosen_by_its_name_only() -> None:
    assert policy.selects({"istio.io/rev": "canary"}, {}, "canary")
    assert not policy.selects({"istio-injection": "enabled"}, {}, "canary")


@pytest.mark.parametrize(
    ("given", "namespace", "wanted"),
    [
        (pod(), "default", True),
        (pod(hostNetwork=True), "default", False),
        (pod(), "kube-system", False),
        (pod(annotations={"sidecar.istio.io/inject": "false"}), "default", False),
        (
            pod(
                annotations={"sidecar.istio.io/inject": "false"},
                labels={"sidecar.istio.io/inject": "true"},
            ),
            "default",
            True,
        ),
    ],
)
def test_the_pod_itself_may_refuse(given: Object, namespace: str, wanted: bool) -> None:
    assert policy.required(given, namespace) is wanted


def test_the_proxy_is_a_native_sidecar_that_starts_first() -> None:
    found = injected(pod(initContainers=[{"name": "mine", "image": "x"}]))
    assert names(found, "initContainers") == ["istio-init", "istio-proxy", "mine"]
    assert names(found, "containers") == ["reviews"]
    proxy = container(found, "istio-proxy")
    assert proxy["restartPolicy"] == "Always"
    assert proxy["startupProbe"]["httpGet"] == {"path": "/healthz/ready", "port": 15021}
    assert proxy["args"][:2] == ["proxy", "sidecar"]


def test_the_old_way_is_an_annotation() -> None:
    found = injected(pod(annotations={"sidecar.istio.io/nativeSidecar": "false"}))
    assert names(found, "initContainers") == ["istio-init"]
    assert names(found, "containers") == ["reviews", "istio-proxy"]
    assert "restartPolicy" not in container(found, "istio-proxy")


def test_holding_the_application_puts_the_proxy_first() -> None:
    annotations = {
        "sidecar.istio.io/nativeSidecar": "false",
        "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true",
    }
    found = injected(pod(annotations=annotations))
    assert names(found, "containers") == ["istio-proxy", "reviews"]
    assert "postStart" in container(found, "istio-proxy")["lifecycle"]


def test_the_proxy_knows_its_workload() -> None:
    env = variables(injected(pod()), "istio-proxy")
    assert env["ISTIO_META_WORKLOAD_NAME"] == "reviews-v1"
    assert env["ISTIO_META_OWNER"].endswith("/namespaces/default/deployments/reviews-v1")
    assert json.loads(env["ISTIO_META_POD_PORTS"]) == [{"containerPort": 9080}]
    assert env["ISTIO_META_APP_CONTAINERS"] == "reviews"


def test_labels_and_annotations() -> None:
    found = injected(pod())["metadata"]
    assert found["labels"]["security.istio.io/tlsMode"] == "istio"
    assert found["labels"]["service.istio.io/canonical-name"] == "reviews"
    assert found["labels"]["service.istio.io/canonical-revision"] == "v1"
    assert found["annotations"]["kubectl.kubernetes.io/default-container"] == "reviews"
    assert found["annotations"]["prometheus.io/port"] == "15020"
    status = json.loads(found["annotations"]["sidecar.istio.io/status"])
    assert status["initContainers"] == ["istio-init", "istio-proxy"]
    assert "istio-token" in status["volumes"]


def test_the_application_moves_behind_the_proxy() -> None:
    found = injected(pod(env=[{"name": "X", "value": "$(http_proxy)"}]))
    env = container(found, "reviews")["env"]
    assert [one["name"] for one in env] == [
        "MESHCOURSE_LISTEN_HOST",
        "http_proxy",
        "https_proxy",
        "grpc_proxy",
        "X",
    ]
    assert env[0]["value"] == "$(MESHCOURSE_APP_IP)"
    assert env[1]["value"] == "http://$(MESHCOURSE_APP_IP):15001"
    assert "http_proxy" not in variables(found, "istio-proxy")


def test_a_proxy_variable_of_the_user_wins() -> None:
    mine = {"name": "http_proxy", "value": "http://corporate:3128"}
    env = container(injected(pod(env=[mine])), "reviews")["env"]
    assert env[-1] == mine


def test_excluded_addresses_are_reached_directly() -> None:
    key = "traffic.sidecar.istio.io/excludeOutboundIPRanges"
    env = variables(injected(pod(annotations={key: "10.0.0.0/8"})), "reviews")
    assert env["no_proxy"] == "$(no_proxy),10.0.0.0/8"


def test_own_metrics_are_handed_to_the_agent() -> None:
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "9080"}
    found = injected(pod(annotations=annotations))
    own = json.loads(variables(found, "istio-proxy")["ISTIO_PROMETHEUS_ANNOTATIONS"])
    assert own == {"scrape": "true", "port": "9080", "path": ""}
    assert found["metadata"]["annotations"]["prometheus.io/port"] == "15020"


def test_metrics_merging_can_be_refused() -> None:
    found = injected(pod(annotations={"prometheus.io/scrape": "false"}))
    assert "prometheus.io/port" not in found["metadata"]["annotations"]


def test_own_settings_of_the_proxy_win() -> None:
    mine = {
        "name": "istio-proxy",
        "image": "auto",
        "env": [{"name": "CA_ADDR", "value": "elsewhere:15012"}, {"name": "MORE", "value": "1"}],
        "resources": {"requests": {"cpu": "1"}},
    }
    given = pod()
    given["spec"]["containers"].append(mine)
    found = injected(given)
    proxy = container(found, "istio-proxy")
    assert proxy["image"].endswith("/proxyv2:" + Values().tag)
    env = variables(found, "istio-proxy")
    assert (env["CA_ADDR"], env["MORE"]) == ("elsewhere:15012", "1")
    assert "POD_NAME" in env
    assert proxy["resources"]["requests"] == {"cpu": "1", "memory": "128Mi"}
    assert names(found, "containers") == ["reviews"]


@pytest.mark.parametrize(
    ("annotations", "check"),
    [
        (
            {"sidecar.istio.io/proxyCPU": "7m"},
            lambda proxy: proxy["resources"] == {"requests": {"cpu": "7m"}},
        ),
        (
            {"sidecar.istio.io/logLevel": "debug"},
            lambda proxy: "--proxyLogLevel=debug" in proxy["args"],
        ),
        (
            {"sidecar.istio.io/proxyImage": "my/proxy:1"},
            lambda proxy: proxy["image"] == "my/proxy:1",
        ),
        (
            {"readiness.status.sidecar.istio.io/periodSeconds": "3"},
            lambda proxy: proxy["readinessProbe"]["periodSeconds"] == 3,
        ),
        (
            {"proxy.istio.io/config": "proxyMetadata: {SECRET_TTL: 10s}"},
            lambda proxy: {"name": "SECRET_TTL", "value": "10s"} in proxy["env"],
        ),
    ],
)
def test_annotations_tune_the_proxy(annotations: dict[str, str], check: Any) -> None:
    assert check(container(injected(pod(annotations=annotations)), "istio-proxy"))


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"proxy.istio.io/config": "["}, "could not parse annotation"),
        ({"proxy.istio.io/config": "- x"}, "is not a mapping"),
        ({"inject.istio.io/templates": "waypoint"}, "'waypoint' not found"),
        ({"readiness.status.sidecar.istio.io/periodSeconds": "often"}, "invalid literal"),
    ],
)
def test_nonsense_is_refused_with_a_reason(annotations: dict[str, str], words: str) -> None:
    with pytest.raises(injector.InjectionError, match=words):
        injected(pod(annotations=annotations))


@pytest.mark.parametrize(
    "given",
    [
        pod(),
        pod(annotations={"prometheus.io/scrape": "true", "prometheus.io/port": "9080"}),
        pod(annotations={"sidecar.istio.io/nativeSidecar": "false"}),
        pod(initContainers=[{"name": "mine", "image": "x"}]),
    ],
)
def test_injecting_twice_changes_nothing_further(given: Object) -> None:
    once = injected(given)
    assert injected(once) == once


def test_a_gateway_is_a_proxy_alone() -> None:
    given = pod(annotations={"inject.istio.io/templates": "gateway"})
    given["spec"]["containers"] = [{"name": "istio-proxy", "image": "auto"}]
    found = injected(given)
    assert names(found, "containers") == ["istio-proxy"]
    assert container(found, "istio-proxy")["args"][:2] == ["proxy", "router"]
    assert "security.istio.io/tlsMode" not in found["metadata"]["labels"]


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        (("apps/v1", "ReplicaSet", "reviews-v1-abc12"), ("apps/v1", "Deployment", "reviews-v1")),
        (("apps/v1", "ReplicaSet", "by-hand"), ("apps/v1", "ReplicaSet", "by-hand")),
        (("apps/v1", "StatefulSet", "db"), ("apps/v1", "StatefulSet", "db")),
        (("batch/v1", "Job", "backup-29381002"), ("batch/v1", "CronJob", "backup")),
        (("batch/v1", "Job", "once"), ("batch/v1", "Job", "once")),
    ],
)
def test_the_workload_behind_a_pod(
    reference: tuple[str, str, str], wanted: tuple[str, str, str]
) -> None:
    given = pod()
    given["metadata"]["ownerReferences"][0] |= dict(
        zip(("apiVersion", "kind", "name"), reference, strict=True)
    )
    assert owner.of(given) == wanted


def test_a_pod_of_its_own_is_its_workload() -> None:
    assert owner.of({"metadata": {"name": "alone"}}) == ("v1", "Pod", "alone")


def test_values_of_the_installation_reach_the_proxy() -> None:
    helm = {"global": {"hub": "h", "tag": "1", "proxy": {"logLevel": "info"}}, "revision": ""}
    mesh = {"trustDomain": "td", "defaultConfig": {"proxyMetadata": {"A": "1"}}}
    found = injected(pod(), values.read(helm, mesh))
    assert container(found, "istio-proxy")["image"] == "h/proxyv2:1"
    env = variables(found, "istio-proxy")
    assert (env["TRUST_DOMAIN"], env["A"]) == ("td", "1")


def test_the_webhooks_patch_leads_from_one_to_the_other() -> None:
    before = pod(nodeSelector={"a": "b"})
    after = injected(before)
    assert jsonpatch.apply_patch(before, admission.difference(before, after)) == after
    assert admission.difference(after, after) == []
