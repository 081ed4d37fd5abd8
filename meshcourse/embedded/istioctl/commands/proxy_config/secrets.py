"""Secrets: the certificates a proxy has."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

from cryptography import x509

from meshcourse.embedded.istioctl.commands.proxy_config import dump

Json = dict[str, Any]
HEADER = [
    "RESOURCE NAME",
    "TYPE",
    "STATUS",
    "VALID CERT",
    "SERIAL NUMBER",
    "NOT AFTER",
    "NOT BEFORE",
]


def rows(found: Json, now: dt.datetime | None = None) -> list[list[str]]:
    """One row per secret; the trust domain if all certificates have one."""
    moment = now or dt.datetime.now(dt.UTC)
    return [_row(state, entry, moment) for state, entry in dump.secrets(found)]


def in_bytes(part: Json) -> Json:
    """The ``SecretsConfigDump`` with every text as ``inline_bytes``, which is how Istio's own agent hands it out."""
    return dict(_in_bytes(part))


def _in_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_bytes(part) for part in value]
    if not isinstance(value, dict):
        return value
    return dict(_encoded(name, part) for name, part in value.items())


def _encoded(name: str, part: Any) -> tuple[str, Any]:
    if name == "inline_string":
        return "inline_bytes", base64.b64encode(str(part).encode()).decode()
    return name, _in_bytes(part)


def _row(state: str, entry: Json, now: dt.datetime) -> list[str]:
    secret = entry.get("secret") or {}
    kind, pem = _content(secret)
    name = str(entry.get("name") or secret.get("name", ""))
    if not pem:
        return [name, kind, state, "false", "", "", ""]
    certificate = x509.load_pem_x509_certificate(pem)
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    valid = "true" if start <= now <= end else "false"
    serial = f"{certificate.serial_number:x}"
    return [name, kind, state, valid, serial, _time(end), _time(start)]


def _content(secret: Json) -> tuple[str, bytes]:
    """``Cert Chain`` or ``CA``, and the PEM text."""
    if "tls_certificate" in secret:
        return "Cert Chain", _bytes(secret["tls_certificate"].get("certificate_chain") or {})
    if "validation_context" in secret:
        return "CA", _bytes(secret["validation_context"].get("trusted_ca") or {})
    return "", b""


def _bytes(source: Json) -> bytes:
    if "inline_string" in source:
        return str(source["inline_string"]).encode()
    return base64.b64decode(source.get("inline_bytes") or "")


def _time(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
