"""The entry to ingest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from meshcourse.embedded.istio import model
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object

#: All objects of each kind, as listed by an informer. A kind may be missing.
Objects = Mapping[refs.Resource, Sequence[Object]]

#: The kinds that istiod must watch for `snapshot`.
KINDS: Final = (
    refs.NAMESPACES,
    refs.NODES,
    refs.PODS,
    refs.SERVICES,
    refs.ENDPOINTSLICES,
    refs.CONFIGMAPS,
    refs.SECRETS,
)


def snapshot(objects: Objects, previous: model.Snapshot | None = None) -> model.Snapshot:
    """The mesh as these objects describe it.

    Objects must not be modified afterwards. With `previous` (the last result), everything whose
    source has the same ``uid`` and ``resourceVersion`` is the same Python object as there.
    """
    raise LookupError((objects, previous))
