"""The entry to translation: snapshot and proxy in, Envoy resources out; shares what it can."""

from __future__ import annotations

from meshcourse.embedded.istio import model


class Translator:
    """Builds resources and remembers the parts; one instance per control plane, not thread-safe.

    Outbound clusters, endpoints and routes are built once per scope (namespace and Sidecar) and are
    the same dictionary objects for all proxies of that scope; a changed VirtualService rebuilds its
    virtual hosts only.
    """

    def resources(self, snapshot: model.Snapshot, proxy: model.Proxy) -> model.Resources:
        """Everything that `proxy` is to be told."""
        raise LookupError((snapshot, proxy))
