from __future__ import annotations

from tests.unit.cluster.conftest import api, cluster

__all__ = ["api", "cluster"]
