"""The kubeconfig of a cluster: JSON, which every reader of YAML understands, with everything inside."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson

from meshcourse.embedded.apiserver import pki
from meshcourse.embedded.kube.objects import Object


def render(name: str, url: str, ca: bytes, user: Object) -> Object:
    """A kubeconfig with one cluster, one user and one context, all called `name`.

    :param user: ``{"token": …}`` or ``{"client-certificate-data": …, "client-key-data": …}``.
    """
    authority = base64.b64encode(ca).decode()
    cluster = {"certificate-authority-data": authority, "server": url}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
    }


def write(path: Path, name: str, url: str, ca: bytes, token: str) -> None:
    """Write a kubeconfig that only its owner can read."""
    config = render(name, url, ca, {"token": token})
    pki.write(path, orjson.dumps(config, option=orjson.OPT_INDENT_2) + b"\n")
