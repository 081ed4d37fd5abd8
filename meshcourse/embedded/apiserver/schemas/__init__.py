"""Schemas: what an object of a kind may contain, for built-in kinds and for custom resources.

Belongs here: the catalogue of built-in kinds, decoding and pruning, defaults, structural validation of custom
resources, merge metadata for patches, OpenAPI documents. Does not belong here: rules between fields (`validation`),
storage, HTTP. I/O: reads the definitions of the installed package and a cache of them in the user's cache directory.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.schemas.builtin import (
    BuiltinSchema,
    DecodeError,
    for_builtin,
)
from meshcourse.embedded.apiserver.schemas.custom import CustomSchema, for_crd
from meshcourse.embedded.apiserver.schemas.kinds import (
    BuiltinKind,
    Subresource,
    builtin_kinds,
    find,
)
from meshcourse.embedded.apiserver.schemas.openapi import (
    openapi_v2,
    openapi_v3,
    openapi_v3_index,
)

__all__ = [
    "BuiltinKind",
    "BuiltinSchema",
    "CustomSchema",
    "DecodeError",
    "Subresource",
    "builtin_kinds",
    "find",
    "for_builtin",
    "for_crd",
    "openapi_v2",
    "openapi_v3",
    "openapi_v3_index",
]
