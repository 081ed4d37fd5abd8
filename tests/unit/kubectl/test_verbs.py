"""The verbs against a small fake API: what is asked, what is printed, which exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from meshcourse.cluster import tools
from meshcourse.cluster.cluster import Cluster
from meshcourse.kubectl import front
from tests.unit.cluster.fake_api import FakeApi
from tests.unit.cluster.test_waiting import deployment, ready_pod

NS = "/api/v1/namespaces/default"
CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"


def run(cluster: Cluster, line: str, text: str = "", folder: Path | None = None) -> tools.Done:
    return front.own(cluster, line.split(), text=text, folder=folder)


def printed(cluster: Cluster, line: str, text: str = "") -> str:
    done = run(cluster, line, text)
    assert done.code == 0, done.output
    return done.output


def test_patch(cluster: Cluster, tmp_path: Path) -> None:
    printed(cluster, "apply -f -", CM)
    for value, flags in enumerate(([], ["--type", "merge"], ["--type=strategic"]), 2):
        asked = ["patch", "configmap", "settings", *flags, "-p", f"{{data: {{a: '{value}'}}}}"]
        assert front.own(cluster, asked).output == "configmap/settings patched\n"
    assert front.own(cluster, asked).output == "configmap/settings patched (no change)\n"
    (tmp_path / "patch.yaml").write_text("data: {a: '9'}\n")
    done = run(cluster, "patch cm/settings --patch-file patch.yaml", folder=tmp_path)
    assert done.output == "configmap/settings patched\n"
    assert cluster.get("configmap", "settings")["data"] == {"a": "9"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("patch configmap settings", "must specify --patch or --patch-file"),
        (
            "patch configmap settings -p {} --type foo",
            "--type must be one of [json merge strategic]",
        ),
        ("patch configmap settings -p {{", "unable to parse"),
        ("patch configmap none -p {}", 'configmaps "none" not found'),
    ],
)
def test_patches_refused(cluster: Cluster, line: str, said: str) -> None:
    printed(cluster, "apply -f -", CM)
    done = run(cluster, line)
    assert done.code == 1
    assert said in done.output


def test_apply_says_created_unchanged_configured(cluster: Cluster) -> None:
    assert printed(cluster, "apply -f -", CM) == "configmap/settings created\n"
    assert printed(cluster, "apply -f -", CM) == "configmap/settings unchanged\n"
    assert (
        printed(cluster, "apply -f -", CM.replace("'1'", "'2'"))
        == "configmap/settings configured\n"
    )
    assert (
        printed(cluster, "apply --server-side -f -", CM)
        == "configmap/settings serverside-applied\n"
    )


def test_apply_dry_run_changes_nothing(api: FakeApi, cluster: Cluster) -> None:
    assert (
        printed(cluster, "apply --dry-run=client -f -", CM)
        == "configmap/settings created (dry run)\n"
    )
    assert not api.objects


def test_apply_of_an_unknown_kind_is_refused_as_kubectl_does(cluster: Cluster) -> None:
    text = CM.replace("v1\n", "networking.istio.io/v1\n").replace("ConfigMap", "VirtualService")
    done = run(cluster, "apply -f -", text)
    assert done.code == 1
    assert done.output == (
        'error: resource mapping not found for name: "settings" namespace: "" from "STDIN": '
        'no matches for kind "VirtualService" in version "networking.istio.io/v1"\nensure CRDs are installed first\n'
    )


def test_a_refused_apply_names_the_file(api: FakeApi, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "cm.yaml").write_text(CM)
    api.refuse("PATCH", f"{NS}/configmaps/settings", 400, "BadRequest", "strict decoding error")
    done = run(cluster, "apply -f cm.yaml", folder=tmp_path)
    assert done.output == (
        'Error from server (BadRequest): error when creating "cm.yaml": strict decoding error\n'
    )


def test_an_invalid_object_is_listed_cause_by_cause(api: FakeApi, cluster: Cluster) -> None:
    causes = [
        {"field": "spec.a", "message": "Required value"},
        {"field": "spec.b", "message": "Invalid value: 1"},
    ]
    status: dict[str, Any] = {"kind": "Status", "reason": "Invalid", "message": "x"}
    status["details"] = {"kind": "ConfigMap", "name": "settings", "causes": causes}
    api.refusals["PATCH", f"{NS}/configmaps/settings"] = (422, status)
    assert run(cluster, "apply -f -", CM).output == (
        'The ConfigMap "settings" is invalid: \n* spec.a: Required value\n* spec.b: Invalid value: 1\n'
    )
    causes.pop()
    assert (
        run(cluster, "apply -f -", CM).output
        == 'The ConfigMap "settings" is invalid: spec.a: Required value\n'
    )


def test_get_prints_objects_in_the_format_asked_for(api: FakeApi, cluster: Cluster) -> None:
    api.put(f"{NS}/configmaps/one", data={"a": "1"}, metadata={"managedFields": [{"manager": "x"}]})
    api.put(f"{NS}/configmaps/two")
    one = yaml.safe_load(printed(cluster, "get cm one -o yaml"))
    assert (one["kind"], one["data"], one["metadata"].get("managedFields")) == (
        "ConfigMap",
        {"a": "1"},
        None,
    )
    both = yaml.safe_load(printed(cluster, "get cm -o yaml"))
    assert (both["kind"], [item["kind"] for item in both["items"]]) == (
        "List",
        ["ConfigMap", "ConfigMap"],
    )
    assert printed(cluster, "get cm -o name") == "configmap/one\nconfigmap/two\n"
    assert printed(cluster, "get cm -o jsonpath={.items[*].metadata.name}") == "one two"
    assert (
        printed(cluster, "get cm -o custom-columns=N:.metadata.name,A:.data.a")
        == "N     A\none   1\ntwo   <none>\n"
    )
    assert "managedFields" in printed(cluster, "get cm one -o json --show-managed-fields")


def test_get_of_nothing_says_so_and_of_a_missing_name_fails(cluster: Cluster) -> None:
    assert printed(cluster, "get cm -o name") == ""
    done = run(cluster, "get cm none -o yaml")
    assert (done.code, done.output) == (
        1,
        'Error from server (NotFound): configmaps "none" not found\n',
    )
    assert run(cluster, "get vs").output == 'error: the server doesn\'t have a resource type "vs"\n'
    assert "unable to match a printer" in run(cluster, "get cm -o nonsense").output


def test_create_makes_what_its_flags_say(api: FakeApi, cluster: Cluster) -> None:
    assert printed(cluster, "create ns team") == "namespace/team created\n"
    assert printed(cluster, "create configmap c --from-literal=a=1") == "configmap/c created\n"
    assert api.objects[f"{NS}/configmaps/c"]["data"] == {"a": "1"}
    printed(
        cluster,
        "create deployment web --image=reg.example/team/app:1 --replicas=2 --port=80 -- run it",
    )
    spec = api.objects["/apis/apps/v1/namespaces/default/deployments/web"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert (spec["replicas"], container["name"], container["command"]) == (2, "app", ["run", "it"])
    text = printed(cluster, "create ns x --dry-run=client -o yaml")
    assert yaml.safe_load(text)["metadata"]["name"] == "x"
    assert "/api/v1/namespaces/x" not in api.objects


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("create", "must specify one of -f and -k"),
        ("create poem x", 'unknown command "poem"'),
        ("create ns", "exactly one NAME is required, got 0"),
        ("create deployment x", 'required flag(s) "image" not set'),
        ("create cm x --from-literal=a", "invalid literal source a, expected key=value"),
        ("get", "You must specify the type of resource"),
        ("delete cm", "no name was specified"),
        ("label ns default", "at least one label update is required"),
        ("rollout fly deployment/web", 'unknown rollout command "fly"'),
        ("wait --for=nonsense ns/default", "unrecognized condition"),
        ("scale deployment web", "--replicas=COUNT flag is required"),
        ("dance", 'unknown command "dance"'),
        ("", "which verb?"),
        ("get cm --nothing", "unknown flag: --nothing"),
        ("exec web", "at least one command"),
        ("logs", "POD or TYPE/NAME is a required argument"),
        ("port-forward web", "list of ports are required"),
        ("top poems", "top needs"),
    ],
)
def test_wrong_usage_is_explained(cluster: Cluster, line: str, message: str) -> None:
    done = run(cluster, line)
    assert done.code == 1
    assert done.output.startswith("error: ")
    assert message in done.output


def test_delete_waits_until_the_object_is_gone(api: FakeApi, cluster: Cluster) -> None:
    api.put(f"{NS}/configmaps/c", metadata={"uid": "1"})
    assert printed(cluster, "delete cm c") == 'configmap "c" deleted\n'
    assert [method for method, path, _ in api.requests if path.endswith("/c")] == [
        "GET",
        "DELETE",
        "GET",
    ]
    assert (
        run(cluster, "delete cm c").output
        == 'Error from server (NotFound): configmaps "c" not found\n'
    )
    assert printed(cluster, "delete cm c --ignore-not-found") == ""


def test_delete_takes_files_and_selectors(api: FakeApi, cluster: Cluster) -> None:
    for name in ("a", "b"):
        api.put(f"{NS}/configmaps/{name}", metadata={"uid": name, "labels": {"app": name}})
    assert printed(cluster, "delete cm -l app=a") == 'configmap "a" deleted\n'
    assert printed(cluster, "delete -f -", CM.replace("settings", "b")) == 'configmap "b" deleted\n'


def test_labels_are_set_changed_and_removed(api: FakeApi, cluster: Cluster) -> None:
    api.put("/api/v1/namespaces/default", metadata={"labels": {"old": "1"}})
    assert printed(cluster, "label ns default a=b") == "namespace/default labeled\n"
    assert printed(cluster, "label ns default a=b") == "namespace/default not labeled\n"
    refused = run(cluster, "label ns default a=c")
    assert (refused.code, refused.output) == (
        1,
        "error: 'a' already has a value (b), and --overwrite is false\n",
    )
    assert printed(cluster, "label ns default a=c --overwrite") == "namespace/default labeled\n"
    assert printed(cluster, "label ns default a-") == "namespace/default unlabeled\n"
    assert printed(cluster, "label ns default --list") == "old=1\n"
    assert printed(cluster, "annotate ns default x=y") == "namespace/default annotated\n"


def test_a_roll_out_is_followed_to_its_end(api: FakeApi, cluster: Cluster) -> None:
    deployment(api, "web", availableReplicas=0)
    waiting = run(cluster, "rollout status deployment/web --timeout=200ms")
    assert (waiting.code, waiting.output.splitlines()) == (
        1,
        [
            'Waiting for deployment "web" rollout to finish: 0 of 1 updated replicas are available...',
            "error: timed out waiting for the condition",
        ],
    )
    deployment(api, "web")
    assert (
        printed(cluster, "rollout status deploy web")
        == 'deployment "web" successfully rolled out\n'
    )
    assert printed(cluster, "rollout restart deploy/web") == "deployment.apps/web restarted\n"
    assert printed(cluster, "rollout restart deployment") == "deployment.apps/web restarted\n"
    template = api.objects["/apis/apps/v1/namespaces/default/deployments/web"]["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_wait_looks_at_conditions_paths_and_absence(api: FakeApi, cluster: Cluster) -> None:
    ready_pod(api, "web")
    assert printed(cluster, "wait --for=condition=Ready pod/web") == "pod/web condition met\n"
    assert (
        printed(cluster, "wait --for=jsonpath={.status.phase}=Running pod/web")
        == "pod/web condition met\n"
    )
    assert printed(cluster, "wait --for=delete pod/none") == "pod/none condition met\n"
    late = run(cluster, "wait --for=condition=Late pod/web --timeout=100ms")
    assert late.output == "error: timed out waiting for the condition on pods/web\n"
    assert run(cluster, "wait --for=condition=Ready pod/none").output == (
        'Error from server (NotFound): pods "none" not found\n'
    )


def test_logs_name_the_container_they_chose(api: FakeApi, cluster: Cluster) -> None:
    ready_pod(api, "web")
    pod = api.objects[f"{NS}/pods/web"]
    pod["spec"] = {
        "containers": [{"name": "app"}, {"name": "side"}],
        "initContainers": [{"name": "init"}],
    }
    api.refusals["GET", f"{NS}/pods/web/log"] = (200, "hello\nworld\n")
    text = printed(cluster, "logs web --tail=5")
    assert text == 'Defaulted container "app" out of: app, side, init (init)\nhello\nworld\n'
    assert api.requests[-1][2] == {"container": "app", "tailLines": "5"}
    assert (
        printed(cluster, "logs web -c side --prefix")
        == "[pod/web/side] hello\n[pod/web/side] world\n"
    )
    assert (
        run(cluster, "logs web -c none").output
        == "error: container none is not valid for pod web\n"
    )


def test_api_resources_are_listed_with_their_short_names(cluster: Cluster) -> None:
    lines = printed(cluster, "api-resources").splitlines()
    assert lines[0].split() == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    assert ["pods", "po", "v1", "true", "Pod"] in [line.split() for line in lines]
    assert printed(cluster, "api-resources --api-group=apps -o name") == "deployments.apps\n"


def test_unauthorized_is_said_in_kubectls_words(api: FakeApi, cluster: Cluster) -> None:
    api.refuse("GET", f"{NS}/pods", 401, "Unauthorized", "Unauthorized")
    assert (
        run(cluster, "get pods").output
        == "error: You must be logged in to the server (Unauthorized)\n"
    )


def test_the_real_kubectl_is_preferred_unless_ours_is_asked_for(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho "real $KUBECONFIG $*"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv(front.CHOICE, raising=False)
    assert front.run(cluster, ["get", "x"]).output == f"real {cluster.kubeconfig} get x\n"
    monkeypatch.setenv(front.CHOICE, "own")
    assert "Client Version" in front.run(cluster, ["version", "--client"]).output


def test_lines_are_given_as_they_are_printed(cluster: Cluster) -> None:
    lines: list[str] = []
    front.own(cluster, ["version", "--client"], on_line=lines.append)
    assert len(lines) == 1
