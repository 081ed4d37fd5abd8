"""Every message type that an analyzer here raises, by Istio's name for it."""

from __future__ import annotations

from typing import Any, Final

from meshcourse.embedded.istioctl.analyze.item import Item
from meshcourse.embedded.istioctl.analyze.messages import Level, Message, Type

#: code | level | name | template
_TABLE: Final = """
0001|E|InternalError|Internal error: %v
0002|W|Deprecated|Deprecated: %s
0101|E|ReferencedResourceNotFound|Referenced %s not found: %q
0102|I|NamespaceNotInjected|The namespace is not enabled for Istio injection. Run 'kubectl label namespace %s \
istio-injection=enabled' to enable it, or 'kubectl label namespace %s istio-injection=disabled' to explicitly \
mark it as not needing injection.
0103|W|PodMissingProxy|The pod %s is missing the Istio proxy. This can often be resolved by restarting or \
redeploying the workload.
0106|E|SchemaValidationError|Schema validation error: %v
0107|W|MisplacedAnnotation|Misplaced annotation: %s can only be applied to %s
0108|W|UnknownAnnotation|Unknown annotation: %s
0109|E|ConflictingMeshGatewayVirtualServiceHosts|The VirtualServices %s associated with mesh gateway define \
the same host %s which can lead to undefined behavior. This can be fixed by merging the conflicting \
VirtualServices into a single resource.
0110|E|ConflictingSidecarWorkloadSelectors|The Sidecars %v in namespace %q select the same workload pod %q, \
which can lead to undefined behavior.
0111|E|MultipleSidecarsWithoutWorkloadSelectors|The Sidecars %v in namespace %q have no workload selector, \
which can lead to undefined behavior.
0112|E|VirtualServiceDestinationPortSelectorRequired|This VirtualService routes to a service %q that exposes \
multiple ports %v. Specifying a port in the destination is required to disambiguate.
0116|W|DeploymentAssociatedToMultipleServices|This deployment %s is associated with multiple services using \
port %d but different protocols: %v
0118|I|PortNameIsNotUnderNamingConvention|Port name %s (port: %d, targetPort: %s) doesn't follow the naming \
convention of Istio port.
0123|W|NamespaceMultipleInjectionLabels|The namespace has more than one type of injection labels %v, which \
may lead to undefined behavior. Make sure only one injection label exists.
0125|W|InvalidAnnotation|Invalid annotation %s: %s
0127|W|NoMatchingWorkloadsFound|No matching workloads for this resource with the following labels: %s
0128|W|NoServerCertificateVerificationDestinationLevel|DestinationRule %s in namespace %s has TLS mode set to \
%s but no caCertificates are set to validate server identity for host: %s
0129|W|NoServerCertificateVerificationPortLevel|DestinationRule %s in namespace %s has TLS mode set to %s but \
no caCertificates are set to validate server identity for host: %s at port %s
0130|W|VirtualServiceUnreachableRule|VirtualService rule %v not used (%s).
0131|I|VirtualServiceIneffectiveMatch|VirtualService rule %v match %v is not used (duplicate/overlapping match \
in rule %v).
0132|W|VirtualServiceHostNotFoundInGateway|one or more host %v defined in VirtualService %s not found in \
Gateway %s.
0133|W|SchemaWarning|Schema validation warning: %v
0134|W|ServiceEntryAddressesRequired|ServiceEntry addresses are required for this protocol.
0135|I|DeprecatedAnnotation|Annotation %q has been deprecated%s and may not work in future Istio versions.
0136|I|AlphaAnnotation|Annotation %q is part of an alpha-phase feature and may be incompletely supported.
0137|W|DeploymentConflictingPorts|This deployment %s is associated with multiple services %v using targetPort \
%q but different ports: %v.
0138|W|GatewayDuplicateCertificate|Duplicate certificate in multiple gateways %v may cause 404s if clients \
re-use HTTP2 connections.
0139|E|InvalidWebhook|%v
0140|W|IngressRouteRulesNotAffected|Subset in virtual service %s has no effect on ingress gateway %s requests
0141|E|InsufficientPermissions|Missing required permission to create resource %v (%v)
0142|E|UnsupportedKubernetesVersion|The Kubernetes Version %q is lower than the minimum version: %v
0144|W|InvalidApplicationUID|User ID (UID) 1337 is reserved for the sidecar proxy.
0145|E|ConflictingGateways|Conflict with gateways %s (workload selector %s, port %s, hosts %v).
0146|W|ImageAutoWithoutInjectionWarning|%s %s contains `image: auto` but does not match any Istio injection \
webhook selectors.
0147|E|ImageAutoWithoutInjectionError|%s %s contains `image: auto` but does not match any Istio injection \
webhook selectors.
0148|I|NamespaceInjectionEnabledByDefault|is enabled for Istio injection, as Istio is installed with \
enableNamespacesByDefault as true.
0149|E|JwtClaimBasedRoutingWithoutRequestAuthN|The virtual service uses the JWT claim based routing (key: %s) \
but found no request authentication for the gateway (%s) pod (%s). The request authentication must first be \
applied for the gateway pods to validate the JWT token and make the claims available for routing.
0150|W|ExternalNameServiceTypeInvalidPortName|Port name for ExternalName service is invalid. Proxy may prevent \
tcp named ports and unmatched traffic for ports serving TCP protocol from being forwarded correctly
0151|W|EnvoyFilterUsesRelativeOperation|This EnvoyFilter does not have a priority and has a relative patch \
operation set which can cause the EnvoyFilter not to be applied. Using the INSERT_FIRST of ADD option or \
setting the priority may help in ensuring the EnvoyFilter is applied correctly.
0152|E|EnvoyFilterUsesReplaceOperationIncorrectly|The REPLACE operation is only valid for HTTP_FILTER and \
NETWORK_FILTER.
0153|E|EnvoyFilterUsesAddOperationIncorrectly|The ADD operation will be ignored when applyTo is set to \
ROUTE_CONFIGURATION, or HTTP_ROUTE.
0154|E|EnvoyFilterUsesRemoveOperationIncorrectly|The REMOVE operation will be ignored when applyTo is set to \
ROUTE_CONFIGURATION, or HTTP_ROUTE.
0155|W|EnvoyFilterUsesRelativeOperationWithProxyVersion|This EnvoyFilter does not have a priority and has a \
relative patch operation (NSTERT_BEFORE/AFTER, REPLACE, MERGE, DELETE) and proxyVersion set which can cause the \
EnvoyFilter not to be applied during an upgrade. Using the INSERT_FIRST or ADD option or setting the priority \
may help in ensuring the EnvoyFilter is applied correctly.
0156|E|UnsupportedGatewayAPIVersion|The Gateway API CRD version %v is lower than the minimum version: %v
0157|W|InvalidTelemetryProvider|The Telemetry %v in namespace %q with empty providers will be ignored.
0158|W|PodsIstioProxyImageMismatchInNamespace|The Istio proxy images of the pods running in the namespace do \
not match the image defined in the injection configuration (pod names: %v). This often happens after upgrading \
the Istio control-plane and can be fixed by redeploying the pods.
0159|E|ConflictingTelemetryWorkloadSelectors|The Telemetries %v in namespace %q select the same workload pod \
%q, which can lead to undefined behavior.
0160|E|MultipleTelemetriesWithoutWorkloadSelectors|The Telemetries %v in namespace %q have no workload \
selector, which can lead to undefined behavior.
0161|E|InvalidGatewayCredential|The credential referenced by the Gateway %s in namespace %s is invalid, which \
can cause the traffic not to work as expected.
0162|W|GatewayPortNotDefinedOnService|The gateway is listening on a target port (port %d) that is not defined \
in the Service associated with its workload instances (Pod selector %s). If you need to access the gateway port \
through the gateway Service, it will not be available.
0163|W|InvalidExternalControlPlaneConfig|The hostname (%s) that was provided for the webhook (%s) to reach the \
ingress gateway on the external control plane cluster %s. Traffic may not flow properly.
0164|I|ExternalControlPlaneAddressIsNotAHostname|The address (%s) that was provided for the webhook (%s) to \
reach the ingress gateway on the external control plane cluster is an IP address. This is not recommended for a \
production environment.
0165|W|ReferencedInternalGateway|Gateway reference in VirtualService %s is to an implementation-generated \
internal Gateway: %s.
0166|W|IneffectiveSelector|Ineffective selector on Kubernetes Gateway %s. Use the TargetRef field instead.
0167|W|IneffectivePolicy|The policy has no impact: %s.
0169|W|UpdateIncompatibility|The configuration %q changed in release %s: %s. Or, install with `--set \
compatibilityVersion=%s` to retain the old default.
0171|W|NegativeConditionStatus|A condition with a negative status is present: type=%s, reason=%s, message=%s.
0172|W|FutureUnsupportedGatewayAPIVersion|The Gateway API CRD version %v is lower than the minimum version: %v
0173|E|DestinationRuleSubsetNotSelectPods|The Subset %s defined in the DestinationRule does not select any \
pods. Which may lead to 503 UH (NoHealthyUpstream).
0174|W|UnknownDestinationRuleHost|The host %s defined in the DestinationRule does not match any services in \
the mesh.
0175|W|JwksUriFetchUnrestricted|BLOCKED_CIDRS_IN_JWKS_URIS is not configured but %d RequestAuthentication \
resource(s) exist (%s). Consider configuring it to restrict JWKS URI fetches to trusted networks.
0176|W|GatewayAPICRDVersionBelowMinimum|Gateway API CRD %q is at version %q but Istio requires at least %q; \
resources of this kind will not be processed. Upgrade the Gateway API CRDs to satisfy the minimum version.
"""
_LEVELS: Final = {"E": Level.ERROR, "W": Level.WARNING, "I": Level.INFO}


def _read() -> dict[str, Type]:
    found = {}
    for line in _TABLE.strip().splitlines():
        number, level, name, template = line.split("|", 3)
        found[name] = Type(name, f"IST{number}", _LEVELS[level], template)
    return found


#: By name.
TYPES: Final = _read()
#: All codes, for ``--suppress``.
CODES: Final = frozenset(kind.code for kind in TYPES.values())


def report(name: str, item: Item | None, *arguments: Any, at: str = "", about: str = "") -> Message:
    """A message of the type `name`.

    :param at: path of the field that is to blame (``spec.hosts[0]``).
    :param about: what to name where there is no item.
    """
    line = item.line(at) if item is not None and at else 0
    return Message(TYPES[name], item, arguments, line, about)
