"""Bearer tokens: the administrator's, and signed ones of service accounts.

Source: TokenRequest (KEP-1205): JWTs with issuer, audience, expiry, and the objects that they are bound to. Signed with
ES256; the key lives in the state directory.
"""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from meshcourse.embedded.kube.objects import Object

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
_HALF = 32  # bytes of r and of s in an ES256 signature
_SIGNATURE = ec.ECDSA(hashes.SHA256())


class InvalidToken(Exception):
    """The token is not ours, was changed, or has expired."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Whom a token is for: a service account, and the pod (or node) that it is bound to, if any."""

    namespace: str
    name: str
    uid: str
    pod: str = ""
    pod_uid: str = ""
    node: str = ""
    secret: str = ""
    secret_uid: str = ""


class TokenIssuer:
    """Signs and verifies. Whether the bound objects still exist is the authenticator's business."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public = key.public_key()
        self._header = _encode({"alg": "ES256", "kid": self.key_id})

    @property
    def key_id(self) -> str:
        """A name for the key, derived from it."""
        digest = hashes.Hash(hashes.SHA256())
        numbers = self._public.public_numbers()
        digest.update(_number(numbers.x) + _number(numbers.y))
        return _text(digest.finalize())

    def issue(self, binding: Binding, audiences: list[str], seconds: int) -> tuple[str, int]:
        """A token and when it expires (seconds since the epoch)."""
        now = int(time.time())
        claims: Object = {
            "aud": audiences,
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": _bound(binding),
            "nbf": now,
            "sub": f"system:serviceaccount:{binding.namespace}:{binding.name}",
        }
        signed = f"{self._header}.{_encode(claims)}"
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), _SIGNATURE))
        return f"{signed}.{_text(_number(r) + _number(s))}", now + seconds

    def verify(self, token: str) -> Object:
        """The claims of a token.

        :raises InvalidToken: if it is not a valid one of this issuer.
        """
        try:
            header, payload, signature = token.split(".")
            raw = _bytes(signature)
            pair = utils.encode_dss_signature(
                int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:])
            )
            self._public.verify(pair, f"{header}.{payload}".encode(), _SIGNATURE)
            claims: Object = orjson.loads(_bytes(payload))
        except (ValueError, InvalidSignature) as error:
            raise InvalidToken(str(error) or "bad signature") from None
        now = time.time()
        if claims.get("iss") != ISSUER or not claims["nbf"] - 60 <= now <= claims["exp"]:
            raise InvalidToken("token has expired")
        return claims

    def jwks(self) -> Object:
        """The public key as a JSON web key set (``/openid/v1/jwks``)."""
        numbers = self._public.public_numbers()
        key = {
            "use": "sig",
            "kty": "EC",
            "kid": self.key_id,
            "crv": "P-256",
            "alg": "ES256",
            "x": _text(_number(numbers.x)),
            "y": _text(_number(numbers.y)),
        }
        return {"keys": [key]}


def binding_of(claims: Object) -> Binding:
    """What a verified token says of its service account."""
    bound = claims["kubernetes.io"]
    pod, secret = bound.get("pod") or {}, bound.get("secret") or {}
    account = bound["serviceaccount"]
    return Binding(
        bound["namespace"],
        account["name"],
        account["uid"],
        pod.get("name", ""),
        pod.get("uid", ""),
        (bound.get("node") or {}).get("name", ""),
        secret.get("name", ""),
        secret.get("uid", ""),
    )


def _bound(binding: Binding) -> Object:
    found: Object = {"namespace": binding.namespace}
    if binding.node:
        found["node"] = {"name": binding.node}
    if binding.pod:
        found["pod"] = {"name": binding.pod, "uid": binding.pod_uid}
    if binding.secret:
        found["secret"] = {"name": binding.secret, "uid": binding.secret_uid}
    found["serviceaccount"] = {"name": binding.name, "uid": binding.uid}
    return found


def _encode(value: Any) -> str:
    return _text(orjson.dumps(value))


def _number(value: int) -> bytes:
    return value.to_bytes(_HALF)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
