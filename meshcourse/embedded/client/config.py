"""Where the API server is and how to prove who we are: from a kubeconfig, or from inside a pod."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meshcourse.embedded.kube.objects import Object
from meshcourse.errors import MeshcourseError

_MOUNT = "var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server and a credential. `ca` and `token` are texts, or files that may be replaced while we run."""

    url: str
    ca: str | Path | None = None
    token: str | Path = ""
    certificate: bytes = b""
    key: bytes = b""

    def bearer(self) -> str:
        """The token of this moment."""
        if isinstance(self.token, Path):
            return self.token.read_text().strip()
        return self.token

    def tls(self) -> ssl.SSLContext:
        """Trust in the server's CA, with the client certificate if there is one."""
        if isinstance(self.ca, Path):
            context = ssl.create_default_context(cafile=self.ca)
        else:
            context = ssl.create_default_context(cadata=self.ca)
        if self.certificate:
            with (
                tempfile.NamedTemporaryFile() as pem
            ):  # ssl reads keys from files only; this one is 0600
                pem.write(self.certificate + b"\n" + self.key)
                pem.flush()
                context.load_cert_chain(pem.name)
        return context


def from_kubeconfig(path: Path, context: str = "") -> Endpoint:
    """The cluster and user of a context (the current one by default).

    :raises MeshcourseError: if the file cannot be read or does not say.
    """
    try:
        found = yaml.safe_load(path.read_text())
        wanted = context or found["current-context"]
        chosen = _named(found, "contexts", wanted)["context"]
        cluster = _named(found, "clusters", chosen["cluster"])["cluster"]
        user = _named(found, "users", chosen["user"])["user"]
        return _endpoint(cluster, user)
    except (OSError, yaml.YAMLError, LookupError, TypeError) as error:
        raise MeshcourseError(
            f"The kubeconfig {path} does not lead to a cluster: {error}",
            remedy="Choose another file or context, or start a cluster with `meshcourse up`.",
        ) from error


def _named(found: Object, field: str, name: str) -> Object:
    entries: list[Any] = found.get(field) or []
    for entry in entries:
        if entry["name"] == name:
            return dict(entry)
    raise LookupError(f"{field} has no entry {name!r}")


def _endpoint(cluster: Object, user: Object) -> Endpoint:
    ca = cluster.get("certificate-authority-data")
    file = cluster.get("certificate-authority")
    return Endpoint(
        cluster["server"].rstrip("/"),
        base64.b64decode(ca).decode() if ca else Path(file) if file else None,
        Path(user["tokenFile"]) if "tokenFile" in user else user.get("token", ""),
        base64.b64decode(user.get("client-certificate-data", "")),
        base64.b64decode(user.get("client-key-data", "")),
    )


def in_pod() -> Endpoint:
    """The API server as a container sees it.

    :raises MeshcourseError: outside a pod.
    """
    root = Path(os.environ.get("MESHCOURSE_ROOT") or "/") / _MOUNT
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST"),
        os.environ.get("KUBERNETES_SERVICE_PORT"),
    )
    if not host or not port or not (root / "token").exists():
        raise MeshcourseError(
            "This process does not run in a pod with a service account.",
            remedy="Give it a kubeconfig instead.",
        )
    return Endpoint(f"https://{host}:{port}", root / "ca.crt", root / "token")
