"""Rows of what manages pods. Source: the API server's printers."""

from __future__ import annotations

from meshcourse.embedded.apiserver.tables import columns, durations
from meshcourse.embedded.apiserver.tables.columns import NONE, Row
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_TEMPLATE = ("*Containers", "*Images")


def _template(obj: Object) -> list[str]:
    return [*columns.containers(objects.dig(obj, "spec.template.spec"))]


def _wide(obj: Object) -> list[str]:
    return [*_template(obj), columns.selector(objects.dig(obj, "spec.selector"))]


def deployment(obj: Object) -> Row:
    status = obj.get("status") or {}
    return [
        columns.name(obj),
        f"{status.get('readyReplicas', 0)}/{objects.dig(obj, 'spec.replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        columns.age(obj),
        *_wide(obj),
    ]


DEPLOYMENT = columns.printer(
    deployment,
    "Name",
    "Ready",
    "Up-to-date:integer",
    "Available:integer",
    "Age",
    *_TEMPLATE,
    "*Selector",
)


def _replicas(obj: Object) -> list[int]:
    status = obj.get("status") or {}
    desired: int = objects.dig(obj, "spec.replicas", 0)
    return [desired, status.get("replicas", 0), status.get("readyReplicas", 0)]


def replica_set(obj: Object) -> Row:
    return [columns.name(obj), *_replicas(obj), columns.age(obj), *_wide(obj)]


def replication_controller(obj: Object) -> Row:
    labels = columns.pairs(objects.dig(obj, "spec.selector"))
    return [columns.name(obj), *_replicas(obj), columns.age(obj), *_template(obj), labels]


_REPLICA_COLUMNS = (
    "Name", "Desired:integer", "Current:integer", "Ready:integer", "Age", *_TEMPLATE, "*Selector",
)  # fmt: skip
REPLICA_SET = columns.printer(replica_set, *_REPLICA_COLUMNS)
REPLICATION_CONTROLLER = columns.printer(replication_controller, *_REPLICA_COLUMNS)


def stateful_set(obj: Object) -> Row:
    ready = objects.dig(obj, "status.readyReplicas", 0)
    desired = objects.dig(obj, "spec.replicas", 0)
    return [columns.name(obj), f"{ready}/{desired}", columns.age(obj), *_template(obj)]


STATEFUL_SET = columns.printer(stateful_set, "Name", "Ready", "Age", *_TEMPLATE)


def daemon_set(obj: Object) -> Row:
    status = obj.get("status") or {}
    return [
        columns.name(obj),
        *(status.get(field, 0) for field in _DAEMON_FIELDS),
        columns.pairs(objects.dig(obj, "spec.template.spec.nodeSelector")),
        columns.age(obj),
        *_wide(obj),
    ]


_DAEMON_FIELDS = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
)
DAEMON_SET = columns.printer(
    daemon_set,
    "Name",
    "Desired:integer",
    "Current:integer",
    "Ready:integer",
    "Up-to-date:integer",
    "Available:integer",
    "Node Selector",
    "Age",
    *_TEMPLATE,
    "*Selector",
)


def job(obj: Object) -> Row:
    status = obj.get("status") or {}
    return [
        columns.name(obj),
        _job_status(obj),
        _completions(obj),
        durations.between(status.get("startTime"), status.get("completionTime")),
        columns.age(obj),
        *_wide(obj),
    ]


def _completions(obj: Object) -> str:
    succeeded = objects.dig(obj, "status.succeeded", 0)
    wanted = objects.dig(obj, "spec.completions")
    parallelism = objects.dig(obj, "spec.parallelism", 0)
    if wanted is not None:
        return f"{succeeded}/{wanted}"
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_status(obj: Object) -> str:
    true = {
        each.get("type")
        for each in objects.dig(obj, "status.conditions", ())
        if each.get("status") == "True"
    }
    for kind in ("Complete", "Failed"):
        if kind in true:
            return kind
    if objects.deleting(obj):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if kind in true:
            return kind
    return "Running"


JOB = columns.printer(
    job, "Name", "Status", "Completions", "Duration", "Age", *_TEMPLATE, "*Selector"
)


def cron_job(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    last = objects.dig(obj, "status.lastScheduleTime")
    template = objects.dig(spec, "jobTemplate.spec.template.spec")
    return [
        columns.name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))),
        len(objects.dig(obj, "status.active", ())),
        durations.since(last) if last else NONE,
        columns.age(obj),
        *columns.containers(template),
        columns.selector(objects.dig(spec, "jobTemplate.spec.selector")),
    ]


CRON_JOB = columns.printer(
    cron_job,
    "Name",
    "Schedule",
    "Timezone",
    "Suspend:boolean",
    "Active:integer",
    "Last Schedule",
    "Age",
    *_TEMPLATE,
    "*Selector",
)


def controller_revision(obj: Object) -> Row:
    owner = objects.owner(obj)
    controller = NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        kind = owner["kind"].lower()
        controller = f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"
    return [columns.name(obj), controller, obj.get("revision", 0), columns.age(obj)]


CONTROLLER_REVISION = columns.printer(
    controller_revision, "Name", "Controller", "Revision:integer", "Age"
)
