"""Finding the protobuf module that defines an Envoy message, so that only what is used is ever imported.

Source: the layout of xds-protos, where ``envoy.x.y.v3.Message`` lives in some module of the package ``envoy/x/y/v3``.
"""

from __future__ import annotations

import importlib
import pkgutil

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor

_loaded: set[str] = set()


def find(full_name: str) -> Descriptor:
    """The descriptor of a message type; imports the modules of its package on first use.

    :raises KeyError: if there is no such type.
    """
    pool = descriptor_pool.Default()
    package = full_name.rpartition(".")[0]
    if package not in _loaded:
        _loaded.add(package)
        _import_package(package)
    return pool.FindMessageTypeByName(full_name)


def _import_package(package: str) -> None:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return  # the lookup says so better
    for found in pkgutil.iter_modules(module.__path__):
        if found.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{found.name}")
