"""What translation produces for one proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: A proto3-JSON message (snake_case field names, ``@type`` inside Any).
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resources:
    """Envoy resources by name; values are proto3-JSON dictionaries and must not be modified.

    Two proxies with the same scope receive the very same dictionary objects, and an unchanged
    resource is the same object in the next snapshot, so that encodings may be cached by identity.

    :param clusters: ``envoy.config.cluster.v3.Cluster`` by name.
    :param endpoints: ``envoy.config.endpoint.v3.ClusterLoadAssignment`` by cluster name.
    :param listeners: ``envoy.config.listener.v3.Listener`` by name.
    :param routes: ``envoy.config.route.v3.RouteConfiguration`` by name; its ``virtual_hosts`` are
        shared objects too.
    :param secrets: ``envoy.extensions.transport_sockets.tls.v3.Secret`` by SDS name: those served
        over ADS (gateways'
        ``kubernetes://NAME``). Workload certificates are not here: the agent writes them to files.
    :param extensions: ``envoy.config.core.v3.TypedExtensionConfig`` by name (ECDS): HTTP filters
        whose configuration may change without a listener update.
    """

    clusters: Mapping[str, Json] = field(default_factory=dict)
    endpoints: Mapping[str, Json] = field(default_factory=dict)
    listeners: Mapping[str, Json] = field(default_factory=dict)
    routes: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)
    extensions: Mapping[str, Json] = field(default_factory=dict)
