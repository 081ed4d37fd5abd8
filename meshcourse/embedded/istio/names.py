"""Names that Istio gives to Envoy resources, and the contract with the agent that starts Envoy.

Source: pilot's subset keys (``outbound|9080|v1|reviews.default.svc.cluster.local``), SPIFFE
identities (``spiffe://cluster.local/ns/default/sa/reviews``).
"""

from __future__ import annotations

from typing import Final, NamedTuple

OUTBOUND_LISTENER: Final = "virtualOutbound"
#: The internal listener behind CONNECT (gRPC and HTTP through tunnels).
CAPTURE: Final = "capture"
OUTBOUND_ROUTE: Final = "outbound"
OUTBOUND_PORT: Final = 15001
INBOUND_LISTENER: Final = "virtualInbound"

BLACK_HOLE: Final = "BlackHoleCluster"
PASSTHROUGH: Final = "PassthroughCluster"
INBOUND_PASSTHROUGH: Final = "InboundPassthroughCluster"

#: SDS names of the workload certificate and of the root certificates.
CERTIFICATE: Final = "default"
ROOTS: Final = "ROOTCA"
#: A cluster of every bootstrap, whose endpoints come by EDS: Envoy's Fluentd logger takes no other clusters.
FLUENTD: Final = "fluentd"
#: Files (relative to Envoy's working directory) with an xDS DiscoveryResponse holding that secret.
#: The agent replaces them by rename; Envoy watches them.
CERTIFICATE_FILE: Final = "./sds/default.json"
ROOTS_FILE: Final = "./sds/rootca.json"
#: The roots that the machine trusts, in a file that the agent provides.
SYSTEM_ROOTS_FILE: Final = "./sds/system.pem"

#: What a proxy says of itself → the variable in Envoy's environment that holds it. The agent sets
#: all of them.
PEER_ENVIRONMENT: Final = {
    "workload": "ISTIO_META_WORKLOAD_NAME",
    "namespace": "POD_NAMESPACE",
    "canonical_service": "CANONICAL_SERVICE",
    "canonical_revision": "CANONICAL_REVISION",
    "app": "ISTIO_META_APP",
    "version": "ISTIO_META_VERSION",
}
CLUSTER_ID: Final = "Kubernetes"


#: A credential that is a ConfigMap, which anybody may read: ``configmap://NAMESPACE/NAME``.
CONFIG_MAP: Final = "configmap://"
#: Envoy's working directory as its container sees it; the agent starts it there.
PROXY_DIRECTORY: Final = "/etc/istio/proxy"


def file(path: str) -> str:
    """A file of the container as Envoy finds it: containers share the machine's file system, so an
    absolute path is written relative to Envoy's working directory.
    """
    if not path.startswith("/"):
        return path
    return "../" * PROXY_DIRECTORY.count("/") + path.lstrip("/")


#: End of the SDS name of a credential's authorities.
CA_SUFFIX: Final = "-cacert"


def secret(credential: str) -> str:
    """The SDS name of a credential that istiod serves."""
    return credential if "://" in credential else f"kubernetes://{credential}"


class Subset(NamedTuple):
    """The parts of a cluster's name."""

    direction: str
    port: int
    subset: str
    host: str


def outbound(port: int, subset: str, host: str) -> str:
    """``outbound|9080|v1|reviews.default.svc.cluster.local``."""
    return f"outbound|{port}|{subset}|{host}"


def unrouted(port: int, host: str) -> str:
    """``PassthroughCluster|9080||HOST``: a Kubernetes service outside of a client's view."""
    return f"{PASSTHROUGH}|{port}||{host}"


def inbound(port: int) -> str:
    """``inbound|9080||``."""
    return f"inbound|{port}||"


def sni(port: int, subset: str, host: str) -> str:
    """The server name of mesh TLS: ``outbound_.9080_.v1_.reviews.default.svc.cluster.local``."""
    return f"outbound_.{port}_.{subset}_.{host}"


def parse(cluster: str) -> Subset | None:
    """The parts of a cluster name in Istio's form; None for other names."""
    parts = cluster.split("|")
    if len(parts) != 4 or not parts[1].isdigit():
        return None
    return Subset(parts[0], int(parts[1]), parts[2], parts[3])


def spiffe(trust_domain: str, namespace: str, account: str) -> str:
    """``spiffe://cluster.local/ns/default/sa/reviews``."""
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{account}"
