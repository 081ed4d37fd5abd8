"""The magics themselves."""

from __future__ import annotations

import shlex
from typing import Any

from meshcourse import course
from meshcourse.cluster import outdated, tools
from meshcourse.cluster.errors import ClusterError

ALLOW = "--allow-error"


class CommandFailed(ClusterError):
    """A command in a cell failed; what it printed stands above."""


def register(shell: Any) -> None:
    """Make the magics known to a shell; doing it twice does no harm."""
    shell.register_magic_function(kubectl, "line_cell", "kubectl")
    shell.register_magic_function(istioctl, "line", "istioctl")
    shell.register_magic_function(apply, "cell", "apply")
    shell.register_magic_function(trace_request, "line", "trace_request")


def kubectl(line: str, cell: str | None = None) -> None:
    """``%kubectl get pods``; as ``%%kubectl apply -f -`` the cell is its standard input."""
    words, allowed = _words(line)
    shown = course.mesh().kubectl(*words, text=cell, on_line=print)
    for line in outdated.replacements(shown.output) if shown.code else ():
        print(f"  → {line}")
    _judge(shown, words, allowed)


def istioctl(line: str) -> None:
    """``%istioctl version``."""
    words, allowed = _words(line)
    shown = course.mesh().istioctl(*words, on_line=print)
    _judge(shown, words, allowed)


def apply(line: str, cell: str) -> None:
    """``%%apply [-n NAMESPACE]``: server-side apply of the YAML in the cell, with a line for each object."""
    words, allowed = _words(line)
    namespace = ""
    while words:
        flag, *words = words
        if flag not in ("-n", "--namespace") or not words:
            raise ClusterError(
                f"%%apply does not know {flag!r}", remedy="It takes -n NAMESPACE and --allow-error."
            )
        namespace, *words = words
    done = course.mesh().apply(cell, namespace)
    print(done)
    if not done.ok and not allowed:
        raise CommandFailed(f"{len(done.errors)} of {len(done.rows)} objects were refused")


def trace_request(line: str) -> Any:
    """``%trace_request [--from deploy/x] [-H 'name: value'] [-X METHOD] URL``: where it would go; nothing is sent."""
    words, _ = _words(line)
    source, method, target = "", "GET", ""
    headers: dict[str, str] = {}
    while words:
        word, *words = words
        if word in ("--from", "-H", "-X") and words:
            value, *words = words
            if word == "--from":
                source = value
            elif word == "-X":
                method = value
            else:
                name, _, text = value.partition(":")
                headers[name.strip()] = text.strip()
        elif word.startswith("-") or target:
            raise ClusterError(
                f"%trace_request does not know {word!r}",
                remedy="It takes --from SOURCE, -H 'NAME: VALUE', -X METHOD and one URL.",
            )
        else:
            target = word
    if not target:
        raise ClusterError(
            "%trace_request needs a URL",
            remedy="For example: %trace_request --from deploy/productpage-v1 http://reviews:9080/",
        )
    return course.mesh().explain(source, target, headers=headers, method=method)


def _words(line: str) -> tuple[list[str], bool]:
    words = shlex.split(line)
    return [word for word in words if word != ALLOW], ALLOW in words


def _judge(done: tools.Done, words: list[str], allowed: bool) -> None:
    if done.code and not allowed:
        raise CommandFailed(
            f"`{done.command} {shlex.join(words)}` ended with exit code {done.code}"
        )
