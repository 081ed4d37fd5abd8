"""An identity provider for tests: a key set, and tokens signed with it."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class Issuer:
    """Signs tokens as an identity provider would."""

    def __init__(self, name: str = "testing@secure.istio.io") -> None:
        self.name = name
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwks(self) -> str:
        numbers = self.key.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        key = {"kty": "RSA", "kid": "1", "n": _b64(numbers.n.to_bytes(size, "big")), "e": "AQAB"}
        return json.dumps({"keys": [key]})

    def token(self, **claims: Any) -> str:
        payload = {"iss": self.name, "sub": "alice", "exp": 4685989700, **claims}
        parts = [_b64(json.dumps(one).encode()) for one in ({"alg": "RS256", "kid": "1"}, payload)]
        signed = ".".join(parts).encode()
        return (
            f"{signed.decode()}.{_b64(self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))}"
        )


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
