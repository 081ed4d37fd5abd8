"""Reading a kubeconfig: which server, which CA, which credentials. Pure apart from reading the file.

Source: the Kubernetes reference for ``client.authentication`` and kubeconfig v1 (clusters, users, contexts).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meshcourse.cluster.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Access:
    """How to speak to one API server.

    :param server: base URL without a trailing slash.
    :param namespace: the context's namespace (``default`` if it names none).
    :param ca: the server's CA certificates as PEM, "" to use the system's.
    :param certificate: client certificate and key as PEM, or None.
    :param token: bearer token, "" if the user has none.
    :param insecure: do not verify the server's certificate.
    :param plugin: the user is authenticated by a plug-in (cloud providers), which only the official client runs.
    """

    server: str
    namespace: str = "default"
    context: str = ""
    ca: str = ""
    certificate: tuple[str, str] | None = None
    token: str = ""
    insecure: bool = False
    plugin: bool = False
    path: Path | None = None


def read(path: Path, context: str = "") -> Access:
    """The access that a kubeconfig's context (default: its current one) describes.

    :raises ClusterError: if the file is missing or does not describe the context.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise ClusterError(
            f"there is no kubeconfig at {path}", remedy="Start the cluster: `meshcourse up`."
        ) from None
    except yaml.YAMLError as error:
        raise ClusterError(f"{path} is not a kubeconfig: {error}") from error
    chosen = context or data.get("current-context") or ""
    entry = _named(data, "contexts", "context", chosen, path)
    cluster = _named(data, "clusters", "cluster", entry.get("cluster", ""), path)
    user = _named(data, "users", "user", entry.get("user", ""), path)
    return Access(
        server=str(cluster.get("server", "")).rstrip("/"),
        namespace=entry.get("namespace") or "default",
        context=chosen,
        ca=_pem(cluster, "certificate-authority", path.parent),
        certificate=_certificate(user, path.parent),
        token=_token(user, path.parent),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        plugin="exec" in user or "auth-provider" in user,
        path=path,
    )


def _named(
    data: dict[str, Any], plural: str, singular: str, name: str, path: Path
) -> dict[str, Any]:
    for item in data.get(plural) or []:
        if item.get("name") == name:
            found: dict[str, Any] = item.get(singular) or {}
            return found
    known = ", ".join(str(item.get("name")) for item in data.get(plural) or []) or "none"
    raise ClusterError(
        f'{path} has no {singular} called "{name}"', remedy=f"Its {plural} are: {known}."
    )


def _pem(entry: dict[str, Any], field: str, base: Path) -> str:
    if data := entry.get(f"{field}-data"):
        return base64.b64decode(data).decode()
    if file := entry.get(field):
        return Path(base, file).read_text(encoding="utf-8")
    return ""


def _certificate(user: dict[str, Any], base: Path) -> tuple[str, str] | None:
    certificate, key = _pem(user, "client-certificate", base), _pem(user, "client-key", base)
    return (certificate, key) if certificate and key else None


def _token(user: dict[str, Any], base: Path) -> str:
    if file := user.get("tokenFile"):
        return Path(base, file).read_text(encoding="utf-8").strip()
    return str(user.get("token") or "")
