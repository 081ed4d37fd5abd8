"""PeerAuthentication."""

from __future__ import annotations

from meshcourse.embedded.istio.validate import names
from meshcourse.embedded.istio.validate.findings import Findings
from meshcourse.embedded.istio.validate.item import Item


def check(item: Item) -> Findings:
    """Errors and warnings of a PeerAuthentication."""
    ports = item.spec.get("portLevelMtls")
    labels = (item.spec.get("selector") or {}).get("matchLabels")
    if ports and not labels:
        yield "mesh/namespace peer authentication cannot have port level mTLS"
    if ports is not None and not ports:
        yield "port level mTLS, if defined, must have at least one element"
    for port in ports or {}:
        if not str(port).isdigit() or not 1 <= int(port) <= 65535:
            yield "port must be in range 1..65535"
    yield from names.selector(item.spec.get("selector"))
