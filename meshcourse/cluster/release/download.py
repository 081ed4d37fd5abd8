"""Bytes from a URL or a file, refused unless their SHA-256 is the one published for them.

Source: Istio publishes ``NAME.tar.gz`` and ``NAME.tar.gz.sha256`` (sum, blanks, name) with each release.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from meshcourse.cluster.errors import ClusterError

#: Called with bytes so far and in all (0: not known).
OnBytes = Callable[[int, int], None]

_CHUNK = 2**18
_SUM = re.compile(r"\b[0-9a-fA-F]{64}\b")


def verified(source: str, *, checksum: str = "", on_bytes: OnBytes | None = None) -> bytes:
    """The archive at `source` (URL or path), whose sum is right.

    :param checksum: the sum that it must have; "" reads it from ``SOURCE.sha256``.
    :raises ClusterError: if it cannot be had, ends too early, or has another sum.
    """
    expected = checksum.lower() or _published(source)
    data = read(source, on_bytes)
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ClusterError(
            f"{source} is not what was published: SHA-256 {found}, expected {expected}",
            remedy="Nothing of it was kept. Try again; if it stays so, something on the way changes the file: "
            "fetch it elsewhere and set MESHCOURSE_ISTIOCTL_ARCHIVE to its path.",
        )
    return data


def _published(source: str) -> str:
    text = read(f"{source}.sha256").decode(errors="replace")
    found = _SUM.search(text)
    if found is None:
        raise ClusterError(
            f"{source}.sha256 holds no SHA-256 sum",
            remedy="Is the mirror's address right? It must answer with the release's own files.",
        )
    return found.group().lower()


def read(source: str, on_bytes: OnBytes | None = None) -> bytes:
    """All bytes of a URL or file.

    :raises ClusterError: if it cannot be read, or ends before its announced length.
    """
    if "://" not in source:
        return _file(Path(source))
    try:
        with urllib.request.urlopen(source, timeout=30) as response:
            return _body(source, response, on_bytes or (lambda _done, _all: None))
    except urllib.error.HTTPError as error:
        error.close()
        raise ClusterError(f"{source}: HTTP {error.code} {error.reason}", remedy=_REMEDY) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ClusterError(f"{source} cannot be fetched: {reason}", remedy=_REMEDY) from error


_REMEDY = (
    "Without a network put the release's archive and its .sha256 file on this machine and set "
    "MESHCOURSE_ISTIOCTL_ARCHIVE to its path, or MESHCOURSE_ISTIO_MIRROR to a mirror of the releases."
)


def _body(source: str, response: http.client.HTTPResponse, on_bytes: OnBytes) -> bytes:
    length = int(response.headers.get("Content-Length") or 0)
    parts, size = [], 0
    while chunk := response.read(_CHUNK):
        parts.append(chunk)
        size += len(chunk)
        on_bytes(size, length)
    if size < length:
        raise ClusterError(
            f"{source} ended after {size} of {length} bytes", remedy="Try again: nothing was kept."
        )
    return b"".join(parts)


def _file(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise ClusterError(f"{path} cannot be read: {error.strerror}", remedy=_REMEDY) from error
