"""A Kubernetes API small enough to read: enough of discovery, objects and watches to test its clients against."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from meshcourse.cluster import kubeconfig, rest

Object = dict[str, Any]
CORE = [
    ("pods", "Pod", True, ["po"]),
    ("services", "Service", True, ["svc"]),
    ("namespaces", "Namespace", False, ["ns"]),
    ("events", "Event", True, ["ev"]),
    ("configmaps", "ConfigMap", True, ["cm"]),
]
ISTIO = [("virtualservices", "VirtualService", True, ["vs"])]


class FakeApi(ThreadingHTTPServer):
    """The server: its objects by URL path, and what it shall refuse."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, Object] = {}
        self.refusals: dict[tuple[str, str], tuple[int, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.events: list[Object] = []
        self.groups: dict[tuple[str, str], list[tuple[str, str, bool, list[str]]]] = {
            ("", "v1"): CORE,
            ("apps", "v1"): [("deployments", "Deployment", True, ["deploy"])],
        }
        self.version = 100

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def client(self) -> rest.Rest:
        return rest.Rest(kubeconfig.Access(self.url, token="secret"))

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config(self.url)))
        return path

    def refuse(self, method: str, path: str, code: int, reason: str, message: str) -> None:
        status = {"kind": "Status", "code": code, "reason": reason, "message": message}
        self.refusals[method, path] = (code, status)

    def put(self, path: str, **fields: Any) -> Object:
        """Store an object at a path; its name and namespace follow from the path."""
        parts = path.split("/")
        self.version += 1
        obj = copy.deepcopy(fields)
        meta = obj.setdefault("metadata", {})
        meta.update(name=parts[-1], resourceVersion=str(self.version))
        meta.setdefault("uid", str(uuid.uuid5(uuid.NAMESPACE_URL, path)))
        if "namespaces" in parts[:-2]:
            meta["namespace"] = parts[parts.index("namespaces") + 1]
        self.objects[path] = obj
        return obj


def config(server: str) -> Object:
    return {
        "current-context": "me",
        "contexts": [{"name": "me", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeApi

    def do_GET(self) -> None:
        path, query = self._arrived()
        if path in ("/api", "/apis"):
            return self._json(200, _discovery(self.server, path == "/api"))
        if query.get("watch"):
            return self._watch()
        if path in self.server.objects:
            return self._json(200, self.server.objects[path])
        if _is_collection(path):
            return self._json(200, {"kind": "List", "items": _select(self.server, path, query)})
        return self._missing(path)

    def do_PATCH(self) -> None:
        path, _query = self._arrived()
        old = self.server.objects.get(path)
        applies = "apply-patch" in self.headers["Content-Type"]
        body = self._body()
        if old is None and not applies:
            return self._missing(path)
        new = _merge(copy.deepcopy(old or {}), body)
        if new != old:
            new = self.server.put(path, **new)
        return self._json(200 if old else 201, new)

    def do_POST(self) -> None:
        path, _query = self._arrived()
        body = self._body()
        return self._json(201, self.server.put(f"{path}/{body['metadata']['name']}", **body))

    def do_DELETE(self) -> None:
        path, _query = self._arrived()
        if self.server.objects.pop(path, None) is None:
            return self._missing(path)
        return self._json(200, {"kind": "Status", "status": "Success"})

    def _arrived(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.server.requests.append((self.command, parts.path, query))
        if self.headers.get("Authorization") != "Bearer secret":
            self.server.refuse(self.command, parts.path, 401, "Unauthorized", "Unauthorized")
        return parts.path, query

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _missing(self, path: str) -> None:
        plural, name = path.split("/")[-2:]
        status = {"kind": "Status", "code": 404, "reason": "NotFound"}
        self._json(404, {**status, "message": f'{plural} "{name}" not found'})

    def _json(self, code: int, body: Any) -> None:
        code, body = self.server.refusals.get((self.command, self.path.split("?")[0]), (code, body))
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in self.server.events:
            line = json.dumps(event).encode() + b"\n"
            for piece in (line[:7], line[7:]):  # events do not arrive in whole lines
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: object) -> None:
        del args


def _is_collection(path: str) -> bool:
    parts = path.strip("/").split("/")
    if "namespaces" in parts[:-2]:
        return len(parts) - parts.index("namespaces") == 3
    return len(parts) == (3 if parts[0] == "api" else 4)


def _select(server: FakeApi, path: str, query: dict[str, str]) -> list[Object]:
    plural = path.split("/")[-1]
    wanted = dict(
        pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if "=" in pair
    )
    name = query.get("fieldSelector", "").removeprefix("metadata.name=")
    found = []
    for at, obj in server.objects.items():
        labels = obj["metadata"].get("labels") or {}
        folder, kind = at.rsplit("/", 1)[0], at.split("/")[-2]
        inside = folder == path or ("namespaces" not in path and kind == plural)
        if inside and not name.strip(obj["metadata"]["name"]) and wanted.items() <= labels.items():
            found.append(obj)
    return found


def _merge(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = old if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


def _discovery(server: FakeApi, core: bool) -> Object:
    items = []
    for (group, version), kinds in server.groups.items():
        if (group == "") == core:
            resources = [_resource(group, version, *kind) for kind in kinds]
            items.append(
                {
                    "metadata": {"name": group} if group else {},
                    "versions": [{"version": version, "resources": resources}],
                }
            )
    return {"kind": "APIGroupDiscoveryList", "items": items}


def _resource(
    group: str, version: str, plural: str, kind: str, ns: bool, short: list[str]
) -> Object:
    return {
        "resource": plural,
        "responseKind": {"group": group, "version": version, "kind": kind},
        "scope": "Namespaced" if ns else "Cluster",
        "singularResource": kind.lower(),
        "shortNames": short,
        "verbs": ["get", "list"],
        "categories": ["all"] if kind in ("Pod", "Service", "Deployment") else [],
    }


@contextmanager
def serve() -> Iterator[FakeApi]:
    with FakeApi() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
