"""Where the root lives: the Secret ``istio-ca-secret``, or ``cacerts`` if the administrator plugged in a CA."""

from __future__ import annotations

import base64
import datetime as dt
import logging

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istiod.ca import authority
from meshcourse.embedded.istiod.ca.authority import Authority, KeyPair
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

log = logging.getLogger("ca")

SECRET = "istio-ca-secret"
PLUGGED_IN = "cacerts"


async def load(client: Client, namespace: str) -> Authority:
    """The root of this mesh; made and stored if there is none. Two istiods that start at once agree on one."""
    for name in (PLUGGED_IN, SECRET):
        found = await _read(client, namespace, name)
        if found is not None:
            log.info("Use existing CA from secret %s/%s", namespace, name)
            return found
    log.info("Failed to get secret (error: secrets %r not found), will create one", SECRET)
    created = authority.create(dt.datetime.now(dt.UTC))
    try:
        await client.create(refs.SECRETS, _secret(created, namespace), namespace)
    except ApiError as error:
        if error.code != 409:
            raise
        return await load(client, namespace)
    log.info("Using self-generated public key:\n%s", created.root)
    return created


async def _read(client: Client, namespace: str, name: str) -> Authority | None:
    try:
        secret = await client.get(refs.SECRETS, name, namespace)
    except ApiError as error:
        if error.code == 404:
            return None
        raise
    data = {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
    return Authority(KeyPair(data["ca-cert.pem"].decode(), data["ca-key.pem"].decode()))


def _secret(root: Authority, namespace: str) -> Object:
    data = {"ca-cert.pem": root.pair.certificate, "ca-key.pem": root.pair.key}
    empty = dict.fromkeys(("cert-chain.pem", "key.pem", "root-cert.pem"), "")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "type": "istio.io/ca-root",
        "data": {k: base64.b64encode(v.encode()).decode() for k, v in {**data, **empty}.items()},
    }
