"""Istio's command-line tool for clusters that are not embedded: found on PATH, or fetched, verified and kept.

What belongs here: the version rule, the archive's name, the download and its checksum, the cache. I/O: network, files.
"""

from __future__ import annotations

from meshcourse.cluster.release.istioctl import find
from meshcourse.cluster.release.newest import wanted

__all__ = ["find", "wanted"]
