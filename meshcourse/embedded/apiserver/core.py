"""What every request works with: the parts of one running API server."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshcourse.embedded.apiserver.admission.chain import Chain
from meshcourse.embedded.apiserver.allocators import ServiceAllocator
from meshcourse.embedded.apiserver.auth.authenticator import Authenticator
from meshcourse.embedded.apiserver.auth.authorizer import Authorizer
from meshcourse.embedded.apiserver.auth.tokens import TokenIssuer
from meshcourse.embedded.apiserver.registry.registry import Registry
from meshcourse.embedded.apiserver.rest.snapshots import Snapshots
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.apiserver.streams.backend import NodeBackend


@dataclass(slots=True)
class Core:
    """Assembled by `server.Server`. `backend` is set once the node is there."""

    store: Store
    registry: Registry
    chain: Chain
    authenticator: Authenticator
    authorizer: Authorizer
    tokens: TokenIssuer
    services: ServiceAllocator
    snapshots: Snapshots = field(default_factory=Snapshots)
    backend: NodeBackend | None = None
