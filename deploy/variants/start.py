"""Runs the workload that $FUNCTION names (``module:function``), as the embedded kubelet would."""

from __future__ import annotations

import importlib
import os
import sys

if __name__ == "__main__":
    module, _, function = os.environ["FUNCTION"].partition(":")
    sys.exit(getattr(importlib.import_module(module), function)(sys.argv))
