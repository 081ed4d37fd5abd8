"""What the webhook says: tables of a spec and Istio's messages for it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from meshcourse.embedded.istio import validate
from meshcourse.embedded.istio.validate import regex

GROUPS = {
    "PeerAuthentication": "security",
    "RequestAuthentication": "security",
    "AuthorizationPolicy": "security",
    "Telemetry": "telemetry",
    "WasmPlugin": "extensions",
}


def check(kind: str, spec: str, **meta: Any) -> validate.Result:
    group = GROUPS.get(kind, "networking")
    return validate.check(
        {
            "apiVersion": f"{group}.istio.io/v1",
            "kind": kind,
            "metadata": {"name": "x", "namespace": "default", **meta},
            "spec": yaml.safe_load(spec),
        }
    )


ROUTE = "route: [{destination: {host: a}}]"

ERRORS: list[tuple[str, str, list[str]]] = [
    ("VirtualService", "{hosts: [a]}", ["http, tcp or tls must be provided in virtual service"]),
    (
        "VirtualService",
        "{hosts: [a], http: [{}]}",
        ["HTTP route, redirect or direct_response is required"],
    ),
    (
        "VirtualService",
        f"{{hosts: ['*'], http: [{{{ROUTE}}}]}}",
        ["wildcard host * is not allowed for virtual services bound to the mesh gateway"],
    ),
    (
        "VirtualService",
        f"{{hosts: ['*.a.com', b.a.com], http: [{{{ROUTE}}}]}}",
        ["duplicate hosts in virtual service: *.a.com & b.a.com"],
    ),
    (
        "VirtualService",
        f"{{hosts: ['a_b.com'], http: [{{{ROUTE}}}]}}",
        ['domain name "a_b.com" invalid (label "a_b" invalid)'],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], gateways: [ns/], http: [{{{ROUTE}}}]}}",
        [
            "config namespace and gateway name cannot be empty",
            'invalid value for gateway name: ""',
        ],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, redirect: {{uri: /}}}}]}}",
        ["HTTP route cannot contain both route and redirect"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{match: [{{uri: {{regex: '(a'}}}}], {ROUTE}}}]}}",
        [
            '"uri": error parsing regexp: missing closing ): `(a`; Istio uses RE2 style '
            "regex-based match (https://github.com/google/re2/wiki/Syntax)"
        ],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{match: [{{headers: {{'a b': {{exact: x}}}}}}], {ROUTE}}}]}}",
        ["header name a b is not a valid header name"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{match: [{{method: {{prefix: ''}}}}], {ROUTE}}}]}}",
        ['"method": prefix string match should not be empty'],
    ),
    (
        "VirtualService",
        "{hosts: [a], http: [{route: [{destination: {host: a}, weight: -1}]}]}",
        ["weight -1 < 0"],
    ),
    (
        "VirtualService",
        "{hosts: [a], http: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]}",
        ["total destination weight = 0"],
    ),
    (
        "VirtualService",
        "{hosts: [a], http: [{route: [{destination: {host: '*', port: {number: 0}, subset: V_1}}]}]}",
        [
            "invalid destination host *",
            "subset name is invalid: V_1",
            "port number 0 must be in the range 1..65535",
        ],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, fault: {{}}}}]}}",
        ["HTTP fault injection must have an abort and/or a delay"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, fault: {{abort: {{httpStatus: 9999, percentage: {{value: 101}}}}}}}}]}}",
        [
            "percentage 101 is neither 0.0, nor in range [0.0001, 100.0]",
            "HTTP status 9999 is not in range 200-599",
        ],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, fault: {{delay: {{fixedDelay: 1us}}}}}}]}}",
        ["duration must be greater than 1ms"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, retries: {{attempts: 0, retryOn: 5xx}}}}]}}",
        ["http retry policy configured when attempts are set to 0 (disabled)"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, retries: {{attempts: 1, retryOn: sometimes}}}}]}}",
        ['"sometimes" is not a valid retryOn policy'],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, rewrite: {{}}}}]}}",
        [
            "rewrite must specify at least one of URI, UriRegexRewrite, or authority. "
            "Only one of URI or UriRegexRewrite may be specified"
        ],
    ),
    (
        "VirtualService",
        "{hosts: [a], http: [{redirect: {uri: /a, redirectCode: 200}}]}",
        ["200 is not a valid redirect code, must be 3xx"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, mirrorPercentage: {{value: 150}}}}]}}",
        ["mirror_percentage must have a max value of 100 (it has 150.000000)"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, headers: {{request: {{set: {{':path': x}}}}}}}}]}}",
        ['invalid header ":path": header cannot have ":" prefix'],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, headers: {{response: {{set: {{host: x, y: '50%'}}}}}}}}]}}",
        [
            'invalid header "host": cannot set Host header',
            "header value configuration: invalid header configuration. Un-escaped %",
        ],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], tls: [{{match: [{{port: 443}}], {ROUTE}}}]}}",
        ["TLS match must have at least one SNI host"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [b.com]}}], {ROUTE}}}]}}",
        [
            'SNI host "b.com" is not a compatible subset of any of the virtual service hosts: [a.com]'
        ],
    ),
    (
        "VirtualService",
        "{hosts: [a], tcp: [{match: [{destinationSubnets: [x]}]}]}",
        ["x is not a valid IP", "TCP route is required"],
    ),
    (
        "VirtualService",
        "{gateways: [g], http: [{route: [{destination: {host: a}}]}]}",
        ["delegate virtual service must have no gateways specified"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], exportTo: ['*', x], http: [{{{ROUTE}}}]}}",
        ["cannot have both public (*) and non-public exportTo values for a resource"],
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{match: [{{headers: {{'@request.auth.claims.x': {{exact: y}}}}}}], {ROUTE}}}]}}",
        [
            "JWT claim based routing (key: @request.auth.claims.x) is only supported for gateway, "
            "found no gateways: []"
        ],
    ),
    ("DestinationRule", "{}", ["empty domain name not allowed"]),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {}}",
        ["traffic policy must have at least one field"],
    ),
    (
        "DestinationRule",
        "{host: a, subsets: [{name: v1}, {name: v1}, {name: ''}]}",
        ["duplicate subset names: v1", "subset name cannot be empty"],
    ),
    (
        "DestinationRule",
        "{host: a, subsets: [{name: v1, labels: {'a b': c, d: 'e f'}}]}",
        ['invalid tag key: "a b"', 'invalid tag value: "e f"'],
    ),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 101, interval: 0s}}}",
        ["duration must be greater than 1ms", "percentage 101 is not in range 0..100"],
    ),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {connectionPool: {http: {maxRetries: -1}}}}",
        ["max retries must be non-negative"],
    ),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {maglev: {tableSize: 100}}}}}",
        ["tableSize must be a prime number for maglev"],
    ),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}",
        ["client certificate required for mutual tls", "private key required for mutual tls"],
    ),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 1}}]}}",
        ["port traffic policy must have at least one field"],
    ),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 50}}]}}}}",
        ["total locality weight 50 != 100"],
    ),
    ("Gateway", "{}", ["gateway must have at least one server"]),
    (
        "Gateway",
        "{servers: [{port: {number: 80, name: http, protocol: HTTP}}]}",
        ["server config must contain at least one host"],
    ),
    (
        "Gateway",
        "{servers: [{hosts: [short], port: {number: 0, protocol: nope}}]}",
        [
            "short names (non FQDN) are not allowed",
            'invalid protocol "nope", supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, '
            "MONGO, REDIS, MYSQL, TCP",
            "port number 0 must be in the range 1..65535",
            'port name must be set: protocol:"nope"',
        ],
    ),
    (
        "Gateway",
        "{servers: [{hosts: [a.b], port: {number: 443, name: x, protocol: HTTPS}}]}",
        ["server must have TLS settings for HTTPS/TLS protocols"],
    ),
    (
        "Gateway",
        "{servers: [{hosts: [a.b], port: {number: 443, name: x, protocol: HTTPS}, tls: {mode: SIMPLE}}]}",
        ["SIMPLE TLS requires a server certificate", "SIMPLE TLS requires a private key"],
    ),
    (
        "Gateway",
        "{servers: [{hosts: [a.b], port: {number: 80, name: x, protocol: HTTP}, "
        "tls: {mode: SIMPLE, credentialName: c}}]}",
        ["server cannot have TLS settings for plain text HTTP ports"],
    ),
    (
        "Gateway",
        "{servers: [{hosts: ['*'], port: {number: 80, name: x, protocol: HTTP}},"
        " {hosts: ['*'], port: {number: 81, name: x, protocol: HTTP}}]}",
        ["port names in servers must be unique: duplicate name x"],
    ),
    ("ServiceEntry", "{}", ["service entry must have at least one host"]),
    (
        "ServiceEntry",
        "{hosts: ['*'], ports: [{number: 1, name: a}, {number: 1, name: a}]}",
        [
            "invalid host *",
            'service entry port name "a" already defined',
            "service entry port 1 already defined",
        ],
    ),
    (
        "ServiceEntry",
        "{hosts: ['*.a.com'], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
        [
            "hosts must be FQDN or contain only prefix wildcards if no endpoints are provided "
            'for resolution mode DNS, domain name "*.a.com" invalid (label "*" invalid)'
        ],
    ),
    (
        "ServiceEntry",
        "{hosts: [a.com], resolution: STATIC, ports: [{number: 80, name: http}],"
        " endpoints: [{address: b.com, ports: {other: 1}}]}",
        [
            'endpoint address "b.com" is not a valid IP address',
            "endpoint port 1 is not defined by the service entry",
        ],
    ),
    ("Sidecar", "{}", ["sidecar: empty configuration provided"]),
    ("Sidecar", "{egress: [{hosts: [a]}]}", ["host must be of form namespace/dnsName"]),
    (
        "PeerAuthentication",
        "{portLevelMtls: {80: {mode: STRICT}}}",
        ["mesh/namespace peer authentication cannot have port level mTLS"],
    ),
    (
        "AuthorizationPolicy",
        "{action: DENY}",
        [
            "invalid policy x.default: DENY action without `rules` is meaningless as it will never "
            "be triggered, add an empty rule `{}` if you want it be triggered for every request"
        ],
    ),
    (
        "AuthorizationPolicy",
        "{rules: [{from: [{source: {}}], to: [{operation: {ports: [x]}}], when: [{key: nope, values: [a]}]}]}",
        [
            "invalid policy x.default: `from.source` must not be empty, found at rule 0",
            'invalid policy x.default: bad port (x): strconv.ParseUint: parsing "x": invalid syntax',
            "invalid policy x.default: invalid `value` for `key` nope: unknown attribute: nope",
            "invalid policy x.default: invalid `notValue` for `key` nope: unknown attribute: nope",
        ],
    ),
    (
        "AuthorizationPolicy",
        "{action: CUSTOM, provider: {name: p}, rules: [{from: [{source: {principals: [a]}}]}]}",
        ["invalid policy x.default: From.Principals is currently not supported with CUSTOM action"],
    ),
    ("RequestAuthentication", "{jwtRules: [{}]}", ["issuer or jwksUri must be non-empty string"]),
    (
        "RequestAuthentication",
        "{jwtRules: [{issuer: a, jwks: nonsense, jwksUri: 'ftp://x'}]}",
        ['URI scheme "ftp" is not supported', "jwks parse error: failed to unmarshal JWK set"],
    ),
    (
        "Telemetry",
        "{tracing: [{randomSamplingPercentage: 101}]}",
        ["randomSamplingPercentage must be in range [0.0, 100.0]"],
    ),
    (
        "EnvoyFilter",
        "{configPatches: [{patch: {operation: ADD}}]}",
        ["Envoy filter: missing applyTo"],
    ),
    ("WorkloadEntry", "{}", ["address is required"]),
    ("WorkloadGroup", "{}", ["template is required"]),
    ("ProxyConfig", "{concurrency: -1}", ["concurrency must be greater than or equal to 0"]),
    ("WasmPlugin", "{}", ["url field needs to be set"]),
]


@pytest.mark.parametrize(("kind", "spec", "expected"), ERRORS)
def test_errors(kind: str, spec: str, expected: list[str]) -> None:
    assert check(kind, spec).errors == expected


VALID: list[tuple[str, str]] = [
    ("VirtualService", f"{{hosts: [reviews], http: [{{{ROUTE}}}]}}"),
    ("VirtualService", f"{{hosts: ['*'], gateways: [g], http: [{{{ROUTE}}}]}}"),
    ("VirtualService", f"{{http: [{{{ROUTE}}}]}}"),
    (
        "VirtualService",
        "{hosts: [a], http: [{match: [{uri: {prefix: ''}}], directResponse: {status: 200}}]}",
    ),
    ("VirtualService", "{hosts: [a], http: [{redirect: {derivePort: FROM_REQUEST_PORT}}]}"),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}, headers: {{request: {{set: {{Host: b, x: '100%%', y: '%REQ(a)%'}}}}}}}}]}}",
    ),
    ("DestinationRule", "{host: a, subsets: [{name: v1, labels: {version: v1}}]}"),
    ("DestinationRule", "{host: a, trafficPolicy: {connectionPool: {tcp: {idleTimeout: 0s}}}}"),
    ("Gateway", "{servers: [{hosts: ['*'], port: {number: 80, name: http, protocol: HTTP}}]}"),
    (
        "Gateway",
        "{servers: [{hosts: ['./a.b', 'ns/*'], port: {number: 80, name: h, protocol: HTTP}, "
        "tls: {httpsRedirect: true}}]}",
    ),
    ("AuthorizationPolicy", "{}"),
    ("AuthorizationPolicy", "{rules: [{to: [{operation: {paths: ['/a/{*}/{**}']}}]}]}"),
    ("PeerAuthentication", "{mtls: {mode: STRICT}}"),
    ("Sidecar", "{egress: [{hosts: ['./*', 'istio-system/*']}]}"),
    ("Unknown", "{whatever: 1}"),
]


@pytest.mark.parametrize(("kind", "spec"), VALID)
def test_valid(kind: str, spec: str) -> None:
    assert check(kind, spec).errors == []


WARNINGS: list[tuple[str, str, str]] = [
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}}}, {{{ROUTE}}}]}}",
        "virtualService rule #1 not used (only the last rule can have no matches)",
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{{ROUTE}}}, {{name: n, match: [{{uri: {{exact: /a}}}}], {ROUTE}}}]}}",
        'virtualService rule "n" not used (route without matches defined before)',
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{match: [{{uri: {{exact: /a}}}}], {ROUTE}}}, "
        f"{{match: [{{uri: {{exact: /a}}}}], {ROUTE}}}]}}",
        "virtualService rule #1 match #0 is not used (duplicate/overlapping match in rule #0)",
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{match: [{{uri: {{prefix: /a}}}}], {ROUTE}}}, "
        f"{{match: [{{uri: {{prefix: /a/b}}}}], {ROUTE}}}]}}",
        "virtualService rule #1 match #0 of prefix /a/b is not used "
        "(duplicate/overlapping match in rule #0 of prefix /a on #0)",
    ),
    (
        "VirtualService",
        f"{{hosts: [a], http: [{{mirror: {{host: b}}, mirrorPercent: 10, {ROUTE}}}]}}",
        'using deprecated setting "mirrorPercent", use "mirrorPercentage" instead',
    ),
    (
        "DestinationRule",
        "{host: a, trafficPolicy: {outlierDetection: {consecutiveErrors: 1}}}",
        "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors "
        "or consecutive5xxErrors instead",
    ),
    ("PeerAuthentication", "{selector: {}}", "workload selector specified without labels"),
    (
        "AuthorizationPolicy",
        "{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}",
        "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to "
        "the use of only HTTP attributes in a DENY rule; it is recommended to explicitly specify the port",
    ),
]


@pytest.mark.parametrize(("kind", "spec", "expected"), WARNINGS)
def test_warnings(kind: str, spec: str, expected: str) -> None:
    result = check(kind, spec)
    assert result.errors == []
    assert expected in result.warnings


def test_several_errors_read_like_gos() -> None:
    result = check(
        "Gateway", "{servers: [{hosts: [], port: {number: 0, name: a, protocol: HTTP}}]}"
    )
    assert result.message == (
        "2 errors occurred:\n"
        "\t* server config must contain at least one host\n"
        "\t* port number 0 must be in the range 1..65535\n\n"
    )


def test_annotations_that_forbid() -> None:
    result = check("Gateway", "{}", annotations={"istio.io/dry-run": "true"})
    assert result.errors == [
        "default/x has unsupported annotation istio.io/dry-run, please remove the annotation"
    ]


def test_objects_of_the_wrong_shape_are_refused_not_crashed_on() -> None:
    for spec in ("{hosts: 1}", "{hosts: [1], http: [1]}", "{http: {a: b}}", "[]"):
        assert check("VirtualService", spec).errors


EXPRESSIONS = [
    ("a.*[bc]+(d|e)?$", ""),
    ("(?i)abc(?:d)(?P<name>e)", ""),
    ("[[:alpha:]_-]{2,3}", ""),
    (r"\d\w\.\x41\pL", ""),
    ("a{,2}", ""),
    ("(a", "missing closing ): `(a`"),
    ("a)", "unexpected ): `a)`"),
    ("[a", "missing closing ]: `[a`"),
    ("*a", "missing argument to repetition operator: `*`"),
    ("a**", "invalid nested repetition operator: `**`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
    ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
    (r"(a)\1", r"invalid escape sequence: `\1`"),
    ("[z-a]", "invalid character class range: `z-a`"),
    ("a\\", "trailing backslash at end of expression: ``"),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_regular_expressions_are_those_of_re2(expression: str, expected: str) -> None:
    found = regex.complaint(expression)
    assert found == (f"error parsing regexp: {expected}" if expected else "")
