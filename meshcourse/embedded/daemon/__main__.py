"""``python -m meshcourse.embedded.daemon``: fork, let go of the caller, and run the cluster.

The fork comes before anything else is imported: there are no threads and nothing to copy.
"""

from __future__ import annotations

import argparse
import os
import sys


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="meshcourse.embedded.daemon", description=__doc__)
    parser.add_argument("--name", required=True, help="the cluster's name")
    parser.add_argument(
        "--progress-fd", type=int, default=1, help="where progress goes, as JSON lines"
    )
    parser.add_argument("--foreground", action="store_true", help="do not fork")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    if not arguments.foreground and os.fork():
        os._exit(0)
    from meshcourse.embedded.daemon import main

    sys.exit(main.run(arguments.name, arguments.progress_fd))
