"""Cipher suites that a server may be restricted to. Source: istio.io reference of
ServerTLSSettings, pkg/config/security.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_KNOWN: Final = frozenset(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    )
)


def valid(name: str) -> bool:
    """Whether a cipher suite is known, or one of OpenSSL's expressions."""
    return name in ("", "ALL") or not name[0].isalnum() or name in _KNOWN


def usable(names: Iterable[str]) -> list[str]:
    """Those that are valid, each once, in order."""
    return list(dict.fromkeys(one for one in names if valid(one)))
