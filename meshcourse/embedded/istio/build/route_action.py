"""Redirects, direct responses, rewrites and hash policies of HTTP routes."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.model import Json

_REDIRECTS: Final = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
#: Istio's note that a redirect replaces the matched prefix.
_PREFIX: Final = "%PREFIX()%"
_PLAIN: Final = {("http", 80), ("https", 443)}
#: Largest direct response, which is also what validation allows (bytes).
MAX_DIRECT_RESPONSE: Final = 1024 * 1024


def redirect(setting: Mapping[str, Any], *, port: int, tls: bool, semantics: str = "") -> Json:
    """RedirectAction. `port` is the one called, for ``derivePort: FROM_REQUEST_PORT``."""
    result = proto.compact(
        host_redirect=setting.get("authority"), scheme_redirect=setting.get("scheme")
    )
    uri = str(setting.get("uri") or "")
    if semantics == "gateway" and uri.startswith(_PREFIX):
        result["prefix_rewrite"] = uri.removeprefix(_PREFIX)
    elif uri:
        result["path_redirect"] = uri
    if number := _redirect_port(setting, port=port, tls=tls):
        result["port_redirect"] = number
    result["response_code"] = _REDIRECTS.get(
        int(setting.get("redirectCode") or 301), _REDIRECTS[301]
    )
    return result


def _redirect_port(setting: Mapping[str, Any], *, port: int, tls: bool) -> int:
    number = int(setting.get("port") or 0)
    if setting.get("derivePort") == "FROM_REQUEST_PORT":
        number = port
    scheme = setting.get("scheme") or ("https" if tls else "http")
    return 0 if (scheme, number) in _PLAIN else number


def direct_response(setting: Mapping[str, Any]) -> Json:
    """DirectResponseAction."""
    result: Json = {"status": int(setting.get("status") or 200)}
    body = setting.get("body") or {}
    if "string" in body:
        result["body"] = {"inline_string": body["string"]}
    elif "bytes" in body:
        base64.b64decode(body["bytes"])
        result["body"] = {"inline_bytes": body["bytes"]}
    return result


def rewrite(setting: Mapping[str, Any] | None, authority: str, removed: str = "") -> Json:
    """Rewrites of path and authority; the rewrite's authority goes before that of header
    operations.

    :param removed: the prefix that a rewrite to ``/`` removes up to a path separator (Gateway API).
    """
    setting = setting or {}
    result: Json = {}
    if regex := setting.get("uriRegexRewrite"):
        result["regex_rewrite"] = {
            "pattern": {"regex": regex.get("match", "")},
            "substitution": regex.get("rewrite", ""),
        }
    elif removed and setting.get("uri") == "/":
        result |= strip_prefix(removed)
    elif uri := setting.get("uri"):
        result["prefix_rewrite"] = uri
    if authority := setting.get("authority") or authority:
        result["host_rewrite_literal"] = authority
    return result


def strip_prefix(prefix: str) -> Json:
    """The Gateway API's ReplacePrefixMatch with ``/``: removes a prefix that ends at a path
    separator.
    """
    pattern = f"^{re.escape(prefix)}(/?)(.*)"
    return {"regex_rewrite": {"pattern": {"regex": pattern}, "substitution": r"/\2"}}


def hash_policy(hashing: Mapping[str, Any] | None) -> Json | None:
    """HashPolicy of a consistent hash load balancer."""
    if not hashing:
        return None
    if header := hashing.get("httpHeaderName"):
        return {"header": {"header_name": header}}
    if cookie := hashing.get("httpCookie"):
        fields = proto.compact(
            name=cookie.get("name"),
            path=cookie.get("path"),
            ttl=durations.proto(cookie.get("ttl")),
            attributes=cookie.get("attributes"),
        )
        return {"cookie": fields}
    if hashing.get("useSourceIp"):
        return {"connection_properties": {"source_ip": True}}
    if query := hashing.get("httpQueryParameterName"):
        return {"query_parameter": {"name": query}}
    return None
