"""Which Istio is wanted: the one that the course teaches, another one that was named, or the newest there is.

``$MESHCOURSE_ISTIO`` is a version, or ``newest`` (which CI asks for each night, to see what will drift).
Source: the list of releases of GitHub's API.
"""

from __future__ import annotations

import json
import os
import re

from meshcourse import versions
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.release import download

VARIABLE = "MESHCOURSE_ISTIO"
#: Where the list is; a mirror's or a file's in its place.
LIST_VARIABLE = "MESHCOURSE_ISTIO_LIST"
LIST = "https://api.github.com/repos/istio/istio/releases?per_page=50"

_VERSION = re.compile(r"\d+\.\d+\.\d+")


def wanted() -> str:
    """The version to install.

    :raises ClusterError: if what was named is no version, or the newest cannot be told.
    """
    named = os.environ.get(VARIABLE) or versions.ISTIO
    if named == "newest":
        return newest()
    if not _VERSION.fullmatch(named):
        raise ClusterError(
            f"{VARIABLE}={named} is no version of Istio",
            remedy=f"Write it like {versions.ISTIO}, or `newest`.",
        )
    return named


def newest() -> str:
    """The highest version that is neither a draft nor a pre-release; not the latest, which may patch an older line."""
    source = os.environ.get(LIST_VARIABLE, LIST)
    try:
        found = [
            str(item["tag_name"]) for item in json.loads(download.read(source)) if _final(item)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"{source} is no list of releases: {error}") from error
    if not found:
        raise ClusterError(f"{source} lists no release")
    return max(found, key=lambda text: tuple(map(int, text.split("."))))


def _final(item: dict[str, object]) -> bool:
    plain = _VERSION.fullmatch(str(item["tag_name"])) is not None
    return plain and not item.get("prerelease") and not item.get("draft")
