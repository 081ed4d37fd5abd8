"""A web page through the ingress gateway as a browser loads it: the page, and everything that it asks for.

Scripts, styles, icons and pictures are found in the HTML; what scripts ask for later has to be named. Redirects are
followed as long as they stay at the same site.
"""

from __future__ import annotations

import html.parser
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from meshcourse.cluster.cluster import Cluster
from meshcourse.observe import send

_TIMEOUT, _HOPS = 20.0, 5
#: Attributes that make a browser load something, by element.
_LOADED = {"script": "src", "img": "src", "link": "href"}
_RELATIONS = {"stylesheet", "icon", "shortcut icon", "manifest", "modulepreload", "preload"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """One thing that was asked for: its URL at the site, status (0: no answer), content type, bytes."""

    url: str
    status: int
    content: str = ""
    size: int = 0

    @property
    def ok(self) -> bool:
        return self.status == 200

    def __str__(self) -> str:
        return f"{self.status}  {self.size:>8} bytes  {self.content:<26} {self.url}"


@dataclass(frozen=True)
class Page:
    """A page and what belongs to it; the page itself comes first."""

    parts: tuple[Loaded, ...]

    @property
    def ok(self) -> bool:
        """Whether everything arrived."""
        return all(part.ok for part in self.parts)

    @property
    def missing(self) -> list[Loaded]:
        return [part for part in self.parts if not part.ok]

    def __repr__(self) -> str:
        count = f"{len(self.parts) - len(self.missing)} of {len(self.parts)} arrived"
        return "\n".join([*map(str, self.parts), count])


def load(cluster: Cluster, url: str, also: tuple[str, ...] = ()) -> Page:
    """Load a page through the ingress gateway.

    :param url: ``http://addons.example.com/kiali``: the name goes into the header ``Host``.
    :param also: paths at the same site that the page's scripts ask for.
    """
    gateway = send.url_of(cluster, "/").rstrip("/")
    first, body = _get(gateway, url)
    wanted = assets(first.url, body) if first.ok and "html" in first.content else []
    wanted += [urljoin(first.url, path) for path in also]
    return Page((first, *(_get(gateway, each)[0] for each in dict.fromkeys(wanted))))


def assets(url: str, text: str) -> list[str]:
    """What an HTML page at `url` loads from its own site, in order."""
    found = _Assets()
    found.feed(text)
    base = urljoin(url, found.base)
    site = urlsplit(url).netloc
    every = (urljoin(base, each) for each in found.urls if not each.startswith("data:"))
    return [each for each in dict.fromkeys(every) if urlsplit(each).netloc == site]


class _Assets(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base":
            self.base = self.base or given.get("href", "")
        loaded = given.get(_LOADED.get(tag, ""), "")
        if loaded and (tag != "link" or given.get("rel", "").lower() in _RELATIONS):
            self.urls.append(loaded)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are answers: who asked decides where they lead."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def _get(gateway: str, url: str) -> tuple[Loaded, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    site = urlsplit(url).netloc
    status, headers, body = _once(opener, gateway, url)
    for _ in range(_HOPS):
        target = urljoin(url, headers.get("location", ""))
        if status not in (301, 302, 303, 307, 308) or urlsplit(target).netloc != site:
            break
        url = target
        status, headers, body = _once(opener, gateway, url)
    kind = headers.get("content-type", "").partition(";")[0]
    return Loaded(url, status, kind, len(body)), body.decode(errors="replace")


def _once(
    opener: urllib.request.OpenerDirector, gateway: str, url: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers with names in lower case, body; all empty without an answer."""
    there = urlsplit(url)
    path = (there.path or "/") + (f"?{there.query}" if there.query else "")
    request = urllib.request.Request(
        gateway + path, headers={"Host": there.netloc, "Accept": "text/html,*/*"}
    )
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            return answer.status, _lower(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _lower(error.headers), error.read()
    except OSError:
        return 0, {}, b""


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
