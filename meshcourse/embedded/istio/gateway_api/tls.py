"""``tls`` of a listener → ``tls`` of a Gateway server."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio import ciphers, names
from meshcourse.embedded.istio.gateway_api import conditions, kinds
from meshcourse.embedded.istio.gateway_api.conditions import Problem
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.gateway_api.grants import Grants
from meshcourse.embedded.istio.model import Config, Json, Secret
from meshcourse.embedded.kube.objects import Key

_MODE_OPTION: Final = "gateway.istio.io/tls-terminate-mode"
_CIPHERS_OPTION: Final = "gateway.istio.io/tls-cipher-suites"
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]+-----\s(.*?)-----END [A-Z0-9 ]+-----", re.DOTALL)

#: Settings of a server and, if they cannot work, why.
Result = tuple[Json | None, Problem | None]


def build(listener: Mapping[str, Any], gateway: Config, context: Context, grants: Grants) -> Result:
    """The server's TLS settings; None without ``tls``."""
    setting = listener.get("tls")
    if setting is None:
        return None, None
    options = setting.get("options") or {}
    if setting.get("mode") == "Passthrough":
        result: Json = {"mode": "PASSTHROUGH"}
        problem: Problem | None = None
    else:
        result, problem = _terminate(setting, options.get(_MODE_OPTION), gateway, context, grants)
        if problem is None and not str(options.get(_MODE_OPTION)).startswith("ISTIO_"):
            problem = _clients(
                result, listener, options.get(_MODE_OPTION), gateway, context, grants
            )
    wanted = (one.strip() for one in (options.get(_CIPHERS_OPTION) or "").split(","))
    if found := ciphers.usable(one for one in wanted if one):
        result["cipherSuites"] = found
    return result, problem


def _terminate(
    setting: Mapping[str, Any],
    mode: str | None,
    gateway: Config,
    context: Context,
    grants: Grants,
) -> tuple[Json, Problem | None]:
    result: Json = {"mode": mode if mode in ("MUTUAL", "OPTIONAL_MUTUAL") else "SIMPLE"}
    if mode == "ISTIO_MUTUAL":
        return {"mode": mode}, None
    if mode == "ISTIO_SIMPLE":
        return {"mode": "SIMPLE", "credentialName": "builtin://"}, None
    references = setting.get("certificateRefs") or []
    if len(references) > 2:
        message = "TLS mode can only support up to 2 server certificates"
        return result, Problem(conditions.INVALID_TLS, message)
    found, problem = _certificates(references, gateway, context, grants)
    if not found:
        return result, problem
    if len(found) == 1:
        return {**result, "credentialName": found[0]}, None
    return {**result, "credentialNames": found}, None


def _certificates(
    references: list[Mapping[str, Any]], gateway: Config, context: Context, grants: Grants
) -> tuple[list[str], Problem | None]:
    """The credentials that can be used, and what is wrong with the others."""
    found: list[str] = []
    problem: Problem | None = None
    for reference in references:
        key = kinds.target(reference, gateway.namespace)
        wrong = _certificate_problem(reference, key, context)
        if wrong is None and not grants.allow(kinds.GATEWAY, gateway.namespace, kinds.SECRET, key):
            wrong = _not_granted("certificateRef", key, gateway)
        problem = conditions.joined(problem, wrong)
        if wrong is None:
            found.append(f"kubernetes-gateway://{key.namespace}/{key.name}")
    return found, problem


def _not_granted(field: str, key: Key, gateway: Config) -> Problem:
    message = (
        f"{field} {key.name}/{key.namespace} not accessible to a Gateway in namespace "
        f'"{gateway.namespace}" (missing a ReferenceGrant?)'
    )
    return Problem(conditions.NOT_PERMITTED, message)


