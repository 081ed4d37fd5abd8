"""Jobs and CronJobs, against the embedded API server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.controllers import conditions, job_indexes, job_rules, job_tracking, times
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from tests.unit.controllers.world import World, template, until, worlds


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path) as found:
        yield found


def job(name: str = "pi", **spec: Any) -> Object:
    """As the API server completes it (the fake one does not)."""
    marks = {"batch.kubernetes.io/job-name": name}
    made = template(name, restartPolicy="Never")
    made["metadata"]["labels"] |= marks
    spec = {"template": made, "backoffLimit": 6, "parallelism": 1, **spec}
    spec.setdefault("completions", 1)
    if spec["completions"] is None:
        del spec["completions"]
    chosen = {"selector": {"matchLabels": marks}, "manualSelector": True}
    return {"metadata": {"name": name}, "spec": chosen | spec}


def found(world: World, name: str = "pi") -> Object:
    return world.get(refs.JOBS, name) or {}


def over(world: World, name: str = "pi") -> Object | None:
    known = found(world, name)
    return job_rules.finished(known) if known else None


def state(world: World, name: str = "pi") -> dict[str, int]:
    status = found(world, name).get("status") or {}
    return {key: status[key] for key in ("active", "succeeded", "failed") if key in status}


def reasons(world: World, name: str = "pi") -> list[tuple[str, str]]:
    listed = objects.dig(found(world, name), "status.conditions", [])
    return [(c["type"], c["reason"]) for c in listed if c["status"] == "True"]


async def finish_all(world: World, phase: str = "Succeeded") -> None:
    for pod in world.alive():
        if objects.dig(pod, "status.phase") in ("Pending", "Running"):
            await world.finish(await world.run(pod), phase)


async def test_a_job_completes(world: World) -> None:
    await world.create(refs.JOBS, job(completions=3, parallelism=2))
    await until(lambda: len(world.alive()) == 2)
    assert all(job_tracking.has_finalizer(pod) for pod in world.alive())
    await finish_all(world)
    await until(lambda: state(world) == {"active": 1, "succeeded": 2})
    await finish_all(world)
    await until(lambda: over(world))
    assert reasons(world) == [
        ("SuccessCriteriaMet", "CompletionsReached"),
        ("Complete", "CompletionsReached"),
    ]
    assert state(world) == {"succeeded": 3}
    assert found(world)["status"]["completionTime"]
    assert found(world)["status"]["uncountedTerminatedPods"] == {}
    await until(lambda: not any(map(job_tracking.has_finalizer, world.all(refs.PODS))))
    await until(lambda: world.messages("Completed") == ["Job completed"])
    assert len(world.all(refs.PODS)) == 3


async def test_failures_beyond_the_limit_end_it(world: World) -> None:
    await world.create(refs.JOBS, job(backoffLimit=0))
    await until(world.alive)
    await finish_all(world, "Failed")
    await until(lambda: over(world))
    assert reasons(world) == [
        ("FailureTarget", "BackoffLimitExceeded"),
        ("Failed", "BackoffLimitExceeded"),
    ]
    assert state(world) == {"failed": 1}
    await until(
        lambda: (
            world.messages("BackoffLimitExceeded")
            == ["Job has reached the specified backoff limit"]
        )
    )


async def test_a_failed_pod_is_replaced_after_a_pause(world: World) -> None:
    await world.create(refs.JOBS, job())
    await until(world.alive)
    await finish_all(world, "Failed")
    await until(lambda: state(world) == {"failed": 1})
    assert len(world.all(refs.PODS)) == 1


async def test_the_deadline_deletes_what_still_runs(world: World) -> None:
    await world.create(refs.JOBS, job(activeDeadlineSeconds=1))
    await until(world.alive)
    await world.run(world.alive()[0])
    await until(lambda: ("FailureTarget", "DeadlineExceeded") in reasons(world))
    assert over(world) is None
    await world.keep_running(lambda: over(world))
    assert reasons(world)[-1] == ("Failed", "DeadlineExceeded")


async def test_a_deleted_pod_is_counted_and_goes(world: World) -> None:
    await world.create(refs.JOBS, job())
    (pod,) = await until(world.alive)
    await world.client.delete(refs.PODS, objects.name(pod), "default")
    await until(lambda: world.get(refs.PODS, objects.name(pod)) is None)
    await until(lambda: state(world).get("failed") == 1)


async def test_suspension_stops_and_resumes(world: World) -> None:
    await world.create(refs.JOBS, job(suspend=True))
    await until(lambda: ("Suspended", "JobSuspended") in reasons(world))
    assert world.alive() == []
    assert "startTime" not in found(world)["status"]
    await world.change(refs.JOBS, "pi", {"spec": {"suspend": False}})
    await until(world.alive)
    assert found(world)["status"]["startTime"]
    await world.change(refs.JOBS, "pi", {"spec": {"suspend": True}})
    await until(lambda: not world.alive())
    await until(lambda: ("Suspended", "JobSuspended") in reasons(world))
    assert state(world) == {}
    await until(lambda: world.messages("Resumed") == ["Job resumed"])


async def test_indexed_jobs_do_every_index_once(world: World) -> None:
    await world.create(refs.JOBS, job(completions=3, parallelism=3, completionMode="Indexed"))
    await until(lambda: len(world.alive()) == 3)
    assert sorted(job_indexes.of(pod) or 0 for pod in world.alive()) == [0, 1, 2]
    pod = min(world.alive(), key=lambda one: job_indexes.of(one) or 0)
    assert objects.name(pod).startswith("pi-0-")
    assert pod["spec"]["hostname"] == "pi-0"
    assert pod["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    await finish_all(world)
    await until(lambda: over(world))
    assert found(world)["status"]["completedIndexes"] == "0-2"


async def test_finished_jobs_go_after_their_time(world: World) -> None:
    await world.create(refs.JOBS, job(ttlSecondsAfterFinished=0))
    await until(world.alive)
    await finish_all(world)
    await until(lambda: not found(world) and not world.all(refs.PODS))


# -- cron jobs ------------------------------------------------------------------------------


def cronjob(**spec: Any) -> Object:
    """Due since two minutes ago, so that it starts at once."""
    made = template("pi", restartPolicy="Never")
    chosen = {
        "schedule": "* * * * *",
        "jobTemplate": {"spec": {"template": made, "completions": 1}},
        "concurrencyPolicy": "Allow",
        **spec,
    }
    return {"metadata": {"name": "tick"}, "spec": chosen}


async def due(world: World, **spec: Any) -> None:
    """A CronJob whose last start is two minutes ago."""
    made = await world.create(refs.CRONJOBS, cronjob(suspend=True, **spec))
    last = {"lastScheduleTime": times.stamp(time.time() - 120)}
    await world.client.update(refs.CRONJOBS, {**made, "status": last}, subresource="status")
    await world.change(refs.CRONJOBS, "tick", {"spec": {"suspend": False}})


def jobs(world: World) -> list[Object]:
    return [one for one in world.all(refs.JOBS) if not objects.deleting(one)]


async def complete(world: World, made: Object) -> None:
    """End a Job as its controller would."""
    fresh = world.get(refs.JOBS, objects.name(made)) or {}
    ended = conditions.put([], "SuccessCriteriaMet", "True", "CompletionsReached", "")
    ended = conditions.put(ended, "Complete", "True", "CompletionsReached", "")
    stamp = objects.now()
    status = {"conditions": ended, "completionTime": stamp, "startTime": stamp, "succeeded": 1}
    await world.client.update(refs.JOBS, {**fresh, "status": status}, subresource="status")


async def test_a_cronjob_starts_one_job_for_all_times_missed(world: World) -> None:
    await due(world)
    (made,) = await until(lambda: jobs(world))
    minute = int(objects.name(made).removeprefix("tick-"))
    assert abs(minute * 60 - time.time()) <= 61
    tick = await until(
        lambda: objects.dig(one := world.get(refs.CRONJOBS, "tick"), "status.active") and one
    )
    assert tick["status"]["lastScheduleTime"] == times.stamp(minute * 60)
    assert [ref["name"] for ref in tick["status"]["active"]] == [objects.name(made)]
    await until(lambda: world.messages("SuccessfulCreate")[0:1] == [f"Created job tick-{minute}"])


async def test_what_completed_is_noted_and_old_ones_go(world: World) -> None:
    await due(world, successfulJobsHistoryLimit=0)
    (made,) = await until(lambda: jobs(world))
    await until(lambda: objects.dig(world.get(refs.CRONJOBS, "tick"), "status.active"))
    await complete(world, made)
    await until(lambda: objects.dig(world.get(refs.CRONJOBS, "tick"), "status.lastSuccessfulTime"))
    name = objects.name(made)
    await until(
        lambda: (
            f"Saw completed job: {name}, condition: Complete" in world.messages("SawCompletedJob")
        )
    )
    await until(lambda: world.get(refs.JOBS, name) is None)


@pytest.mark.parametrize("policy", ["Forbid", "Replace", "Allow"])
async def test_concurrency(world: World, policy: str) -> None:
    tick = await world.create(refs.CRONJOBS, cronjob(suspend=True, concurrencyPolicy=policy))
    earlier = {**job("earlier")}
    earlier["metadata"]["ownerReferences"] = [objects.owner_reference(tick)]
    await world.create(refs.JOBS, earlier)
    await until(lambda: (world.get(refs.CRONJOBS, "tick") or {}).get("status", {}).get("active"))
    fresh = world.get(refs.CRONJOBS, "tick") or {}
    status = {**fresh["status"], "lastScheduleTime": times.stamp(time.time() - 120)}
    await world.client.update(refs.CRONJOBS, {**fresh, "status": status}, subresource="status")
    await world.change(refs.CRONJOBS, "tick", {"spec": {"suspend": False}})
    if policy == "Forbid":
        await until(lambda: world.messages("JobAlreadyActive"))
        assert [objects.name(one) for one in jobs(world)] == ["earlier"]
        return
    await until(lambda: any(objects.name(one).startswith("tick-") for one in jobs(world)))
    names = {objects.name(one) for one in jobs(world)}
    assert ("earlier" in names) == (policy == "Allow")


async def test_a_schedule_that_cannot_be_understood_is_reported(tmp_path: Path) -> None:
    async with worlds("fake", tmp_path) as world:  # the real server refuses it at once
        await world.create(refs.CRONJOBS, cronjob(schedule="every minute"))
        await until(lambda: world.messages("UnparseableSchedule"))
        assert jobs(world) == []
