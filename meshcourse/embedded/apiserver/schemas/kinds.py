"""Every built-in kind that a Kubernetes API server serves by default, as discovery shows it.

Source: the API reference and ``kubectl api-resources`` of Kubernetes 1.35 (stable versions, plus metrics-server).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from meshcourse.embedded.kube.refs import Resource

ALL_VERBS: Final = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip
_STATUS_VERBS: Final = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource as discovery lists it; `group` and `version` only where they differ from the parent's."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class BuiltinKind:
    """One built-in kind with what discovery says of it. `subresources` holds the names only."""

    resource: Resource
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresource_details: tuple[Subresource, ...] = ()

    @property
    def group(self) -> str:
        return self.resource.group

    @property
    def version(self) -> str:
        return self.resource.version

    @property
    def kind(self) -> str:
        return self.resource.kind

    @property
    def plural(self) -> str:
        return self.resource.plural

    @property
    def namespaced(self) -> bool:
        return self.resource.namespaced

    @property
    def subresources(self) -> tuple[str, ...]:
        return tuple(sub.name for sub in self.subresource_details)


#: A line of a section "# group/version": plural Kind [cluster] [short=a,b] [cat=a] [sub=a,b] [verbs=a,b].
_TABLE: Final = """
# v1
bindings Binding verbs=create
componentstatuses ComponentStatus cluster short=cs verbs=get,list
configmaps ConfigMap short=cm
endpoints Endpoints short=ep
events Event short=ev
limitranges LimitRange short=limits
namespaces Namespace cluster short=ns sub=finalize,status
nodes Node cluster short=no sub=proxy,status
persistentvolumeclaims PersistentVolumeClaim short=pvc sub=status
persistentvolumes PersistentVolume cluster short=pv sub=status
pods Pod short=po cat=all sub=attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
podtemplates PodTemplate
replicationcontrollers ReplicationController short=rc cat=all sub=scale,status
resourcequotas ResourceQuota short=quota sub=status
secrets Secret
serviceaccounts ServiceAccount short=sa sub=token
services Service short=svc cat=all sub=proxy,status
# admissionregistration.k8s.io/v1
mutatingwebhookconfigurations MutatingWebhookConfiguration cluster cat=api-extensions
validatingadmissionpolicies ValidatingAdmissionPolicy cluster cat=api-extensions sub=status
validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding cluster cat=api-extensions
validatingwebhookconfigurations ValidatingWebhookConfiguration cluster cat=api-extensions
# apiextensions.k8s.io/v1
customresourcedefinitions CustomResourceDefinition cluster short=crd,crds cat=api-extensions sub=status
# apiregistration.k8s.io/v1
apiservices APIService cluster cat=api-extensions sub=status
# apps/v1
controllerrevisions ControllerRevision
daemonsets DaemonSet short=ds cat=all sub=status
deployments Deployment short=deploy cat=all sub=scale,status
replicasets ReplicaSet short=rs cat=all sub=scale,status
statefulsets StatefulSet short=sts cat=all sub=scale,status
# authentication.k8s.io/v1
selfsubjectreviews SelfSubjectReview cluster verbs=create
tokenreviews TokenReview cluster verbs=create
# authorization.k8s.io/v1
localsubjectaccessreviews LocalSubjectAccessReview verbs=create
selfsubjectaccessreviews SelfSubjectAccessReview cluster verbs=create
selfsubjectrulesreviews SelfSubjectRulesReview cluster verbs=create
subjectaccessreviews SubjectAccessReview cluster verbs=create
# autoscaling/v2
horizontalpodautoscalers HorizontalPodAutoscaler short=hpa cat=all sub=status
# autoscaling/v1
horizontalpodautoscalers HorizontalPodAutoscaler short=hpa cat=all sub=status
# batch/v1
cronjobs CronJob short=cj cat=all sub=status
jobs Job cat=all sub=status
# certificates.k8s.io/v1
certificatesigningrequests CertificateSigningRequest cluster short=csr sub=approval,status
# coordination.k8s.io/v1
leases Lease
# discovery.k8s.io/v1
endpointslices EndpointSlice
# events.k8s.io/v1
events Event short=ev
# flowcontrol.apiserver.k8s.io/v1
flowschemas FlowSchema cluster sub=status
prioritylevelconfigurations PriorityLevelConfiguration cluster sub=status
# metrics.k8s.io/v1beta1
nodes NodeMetrics cluster verbs=get,list
pods PodMetrics verbs=get,list
# networking.k8s.io/v1
ingressclasses IngressClass cluster
ingresses Ingress short=ing sub=status
ipaddresses IPAddress cluster short=ip
networkpolicies NetworkPolicy short=netpol
servicecidrs ServiceCIDR cluster sub=status
# node.k8s.io/v1
runtimeclasses RuntimeClass cluster
# policy/v1
poddisruptionbudgets PodDisruptionBudget short=pdb sub=status
# rbac.authorization.k8s.io/v1
clusterrolebindings ClusterRoleBinding cluster
clusterroles ClusterRole cluster
rolebindings RoleBinding
roles Role
# resource.k8s.io/v1
deviceclasses DeviceClass cluster
resourceclaims ResourceClaim sub=status
resourceclaimtemplates ResourceClaimTemplate
resourceslices ResourceSlice cluster
# scheduling.k8s.io/v1
priorityclasses PriorityClass cluster short=pc
# storage.k8s.io/v1
csidrivers CSIDriver cluster
csinodes CSINode cluster
csistoragecapacities CSIStorageCapacity
storageclasses StorageClass cluster short=sc
volumeattachments VolumeAttachment cluster sub=status
volumeattributesclasses VolumeAttributesClass cluster short=vac
"""

_SINGULAR: Final = {"metrics.k8s.io": "", "Endpoints": "endpoints"}
_SUBRESOURCES: Final = {
    "approval": ("CertificateSigningRequest", _STATUS_VERBS),
    "attach": ("PodAttachOptions", ("create", "get")),
    "binding": ("Binding", ("create",)),
    "ephemeralcontainers": ("Pod", _STATUS_VERBS),
    "exec": ("PodExecOptions", ("create", "get")),
    "finalize": ("Namespace", ("update",)),
    "log": ("Pod", ("get",)),
    "portforward": ("PodPortForwardOptions", ("create", "get")),
    "resize": ("Pod", _STATUS_VERBS),
}
_PROXY_VERBS: Final = ("create", "delete", "get", "patch", "update")


@functools.cache
def builtin_kinds() -> tuple[BuiltinKind, ...]:
    """Every built-in kind, in the order of discovery (core first, then by group)."""
    found: list[BuiltinKind] = []
    group = version = ""
    for line in _TABLE.strip().splitlines():
        if line.startswith("# "):
            group, _, version = line[2:].rpartition("/")
        else:
            found.append(_parse(group, version, line))
    return tuple(found)


@functools.cache
def _by_reference() -> dict[tuple[str, str, str], BuiltinKind]:
    return {(kind.group, kind.version, kind.plural): kind for kind in builtin_kinds()}


def find(resource: Resource) -> BuiltinKind | None:
    """The built-in kind that `resource` refers to, or None for a custom one."""
    return _by_reference().get((resource.group, resource.version, resource.plural))


def _parse(group: str, version: str, line: str) -> BuiltinKind:
    plural, kind, *rest = line.split()
    options = dict(word.partition("=")[::2] for word in rest)
    words = {key: tuple(value.split(",")) for key, value in options.items() if value}
    resource = Resource(group, version, plural, kind, "cluster" not in options)
    return BuiltinKind(
        resource,
        _SINGULAR.get(kind, _SINGULAR.get(group, kind.lower())),
        words.get("short", ()),
        words.get("cat", ()),
        words.get("verbs", ALL_VERBS),
        tuple(_subresource(name, kind) for name in words.get("sub", ())),
    )


def _subresource(name: str, kind: str) -> Subresource:
    if name == "status":
        return Subresource(name, kind, _STATUS_VERBS)
    if name == "scale":
        return Subresource(name, "Scale", _STATUS_VERBS, "autoscaling", "v1")
    if name == "eviction":
        return Subresource(name, "Eviction", ("create",), "policy", "v1")
    if name == "token":
        return Subresource(name, "TokenRequest", ("create",), "authentication.k8s.io", "v1")
    if name == "proxy":
        return Subresource(name, f"{kind}ProxyOptions", _PROXY_VERBS)
    return Subresource(name, *_SUBRESOURCES[name])
