"""Rules of the built-in kinds: names, required and immutable fields, ranges, what must match what.

Belongs here: what Kubernetes refuses beyond types, in its words, and what it sets when objects are created and
replaced. Does not belong here: schemas, defaults (`schemas`), admission that needs other objects. No I/O.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.validation.rules import validate
from meshcourse.embedded.apiserver.validation.strategy import prepare_create, prepare_update

__all__ = ["prepare_create", "prepare_update", "validate"]
