"""JSON Web Tokens as an identity provider would sign them, made here, so that no lesson depends on somebody's website.

RS256 (RFC 7518) over a key that lives as long as the `Issuer`; its public half is a JWKS (RFC 7517), to be put into a
RequestAuthentication as ``jwks``. Tokens are for lessons: the key is never stored.
"""

from __future__ import annotations

import base64
import json
import time
from functools import cached_property
from typing import Any

HOUR = 3600


class Issuer:
    """Somebody who signs tokens.

    :param name: the ``iss`` claim.
    :param key_id: the ``kid`` by which a verifier finds the key.
    """

    def __init__(self, name: str, key_id: str = "lesson-1") -> None:
        self.name, self.key_id = name, key_id

    @cached_property
    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwks(self) -> str:
        """The public key, as JSON on one line."""
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": self.key_id, "alg": "RS256", "use": "sig"}
        key |= {"n": _number(numbers.n), "e": _number(numbers.e)}
        return json.dumps({"keys": [key]})

    def token(self, subject: str = "alice", *, seconds: float = HOUR, **claims: Any) -> str:
        """A signed token.

        :param seconds: until it expires; negative for one that has.
        :param claims: whatever else it says, for example ``groups=["editors"]``.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        now = int(time.time())
        head = {"alg": "RS256", "kid": self.key_id, "typ": "JWT"}
        body = {"iss": self.name, "sub": subject, "iat": now, "exp": int(now + seconds), **claims}
        signed = f"{encode(head)}.{encode(body)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(signature)}"

    def __repr__(self) -> str:
        return f"issuer {self.name}, key {self.key_id}"


def encode(part: Any) -> str:
    """A part of a token: JSON in base64url without padding."""
    return _text(json.dumps(part, separators=(",", ":")).encode())


def decode(part: str) -> Any:
    """What a part of a token says. Anybody can read it; nobody but the issuer can write it."""
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
