"""Objects that somebody might write: made from the CRDs, with values that make sense more often than not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

import jsonschema_rs

from tests.conformance import fields
from tests.conformance.fields import Kind

Json = dict[str, Any]

_DURATIONS: Final = ("1s", "250ms", "1h", "1.5s", "5ms", "0s", "10m", "1", "-1s")
_REGEXES: Final = ("a.*", "[0-9]+", "(a|b)c?", "^x$", r"\d{2}", "(?i)abc", "(", "a(?=b)", "*", "")
_HEADER_VALUES: Final = (
    "v",
    "a b",
    "100%",
    "%%",
    "%START_TIME%",
    "%REQ(x-a)%",
    "%BAD",
    "%REQ(%",
    "",
)
_HOSTS: Final = (
    "reviews",
    "ratings.default.svc.cluster.local",
    "*.example.com",
    "a.example.com",
    "*",
)
_ADDRESSES: Final = ("10.0.0.0/8", "127.0.0.1", "::1", "2001:db8::/32", "bad", "10.0.0.1/99")
_NAMES: Final = ("x-a", "X-B", "host", ":authority", "cookie", "bad header", "")
_TIMES: Final = (
    *("timeout", "perTryTimeout", "fixedDelay", "exponentialDelay", "interval", "backoff", "time"),
    *("baseEjectionTime", "connectTimeout", "idleTimeout", "maxConnectionDuration", "maxAge"),
    *("duration", "ttl", "warmupDurationSecs", "reportingInterval", "request", "backendRequest"),
)
#: Values by the name of the field.
STRINGS: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(_TIMES, _DURATIONS),
    "regex": _REGEXES,
    "match": ("/a(.*)", "^/([^/]+)", "(", ""),
    "rewrite": (r"/\1", r"\2/x", "/new", r"\9", ""),
    "exact": ("a", "/a", "", "GET", "a%b"),
    "prefix": ("a", "/a", "/", "", "%"),
    "uri": ("/", "/new", "new", "/a?b=c", "%PREFIX()%/x"),
    "authority": ("other.example", "other:80", "", "a b"),
    "retryOn": (
        "5xx",
        "gateway-error,503",
        "connect-failure, reset",
        "bogus",
        "retriable-4xx",
        "599",
    ),
    "hosts": _HOSTS,
    "host": _HOSTS[:2],
    "httpHeaderName": ("x-user", ":path", "bad name", ""),
    "grpcStatus": ("UNAVAILABLE", "14", "bogus"),
    "sni": ("a.example.com", "*.example.com", ""),
    "sniHosts": ("a.example.com", "*.example.com"),
    "jwks": ('{"keys": []}', "nonsense", '{"keys": [{"kty": "oct", "k": "YQ"}]}', "{}"),
    "jwksUri": ("http://keys.example/jwks", "https://keys.example", "bad"),
    "issuer": ("me", "you", ""),
    "expression": ("response.code >= 400", "true", "(", "bogus.field == 1"),
    "value": ("a", "request.host", "'x'", "(", "%REQ(x-a)%", "%BAD("),
    "key": (
        "source.ip",
        "request.headers[x-a]",
        "destination.port",
        "destination.ip",
        "connection.sni",
        "source.namespace",
        "request.auth.claims[a][b]",
        "request.auth.audiences",
        "remote.ip",
        "bogus",
    ),
    "paths": ("/a", "/a*", "*b", "*", "/a/{*}", "/a/{**}", "/{a}", "a{*}", ""),
    "ports": ("80", "9080", "0", "bad", "70000"),
    "methods": ("GET", "P*", "*", ""),
    "principals": ("cluster.local/ns/default/sa/web", "*", "*/sa/web", "a", ""),
    "serviceAccounts": ("web", "default/web", "a/b/c", ""),
    **dict.fromkeys(("ipBlocks", "remoteIpBlocks", "addresses", "destinationSubnets"), _ADDRESSES),
    "values": ("a", "a*", "*a", "*", "127.0.0.1", "10.0.0.0/8", "80", ""),
    "clientCertificate": ("cert.pem",),
    "serverCertificate": ("cert.pem",),
    "privateKey": ("key.pem",),
    "caCertificates": ("ca.pem", "system"),
    "caCrl": ("crl.pem",),
    "credentialName": ("cert", "missing"),
    "protocol": ("HTTP", "HTTPS", "TLS", "TCP", "GRPC", "HTTP2", "MONGO", "bogus"),
    "exportTo": (".", "*", "other", "~"),
    "gateways": ("mesh", "front", "default/front"),
    "cipherSuites": ("ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA", "bogus"),
    "address": ("127.0.0.9", "unix:///tmp/x", "vm.example.com", ""),
    "bind": ("127.0.0.8", ""),
    "defaultEndpoint": ("127.0.0.1:8080", "unix:///tmp/y", "0.0.0.0:9", "bad"),
    "locality": ("r1/z1", "r2", ""),
    "from": ("r1/*", "r1", "r2/z1/s1"),
    "failoverPriority": ("topology.kubernetes.io/region", "topology.kubernetes.io/zone=z1", ""),
    "verifyCertificateSpki": ("NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=", "bad"),
    "verifyCertificateHash": (
        "df6ff72fe9116521268f6f2dd4966f51df479883fe7037b39f75916ac3049d1a",
        "bad",
    ),
}
_PLAIN: Final = ("a", "b", "x-a", "*", "")
_KEYS: Final[Mapping[str, Sequence[str]]] = {
    "set": _NAMES,
    "add": _NAMES,
    "headers": ("x-a", "x-b", "@request.auth.claims.group", ""),
    "withoutHeaders": ("x-a", "x-b"),
    "queryParams": ("q", "r", ""),
    "labels": ("app", "version"),
    "portLevelMtls": ("9080", "80", "bad"),
    "to": ("r1/*", "r2/z1/*"),
    "ports": ("http", "tcp"),
    "tagOverrides": ("host", "response_code"),
    "customTags": ("a", "b"),
}
_INTEGERS: Final = (1, 2, 50, 80, 100, 200, 404, 503, 9080, 0, 65535, 70000, -1, 600)


class Writer:
    """Writes objects.

    :param often: how often an optional field is written, near the root.
    """

    def __init__(self, random: Random, often: float = 0.5) -> None:
        self._random = random
        self._often = often

    def object(self, kind: Kind, name: str) -> Json | None:
        """An object that the CRD's schema accepts; None if this one came out otherwise."""
        group, word = kind
        schema = fields.schema(kind)
        spec = self._value(schema, "spec", 0)
        if not _validator(kind).is_valid(spec):
            return None
        return {
            "apiVersion": f"{group}/{_VERSIONS.get(group, 'v1')}",
            "kind": word,
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }

    def _value(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if schema.get("properties"):
            return self._fields(schema, depth)
        kind = schema.get("type")
        if isinstance(schema.get("additionalProperties"), dict):
            keys = self._random.sample(list(_KEYS.get(name, _PLAIN[:3])), 1)
            inner = schema["additionalProperties"]
            below = "headerValue" if name in ("set", "add") else name
            return {key: self._value(inner, below, depth + 1) for key in keys}
        if kind == "array":
            count = self._random.choice((1, 1, 2)) if depth < 6 else 1
            return [self._value(schema["items"], name, depth) for _ in range(count)]
        return self._leaf(kind, schema, name)

    def _leaf(self, kind: Any, schema: Mapping[str, Any], name: str) -> Any:
        if kind == "boolean":
            return self._random.random() < 0.5
        if kind == "integer":
            return self._random.choice(_INTEGERS)
        if kind == "number":
            return self._random.choice((0, 0.5, 33.3, 100, 101))
        if kind == "string":
            if name == "headerValue":
                return self._random.choice(_HEADER_VALUES)
            return self._random.choice(STRINGS.get(_plain(name), _PLAIN))
        return {}

    def _fields(self, schema: Mapping[str, Any], depth: int) -> Json:
        found: Json = {}
        alone = {name for one in schema.get("oneOf") or () for name in one.get("required") or ()}
        chosen = self._random.choice(sorted(alone)) if alone else ""
        for name, one in schema["properties"].items():
            needed = name in (schema.get("required") or ())
            if name in alone and name != chosen:
                continue
            often = self._often if depth else 0.9
            if needed or name == chosen or self._random.random() < often:
                found[name] = self._value(one, name, depth + 1)
        return found


def _plain(name: str) -> str:
    """``notIpBlocks`` takes what ``ipBlocks`` takes."""
    if name.startswith("not") and name[3:4].isupper():
        return name[3].lower() + name[4:]
    return name


_VERSIONS: Final = {"telemetry.istio.io": "v1", "networking.istio.io": "v1"}
_VALIDATORS: dict[Kind, Any] = {}


def _validator(kind: Kind) -> Any:
    if kind not in _VALIDATORS:
        _VALIDATORS[kind] = jsonschema_rs.validator_for(dict(fields.schema(kind)))
    return _VALIDATORS[kind]
