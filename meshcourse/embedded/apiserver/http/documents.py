"""URLs that are no resource's: discovery, OpenAPI, version, health, token keys."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable

import orjson
from aiohttp import web

from meshcourse import versions
from meshcourse.embedded.apiserver.auth import tokens
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.http import discovery, negotiate, openapi
from meshcourse.embedded.apiserver.http.discovery import AggregatedVersion
from meshcourse.embedded.kube.objects import Object

_AGGREGATED = re.compile(r"g=apidiscovery\.k8s\.io;v=(v2|v2beta1);as=APIGroupDiscoveryList")
_HEALTH = frozenset({"healthz", "livez", "readyz"})
_ROOTS = (
    "/.well-known/openid-configuration",
    "/api",
    "/api/v1",
    "/apis",
    "/healthz",
    "/livez",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
    "/version",
)


def answer(core: Core, request: web.Request) -> web.Response:
    """The document at a path; plain 404 as the real server's where there is none."""
    path = request.path.strip("/")
    head = path.split("/")[0]
    if head in _HEALTH:
        return web.Response(text="ok")
    if head == "openapi":
        return openapi.answer(core, request)
    if head in ("api", "apis"):
        return _discovery(core, request, path.split("/"))
    document = _DOCUMENTS.get(path)
    if document is None:
        raise web.HTTPNotFound(text="404 page not found\n")
    return negotiate.json_response(document(core))


def _discovery(core: Core, request: web.Request, parts: list[str]) -> web.Response:
    registry = core.registry
    if len(parts) == 1:
        return _aggregated(core, request, legacy=parts == ["api"]) or negotiate.json_response(
            discovery.versions(request.host) if parts == ["api"] else discovery.group_list(registry)
        )
    if parts[0] == "api":
        found = discovery.resource_list(registry, "", parts[1])
    elif len(parts) == 2:
        found = discovery.group(registry, parts[1])
    else:
        found = discovery.resource_list(registry, parts[1], parts[2])
    if found is None:
        raise web.HTTPNotFound(text="404 page not found\n")
    return negotiate.json_response(found)


def _aggregated(core: Core, request: web.Request, *, legacy: bool) -> web.Response | None:
    """The aggregated document, if the client puts it first among what this server can write."""
    for clause in request.headers.get("Accept", "").split(","):
        if "protobuf" in clause:
            continue
        match = _AGGREGATED.search(clause.replace(" ", ""))
        if match is None:
            return None
        version: AggregatedVersion = "v2" if match[1] == "v2" else "v2beta1"
        body = discovery.aggregated(core.registry, legacy=legacy, version=version)
        media = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        headers = {"Content-Type": media, "Vary": "Accept"}
        return web.Response(body=orjson.dumps(body), headers=headers)
    return None


def _root(core: Core) -> Object:
    groups = [name for name in core.registry.groups() if name]
    paths = [f"/apis/{name}" for name in groups]
    paths += [
        f"/apis/{name}/{version}"
        for name, found in core.registry.groups().items()
        if name
        for version in found
    ]
    return {"paths": sorted([*_ROOTS, *paths])}


def _version(core: Core) -> Object:
    major, minor, _ = versions.KUBERNETES.lstrip("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{versions.KUBERNETES}+meshcourse",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def _issuer(core: Core) -> Object:
    return {
        "issuer": tokens.ISSUER,
        "jwks_uri": f"{tokens.ISSUER}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }


_DOCUMENTS: dict[str, Callable[[Core], Object]] = {
    "": _root,
    "version": _version,
    ".well-known/openid-configuration": _issuer,
    "openid/v1/jwks": lambda core: core.tokens.jwks(),
}
