"""Webhooks: none may inject twice, their Services must exist, external addresses be addresses."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages
from meshcourse.embedded.kube import selectors

_Labels = Mapping[str, str]
_Hook = Mapping[str, Any]


def matches(hook: _Hook, namespace: _Labels, pod: _Labels) -> bool:
    """Whether a webhook is called for a pod with these labels in such a namespace."""
    return _selects(hook.get("namespaceSelector"), namespace) and _selects(
        hook.get("objectSelector"), pod
    )


def _selects(selector: Any, labels: _Labels) -> bool:
    try:
        return selectors.from_object(selector or {}).matches(labels)
    except selectors.SelectorError:
        return False


def hooks_of(config: Item) -> list[dict[str, Any]]:
    return lists(config.obj.get("webhooks"))


def injectors(objects: Collection) -> Iterator[Item]:
    """The webhook configurations that are Istio's."""
    for config in objects.all("MutatingWebhookConfiguration"):
        own = any(str(hook.get("name", "")).endswith("istio.io") for hook in hooks_of(config))
        if own or any(_revisions(config)):
            yield config


def webhooks(objects: Collection) -> Messages:
    configs = list(injectors(objects))
    yield from _overlaps(configs)
    for config in configs:
        for hook in hooks_of(config):
            service = maps(maps(hook.get("clientConfig")).get("service"))
            where = str(service.get("namespace", "")), str(service.get("name", ""))
            if service and objects.find("Service", *where) is None:
                name = "/".join(filter(None, where))
                text = f"Injector refers to a control plane service that does not exist: {name}."
                yield report("InvalidWebhook", config, text)


def _overlaps(configs: list[Item]) -> Messages:
    revisions = sorted({one for config in configs for one in _revisions(config)})
    for namespace, pod in itertools.product(
        _permutations(mesh.INJECTION, ("enabled", "disabled"), revisions),
        _permutations(mesh.INJECT, ("true", "false"), revisions),
    ):
        found = {
            f"{config.full}/{hook.get('name')}": config
            for config in configs
            for hook in hooks_of(config)
            if matches(hook, namespace, pod)
        }
        for name, config in found.items() if len(found) > 1 else ():
            others = " ".join(sorted(found.keys() - {name}))
            text = f"Webhook overlaps with others: [{others}]. This may cause injection to occur twice."
            yield report("InvalidWebhook", config, text)


def _permutations(key: str, values: tuple[str, ...], revisions: list[str]) -> list[dict[str, str]]:
    """All label sets that matter: with and without the key, with and without each revision."""
    plain: list[dict[str, str]] = [{}, *({key: value} for value in values)]
    return plain + [{**one, mesh.REVISION: revision} for revision in revisions for one in plain]


def _revisions(config: Item) -> Iterator[str]:
    if mesh.REVISION in config.labels:
        yield config.labels[mesh.REVISION]
    for hook in hooks_of(config):
        for selector in (maps(hook.get(f"{part}Selector")) for part in ("namespace", "object")):
            own = maps(selector.get("matchLabels")).get(mesh.REVISION)
            if own:
                yield str(own)
            for expression in lists(selector.get("matchExpressions")):
                if expression.get("key") == mesh.REVISION:
                    yield from map(str, lists(expression.get("values")))


def external(objects: Collection) -> Messages:
    """Webhooks by address belong to a control plane outside the cluster."""
    validators = (
        one
        for one in objects.all("ValidatingWebhookConfiguration")
        if one.name == "istiod-default-validator" or one.name.startswith("istio-validator")
    )
    mutators = (
        one
        for one in objects.all("MutatingWebhookConfiguration")
        if one.name.startswith("istio-sidecar-injector")
    )
    for config in (*validators, *mutators):
        for hook in hooks_of(config):
            yield from _address(config, hook)


def _address(config: Item, hook: _Hook) -> Messages:
    name, client = hook.get("name", ""), maps(hook.get("clientConfig"))
    url, invalid = client.get("url"), "InvalidExternalControlPlaneConfig"
    if url is None:
        if not client.get("service"):
            yield report(invalid, config, "", name, "is blank")
        return
    try:
        host = urlsplit(str(url)).hostname or ""
    except ValueError:
        yield report(invalid, config, url, name, "was provided in an invalid format")
        return
    if _is_ip(host):
        yield report("ExternalControlPlaneAddressIsNotAHostname", config, url, name)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


ANALYZERS: Final = (
    Analyzer(
        "webhook.Analyzer",
        "Checks the validity of Istio webhooks",
        ("MutatingWebhookConfiguration", "Service"),
        webhooks,
    ),
    Analyzer(
        "externalcontrolplane.ExternalControlPlaneAnalyzer",
        "Checks that the remote IstioOperator resources reference an external control plane",
        ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
        external,
    ),
)
