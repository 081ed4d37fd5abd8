"""``python -m meshcourse.embedded.daemon.program MODULE:FUNCTION NAME ARGUMENTS…``: a program of a container.

What exec forks from the fork server, a shell inside a container starts through this.
"""

from __future__ import annotations

import importlib
import os
import sys


def main() -> int:
    """Run it; the exit code, as a shell would have it for an interrupt and a closed pipe."""
    module, _, function = sys.argv[1].partition(":")
    arguments = sys.argv[2:]
    sys.argv = arguments
    try:
        code: int | None = getattr(importlib.import_module(module), function)(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, grep -q) has seen enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
