"""The command ``pilot-discovery`` inside istiod's container: ``request GET /debug/syncz``."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Sequence

from meshcourse import versions
from meshcourse.embedded.istiod import settings
from meshcourse.embedded.istiod.agent import place

_USAGE = "usage: pilot-discovery request METHOD PATH | version\n"


def main(argv: Sequence[str]) -> int:
    """Run one command; the exit code."""
    words = list(argv[1:])
    if words[:1] == ["version"]:
        sys.stdout.write(f"version.BuildInfo{{Version:{versions.ISTIO!r}}}\n")
        return 0
    if len(words) != 3 or words[0] != "request":
        sys.stderr.write(_USAGE)
        return 2
    return _request(words[1].upper(), "/" + words[2].lstrip("/"))


def _request(method: str, path: str) -> int:
    host, port = place.listen(settings.HTTP)
    connection = http.client.HTTPConnection(host, port, timeout=10.0)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        sys.stdout.write(response.read().decode())
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"Error: istiod does not answer: {error}\n")
        return 1
    finally:
        connection.close()
    return 0 if response.status < 400 else 1
