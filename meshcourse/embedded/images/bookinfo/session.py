"""productpage's session: a signed cookie that carries the name someone typed. Pure.

The sample asks for no password that matters, and the key is public in its source, here as upstream: every replica and
every restart must accept the same cookie. Never do this in an application of your own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

COOKIE = "session"
_KEY = b"meshcourse bookinfo: a demonstration, not a secret"


def encode(user: str) -> str:
    """The cookie's value for a user."""
    payload = base64.urlsafe_b64encode(json.dumps({"user": user}).encode()).decode().rstrip("=")
    return f"{payload}.{_signature(payload)}"


def decode(value: str) -> str | None:
    """The user in a cookie's value; None if it was not made by `encode`."""
    payload, _, signature = value.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(payload).encode()):
        return None
    try:
        data = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(data["user"])
    except (binascii.Error, ValueError, LookupError, TypeError):
        return None


def _signature(payload: str) -> str:
    digest = hmac.new(_KEY, payload.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()
