"""DestinationRules: hosts that nobody has, subsets without pods, TLS that trusts everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze import hosts, mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages

_REGION: Final = "topology.kubernetes.io/region"
_ZONE: Final = "topology.kubernetes.io/zone"
_SUBZONE: Final = "topology.istio.io/subzone"
_HOSTNAME: Final = "kubernetes.io/hostname"


def certificates(objects: Collection) -> Messages:
    """TLS with servers whose certificate nobody checks."""
    for rule in objects.all("DestinationRule"):
        policy = maps(rule.spec.get("trafficPolicy"))
        host, tls = rule.spec.get("host", ""), maps(policy.get("tls"))
        if _trusting(rule, tls):
            name, at = "NoServerCertificateVerificationDestinationLevel", "spec.trafficPolicy.tls"
            arguments = rule.full, rule.namespace, tls["mode"], host
            yield report(name, rule, *arguments, at=f"{at}.caCertificates")
        for i, one in enumerate(lists(policy.get("portLevelSettings"))):
            tls = maps(one.get("tls"))
            if _trusting(rule, tls):
                number = f"number:{maps(one.get('port')).get('number', 0)}"
                name = "NoServerCertificateVerificationPortLevel"
                at = f"spec.trafficPolicy.portLevelSettings[{i}].tls.caCertificates"
                arguments = rule.full, rule.namespace, tls["mode"], host
                yield report(name, rule, *arguments, number, at=at)


def _trusting(rule: Item, tls: Mapping[str, Any]) -> bool:
    if tls.get("mode") not in ("SIMPLE", "MUTUAL") or tls.get("caCertificates"):
        return False
    return not (tls.get("credentialName") and rule.spec.get("workloadSelector"))


def subsets(objects: Collection) -> Messages:
    """Hosts that are not in the mesh; subsets whose labels no pod has."""
    known = hosts.targets(objects)
    nodes = {node.name: node.labels for node in objects.all("Node")}
    pods = [_augmented(pod, nodes) for pod in objects.all("Pod")]
    for rule in objects.all("DestinationRule"):
        host = str(rule.spec.get("host") or "")
        exported = lists(rule.spec.get("exportTo"))
        target = hosts.look_up(host, rule.namespace, exported, known)
        if target is None:
            yield report("UnknownDestinationRuleHost", rule, host)
            continue
        for subset in lists(rule.spec.get("subsets")):
            wanted = {**target.workload, **maps(subset.get("labels"))}
            if not any(mesh.selects(wanted, labels) for labels in pods):
                yield report("DestinationRuleSubsetNotSelectPods", rule, subset.get("name", ""))


def _augmented(pod: Item, nodes: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A pod's labels, and those that Istio adds: where its node is."""
    name = str(pod.spec.get("nodeName") or "")
    labels = dict(pod.labels)
    if name:
        labels[_HOSTNAME] = name
    node = nodes.get(name, {})
    return labels | {key: node[key] for key in (_REGION, _ZONE, _SUBZONE) if node.get(key)}


ANALYZERS: Final = (
    Analyzer(
        "destinationrule.CaCertificateAnalyzer",
        "Checks if caCertificates is set when TLS mode is SIMPLE/MUTUAL",
        ("DestinationRule",),
        certificates,
    ),
    Analyzer(
        "destinationrule.SubsetSelectPodAnalyzer",
        "Checks if pods are selected by subsets in destination rules.",
        ("DestinationRule", "Pod", "Service", "ServiceEntry", "Node"),
        subsets,
    ),
)
