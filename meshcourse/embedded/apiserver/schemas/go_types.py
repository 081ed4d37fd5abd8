"""Names of Go types as they appear in decoding errors: ``… of type v1.RestartPolicy``.

Source: the Go types of k8s.io/api. OpenAPI calls these fields plain strings, but the API server's messages do not.
"""

from __future__ import annotations

from typing import Final

#: Type.field=GoType; fields not listed are of the Go type that OpenAPI suggests.
_TABLE: Final = """
PersistentVolumeSpec.persistentVolumeReclaimPolicy=PersistentVolumeReclaimPolicy
PersistentVolumeSpec.volumeMode=PersistentVolumeMode PersistentVolumeClaimSpec.volumeMode=PersistentVolumeMode
HostPathVolumeSource.type=HostPathType EmptyDirVolumeSource.medium=StorageMedium ContainerPort.protocol=Protocol
VolumeMount.recursiveReadOnly=RecursiveReadOnlyMode VolumeMount.mountPropagation=MountPropagationMode
HTTPGetAction.scheme=URIScheme Container.restartPolicy=ContainerRestartPolicy
Container.terminationMessagePolicy=TerminationMessagePolicy Container.imagePullPolicy=PullPolicy
ImageVolumeSource.pullPolicy=PullPolicy Lifecycle.stopSignal=Signal PodCondition.type=PodConditionType
PodCondition.status=ConditionStatus NodeSelectorRequirement.operator=NodeSelectorOperator Taint.effect=TaintEffect
Toleration.operator=TolerationOperator Toleration.effect=TaintEffect PodSpec.restartPolicy=RestartPolicy
PodReadinessGate.conditionType=PodConditionType PodSpec.dnsPolicy=DNSPolicy PodSpec.preemptionPolicy=PreemptionPolicy
PodOS.name=OSName TopologySpreadConstraint.whenUnsatisfiable=UnsatisfiableConstraintAction
PodSecurityContext.fsGroupChangePolicy=PodFSGroupChangePolicy SeccompProfile.type=SeccompProfileType
AppArmorProfile.type=AppArmorProfileType EphemeralContainer.imagePullPolicy=PullPolicy PodStatus.phase=PodPhase
PodStatus.qosClass=PodQOSClass ServiceSpec.type=ServiceType ServiceSpec.sessionAffinity=ServiceAffinity
ServiceSpec.externalTrafficPolicy=ServiceExternalTrafficPolicy ServiceSpec.ipFamilyPolicy=IPFamilyPolicy
ServiceSpec.internalTrafficPolicy=ServiceInternalTrafficPolicy ServicePort.protocol=Protocol
EndpointPort.protocol=Protocol NodeCondition.type=NodeConditionType NodeCondition.status=ConditionStatus
NodeAddress.type=NodeAddressType NamespaceStatus.phase=NamespacePhase LimitRangeItem.type=LimitType
Secret.type=SecretType SecurityContext.procMount=ProcMountType PortStatus.protocol=Protocol
StatefulSetUpdateStrategy.type=StatefulSetUpdateStrategyType
StatefulSetSpec.podManagementPolicy=PodManagementPolicyType DeploymentStrategy.type=DeploymentStrategyType
DeploymentCondition.type=DeploymentConditionType DaemonSetUpdateStrategy.type=DaemonSetUpdateStrategyType
PodFailurePolicyRule.action=PodFailurePolicyAction JobSpec.completionMode=CompletionMode
JobSpec.podReplacementPolicy=PodReplacementPolicy JobCondition.type=JobConditionType
CronJobSpec.concurrencyPolicy=ConcurrencyPolicy MetricSpec.type=MetricSourceType
HPAScalingRules.selectPolicy=ScalingPolicySelect HPAScalingPolicy.type=HPAScalingPolicyType
MetricTarget.type=MetricTargetType NetworkPolicyPort.protocol=Protocol HTTPIngressPath.pathType=PathType
EndpointSlice.addressType=AddressType ValidatingWebhook.failurePolicy=FailurePolicyType
ValidatingWebhook.matchPolicy=MatchPolicyType ValidatingWebhook.sideEffects=SideEffectClass
MutatingWebhook.failurePolicy=FailurePolicyType MutatingWebhook.matchPolicy=MatchPolicyType
MutatingWebhook.sideEffects=SideEffectClass MutatingWebhook.reinvocationPolicy=ReinvocationPolicyType
PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy=UnhealthyPodEvictionPolicyType
StorageClass.volumeBindingMode=VolumeBindingMode
"""

_NAMED: Final = dict(entry.split("=") for entry in _TABLE.split())


def of_field(owner: str, field: str, otherwise: str) -> str:
    """The Go type of ``owner.field`` (owner without its package), else `otherwise`."""
    named = _NAMED.get(f"{owner}.{field}")
    return f"v1.{named}" if named else otherwise


def of_definition(name: str) -> str:
    """``io.k8s.api.core.v1.PodSpec`` → ``v1.PodSpec``: package (last element) and type."""
    return ".".join(name.rsplit(".", 2)[-2:])
