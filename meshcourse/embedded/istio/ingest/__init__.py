"""Kubernetes and Istio objects → `model.Snapshot`. Pure; incremental by kind.

Belongs here: reading what users and controllers wrote (one file per thing read). Does not belong
here: deciding what Envoy is told, validation.
"""

from __future__ import annotations

from meshcourse.embedded.istio.ingest.snapshot import KINDS, Objects, key_uris, snapshot

__all__ = ["KINDS", "Objects", "key_uris", "snapshot"]
