"""The volumes and mounts of the proxy's container, by their real names."""

from __future__ import annotations

from meshcourse.embedded.kube.objects import Object

_MOUNTS = {
    "workload-socket": "/var/run/secrets/workload-spiffe-uds",
    "credential-socket": "/var/run/secrets/credential-uds",
    "workload-certs": "/var/run/secrets/workload-spiffe-credentials",
    "istiod-ca-cert": "/var/run/secrets/istio",
    "istio-data": "/var/lib/istio/data",
    "istio-envoy": "/etc/istio/proxy",
    "istio-token": "/var/run/secrets/tokens",
    "istio-podinfo": "/etc/istio/pod",
}


def mounts() -> list[Object]:
    return [{"mountPath": path, "name": name} for name, path in _MOUNTS.items()]


def volumes() -> list[Object]:
    """Empty directories, the pod's labels and annotations, a token for istiod's CA, the mesh's root certificate."""
    fields = ("labels", "annotations")
    info = [{"path": f, "fieldRef": {"fieldPath": f"metadata.{f}"}} for f in fields]
    token = {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}
    return [
        {"name": "workload-socket", "emptyDir": {}},
        {"name": "credential-socket", "emptyDir": {}},
        {"name": "workload-certs", "emptyDir": {}},
        {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
        {"name": "istio-data", "emptyDir": {}},
        {"name": "istio-podinfo", "downwardAPI": {"items": info}},
        {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert"}},
    ]
