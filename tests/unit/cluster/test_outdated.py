"""What replaced old kinds and fields, wherever a refusal is shown."""

from __future__ import annotations

import pytest

from meshcourse.cluster import errors, kinds, outdated, rest


@pytest.mark.parametrize(
    ("kind", "version", "said"),
    [
        ("MeshPolicy", "authentication.istio.io/v1alpha1", "PeerAuthentication"),
        ("ServiceRoleBinding", "rbac.istio.io/v1alpha1", "AuthorizationPolicy"),
        ("RouteRule", "config.istio.io/v1alpha2", "VirtualService"),
        ("handler", "config.istio.io/v1alpha2", "Mixer"),
        ("IstioOperator", "install.istio.io/v1alpha1", "istioctl install -f"),
        ("Ingress", "extensions/v1beta1", "networking.k8s.io/v1"),
        ("Deployment", "apps/v1beta2", "apps/v1"),
        ("CronJob", "batch/v1beta1", "batch/v1"),
    ],
)
def test_kinds(kind: str, version: str, said: str) -> None:
    message = f'no matches for kind "{kind}" in version "{version}"'
    [found] = outdated.replacements(f"resource mapping not found: {message}\n{message}")
    assert found.startswith(f"{kind} ({version}) ")
    assert said in found
    with pytest.raises(kinds.UnknownKindError) as caught:
        kinds.Kinds([]).by_gvk(version, kind)
    assert caught.value.remedy == found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("spec.http[0].fault.abort.percent", "percentage: {value"),
        ("spec.http[3].websocketUpgrade", "no setting"),
        ("spec.http[0].appendHeaders", "headers.request.add"),
        ("spec.http[0].route[0].removeResponseHeaders", "headers.response.remove"),
        ("spec.trafficPolicy.outlierDetection.http", "outlierDetection itself"),
        ("spec.rules[0].http.paths[0].backend.serviceName", "backend.service.name"),
    ],
)
def test_fields(path: str, said: str) -> None:
    message = f'strict decoding error: unknown field "{path}"'
    assert said in errors.ApiError(400, "BadRequest", message).remedy


def test_what_is_only_unknown_is_not_called_old() -> None:
    message = 'strict decoding error: unknown field "spec.http[0].retrys"'
    assert outdated.replacements(message) == []
    assert "misspelt" in errors.ApiError(400, "BadRequest", message).remedy
    assert outdated.replacements('no matches for kind "Gadget" in version "acme.org/v1"') == []


def test_warnings_of_a_response() -> None:
    headers = ['299 - "a \\"b\\"", 299 - "second"', "garbage"]
    assert rest._warnings(headers) == ['a "b"', "second"]
