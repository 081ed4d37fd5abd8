"""Protobuf bodies: what kubectl sends for built-in kinds, turned into JSON objects.

Belongs here: the envelope, the wire format, field numbers. Does not belong here: HTTP, protobuf responses (clients
take JSON). I/O: reads a table that is part of this package. `preload` reads it ahead of the first request.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.protobuf import fields, messages, wire
from meshcourse.embedded.apiserver.schemas import builtin
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_UNSUPPORTED = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json, application/yaml"
)


def preload() -> None:
    """Read the tables now; some milliseconds that nobody has to wait for later."""
    fields.messages()
    builtin.definition_names()


def decode(body: bytes, content_type: str = CONTENT_TYPE) -> Object:
    """The object in a protobuf body.

    :raises ApiError: 415 if the content type is not Kubernetes' protobuf or the kind is not built in, 400 if the body
        is malformed.
    """
    if content_type.partition(";")[0].strip() != CONTENT_TYPE:
        raise status.unsupported_media_type(_UNSUPPORTED)
    if not body.startswith(_MAGIC):
        raise status.bad_request(
            "the object provided is unrecognized (must be of type runtime.Unknown): "
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    try:
        return _decode(body[len(_MAGIC) :])
    except (wire.Malformed, RecursionError) as error:
        raise status.bad_request(f"the object provided is unrecognized: proto: {error}") from None


def _decode(body: bytes) -> Object:
    """``runtime.Unknown``: type meta (1), raw object (2)."""
    envelope = dict(wire.fields(body))
    kind = {
        number: wire.text(value) for number, value in wire.fields(wire.raw(envelope.get(1, b"")))
    }
    api_version, name = kind.get(1, ""), kind.get(2, "")
    group, _, version = api_version.rpartition("/")
    definition = builtin.definition_names().get((group, version, name))
    if definition is None or definition not in fields.messages():
        raise status.unsupported_media_type(_UNSUPPORTED)
    decoded = messages.message(definition, wire.raw(envelope.get(2, b"")))
    return {"apiVersion": api_version, "kind": name, **decoded}
