"""istioctl against a whole embedded cluster: install, look, change, remove."""

from __future__ import annotations

import base64
import json
import signal
import stat
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.daemon import launcher
from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.main import main
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

NAME = "istioctl-tests"
Object = dict[str, Any]


def istioctl(kubeconfig: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of a command as people type it."""
    program = [
        sys.executable,
        "-m",
        "meshcourse.embedded.istioctl",
        "--kubeconfig",
        str(kubeconfig),
    ]
    done = subprocess.run([*program, *words], capture_output=True, text=True, timeout=90)
    return done.returncode, done.stdout, done.stderr


class Cluster:
    """Objects, and istioctl."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def call(self, work: Callable[[HttpClient], Any]) -> Any:
        async def run() -> Any:
            async with HttpClient.from_kubeconfig(self.kubeconfig) as client:
                return await work(client)

        return context.run(run())

    def apply(self, resource: Resource, obj: Object, namespace: str | None = "default") -> Object:
        name = objects.name(obj)
        return self.call(
            lambda client: client.patch(
                resource, name, obj, namespace, kind="apply", field_manager="test", force=True
            )
        )

    def list(
        self, resource: Resource, namespace: str | None = None, selector: str = ""
    ) -> list[Object]:
        return self.call(
            lambda client: client.list(resource, namespace, label_selector=selector)
        ).items

    def istioctl(self, *words: str) -> tuple[int, str, str]:
        return istioctl(self.kubeconfig, *words)

    def ready(self, namespace: str, selector: str, count: int = 1) -> list[Object]:
        deadline = time.monotonic() + 40
        while True:
            pods = self.list(refs.PODS, namespace, selector)
            if len([pod for pod in pods if _ready(pod)]) == count:
                return pods
            assert time.monotonic() < deadline, [pod.get("status") for pod in pods]
            time.sleep(0.1)


def _ready(pod: Object) -> bool:
    conditions = objects.dig(pod, "status.conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        try:
            handle = launcher.up(NAME)
            code, out, err = istioctl(handle.kubeconfig, "install", "--set", "profile=demo", "-y")
            assert code == 0, out + err
            yield handle.kubeconfig
        finally:
            launcher.down(NAME, delete=True)


@pytest.fixture
def cluster(kubeconfig: Path) -> Cluster:
    return Cluster(kubeconfig)


def deployment(app: str, **annotations: str) -> Object:
    image = f"registry.istio.io/release/examples-bookinfo-{app}-v1:1.20.3"
    labels = {"app": app, "version": "v1"}
    container = {"name": app, "image": image, "ports": [{"containerPort": 9080}]}
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{app}-v1", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def service(app: str) -> Object:
    spec = {"selector": {"app": app}, "ports": [{"name": "http", "port": 9080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": app}, "spec": spec}


def destination_rule() -> Object:
    """Details has a subset v1."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "details"},
        "spec": {"host": "details", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
    }


@pytest.fixture
def injected(cluster: Cluster) -> Object:
    """The pod of details, with its sidecar."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "default", "labels": {"istio-injection": "enabled"}},
    }
    cluster.apply(refs.NAMESPACES, namespace, None)
    cluster.apply(refs.SERVICES, service("details"))
    cluster.apply(refs.DEPLOYMENTS, deployment("details"))
    (pod,) = cluster.ready("default", "app=details")
    return pod


def test_installing_again_changes_nothing_and_says_so_line_by_line(cluster: Cluster) -> None:
    before = {objects.name(pod) for pod in cluster.list(refs.PODS, "istio-system")}
    code, out, _ = cluster.istioctl("install", "--set", "profile=demo", "-y")
    assert code == 0
    lines = [line for line in out.splitlines() if line.startswith("✔")]
    assert lines[:2] == ["✔ Istio core installed ⛵️", "✔ Istiod installed 🧠"]
    assert set(lines[2:4]) == {"✔ Egress gateways installed 🛫", "✔ Ingress gateways installed 🛬"}
    assert lines[4:] == ["✔ Installation complete"]
    after = {objects.name(pod) for pod in cluster.list(refs.PODS, "istio-system")}
    assert after == before
    assert len(after) == 3


def test_a_pod_gets_its_sidecar_and_identity(cluster: Cluster, injected: Object) -> None:
    statuses = injected["status"]["initContainerStatuses"]
    assert {s["name"]: s["ready"] for s in statuses} == {"istio-init": True, "istio-proxy": True}
    code, out, _ = cluster.istioctl("proxy-config", "secret", "deploy/details-v1", "-o", "json")
    assert code == 0
    entries = {entry["name"]: entry["secret"] for entry in json.loads(out)["dynamicActiveSecrets"]}
    assert set(entries) == {"default", "ROOTCA"}
    key = entries["default"]["tlsCertificate"]["privateKey"]
    assert base64.b64decode(key["inlineBytes"]) == b"[redacted]"
    code, out, _ = cluster.istioctl("pc", "s", objects.name(injected))
    header, *rows = out.splitlines()
    assert header.split()[:2] == ["RESOURCE", "NAME"]
    assert {row.split()[0] for row in rows} == {"default", "ROOTCA"}
    assert all("ACTIVE" in row and "true" in row for row in rows)


def test_proxy_status_knows_every_proxy(cluster: Cluster, injected: Object) -> None:
    code, out, err = cluster.istioctl("proxy-status")
    assert (code, err) == (0, "")
    header, *rows = out.splitlines()
    assert header.split() == ["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED", "TYPES"]
    for name in ("details-v1-", "istio-ingressgateway-", "istio-egressgateway-"):
        assert [row for row in rows if row.startswith(name)], out
    code, out, _ = cluster.istioctl("ps", f"{objects.name(injected)}.default")
    assert out.splitlines() == ["Clusters Match", "Listeners Match", "Routes Match"]
    code, out, _ = cluster.istioctl("version")
    assert "control plane version: 1.30" in out
    assert "proxies)" in out


def test_proxy_config_shows_what_envoy_has(cluster: Cluster, injected: Object) -> None:
    host = "details.default.svc.cluster.local"
    _, out, _ = cluster.istioctl("pc", "cluster", "deploy/details-v1", "--fqdn", host)
    header, row = out.splitlines()
    assert header.split("  ")[0] == "SERVICE FQDN"
    assert row.split() == [host, "9080", "-", "outbound", "EDS"]
    _, out, _ = cluster.istioctl(
        "pc", "endpoint", "deploy/details-v1", "--cluster", f"outbound|9080||{host}"
    )
    assert out.splitlines()[1].split()[:3] == [
        f"{injected['status']['podIP']}:9080",
        "HEALTHY",
        "OK",
    ]
    _, out, _ = cluster.istioctl("pc", "listener", "deploy/details-v1", "--port", "9080")
    assert "inbound|9080||" in out
    _, out, _ = cluster.istioctl("pc", "route", "deploy/details-v1", "-o", "json")
    assert any(route.get("name") == "outbound" for route in json.loads(out))
    assert all("virtualHosts" in route for route in json.loads(out))
    code, _, err = cluster.istioctl("pc", "cluster", "nobody")
    assert (code, err) == (1, 'Error: pods "nobody" not found in namespace "default"\n')


def test_a_change_reaches_the_proxies_and_names_its_origin(
    cluster: Cluster, injected: Object
) -> None:
    cluster.apply(refs.DESTINATIONRULES, destination_rule())
    deadline = time.monotonic() + 20
    while True:
        _, out, _ = cluster.istioctl("pc", "c", "deploy/details-v1", "--subset", "v1")
        if len(out.splitlines()) == 2:
            break
        assert time.monotonic() < deadline, out
    assert out.splitlines()[1].split()[2:] == ["v1", "outbound", "EDS", "details.default"]


def test_what_is_wrong_is_refused_in_istios_words(cluster: Cluster) -> None:
    route = {"destination": {"host": "details"}, "weight": -1}
    bad = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "bad"},
        "spec": {"hosts": ["details"], "http": [{"route": [route]}]},
    }
    with pytest.raises(
        ApiError, match=r'admission webhook "validation\.istio\.io" denied'
    ) as caught:
        cluster.apply(refs.VIRTUALSERVICES, bad)
    assert "weight -1 < 0" in caught.value.message
    bad["spec"] = {"hosts": ["details"]}
    with pytest.raises(ApiError, match="http, tcp or tls must be provided in virtual service"):
        cluster.apply(refs.VIRTUALSERVICES, bad)


def test_kube_inject_writes_what_the_webhook_would_do(
    cluster: Cluster, injected: Object, tmp_path: Path
) -> None:
    path = tmp_path / "ratings.yaml"
    documents = [service("ratings"), deployment("ratings")]
    path.write_text(yaml.safe_dump_all(documents))
    code, out, _ = cluster.istioctl("kube-inject", "-f", str(path))
    assert code == 0
    first, second = yaml.safe_load_all(out)
    assert first == documents[0]
    spec = second["spec"]["template"]["spec"]
    names = [container["name"] for container in spec["initContainers"]]
    assert names == ["istio-init", "istio-proxy"]
    theirs = {one["name"]: one for one in injected["spec"]["initContainers"]}["istio-proxy"]
    ours = spec["initContainers"][1]
    assert (ours["image"], ours["args"]) == (theirs["image"], theirs["args"])


def virtual_service(subset: str) -> Object:
    """Routes all of details to a subset."""
    destination = {"host": "details", "subset": subset}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "details"},
        "spec": {"hosts": ["details"], "http": [{"route": [{"destination": destination}]}]},
    }


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Command:
    """istioctl in this process, which saves the interpreter's start."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--kubeconfig", str(cluster.kubeconfig), *words])
        return code, *capsys.readouterr()

    return run


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 40
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_analyze_sees_the_cluster_and_what_files_would_change(
    cluster: Cluster, injected: Object, command: Command, tmp_path: Path
) -> None:
    cluster.apply(refs.VIRTUALSERVICES, virtual_service("v7"))
    missing = 'Referenced host+subset in destinationrule not found: "details+v7"'
    code, out, err = command("analyze")
    assert code == 79
    assert f"Error [IST0101] (VirtualService default/details) {missing}" in out.splitlines()
    assert err.startswith("Error: Analyzers found issues when analyzing namespace: default.\n")
    assert missing in command("analyze", "-A", "-o", "yaml")[1].replace("\n  ", "")
    assert command("analyze", "-n", "istio-system")[0] == 0
    assert command("analyze", "-n", "nowhere") == (0, "", 'namespace "nowhere" not found\n')
    path = tmp_path / "fixed.yaml"
    path.write_text(yaml.safe_dump(virtual_service("v1")))
    cluster.apply(refs.DESTINATIONRULES, destination_rule())
    said = f"✔ No validation issues found when analyzing {path}.\n"
    assert command("analyze", str(path)) == (0, "\n", said)
    cluster.apply(refs.VIRTUALSERVICES, virtual_service("v1"))
    said = "✔ No validation issues found when analyzing all namespaces.\n"
    assert command("analyze", "-A") == (0, "\n", said)


def test_describe_puts_together_what_concerns_a_pod(
    cluster: Cluster, injected: Object, command: Command
) -> None:
    cluster.apply(refs.DESTINATIONRULES, destination_rule())
    cluster.apply(refs.VIRTUALSERVICES, virtual_service("v1"))
    pod = objects.name(injected)
    wanted = [
        f"Pod: {pod}",
        "   Pod Revision: default",
        "   Pod Ports: 9080 (details)",
        "--------------------",
        "Service: details",
        "   Port: http 9080/HTTP targets pod port 9080",
        'DestinationRule: details for "details"',
        "   Matching subsets: v1",
        "   No Traffic Policy",
        "VirtualService: details",
        "   1 HTTP route(s)",
        "--------------------",
        "Effective PeerAuthentication:",
        "   Workload mTLS mode: PERMISSIVE",
    ]
    until(lambda: command("x", "describe", "pod", pod)[1].splitlines() == wanted, "describe pod")
    code, out, _ = command("x", "describe", "service", "details")
    assert (code, out.splitlines()) == (0, wanted[4:11])
    code, _, err = command("x", "describe", "svc", "nobody")
    assert (code, err) == (1, 'Error: services "nobody" not found\n')


def test_authz_check_lists_policies_when_they_have_arrived(
    cluster: Cluster, injected: Object, command: Command
) -> None:
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "readers"},
        "spec": {
            "selector": {"matchLabels": {"app": "details"}},
            "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}],
        },
    }
    words = ("x", "authz", "check", "deploy/details-v1")
    assert command(*words)[1] == "ACTION   AuthorizationPolicy   RULES\n"
    cluster.apply(refs.AUTHORIZATIONPOLICIES, policy)
    row = ["ALLOW", "readers.default", "1"]
    until(lambda: row in [line.split() for line in command(*words)[1].splitlines()], "authz")
    cluster.call(lambda client: client.delete(refs.AUTHORIZATIONPOLICIES, "readers", "default"))


def test_precheck_finds_a_new_cluster_fit(command: Command) -> None:
    code, out, err = command("x", "precheck", "-n", "default")
    assert (code, out) == (0, "")
    assert err.startswith("✔ No issues found when checking the cluster.")


def test_a_tag_is_another_name_for_a_revision(command: Command) -> None:
    assert command("tag", "list")[1].splitlines() == ["TAG REVISION NAMESPACES", "    default"]
    code, out, _ = command("tag", "set", "prod", "--revision", "default")
    assert code == 0
    assert out.startswith(
        'Revision tag "prod" created, referencing control plane revision "default".'
    )
    assert command("tag", "list")[1].splitlines()[1].split() == ["prod", "default"]
    _, out, _ = command("x", "check-inject", "-n", "kube-public", "-l", "istio.io/rev=prod")
    rows = [line.split()[:3] for line in out.splitlines()[1:]]
    assert rows == [
        ["istio-revision-tag-prod", "default", "✔"],
        ["istio-sidecar-injector", "default", "✘"],
    ]
    code, _, err = command("tag", "set", "prod", "-r", "default")
    assert (code, err) == (
        1,
        'Error: revision tag "prod" already exists, and --overwrite is false\n',
    )
    assert command("tag", "remove", "prod", "-y") == (0, "Revision tag prod removed\n", "")
    code, _, err = command("tag", "remove", "prod", "-y")
    assert code == 1
    assert err.startswith(
        'Error: cannot remove tag "prod": cannot find MutatingWebhookConfiguration'
    )


def test_a_dashboard_is_forwarded_until_it_is_interrupted(cluster: Cluster) -> None:
    words = [
        "--kubeconfig",
        str(cluster.kubeconfig),
        "dashboard",
        "istiod-debug",
        "--browser=false",
    ]
    program = [sys.executable, "-m", "meshcourse.embedded.istioctl", *words]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert process.stdout.readline() == "skipping opening a browser\n"
        with urllib.request.urlopen(f"{url}/syncz", timeout=40) as answer:
            assert json.load(answer)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=40) == 0


def test_a_bug_report_has_everything_but_keys(
    cluster: Cluster, injected: Object, command: Command, tmp_path: Path
) -> None:
    code, out, err = command("bug-report", "--output-dir", str(tmp_path), "--include", "default")
    assert (code, err) == (0, "")
    path = tmp_path / "bug-report.tar.gz"
    assert out.splitlines()[-2:] == [f"✅ Creating an archive at {path}.", "✅ Done."]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        files = {one.name.removeprefix("bug-report/"): tar.extractfile(one) for one in tar}
        texts = {name: file.read() for name, file in files.items() if file is not None}
    root = f"proxies/default/{objects.name(injected)}"
    assert {"versions", "analyze.log", "cluster/crs.yaml", f"{root}/config_dump.json"} <= set(texts)
    assert json.loads(texts[f"{root}/config_dump.json"])["configs"]
    assert [name for name, text in texts.items() if b"PRIVATE KEY" in text] == []


def test_proxy_config_of_everything(injected: Object, command: Command) -> None:
    _, out, _ = command("pc", "all", "deploy/details-v1")
    headers = [block.split()[0] for block in out.split("\n\n")]
    assert headers == ["SERVICE", "ADDRESSES", "NAME", "RESOURCE", "ENDPOINT"]
    _, out, _ = command("pc", "bootstrap", "deploy/details-v1")
    assert json.loads(out)["bootstrap"]["node"]["id"].startswith("sidecar~")
    _, out, _ = command("pc", "ecds", "deploy/details-v1")
    assert out.splitlines()[0].split() == ["ECDS", "NAME", "TYPE"]
    gateway = "deploy/istio-ingressgateway.istio-system"
    code, out, _ = command("pc", "rootca-compare", "deploy/details-v1", gateway)
    assert code == 0
    assert "have the identical ROOTCA" in out
    _, out, _ = command("x", "envoy-stats", "deploy/details-v1", "-o", "prom")
    assert "\nenvoy_server_live{} 1\n" in out


def test_uninstall_removes_everything_and_install_brings_it_back(cluster: Cluster) -> None:
    code, out, _ = cluster.istioctl("uninstall", "--purge", "-y")
    assert code == 0
    assert "  Removed apps/v1, Kind=Deployment/istiod.istio-system." in out.splitlines()
    assert out.splitlines()[-1] == "✔ Uninstall complete"
    with pytest.raises(ApiError) as caught:
        cluster.list(refs.VIRTUALSERVICES)
    assert caught.value.code == 404
    code, _, err = cluster.istioctl("ps")
    assert code == 1
    assert "no running Istio pods" in err
    began = time.monotonic()
    code, out, _ = cluster.istioctl("install", "--set", "profile=minimal", "-y")
    print(f"minimal profile installed in {time.monotonic() - began:.2f} s")
    assert code == 0
    assert "gateways" not in out
    cluster.ready("istio-system", "app=istiod")
