"""Requests of a pod: the command, the reading of what curl prints, waiting for a policy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from meshcourse.cluster import tools
from meshcourse.cluster.errors import ClusterError
from meshcourse.observe import asking

URL = "http://httpbin:8000/get"


class Pod:
    """kubectl exec, answering from a list: (status, body, error) for each request."""

    def __init__(self, *answers: tuple[int, str, str]) -> None:
        self.answers = list(answers)
        self.commands: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> tools.Done:
        self.commands.append(list(words))
        out = ""
        for _ in range(words.count(URL)):
            status, body, error = self.answers.pop(0)
            out += f"{body}\n~meshcourse~ {status:03} {error}\n"
        return tools.Done("kubectl", 0, out)


def test_the_command_is_one_that_a_person_could_type() -> None:
    pod = Pod((200, "", ""))
    asking.ask(pod, "curl.legacy", URL, method="POST", headers={"X-A": "1"}, options=["-k"])
    (words,) = pod.commands
    assert words[:6] == ["exec", "-n", "legacy", "deploy/curl", "-c", "curl"]
    assert words[6:8] == ["--", "curl"]
    assert words[words.index("-X") + 1] == "POST"
    assert words[words.index("-H") + 1] == "X-A: 1"
    assert words[-2:] == ["-k", URL]


def test_answers_are_counted_by_what_they_say() -> None:
    pod = Pod((200, '{"a": 1}', ""), (403, "RBAC: access denied", ""), (0, "", "Connection reset"))
    found = asking.ask(pod, "curl", URL, n=3)
    assert found.statuses == {0: 1, 200: 1, 403: 1}
    assert found.refused == 2
    assert repr(found).splitlines() == [
        f"curl → {URL}: 3 requests",
        "     1 × 200",
        "     1 × 403  RBAC: access denied",
        "     1 × no answer: Connection reset",
    ]


def test_the_last_body_can_be_read() -> None:
    assert asking.ask(Pod((200, '{"a":\n 1}', "")), "curl", URL).json() == {"a": 1}
    with pytest.raises(ClusterError, match="no JSON: 403"):
        asking.ask(Pod((403, "no", "")), "curl", URL).json()


@pytest.mark.parametrize(
    ("until", "statuses"),
    [(403, [200, 200, 403]), ("refused", [200, 0]), ("answered", [503, 0, 200])],
)
def test_it_waits_for_a_policy_to_arrive(
    until: int | str, statuses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking.time, "sleep", lambda _seconds: None)
    pod = Pod(*[(status, "", "") for status in [*statuses, statuses[-1], statuses[-1]]])
    found = asking.ask(pod, "curl", URL, n=2, until=until)
    assert list(found.statuses) == [statuses[-1]]
    assert len(pod.commands) == len(statuses) + 1
    assert ", after 0.0 s" in repr(found)


def test_what_never_comes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", -1.0)
    with pytest.raises(ClusterError, match=r"still 200 after .* expected 403"):
        asking.ask(Pod((200, "", "")), "curl", URL, until=403)


def test_a_pod_that_is_not_there_is_an_error() -> None:
    def kubectl(words: Sequence[str]) -> tools.Done:
        return tools.Done("kubectl", 1, 'deployments.apps "curl" not found')

    with pytest.raises(ClusterError, match="not found"):
        asking.ask(kubectl, "curl", URL)
