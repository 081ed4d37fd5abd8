"""What a request for a stream asks: which container, which streams, which part of the log.

Source: the query parameters of PodLogOptions, PodExecOptions, PodAttachOptions; the pod registry's refusals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from meshcourse.embedded.apiserver.streams.backend import LogOptions
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """What exec and attach want. With a TTY there is no separate stderr."""

    container: str
    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "") in _TRUE


def remote(request: web.Request, pod: Object) -> RemoteOptions:
    """:raises ApiError: 400 for a container that is not the pod's, or no stream at all."""
    tty = flag(request, "tty")
    found = RemoteOptions(
        container(pod, request.query.get("container", "")),
        tuple(request.query.getall("command", [])),
        flag(request, "stdin"),
        flag(request, "stdout"),
        flag(request, "stderr") and not tty,
        tty,
    )
    if not (found.stdin or found.stdout or found.stderr):
        raise status.bad_request("you must specify at least 1 of stdin, stdout, stderr")
    return found


def container(pod: Object, wanted: str) -> str:
    """The container meant, which may be left open if the pod has only one.

    :raises ApiError: 400 in the API server's words.
    """
    names = {
        field: [each["name"] for each in objects.dig(pod, f"spec.{field}", ())]
        for field in ("containers", "initContainers", "ephemeralContainers")
    }
    if wanted:
        if not any(wanted in found for found in names.values()):
            text = f"container {wanted} is not valid for pod {objects.name(pod)}"
            raise status.bad_request(text)
        return wanted
    if len(names["containers"]) == 1:
        return str(names["containers"][0])
    raise _ambiguous(pod, names)


def _ambiguous(pod: Object, names: Mapping[str, list[str]]) -> ApiError:
    text = f"a container name must be specified for pod {objects.name(pod)}, choose one of: "
    text += f"[{' '.join(names['containers'])}]"
    if names["initContainers"]:
        text += f" or one of the init containers: [{' '.join(names['initContainers'])}]"
    if names["ephemeralContainers"]:
        text += f" or one of the ephemeral containers: [{' '.join(names['ephemeralContainers'])}]"
    return status.bad_request(text)


def logs(query: Mapping[str, str]) -> LogOptions:
    """:raises ApiError: 400 for what is not a number, 422 for what is out of range."""
    since = _number(query, "sinceSeconds", least=1)
    if "sinceTime" in query:
        if since is not None:
            raise _invalid(
                "sinceSeconds", "at most one of `sinceTime` or `sinceSeconds` may be specified"
            )
        since = _since(query["sinceTime"])
    return LogOptions(
        follow=query.get("follow", "") in _TRUE,
        previous=query.get("previous", "") in _TRUE,
        timestamps=query.get("timestamps", "") in _TRUE,
        tail_lines=_number(query, "tailLines", least=0),
        since_seconds=since,
        limit_bytes=_number(query, "limitBytes", least=1),
    )


def _since(text: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise status.bad_request(f'parsing time "{text}" as RFC3339: cannot parse') from None
    elapsed = dt.datetime.now(dt.UTC) - moment.astimezone(dt.UTC)
    return max(1, int(elapsed.total_seconds()) + 1)


def _number(query: Mapping[str, str], name: str, *, least: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        text = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise status.bad_request(f"unable to decode {name}: {text}") from None
    if number < least:
        bound = "must be greater than or equal to 0" if least == 0 else "must be greater than 0"
        raise _invalid(name, f"Invalid value: {number}: {bound}")
    return number


def _invalid(field: str, message: str) -> ApiError:
    cause = {"reason": "FieldValueInvalid", "message": message, "field": field}
    details = {"kind": "PodLogOptions", "causes": [cause]}
    return ApiError(422, "Invalid", f'PodLogOptions "" is invalid: {field}: {message}', details)