def _certificate_problem(
    reference: Mapping[str, Any], key: Key, context: Context
) -> Problem | None:
    text = _shown(reference)
    if kinds.of_reference(reference, kinds.SECRET) != kinds.SECRET:
        return _invalid(text, "only secret is allowed")
    secret = context.secrets.get(key)
    if secret is None:
        return _invalid(text, f"secret {key.namespace}/{key.name} not found")
    if not secret.certificate or not secret.key:
        wanted = "(tls.crt, tls.key) or (cert, key)"
        return _invalid(text, f"found secret, but didn't have expected keys {wanted}")
    if not (_readable(secret.certificate) and _readable(secret.key)):
        reason = "tls: failed to find any PEM data in certificate input"
        return _invalid(text, f"the certificate is malformed: {reason}")
    return None


def _invalid(reference: str, why: str) -> Problem:
    return Problem(conditions.INVALID_TLS, f"invalid certificate reference {reference}, {why}")


def _shown(reference: Mapping[str, Any]) -> str:
    group, kind = reference.get("group") or "", reference.get("kind") or ""
    return f"{group}/{kind}/{reference.get('name')}.{reference.get('namespace') or ''}"


def _readable(pem: str) -> bool:
    """Whether a text has a PEM block with DER inside (no check of what the DER says)."""
    found = _PEM.search(pem)
    try:
        return found is not None and binascii.a2b_base64(found[1])[:1] == b"\x30"
    except binascii.Error:
        return False


def _frontend(listener: Mapping[str, Any], gateway: Config) -> Mapping[str, Any]:
    """How clients are to be verified on the listener's port (``spec.tls.frontend``)."""
    frontend = (gateway.spec.get("tls") or {}).get("frontend") or {}
    for one in frontend.get("perPort") or []:
        if one.get("port") == listener.get("port"):
            return one.get("tls") or {}
    return frontend.get("default") or {}


def _clients(
    result: Json,
    listener: Mapping[str, Any],
    mode: str | None,
    gateway: Config,
    context: Context,
    grants: Grants,
) -> Problem | None:
    """Adds the authorities that verify clients, if the Gateway asks for it."""
    validation = _frontend(listener, gateway).get("validation") or {}
    references = validation.get("caCertificateRefs") or []
    if not references:
        return None
    if len(references) > 1:
        return Problem(conditions.INVALID_TLS, "only one caCertificateRef is supported")
    reference, key = references[0], kinds.target(references[0], gateway.namespace)
    kind = kinds.of_reference(reference, kinds.Kind("", ""))
    if problem := _authority_problem(reference, kind, key, context):
        return problem
    if not grants.allow(kinds.GATEWAY, gateway.namespace, kind, key):
        # Istio names the namespace first here.
        return _not_granted("caCertificateRef", Key(key.name, key.namespace), gateway)
    scheme = "configmap" if kind == kinds.CONFIG_MAP else "kubernetes-gateway"
    result["mode"] = mode if mode in ("MUTUAL", "OPTIONAL_MUTUAL") else "MUTUAL"
    result["caCertCredentialName"] = f"{scheme}://{key.namespace}/{key.name}{names.CA_SUFFIX}"
    return None


def _authority_problem(
    reference: Mapping[str, Any], kind: kinds.Kind, key: Key, context: Context
) -> Problem | None:
    text = f"CA certificate reference {_shown(reference)}"
    if kind == kinds.CONFIG_MAP:
        found: Secret | None = context.authorities.get(key)
    elif kind == kinds.SECRET:
        found = context.secrets.get(key)
    else:
        why = "only secret and configmap are allowed"
        return Problem(conditions.INVALID_TLS, f"invalid {text}, {why}")
    if found is None or not found.ca:
        why = f"{kind.kind.lower()} {key.namespace}/{key.name} not found"
        return Problem(conditions.INVALID_TLS, f"invalid {text}, {why}")
    if not _readable(found.ca):
        return Problem(conditions.INVALID_TLS, f"invalid {text}, the bundle is malformed")
    return None
