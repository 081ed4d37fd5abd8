"""The mesh as translation sees it: frozen values, no behaviour beyond simple look-ups, no I/O.

`Snapshot` is everything that is known at one moment, `Proxy` is whom configuration is built for,
`Resources` is what comes out. Objects that did not change between two snapshots are the very same
Python objects, so that identity is a cache key.
"""

from __future__ import annotations

from meshcourse.embedded.istio.model.config import Config, Namespace, Secret
from meshcourse.embedded.istio.model.converted import Converted, Deployed, Source
from meshcourse.embedded.istio.model.mesh import ExtensionProvider, MeshConfig
from meshcourse.embedded.istio.model.proxy import Proxy, ProxyKind
from meshcourse.embedded.istio.model.resources import Json, Resources
from meshcourse.embedded.istio.model.service import Endpoint, Port, Protocol, Resolution, Service
from meshcourse.embedded.istio.model.snapshot import ServiceKey, Snapshot
from meshcourse.embedded.istio.model.workload import Workload

__all__ = [
    "Config",
    "Converted",
    "Deployed",
    "Endpoint",
    "ExtensionProvider",
    "Json",
    "MeshConfig",
    "Namespace",
    "Port",
    "Protocol",
    "Proxy",
    "ProxyKind",
    "Resolution",
    "Resources",
    "Secret",
    "Service",
    "ServiceKey",
    "Snapshot",
    "Source",
    "Workload",
]
