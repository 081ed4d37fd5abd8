"""Requests of a pod: what a program *inside* the cluster is answered. curl sends them, so any pod that has it will do.

The traffic generator asks from outside; whom a policy lets in is seen only by somebody who asks as a certain workload.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshcourse.cluster import tools
from meshcourse.cluster.errors import ClusterError

#: Runs kubectl with these words.
Kubectl = Callable[[Sequence[str]], tools.Done]
ANSWERED, REFUSED = "answered", "refused"
#: Seconds that a change may take to reach the proxies.
PATIENCE = 90.0
_MARK = "~meshcourse~"
_END = re.compile(rf"\n{_MARK} (\d{{3}}) ?(.*)\n?")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `status` is 0 if there was none; `error` then says why, in curl's words."""

    status: int
    body: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 400

    def __str__(self) -> str:
        if not self.status:
            return f"no answer: {self.error}"
        words = "" if self.ok else " ".join(self.body.split())[:_SHOWN]
        return f"{self.status}  {words}".rstrip()


@dataclass(frozen=True)
class Asked:
    """What the requests of one pod were answered.

    :param waited: seconds until the first answer that was waited for.
    """

    caller: str
    url: str
    answers: Sequence[Answer] = field(repr=False)
    waited: float | None = None

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers had each status code; 0 counts requests without an answer."""
        return dict(sorted(Counter(answer.status for answer in self.answers).items()))

    @property
    def refused(self) -> int:
        """How many were not answered well."""
        return sum(not answer.ok for answer in self.answers)

    @property
    def body(self) -> str:
        """The last answer's body."""
        return self.answers[-1].body

    def json(self) -> Any:
        """The last answer's body, read as JSON.

        :raises ClusterError: if it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise ClusterError(f"{self.caller} got no JSON: {self.answers[-1]}") from None

    def __repr__(self) -> str:
        after = f", after {self.waited:.1f} s" if self.waited is not None else ""
        count = f"{len(self.answers)} request{'s' if len(self.answers) > 1 else ''}"
        lines = Counter(str(answer) for answer in self.answers)
        shown = [f"  {number:>4} × {line}" for line, number in lines.most_common()]
        return "\n".join([f"{self.caller} → {self.url}: {count}{after}", *shown])


def ask(
    kubectl: Kubectl,
    caller: str,
    url: str,
    *,
    n: int = 1,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    until: int | str | None = None,
    timeout: float = 10.0,
) -> Asked:
    """Let a pod send `n` requests, one after the other.

    :param caller: a Deployment with a container of the same name that has curl: ``curl``, or ``curl.legacy`` in the
        namespace legacy.
    :param options: more words for curl.
    :param until: first ask again and again until this status comes (or ``"answered"``, ``"refused"``): a policy takes
        a moment to arrive, and what is counted is what comes afterwards.
    :param timeout: seconds until one request is given up.
    :raises ClusterError: if there is no such pod, or `until` does not come.
    """
    words = [*_exec(caller), *_curl(method, headers or {}, timeout), *options]

    def send(count: int) -> list[Answer]:
        return read(kubectl([*words, *[url] * count]), count)

    waited = None if until is None else _wait(lambda: send(1)[0], until, f"{caller} → {url}")
    return Asked(caller, url, tuple(send(n)), waited)


def read(done: tools.Done, count: int) -> list[Answer]:
    """The answers in what curl printed.

    :raises ClusterError: if they are not `count`: then curl did not run at all.
    """
    pieces = _END.split(done.output)
    found = [
        Answer(int(status), body, error.strip())
        for body, status, error in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=False)
    ]
    if len(found) != count:
        raise ClusterError(
            f"curl did not run: {done.output.strip() or done.code}",
            remedy="Is the pod there, and has it curl? `%kubectl get pods -A`.",
        )
    return found


def _exec(caller: str) -> list[str]:
    name, _, namespace = caller.partition(".")
    where = ["-n", namespace] if namespace else []
    return ["exec", *where, f"deploy/{name}", "-c", name, "--"]


def _curl(method: str, headers: Mapping[str, str], timeout: float) -> list[str]:
    named = [word for key, value in headers.items() for word in ("-H", f"{key}: {value}")]
    mark = rf"\n{_MARK} %{{http_code}} %{{errormsg}}\n"
    return ["curl", "-s", "-m", f"{timeout:g}", "-X", method, *named, "-w", mark]


def _wait(look: Callable[[], Answer], until: int | str, what: str) -> float:
    began = time.monotonic()
    while not _met(answer := look(), until):
        if time.monotonic() - began > PATIENCE:
            raise ClusterError(
                f"{what}: still {answer} after {PATIENCE:.0f} s, expected {until}",
                remedy="Has every proxy got the change? `%istioctl proxy-status`.",
            )
        time.sleep(0.1)
    return time.monotonic() - began


def _met(answer: Answer, until: int | str) -> bool:
    if until in (ANSWERED, REFUSED):
        return answer.ok == (until == ANSWERED)
    return answer.status == until
