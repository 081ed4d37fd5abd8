"""When Jobs end, and how many pods they run: tables."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.controllers import job_indexes, job_rules, job_tracking, times
from meshcourse.embedded.controllers.job_rules import Counts
from meshcourse.embedded.kube.objects import Object

NOW = 1_800_000_000.0


def job(conditions: list[str] | None = None, started: float = 0.0, **spec: Any) -> Object:
    found = [{"type": c, "status": "True", "reason": "R", "message": "M"} for c in conditions or []]
    status = {"conditions": found, "startTime": times.stamp(NOW - started)}
    policy = spec.pop("restartPolicy", "Never")
    spec.setdefault("template", {"spec": {"restartPolicy": policy}})
    return {"metadata": {"name": "pi"}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("spec", "counts", "restarts", "expected"),
    [
        ({"completions": 1}, Counts(active=1), 0, None),
        ({"completions": 1}, Counts(succeeded=1), 0, "CompletionsReached"),
        ({"completions": 3}, Counts(active=1, succeeded=2), 0, None),
        ({}, Counts(active=1, succeeded=1), 0, None),
        ({}, Counts(succeeded=1), 0, "CompletionsReached"),
        ({"completions": 1, "backoffLimit": 2}, Counts(failed=2), 0, None),
        ({"completions": 1, "backoffLimit": 2}, Counts(failed=3), 0, "BackoffLimitExceeded"),
        ({"completions": 1}, Counts(failed=7), 0, "BackoffLimitExceeded"),
        ({"backoffLimit": 2, "restartPolicy": "OnFailure"}, Counts(active=1), 1, None),
        (
            {"backoffLimit": 2, "restartPolicy": "OnFailure"},
            Counts(active=1),
            2,
            "BackoffLimitExceeded",
        ),
        ({"backoffLimit": 0, "restartPolicy": "OnFailure"}, Counts(active=1), 0, None),
        (
            {"backoffLimit": 0, "restartPolicy": "OnFailure"},
            Counts(active=1),
            1,
            "BackoffLimitExceeded",
        ),
        ({"backoffLimit": 2}, Counts(active=1), 5, None),
        ({"activeDeadlineSeconds": 60, "started": 59}, Counts(active=1), 0, None),
        ({"activeDeadlineSeconds": 60, "started": 60}, Counts(active=1), 0, "DeadlineExceeded"),
        (
            {"activeDeadlineSeconds": 60, "started": 90, "suspend": True},
            Counts(),
            0,
            None,
        ),
        ({"conditions": ["FailureTarget"]}, Counts(active=1), 0, "R"),
        ({"conditions": ["SuccessCriteriaMet"]}, Counts(active=1), 0, "R"),
    ],
)
def test_outcome(spec: dict[str, Any], counts: Counts, restarts: int, expected: str | None) -> None:
    found = job_rules.outcome(job(**spec), counts, restarts, NOW)
    assert (found.reason if found else None) == expected


@pytest.mark.parametrize(
    ("spec", "counts", "expected"),
    [
        ({"parallelism": 3, "completions": 10}, Counts(), 3),
        ({"parallelism": 3, "completions": 10}, Counts(active=3, succeeded=8), 2),
        ({"parallelism": 3, "completions": 10}, Counts(active=3, succeeded=10), 0),
        ({"parallelism": 3}, Counts(active=2), 3),
        ({"parallelism": 3}, Counts(active=2, succeeded=1), 2),
        ({"parallelism": 3, "completions": 10, "suspend": True}, Counts(active=3), 0),
        ({"parallelism": 0, "completions": 10}, Counts(), 0),
    ],
)
def test_how_many_pods_are_wanted(spec: dict[str, Any], counts: Counts, expected: int) -> None:
    assert job_rules.wanted(job(**spec), counts) == expected


@pytest.mark.parametrize(
    ("failures", "success", "expected"),
    [
        ([], 0.0, 0.0),
        ([NOW], 0.0, 10.0),
        ([NOW - 4], 0.0, 6.0),
        ([NOW - 30, NOW], 0.0, 20.0),
        ([NOW - 90, NOW - 60, NOW - 5], 0.0, 35.0),
        ([NOW - 30, NOW - 5], NOW - 10, 5.0),
        ([NOW - 30], NOW - 10, 0.0),
        ([NOW] * 30, 0.0, 600.0),
    ],
)
def test_pauses_grow_with_failures(failures: list[float], success: float, expected: float) -> None:
    assert job_rules.pause(failures, success, NOW) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([0], "0"),
        ([0, 1], "0,1"),
        ([3, 4, 5, 0], "0,3-5"),
        ([1, 3, 4, 6, 7, 8], "1,3,4,6-8"),
    ],
)
def test_indexes_as_text(numbers: list[int], text: str) -> None:
    assert job_indexes.render(numbers) == text
    assert job_indexes.parse(text) == set(numbers)


def pod(uid: str, phase: str, *, tracked: bool = True, deleting: bool = False) -> Object:
    meta: Object = {"name": uid, "uid": uid}
    if tracked:
        meta["finalizers"] = [job_tracking.FINALIZER]
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": meta, "spec": {}, "status": {"phase": phase}}


def test_an_end_is_noted_then_released_then_counted() -> None:
    pi = job()
    first = job_tracking.ledger(
        pi, [pod("a", "Succeeded"), pod("b", "Failed"), pod("c", "Running")]
    )
    assert first.uncounted() == {"succeeded": ["a"], "failed": ["b"]}
    assert (first.total_succeeded, first.total_failed, first.release) == (1, 1, [])
    pi["status"]["uncountedTerminatedPods"] = first.uncounted()
    second = job_tracking.ledger(pi, [pod("a", "Succeeded"), pod("b", "Failed")])
    assert [one["metadata"]["uid"] for one in second.release] == ["a", "b"]
    third = job_tracking.ledger(pi, [pod("a", "Succeeded", tracked=False)])
    assert (third.succeeded, third.failed, third.uncounted()) == (1, 1, {})
    assert third.settled()


def test_a_pod_that_is_deleted_before_it_ends_has_failed() -> None:
    gone = [pod("a", "Running", deleting=True)]
    assert job_tracking.ledger(job(), gone).total_failed == 1


@pytest.mark.parametrize("excuse", [{"suspend": True}, {"conditions": ["SuccessCriteriaMet"]}])
def test_unless_the_job_wanted_it(excuse: dict[str, Any]) -> None:
    book = job_tracking.ledger(job(**excuse), [pod("a", "Running", deleting=True)])
    assert (book.total_failed, len(book.release)) == (0, 1)
