"""Our kubectl prints what the real one prints: every command is given to both, on the same cluster."""

from __future__ import annotations

import re
import shlex
import shutil
import time

import pytest

from meshcourse import course
from meshcourse.cluster import tools
from meshcourse.kubectl import front

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no real kubectl on PATH"),
]

READS = [
    "get pods",
    "get pods -o wide",
    "get pods -A",
    "get pods,services",
    "get all",
    "get deploy reviews-v1",
    "get deploy/reviews-v1 deploy/reviews-v2",
    "get pods -l app=reviews --show-labels",
    "get pods -L app -L version",
    "get pods --no-headers",
    "get pods -o name",
    "get pods -o jsonpath={.items[*].metadata.name}",
    "get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image",
    "get pods --field-selector=status.phase=Pending",
    "get pods --sort-by=.metadata.name",
    "get svc details -o yaml",
    "get svc details -o json",
    "get svc -o yaml",
    "get deploy details-v1 -o yaml",
    "get ns default -o yaml",
    "get virtualservices,gateways",
    "get vs bookinfo -o yaml",
    "get nodes",
    "get cm none",
    "get pods nothing details",
    "get nonsense",
    "get cm -n nowhere",
    "api-resources",
    "api-resources --api-group=networking.istio.io -o name",
    "api-resources --namespaced=false",
    "explain deployment.spec.replicas",
    "explain pod.spec.hostname",
    "explain service",
    "explain pod.spec.nothing",
    "describe service details",
    "describe deployment details-v1",
    "logs deploy/details-v1 -c details --tail=1",
    "logs deploy/details-v1 -c nothing",
    "exec deploy/ratings-v1 -c ratings -- echo hello",
    "exec deploy/ratings-v1 -c ratings -- sh -c 'exit 3'",
    "rollout status deployment/details-v1",
    "rollout history deployment/details-v1",
    "wait --for=condition=Available deployment/details-v1",
    "wait --for=condition=Nothing deployment/details-v1 --timeout=200ms",
    "top pods nothing",
    "create ns default",
    "create deployment x --image=a/b:1 --replicas=2 --dry-run=client -o yaml",
    "create configmap x --from-literal=a=1 --dry-run=client -o yaml",
    "label ns default a=1 --dry-run=server",
    "delete pod nothing",
    "scale deployment nothing --replicas=1",
]
#: (undo, command): the command changes something, so each kubectl gets the same state before.
WRITES = [
    ("delete ns team --ignore-not-found", "create ns team"),
    ("delete cm c --ignore-not-found", "create configmap c --from-literal=a=1"),
    ("create configmap d", "delete configmap d"),
    ("label ns default colour-", "label ns default colour=red"),
    ("label ns default colour=blue --overwrite", "label ns default colour=red"),
    ("label ns default colour=blue --overwrite", "label ns default colour-"),
    ("annotate ns default note-", "annotate ns default note=x"),
    ("scale deployment reviews-v3 --replicas=1", "scale deployment reviews-v3 --replicas=1"),
    ("rollout status deployment ratings-v1", "rollout restart deployment ratings-v1"),
]


def normal(text: str) -> str:
    """Without ages, which differ from second to second, and what kubectl says about its own version."""
    text = re.sub(r"\b\d+(d\d+h|h\d+m|m\d+s|[dhms])\b", "AGE", text)
    text = re.sub(
        r"restartedAt: .*|resourceVersion: .*|Generation: .*|(?<=\"restartedAt\": ).*", "…", text
    )
    text = re.sub(
        r"creationTimestamp: null\n\s*|status: \{\}\n|\s*strategy: \{\}|\s*resources: \{\}",
        "",
        text,
    )
    return re.sub(r" +", " ", text)


def both(mesh: course.Mesh, line: str) -> tuple[tuple[int, str], tuple[int, str]]:
    return real(mesh, line), ours(mesh, line)


def real(mesh: course.Mesh, line: str) -> tuple[int, str]:
    done = tools.run([str(shutil.which("kubectl")), *shlex.split(line)], env=mesh.environment())
    return done.code, normal(done.output)


def ours(mesh: course.Mesh, line: str) -> tuple[int, str]:
    done = front.own(mesh, shlex.split(line))
    return done.code, normal(done.output)


@pytest.mark.parametrize("line", READS)
def test_reading_prints_the_same(line: str, mesh: course.Mesh) -> None:
    theirs, mine = both(mesh, line)
    if theirs != mine:  # something may have changed in between: a second look decides
        time.sleep(1)
        theirs, mine = both(mesh, line)
    assert mine == theirs


@pytest.mark.parametrize(("before", "line"), WRITES, ids=[line for _, line in WRITES])
def test_writing_prints_the_same(before: str, line: str, mesh: course.Mesh) -> None:
    results = []
    for run in (real, ours):
        ours(mesh, before)
        results.append(run(mesh, line))
    theirs, mine = results
    assert mine == theirs
