"""Protobuf bodies, as the real kubectl sent them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.apiserver import protobuf
from meshcourse.embedded.apiserver.protobuf import fields, wire
from meshcourse.embedded.apiserver.schemas import builtin, node
from meshcourse.embedded.kube.status import ApiError

#: kubectl 1.32: create ns x; create deployment d --image=nginx --replicas=0 --port=80; create service nodeport web
#: --tcp=80:8080 --node-port=30001; create rolebinding; auth can-i create pods; create token.
_NAMESPACE = "6b3873000a0f0a02763112094e616d65737061636512190a110a017812001a0022002a0032003800420012001a020a001a002200"
_DEPLOYMENT = (
    "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412b0010a1b0a016412001a0022002a003200380042005a080a036170"
    "701201641282010800120a0a080a036170701201641a6a0a1a0a0012001a0022002a003200380042005a080a03617070120164124c122e"
    "0a056e67696e7812056e67696e782a00320a0a001000185022002a0042006a007200800100880100900100a201001a00320042004a0052"
    "005800600068008201008a01009a0100c2010022020a00280038001a0c0800100018002000280038001a002200"
)
_SERVICE = (
    "6b3873000a0d0a027631120753657276696365126a0a1f0a0377656212001a0022002a003200380042005a0a0a036170701203776562"
    "12430a1d0a0738302d38303830120354435018502207080010903f1a0028b1ea01120a0a0361707012037765621a0022084e6f646550"
    "6f72743a00420052005a00600068001a020a001a002200"
)
_ROLE_BINDING = (
    "6b3873000a2b0a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f7631120b526f6c6542696e64696e671285010a12"
    "0a02726212001a0022002a0032003800420012290a04557365721219726261632e617574686f72697a6174696f6e2e6b38732e696f1a"
    "046a616e652200121e0a0e536572766963654163636f756e7412001a0178220764656661756c741a240a19726261632e617574686f72"
    "697a6174696f6e2e6b38732e696f1204526f6c651a01721a002200"
)
_REVIEW = (
    "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373526576696577"
    "123f0a100a0012001a0022002a0032003800420012210a1f0a0764656661756c7412066372656174651a0022002a04706f647332003a00"
    "1a08080012001a0020001a002200"
)
_TOKEN = (
    "6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374121d0a100a0012001a"
    "0022002a00320038004200120320901c1a040a0012001a002200"
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (_NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}),
        (
            _DEPLOYMENT,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "d", "labels": {"app": "d"}},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": "d"}},
                    "template": {
                        "metadata": {"labels": {"app": "d"}},
                        "spec": {
                            "containers": [
                                {
                                    "name": "nginx",
                                    "image": "nginx",
                                    "ports": [{"containerPort": 80}],
                                }
                            ]
                        },
                    },
                },
            },
        ),
        (
            _SERVICE,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "labels": {"app": "web"}},
                "spec": {
                    "ports": [
                        {
                            "name": "80-8080",
                            "protocol": "TCP",
                            "port": 80,
                            "targetPort": 8080,
                            "nodePort": 30001,
                        }
                    ],
                    "selector": {"app": "web"},
                    "type": "NodePort",
                },
            },
        ),
        (
            _ROLE_BINDING,
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "rb"},
                "subjects": [
                    {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"},
                    {"kind": "ServiceAccount", "name": "x", "namespace": "default"},
                ],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            },
        ),
        (
            _REVIEW,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {
                    "resourceAttributes": {
                        "namespace": "default",
                        "verb": "create",
                        "resource": "pods",
                    }
                },
            },
        ),
        (
            _TOKEN,
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": 3600},
            },
        ),
    ],
    ids=["namespace", "deployment", "service", "rolebinding", "review", "token"],
)
def test_what_kubectl_sends(body: str, expected: Any) -> None:
    assert protobuf.decode(bytes.fromhex(body)) == expected


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    body = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(body)) + body


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


def test_special_messages() -> None:
    metadata = field(
        1, field(8, field(1, 1_700_000_000)) + field(17, field(7, field(1, b'{"f:a":{}}')))
    )
    volumes = field(1, field(1, "v") + field(2, field(2, b""))) + field(
        1, field(1, "s") + field(2, field(6, field(1, "secret") + field(3, 0)))
    )
    resources = field(8, field(1, field(1, "cpu") + field(2, field(1, "500m"))))
    probe = field(
        10,
        field(1, field(2, field(1, "/") + field(2, field(1, 1) + field(3, "http")))) + field(2, 5),
    )
    container = field(2, field(1, "c") + resources + probe)
    found = protobuf.decode(envelope("v1", "Pod", metadata + field(2, volumes + container)))
    assert found["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z"
    assert found["metadata"]["managedFields"] == [{"fieldsV1": {"f:a": {}}}]
    assert found["spec"]["volumes"] == [
        {"name": "v", "emptyDir": {}},
        {"name": "s", "secret": {"secretName": "secret", "defaultMode": 0}},
    ]
    assert found["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "500m"}}
    assert found["spec"]["containers"][0]["livenessProbe"] == {
        "httpGet": {"path": "/", "port": "http"},
        "initialDelaySeconds": 5,
    }


def test_maps_of_lists_and_bytes() -> None:
    secret = field(2, field(1, "k") + field(2, b"\x00\xff"))
    assert protobuf.decode(envelope("v1", "Secret", secret))["data"] == {"k": "AP8="}
    extra = field(4, field(1, "scopes") + field(2, field(1, "a") + field(1, "b")))
    review = field(3, field(2, field(1, "me") + extra))
    found = protobuf.decode(envelope("authentication.k8s.io/v1", "TokenReview", review))
    assert found["status"]["user"] == {"username": "me", "extra": {"scopes": ["a", "b"]}}


def test_delete_options() -> None:
    raw = field(1, 0) + field(2, field(1, "uid-1")) + field(4, "Background")
    assert protobuf.decode(envelope("v1", "DeleteOptions", raw)) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "uid-1"},
        "propagationPolicy": "Background",
    }


def test_negative_numbers() -> None:
    raw = field(2, field(4, -1))
    assert (
        protobuf.decode(envelope("v1", "Pod", raw))["spec"]["terminationGracePeriodSeconds"] == -1
    )


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{}", protobuf.CONTENT_TYPE, 400),
        (b"k8s\0\x0a\xff\xff", protobuf.CONTENT_TYPE, 400),
        (b"k8s\0\x0f", protobuf.CONTENT_TYPE, 400),
        (envelope("v1", "Pod", field(1, 7)), protobuf.CONTENT_TYPE, 400),
        (envelope("v1", "Pod", field(1, field(1, b"\xff"))), protobuf.CONTENT_TYPE, 400),
        (envelope("networking.istio.io/v1", "VirtualService", b""), protobuf.CONTENT_TYPE, 415),
        (envelope("v1", "Nonsense", b""), protobuf.CONTENT_TYPE, 415),
        (envelope("v1", "Pod", b""), "application/cbor", 415),
    ],
)
def test_refusals(body: bytes, content_type: str, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        protobuf.decode(body, content_type)
    assert refused.value.code == code


@given(st.binary(max_size=200))
def test_nonsense_is_refused_not_suffered(raw: bytes) -> None:
    try:
        protobuf.decode(envelope("apps/v1", "Deployment", raw))
    except ApiError as error:
        assert error.code == 400  # noqa: PT017


def test_the_table_fits_the_schemas() -> None:
    """Every field of a known definition exists there, and no number is used twice."""
    known = set(builtin.definition_names().values())
    checked = 0
    for name, message in fields.messages().items():
        assert message, name
        if name in known:
            shape = node.of_definition(name)
            for entry in message.values():
                assert entry.inline or entry.name in shape.fields, (name, entry)
            checked += 1
    assert checked >= 50
    assert (
        fields.messages()["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"][17].name
        == "managedFields"
    )


@given(st.integers(0, (1 << 64) - 1))
def test_varints(number: int) -> None:
    assert wire.varint(varint(number), 0) == (number, len(varint(number)))
