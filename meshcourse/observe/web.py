"""Asking an add-on's HTTP API for JSON, with errors a learner can act on."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from meshcourse.errors import MeshcourseError

_TIMEOUT = 20.0
#: The add-ons are on this machine or behind a port-forward: proxy settings of the machine are not for them.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class AddonError(MeshcourseError):
    """An add-on that does not answer, or refuses the question in its own words."""


class NotServed(AddonError):
    """The add-on has no such path (an older or newer release)."""


def get(addon: str, url: str, params: Mapping[str, str] | None = None) -> Any:
    """The JSON at `url`.

    :param addon: its name, for messages.
    :raises NotServed: for 404. :raises AddonError: otherwise.
    """
    query = f"?{urllib.parse.urlencode(params)}" if params else ""
    return _ask(addon, urllib.request.Request(url + query))


def post(addon: str, url: str, body: Any) -> Any:
    """The JSON answered to a JSON body; errors as of `get`."""
    headers = {"Content-Type": "application/json"}
    return _ask(addon, urllib.request.Request(url, json.dumps(body).encode(), headers))


def _ask(addon: str, request: urllib.request.Request) -> Any:
    url = request.full_url.partition("?")[0]
    try:
        with _OPENER.open(request, timeout=_TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(addon, url, error.code, error.read()) from None
    except (OSError, ValueError) as error:
        raise AddonError(
            f"{addon} at {url} does not answer: {getattr(error, 'reason', error)}",
            remedy=f'Bring it in: mesh.ensure("{addon.lower()}").',
        ) from error


def _refusal(addon: str, url: str, code: int, body: bytes) -> AddonError:
    """What the add-on said, taken from the error forms of Prometheus, Jaeger, Kiali and Grafana."""
    text = body.decode(errors="replace").strip()
    try:
        found = json.loads(text)
        errors = found.get("errors") or [{}]
        text = found.get("error") or found.get("message") or errors[0].get("msg") or text
    except (ValueError, AttributeError):
        pass
    kind = NotServed if code == 404 else AddonError
    return kind(f"{addon}: {str(text)[:400] or f'HTTP {code} at {url}'}")
