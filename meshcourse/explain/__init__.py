"""Why does this request go where it goes? One hypothetical request, followed through the proxies' own configuration.

Belongs here: finding the pods of a request, fetching what their Envoys have (``pilot-agent request GET
config_dump``, on every cluster), running the simulator over it, and saying the result in words. Does not belong here:
Envoy's rules (room `simulate`), pictures (room `widgets`). I/O: the cluster's API, and exec into proxies.
"""

from __future__ import annotations

from meshcourse.explain.asking import explain
from meshcourse.explain.result import Explanation, Station

__all__ = ["Explanation", "Station", "explain"]
