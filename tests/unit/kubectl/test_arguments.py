from __future__ import annotations

import pytest

from meshcourse.kubectl import arguments
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.errors import KubectlError

FLAGS = (
    Flag("watch", "w", "switch"),
    Flag("tail"),
    Flag("from-literal", "", "list"),
    Flag("stdin", "i", "switch"),
)


@pytest.mark.parametrize("line", ["-o wide", "-owide", "-o=wide", "--output wide", "--output=wide"])
def test_a_value_may_be_joined_in_every_way(line: str) -> None:
    assert arguments.parse(line.split(), FLAGS).text("output") == "wide"


def test_flags_stand_anywhere_and_short_switches_may_be_joined() -> None:
    parsed = arguments.parse(["-n", "x", "pods", "-wi", "web", "--tail=-1"], FLAGS)
    assert parsed.words == ["pods", "web"]
    assert parsed.on("watch")
    assert parsed.on("stdin")
    assert (parsed.text("namespace"), parsed.text("tail")) == ("x", "-1")


def test_what_follows_two_dashes_is_a_command() -> None:
    parsed = arguments.parse(["pod", "-i", "--", "sh", "-c", "exit 3"], FLAGS)
    assert (parsed.words, parsed.command) == (["pod"], ["sh", "-c", "exit 3"])


def test_the_last_value_wins_and_lists_keep_all() -> None:
    parsed = arguments.parse(
        ["-n", "a", "-n", "b", "--from-literal", "x=1", "--from-literal=y=2"], FLAGS
    )
    assert parsed.text("namespace") == "b"
    assert parsed.many("from-literal") == ["x=1", "y=2"]


def test_a_switch_may_be_turned_off() -> None:
    assert not arguments.parse(["--watch=false"], FLAGS).on("watch", default=True)
    assert arguments.parse([], FLAGS).on("watch", default=True)


def test_some_flags_have_a_value_of_their_own() -> None:
    parsed = arguments.parse(["--dry-run", "pods"], FLAGS)
    assert (parsed.text("dry-run"), parsed.words) == ("unchanged", ["pods"])
    assert arguments.parse(["--dry-run=server"], FLAGS).text("dry-run") == "server"


def test_a_dash_alone_is_a_word_for_standard_input() -> None:
    assert arguments.parse(["-f", "-"], FLAGS).many("filename") == ["-"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--nothing"], "unknown flag: --nothing"),
        (["-z"], "unknown shorthand flag: 'z' in -z"),
        (["-n"], "flag needs an argument: -n"),
        (["--namespace"], "flag needs an argument: --namespace"),
    ],
)
def test_errors_are_in_kubectls_words(args: list[str], message: str) -> None:
    with pytest.raises(KubectlError, match=message):
        arguments.parse(args, FLAGS)
