"""Containers and volumes, as ``kubectl describe`` prints them for pods and for pod templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from meshcourse.cluster.manifests import Object, dig
from meshcourse.kubectl.page import Page, date

Any_ = Mapping[str, Any]


def containers(
    page: Page,
    title: str,
    items: list[Object],
    statuses: list[Object],
    pod: Object | None,
    indent: str = "",
) -> None:
    """One group of containers.

    :param pod: the pod, to fill in what the environment takes from its fields; None for a template.
    :param indent: "  " inside a template.
    """
    known = {status["name"]: status for status in statuses}
    page.line(0, f"{indent}{title}:")
    for item in items:
        status = known.get(item["name"])
        page.line(1, f"{' ' if indent else ''}{item['name']}:")
        _basics(page, item, status)
        _words(page, "Command", item.get("command"))
        _words(page, "Args", item.get("args"))
        if status is not None:
            _state(page, "State", status.get("state") or {})
            if dig(status, "lastState.terminated"):
                _state(page, "Last State", status["lastState"])
            page.line(2, f"Ready:\t{bool(status.get('ready'))}")
            page.line(2, f"Restart Count:\t{status.get('restartCount', 0)}")
        _resources(page, item.get("resources") or {})
        for name in ("Liveness", "Readiness", "Startup"):
            if found := item.get(f"{name.lower()}Probe"):
                page.line(2, f"{name}:\t{probe(found)}")
        _environment(page, item, pod)
        _mounts(page, item.get("volumeMounts") or [])


def volumes(page: Page, items: list[Object], indent: str = "") -> None:
    """The volumes of a pod or template."""
    if not items:
        page.line(0, f"{indent}Volumes:\t<none>")
        return
    page.line(0, f"{indent}Volumes:")
    for item in items:
        page.line(1, f"{' ' if indent else ''}{item['name']}:")
        for kind, show in _VOLUMES.items():
            if kind in item:
                show(page, item[kind])


def probe(found: Any_) -> str:
    """``http-get http://:8080/health delay=0s timeout=1s period=10s #success=1 #failure=3``."""
    details = (
        f"delay={found.get('initialDelaySeconds', 0)}s timeout={found.get('timeoutSeconds', 1)}s "
        f"period={found.get('periodSeconds', 10)}s successThreshold={found.get('successThreshold', 1)} "
        f"failureThreshold={found.get('failureThreshold', 3)}"
    )
    if "httpGet" in found:
        get = found["httpGet"]
        scheme = str(get.get("scheme", "HTTP")).lower()
        return f"http-get {scheme}://{get.get('host', '')}:{get.get('port')}{get.get('path', '')} {details}"
    if "tcpSocket" in found:
        return f"tcp-socket {found['tcpSocket'].get('host', '')}:{found['tcpSocket']['port']} {details}"
    if "grpc" in found:
        return f"grpc <pod>:{found['grpc']['port']} {found['grpc'].get('service') or ''} {details}"
    if "exec" in found:
        return f"exec [{' '.join(found['exec'].get('command') or [])}] {details}"
    return f"unknown {details}"


def _basics(page: Page, item: Any_, status: Any_ | None) -> None:
    if status is not None:
        page.line(2, f"Container ID:\t{status.get('containerID', '')}")
    page.line(2, f"Image:\t{item.get('image', '')}")
    if status is not None:
        page.line(2, f"Image ID:\t{status.get('imageID', '')}")
    for title, key in (("Port", "containerPort"), ("Host Port", "hostPort")):
        found = [_port(port, key) for port in item.get("ports") or []]
        page.line(2, f"{title}{'s' if len(found) > 1 else ''}:\t{', '.join(found) or '<none>'}")


def _port(port: Any_, key: str) -> str:
    text = f"{port.get(key, 0)}/{port.get('protocol', 'TCP')}"
    return f"{text} ({port['name']})" if port.get("name") else text


def _words(page: Page, title: str, words: list[str] | None) -> None:
    if words:
        page.line(2, f"{title}:")
        for word in words:
            for part in word.split("\n"):
                page.line(3, part)


def _state(page: Page, title: str, state: Any_) -> None:
    if running := state.get("running"):
        page.line(2, f"{title}:\tRunning")
        page.line(3, f"Started:\t{date(running['startedAt'])}")
    elif ended := state.get("terminated"):
        page.line(2, f"{title}:\tTerminated")
        for name in ("reason", "message"):
            if ended.get(name):
                page.line(3, f"{name.capitalize()}:\t{ended[name]}")
        page.line(3, f"Exit Code:\t{ended.get('exitCode', 0)}")
        if ended.get("signal"):
            page.line(3, f"Signal:\t{ended['signal']}")
        for name, key in (("Started", "startedAt"), ("Finished", "finishedAt")):
            if ended.get(key):
                page.line(3, f"{name}:\t{date(ended[key])}")
    else:
        page.line(2, f"{title}:\tWaiting")
        if reason := dig(state, "waiting.reason", ""):
            page.line(3, f"Reason:\t{reason}")


