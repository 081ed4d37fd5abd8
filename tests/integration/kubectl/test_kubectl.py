"""The kubectl commands of the course, judged by what the real kubectl prints."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.integration.kubectl.conftest import APP, Kubectl, eventually, rollout, rows

pytestmark = pytest.mark.kubectl


def test_create_namespace_deployment_configmap(kubectl: Kubectl) -> None:
    assert (
        kubectl(
            "create",
            "deployment",
            "echo",
            "--image=mccutchen/go-httpbin",
            "--replicas=1",
            "--port=8080",
        )
        == "deployment.apps/echo created\n"
    )
    assert (
        kubectl("create", "cm", "settings", "--from-literal=a=b") == "configmap/settings created\n"
    )
    assert kubectl.value("{.data.a}", "cm", "settings") == "b"
    assert kubectl.value("{.spec.template.spec.containers[0].ports}", "deploy", "echo") == (
        '[{"containerPort":8080,"protocol":"TCP"}]'
    )
    again = kubectl.fails("create", "cm", "settings", "--from-literal=a=b")
    assert again == 'error: failed to create configmap: configmaps "settings" already exists\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "secret", "generic", "s", "--from-literal=p=q"), "secret/s created"),
        (("create", "sa", "robot"), "serviceaccount/robot created"),
        (("create", "service", "clusterip", "c", "--tcp=80:8080"), "service/c created"),
        (
            ("create", "role", "r", "--verb=get", "--resource=pods"),
            "role.rbac.authorization.k8s.io/r created",
        ),
        (
            ("create", "rolebinding", "b", "--role=r", "--user=jane"),
            "rolebinding.rbac.authorization.k8s.io/b created",
        ),
        (("create", "quota", "q", "--hard=pods=100"), "resourcequota/q created"),
        (
            ("create", "pdb", "p", "--selector=a=b", "--min-available=1"),
            "poddisruptionbudget.policy/p created",
        ),
        (
            ("create", "ingress", "i", "--rule=foo.com/*=svc:80"),
            "ingress.networking.k8s.io/i created",
        ),
        (
            ("create", "cronjob", "cj", "--image=busybox", "--schedule=0 0 1 1 *", "--", "true"),
            "cronjob.batch/cj created",
        ),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_create_sends_protobuf(kubectl: Kubectl, arguments: tuple[str, ...], said: str) -> None:
    assert kubectl(*arguments) == f"{said}\n"


def test_job_runs_to_completion(kubectl: Kubectl) -> None:
    kubectl("create", "job", "once", "--image=busybox", "--", "sh", "-c", "echo finished")
    assert kubectl("wait", "--for=condition=complete", "job/once", "--timeout=30s") == (
        "job.batch/once condition met\n"
    )
    (row,) = rows(kubectl("get", "jobs"))
    assert row[:3] == ["once", "Complete", "1/1"]
    assert kubectl("logs", "job/once") == "finished\n"
    (pod,) = rows(kubectl("get", "pods"))
    assert pod[1:4] == ["0/1", "Completed", "0"]


def test_apply_twice_changes_nothing(web: Kubectl) -> None:
    assert web("apply", "-f", "app.yaml").splitlines() == [
        "deployment.apps/web unchanged",
        "service/web unchanged",
    ]
    web.write("app.yaml", APP.replace("value: hello", "value: goodbye"))
    assert web("apply", "-f", "app.yaml").splitlines() == [
        "deployment.apps/web configured",
        "service/web unchanged",
    ]


def test_get_prints_tables(web: Kubectl) -> None:
    pods = web("get", "pods")
    assert re.fullmatch(r"NAME +READY +STATUS +RESTARTS +AGE", pods.splitlines()[0])
    assert [row[1:4] for row in rows(pods)] == [["1/1", "Running", "0"]] * 2
    wide = web("get", "pods", "-o", "wide").splitlines()[0]
    assert wide.split("  ")[-1].strip() == "READINESS GATES"
    assert re.search(r"IP +NODE +NOMINATED NODE +READINESS GATES", wide)
    (deployment,) = rows(web("get", "deploy", "-o", "wide"))
    assert deployment[:4] == ["web", "2/2", "2", "2"]
    assert deployment[5:] == ["web", "mccutchen/go-httpbin:2", "app=web"]
    (service,) = rows(web("get", "svc"))
    assert (service[0], service[1], service[3], service[4]) == (
        "web",
        "ClusterIP",
        "<none>",
        "80/TCP",
    )


def test_get_all_lists_what_runs(web: Kubectl) -> None:
    listed = web("get", "all")
    kinds = [line.split("/")[0] for line in listed.splitlines() if "/web" in line.split(" ")[0]]
    assert kinds == ["pod", "pod", "service", "deployment.apps", "replicaset.apps"]


def test_get_in_other_forms(web: Kubectl) -> None:
    as_yaml = yaml.safe_load(web("get", "deploy", "web", "-o", "yaml"))
    as_json = json.loads(web("get", "deploy", "web", "-o", "json"))
    assert as_yaml["spec"] == as_json["spec"]
    assert as_json["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert web.value("{.items[*].status.phase}", "pods") == "Running Running"
    assert web("get", "deploy", "-o", "name") == "deployment.apps/web\n"
    columns = web("get", "pods", "-l", "app=web", "-o", "custom-columns=PHASE:.status.phase")
    assert columns.splitlines() == ["PHASE", "Running", "Running"]
    assert (
        web.run("get", "pods", "-l", "app=other").err
        == f"No resources found in {web.namespace} namespace.\n"
    )


def test_get_watch_shows_changes(kubectl: Kubectl) -> None:
    watching = kubectl.start("get", "cm", "-w", "--output-watch-events")
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline().split() == ["EVENT", "NAME", "DATA", "AGE"]
        seen: list[list[str]] = []
        kubectl("create", "cm", "one", "--from-literal=a=b")
        while not seen or seen[-1][1] != "one":
            seen.append(watching.stdout.readline().split())
        assert seen[-1][:3] == ["ADDED", "one", "1"]
        kubectl("delete", "cm", "one")
        assert watching.stdout.readline().split()[:2] == ["DELETED", "one"]
    finally:
        watching.terminate()
        watching.communicate(timeout=10)


def test_describe_pod(web: Kubectl) -> None:
    text = web("describe", "pod", "-l", "app=web")
    for line in (
        r"Status: +Running",
        r"Controlled By: +ReplicaSet/web-",
        r"    Image: +mccutchen/go-httpbin:2",
        r"    Port: +8080/TCP",
        r"      GREETING: +hello",
        r"    Restart Count: +0",
        r"  Ready +True",
        r"QoS Class: +BestEffort",
        r"  Normal +Scheduled .*Successfully assigned",
        r"  Normal +Started ",
    ):
        assert re.search(f"^{line}", text, re.MULTILINE), line


def test_describe_service_and_deployment(web: Kubectl) -> None:
    service = web("describe", "svc", "web")
    assert re.search(r"^Port: +http +80/TCP$", service, re.MULTILINE)
    assert re.search(
        r"^Endpoints: +127\.\d+\.\d+\.\d+:8080,127\.\d+\.\d+\.\d+:8080$", service, re.MULTILINE
    )
    deployment = web("describe", "deploy", "web")
    assert re.search(
        r"^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available", deployment, re.MULTILINE
    )
    assert re.search(
        r"^NewReplicaSet: +web-\w+ \(2/2 replicas created\)$", deployment, re.MULTILINE
    )
    assert re.search(r"ScalingReplicaSet .*Scaled up replica set web-\w+ from 0 to 2", deployment)


def test_label_annotate_patch(web: Kubectl) -> None:
    assert web("label", "deploy", "web", "tier=front") == "deployment.apps/web labeled\n"
    assert web("annotate", "deploy", "web", "note=hi") == "deployment.apps/web annotated\n"
    assert (
        web.value("{.metadata.labels.tier}{.metadata.annotations.note}", "deploy", "web")
        == "fronthi"
    )
    assert "--overwrite is false" in web.fails("label", "deploy", "web", "tier=back")
    assert web("label", "deploy", "web", "tier-") == "deployment.apps/web unlabeled\n"
    strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"Z","value":"z"}]}]}}}}'
    assert web("patch", "deploy", "web", "-p", strategic) == "deployment.apps/web patched\n"
    found = web.value("{.spec.template.spec.containers[0].env[*].name}", "deploy", "web")
    assert sorted(found.split()) == ["GREETING", "Z"]
    json_patch = '[{"op":"replace","path":"/spec/replicas","value":1}]'
    assert (
        web("patch", "deploy", "web", "--type=json", "-p", json_patch)
        == "deployment.apps/web patched\n"
    )
    assert web.value("{.spec.replicas}", "deploy", "web") == "1"
    merge = '{"metadata":{"labels":{"x":"y"}}}'
    assert (
        web("patch", "deploy", "web", "--type=merge", "-p", merge)
        == "deployment.apps/web patched\n"
    )
    assert web("patch", "deploy", "web", "--type=merge", "-p", merge) == (
        "deployment.apps/web patched (no change)\n"
    )


def test_scale_and_wait(web: Kubectl) -> None:
    assert web("scale", "deploy/web", "--replicas=3") == "deployment.apps/web scaled\n"
    said = web("wait", "--for=jsonpath={.status.readyReplicas}=3", "deploy/web", "--timeout=30s")
    assert said == "deployment.apps/web condition met\n"
    assert len(rows(web("get", "pods"))) == 3
    merge = '{"spec":{"replicas":1}}'
    said = web("patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", merge)
    assert said == "scale.autoscaling/web patched\n"
    eventually(lambda: len(rows(web("get", "pods"))) == 1, "one pod is left")
    assert "timed out waiting for the condition" in web.fails(
        "wait", "--for=condition=Nonsense", "deploy/web", "--timeout=1s"
    )


def test_rollout_history_undo_restart(web: Kubectl) -> None:
    web.write("app.yaml", APP.replace("value: hello", "value: goodbye"))
    web("apply", "-f", "app.yaml")
    rollout(web)
    history = web("rollout", "history", "deploy/web").splitlines()
    assert [line.split() for line in history if line] == [
        ["deployment.apps/web"],
        ["REVISION", "CHANGE-CAUSE"],
        ["1", "<none>"],
        ["2", "<none>"],
    ]
    assert web("rollout", "undo", "deploy/web") == "deployment.apps/web rolled back\n"
    rollout(web)
    env = web.value("{.spec.template.spec.containers[0].env[0].value}", "deploy", "web")
    assert env == "hello"
    assert web("rollout", "restart", "deploy/web") == "deployment.apps/web restarted\n"
    rollout(web)
    assert web("set", "image", "deploy/web", "web=mccutchen/go-httpbin:3") == (
        "deployment.apps/web image updated\n"
    )
    rollout(web)
    assert set(
        web.value("{.items[*].spec.containers[0].image}", "pods", "-l", "app=web").split()
    ) >= {"mccutchen/go-httpbin:3"}


def test_expose_and_delete(web: Kubectl) -> None:
    assert web("expose", "deploy", "web", "--name=other", "--port=81", "--target-port=8080") == (
        "service/other exposed\n"
    )
    assert web.value("{.spec.ports[0]}", "svc", "other") == (
        '{"port":81,"protocol":"TCP","targetPort":8080}'
    )
    assert web("delete", "svc", "other") == 'service "other" deleted\n'
    assert web.fails("get", "svc", "other") == (
        'Error from server (NotFound): services "other" not found\n'
    )
    assert (
        web("delete", "deploy", "web", "--cascade=foreground") == 'deployment.apps "web" deleted\n'
    )
    eventually(lambda: not rows(web("get", "pods")), "no pod is left")


def test_apply_server_side_finds_conflicts(web: Kubectl) -> None:
    web("scale", "deploy/web", "--replicas=1")
    refused = web.fails("apply", "--server-side", "-f", "app.yaml")
    assert refused.startswith(
        'error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: '
        ".spec.replicas\n"
    )
    forced = web("apply", "--server-side", "--force-conflicts", "-f", "app.yaml")
    assert forced.splitlines() == [
        "deployment.apps/web serverside-applied",
        "service/web serverside-applied",
    ]
    managers = web("get", "deploy", "web", "-o", "yaml", "--show-managed-fields")
    entries = yaml.safe_load(managers)["metadata"]["managedFields"]
    applied = [
        entry
        for entry in entries
        if entry["manager"] == "kubectl" and entry["operation"] == "Apply"
    ]
    assert applied
    assert "f:replicas" in applied[0]["fieldsV1"]["f:spec"]


def test_diff_shows_what_would_change(web: Kubectl) -> None:
    assert web("diff", "-f", "app.yaml") == ""
    web.write("app.yaml", APP.replace("value: hello", "value: goodbye"))
    changed = web.run("diff", "-f", "app.yaml")
    assert changed.code == 1
    lines = changed.out.splitlines()
    assert "-          value: hello" in lines
    assert "+          value: goodbye" in lines


def test_dry_run_stores_nothing(kubectl: Kubectl) -> None:
    kubectl.write("app.yaml", APP)
    said = kubectl("apply", "-f", "app.yaml", "--dry-run=server")
    assert said.splitlines() == [
        "deployment.apps/web created (server dry run)",
        "service/web created (server dry run)",
    ]
    assert (
        kubectl.run("get", "deploy,svc").err
        == f"No resources found in {kubectl.namespace} namespace.\n"
    )


def test_explain(kubectl: Kubectl) -> None:
    replicas = kubectl("explain", "deploy.spec.replicas")
    assert replicas.startswith(
        "GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\nFIELD: replicas <integer>"
    )
    assert "Number of desired pods." in replicas
    fields = kubectl("explain", "pod.spec.containers")
    assert "FIELD: containers <[]Container>" in fields
    assert "  image\t<string>" in fields
    recursive = kubectl("explain", "cm", "--recursive")
    assert "binaryData\t<map[string]string>" in recursive


def test_api_resources(kubectl: Kubectl) -> None:
    listed = {line.split()[0]: line.split() for line in kubectl("api-resources").splitlines()[1:]}
    assert listed["deployments"][1:] == ["deploy", "apps/v1", "true", "Deployment"]
    assert listed["customresourcedefinitions"][1:3] == ["crd,crds", "apiextensions.k8s.io/v1"]
    assert len(listed) >= 60
    grouped = kubectl("api-resources", "--api-group=batch", "-o", "name")
    assert grouped.split() == ["cronjobs.batch", "jobs.batch"]
    assert "apps/v1\n" in kubectl("api-versions")


def test_top(web: Kubectl) -> None:
    eventually(lambda: web.run("top", "pods").code == 0, "the pods are measured")
    measured = rows(web("top", "pods"))
    assert len(measured) == 2
    assert all(
        re.fullmatch(r"\d+m", cpu) and re.fullmatch(r"\d+Mi", memory) for _, cpu, memory in measured
    )
    (node,) = rows(web("top", "nodes"))
    assert re.fullmatch(r"\d+m", node[1])
    assert re.fullmatch(r"\d+%", node[2])


def test_a_rehearsed_drain_evicts_nobody(web: Kubectl) -> None:
    before = web("get", "pods", "-o", "name")
    node = web.value("{.items[0].metadata.name}", "nodes")
    said = web("drain", node, "--ignore-daemonsets", "--dry-run=server", "--force")
    assert f"evicting pod {web.namespace}/web-" in said
    assert f"node/{node} drained (server dry run)" in said
    assert web("get", "pods", "-o", "name") == before
    assert web.value("{.spec.unschedulable}", "node", node) == ""


def test_auth(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "kubernetes-admin" in kubectl("auth", "whoami")


def test_unknown_image_backs_off(kubectl: Kubectl) -> None:
    kubectl("run", "lost", "--image=example.com/nobody/knows:1")
    reasons = {"ErrImagePull", "ImagePullBackOff"}
    eventually(lambda: rows(kubectl("get", "pods"))[0][2] in reasons, "the image cannot be pulled")
    assert "example.com/nobody/knows:1" in kubectl("describe", "pod", "lost")
