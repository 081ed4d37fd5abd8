"""The errors of this room: a cluster that does not answer, or that answers with a Kubernetes ``Status``."""

from __future__ import annotations

from typing import Any

from meshcourse.cluster import outdated
from meshcourse.errors import MeshcourseError


class ClusterError(MeshcourseError):
    """The cluster, or a tool that drives it, could not do what was asked."""


class WaitError(ClusterError):
    """What was waited for did not happen in time; the message says what was seen last."""


class ApiError(ClusterError):
    """The API server refused: `message` is in the server's own words, `remedy` is ours.

    :param code: HTTP status code.
    :param reason: machine-readable reason (``NotFound``, ``Invalid``, …), "" if the body was no ``Status``.
    :param status: the whole ``Status`` object, {} if there was none.
    """

    def __init__(
        self, code: int, reason: str, message: str, status: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, remedy=remedy_for(code, reason, message))
        self.code = code
        self.reason = reason
        self.status = status or {}


def from_response(code: int, body: Any) -> ApiError:
    """The error that a response with a status code of 400 or more stands for."""
    if isinstance(body, dict) and body.get("kind") == "Status":
        return ApiError(code, str(body.get("reason") or ""), str(body.get("message") or ""), body)
    text = body if isinstance(body, str) and body.strip() else f"the server answered {code}"
    return ApiError(code, "", text.strip())


def remedy_for(code: int, reason: str, message: str) -> str:
    """What a learner can do about a refusal; "" if the message says it all."""
    if replaced := outdated.replacements(message):
        return " ".join(replaced)
    for needle, remedy in _BY_MESSAGE:
        if needle in message:
            return remedy
    return _BY_CODE.get(code, _BY_REASON.get(reason, ""))


_BY_MESSAGE = (
    (
        "no matches for kind",
        "Check `apiVersion` and `kind`. Istio's kinds exist only after Istio is installed: "
        "`%istioctl install --set profile=demo -y`.",
    ),
    (
        "doesn't have a resource type",
        "Istio's kinds exist only after Istio is installed; `%kubectl api-resources` lists what this cluster serves.",
    ),
    (
        "unknown field",
        "A field is misspelt or stands at the wrong depth: check the indentation, and `%kubectl explain KIND.FIELD`.",
    ),
    ("failed calling webhook", "Is istiod running? `%kubectl get pods -n istio-system`."),
    (
        "admission webhook",
        "Istio's own validation refused it: the text after `denied the request:` says why.",
    ),
)

_BY_CODE = {
    401: "The kubeconfig's credentials are not accepted (any more); `meshcourse up` writes a fresh one.",
    403: "These credentials lack the right named above; ask whoever runs the cluster for it.",
    409: "Somebody changed the object meanwhile, or another field manager owns the field: read it again and retry.",
}

_BY_REASON = {
    "Invalid": "The field path in the message is where to look in your YAML.",
    "BadRequest": "Compare the YAML with `%kubectl explain KIND`.",
}