def _resources(page: Page, resources: Any_) -> None:
    for title in ("limits", "requests"):
        if found := resources.get(title):
            page.line(2, f"{title.capitalize()}:")
            for name, amount in sorted(found.items()):
                page.line(3, f"{name}:\t{amount}")


def _environment(page: Page, item: Any_, pod: Object | None) -> None:
    if item.get("envFrom"):
        page.line(2, "Environment Variables from:")
        for source in item["envFrom"]:
            kind = "ConfigMap" if "configMapRef" in source else "Secret"
            ref = source.get("configMapRef") or source.get("secretRef") or {}
            prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
            page.line(
                3, f"{ref.get('name')}\t{kind}{prefix}\tOptional: {_bool(ref.get('optional'))}"
            )
    variables = item.get("env") or []
    page.line(2, "Environment:" + ("" if variables else "\t<none>"))
    for variable in variables:
        for number, text in enumerate(_value(variable, item, pod).split("\n")):
            page.line(3, f"{variable['name']}:\t{text}" if number == 0 else f"\t{text}")


def _value(variable: Any_, item: Any_, pod: Object | None) -> str:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value") or "")
    if ref := source.get("fieldRef"):
        value = _field(pod, ref["fieldPath"]) if pod is not None else ""
        return f"{value} ({ref.get('apiVersion', 'v1')}:{ref['fieldPath']})"
    if ref := source.get("resourceFieldRef"):
        return f"{_amount(item, ref['resource'])} ({ref['resource']})"
    for key, where in (("secretKeyRef", "in secret"), ("configMapKeyRef", "of config map")):
        if ref := source.get(key):
            optional = f"\tOptional: {_bool(ref.get('optional'))}"
            return f"<set to the key '{ref['key']}' {where} '{ref['name']}'>{optional}"
    return ""


def _field(pod: Object, path: str) -> str:
    path, bracket, rest = path.partition("['")
    if bracket:
        return str(dig(pod, path, {}).get(rest.removesuffix("']"), ""))
    return str(dig(pod, path, ""))


def _amount(item: Any_, resource: str) -> str:
    found = str(dig(item, f"resources.{resource}", "0"))
    return "node allocatable" if found == "0" and resource.startswith("limits.") else found


def _mounts(page: Page, mounts: list[Object]) -> None:
    page.line(2, "Mounts:" + ("" if mounts else "\t<none>"))
    for mount in sorted(mounts, key=lambda item: str(item["mountPath"])):
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        page.line(3, f"{mount['mountPath']} from {mount['name']} ({','.join(flags)})")


def _empty_dir(page: Page, source: Any_) -> None:
    page.line(2, "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)")
    page.line(2, f"Medium:\t{source.get('medium', '')}")
    page.line(2, f"SizeLimit:\t{source.get('sizeLimit', '<unset>')}")


def _secret(page: Page, source: Any_) -> None:
    page.line(2, "Type:\tSecret (a volume populated by a Secret)")
    page.line(2, f"SecretName:\t{source.get('secretName', '')}")
    page.line(2, f"Optional:\t{_bool(source.get('optional'))}")


def _config_map(page: Page, source: Any_) -> None:
    page.line(2, "Type:\tConfigMap (a volume populated by a ConfigMap)")
    page.line(2, f"Name:\t{source.get('name', '')}")
    page.line(2, f"Optional:\t{_bool(source.get('optional'))}")


def _host_path(page: Page, source: Any_) -> None:
    page.line(2, "Type:\tHostPath (bare host directory volume)")
    page.line(2, f"Path:\t{source.get('path', '')}")
    page.line(2, f"HostPathType:\t{source.get('type', '')}")


def _downward(page: Page, source: Any_) -> None:
    page.line(2, "Type:\tDownwardAPI (a volume populated by information about the pod)")
    page.line(2, "Items:")
    for item in source.get("items") or []:
        if ref := item.get("fieldRef"):
            page.line(3, f"{ref['fieldPath']} -> {item['path']}")
        elif ref := item.get("resourceFieldRef"):
            page.line(3, f"{ref['resource']} -> {item['path']}")


def _projected(page: Page, source: Any_) -> None:
    page.line(2, "Type:\tProjected (a volume that contains injected data from multiple sources)")
    for item in source.get("sources") or []:
        if "secret" in item:
            page.line(2, f"SecretName:\t{item['secret'].get('name', '')}")
            page.line(2, f"Optional:\t{_bool(item['secret'].get('optional'))}")
        elif "downwardAPI" in item:
            page.line(2, "DownwardAPI:\ttrue")
        elif "configMap" in item:
            page.line(2, f"ConfigMapName:\t{item['configMap'].get('name', '')}")
            page.line(2, f"Optional:\t{_bool(item['configMap'].get('optional'))}")
        elif "serviceAccountToken" in item:
            seconds = item["serviceAccountToken"].get("expirationSeconds", 3600)
            page.line(2, f"TokenExpirationSeconds:\t{seconds}")


_VOLUMES: dict[str, Callable[[Page, Any_], None]] = {
    "hostPath": _host_path,
    "emptyDir": _empty_dir,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
}


def _bool(value: Any) -> str:
    return "true" if value else "false"
