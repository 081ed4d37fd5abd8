"""Running notebooks in tests, and looking at what they showed: a cell that shows a failed request broke its promise.

The notebooks are in groups, a test file each, so that groups run side by side, each on a cluster of its own.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.daemon import launcher
from meshcourse.lab import execute, manifest
from tests.integration import foreign

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build"
NOTEBOOKS = {notebook.slug: notebook for notebook in manifest.read(ROOT).notebooks}

#: Any text: the order of the second pass.
ORDER_VARIABLE = "MESHCOURSE_ORDER"

#: Group → notebook → what a learner must have seen in it, besides an absence of errors.
PROMISES: dict[str, dict[str, list[str]]] = {
    "first": {
        "00-start-here": [
            r"✓  Envoy",
            r"control-plane",
            r"stand-in",
            r"doesn't have a resource type",
            r"not yet \(0 of 2",
        ],
        "01-what-is-a-mesh": [
            r"8 Envoys in the data plane",
            r"productpage's Envoy → details",
            r"100 requests .* none failed",
            r"(299|300|301) requests in .* none failed",  # while istiod was killed
            r'pod "istiod-.*" deleted',
        ],
        "02-install-istio": [
            r"doesn't have a resource type",
            r"✔ Istiod installed",
            r"data plane version: .* \(2 proxies\)",
            r"denied the request",
            r"curl-\S+ +1/1",
            r"curl-\S+ +2/2",
        ],
        "03-bookinfo": [
            r"reviews-v3-\S+ +1/1",
            r"reviews-v3-\S+ +2/2",
            r"bookinfo-gateway created",
            r"100 requests .* none failed",
            r"404 +20 +100.0%",
            r"600 requests .* none failed",
            r"v3: \d\d\.\d% seen, 33\.3% expected",
        ],
    },
    "observe": {
        "04-metrics-grafana": [
            r"visible \d+\.\d s after the last answer",
            r"'source 500'",
            r"Grafana shows [\d.]+, Prometheus says",
            r"duration of a page\n(.*\n)*  .* ms to .* ms: \d",
            r"reviews-v\d: 200 \(mutual_tls\): last \d",
        ],
        "05-tracing-jaeger": [r"\b[79] spans", r"of 5000: ", r"300 traces of 300 requests"],
        "06-kiali": [
            r"productpage v1 → reviews v1: .* mTLS, healthy",
            r"red after",
            r"unlocked after \d",
            r"locked again after \d",
            r"KIA1107",
            r"no traffic in the last",
        ],
        "07-access-logs": [r"404 +NR", r"418 +FI", r"503 +NC", r"503 +UH"],
    },
    "routing": {
        "11-request-routing": [
            r"reviews.default.svc.cluster.local +9080 +v3 +outbound",
            r"v1 +400 +100.0%",
            r"v2 +200 +100.0%",
            r"v1 +200 +100.0%",
            r"v1 +60 +100.0%",
            r'"podname": "reviews-v2',
            r"1\. if end-user = jason +then reviews v2[^\n]*\n2\. if anything +then reviews v1",
            r"DELETE /books/17 +rule 2",
            r"/bookshop +rule 5",
            r"'x-guest': 'yes'} rule 6",
        ],
        "13-resilience": [
            r"reviews unavailable +6 +100.0%",  # jason's six seconds
            r"p50 [6-9]\d\d\d ms",
            r"GET /reviews/0 +0 +DC",
            r"ratings unavailable +[1-6] +\d",
            r"ratings unavailable +\d+ +\d\d\.\d%[^\n]*\n +v2",
            r"504 +UT",
            r"Code 200 : 60 \(100.0 %\)",
            r"([1-9]\d*) answers 503, \1 overflows",
            r"503 +UO",
            r"Code 503 : ([1-9]|[1-3]\d) \(",  # a handful of 400, when the sick pod is sent home
            r"ejections_active: 1",
            r"back after \d+\.\d s",
            r"v1 +100 +100.0%",
            r"\('reviews-v3', 'reviews-shadow:9080'\): 100",
        ],
        "17-debugging": [
            r"/nowhere +404 NR",
            r"/typo +503 NC",
            r"/nobody +503 UH",
            r"/deaf +503 \S*UF",
            r"/delay/3 +504 UT",
            r"/status/503 +503 -",
            r"/crowd +503 UO",
            r"RoutesConfigDump +\d+ kB",
            r"Routes Match",
            r'IST0101\] \(VirtualService default/trouble\).*"details\+v9"',
            r"DestinationRule: httpbin",
            r"✗ 404 at istio-ingressgateway[^\n]*NR",
            r"✗ 503 at istio-ingressgateway[^\n]*UH",
            r"it arrives at reviews-v\d",
            r"17-case-1-shop: not yet \(0 of 2",
            r"17-case-2-stars: not yet \(1 of 2",
            r"17-case-3-tls: not yet \(0 of 2",
            r"17-case-4-crowd: not yet \(0 of 1",
            r"17-case-5-silence: not yet \(0 of 2",
        ],
    },
    "splitting": {
        "12-traffic-splitting": [
            r"v1 +200 +100.0%",
            r"then 80 → reviews v1, 20 → reviews v2",
            r"v1 50 % · v2 50 %, at n = \d{3}[\s\S]*none failed",
            r"v2 +0 % wanted, 0.0%",
            r"200 requests in .* none failed",  # while the weights changed twenty times
            r"\({'v1': 40}, {'v2': 40}\)",
            r"v2, promoted after[\s\S]*100 % .* → good",
            r"v3, rolled back after",
            r"v2 +60 +100.0%",
        ],
        "16-scaling": [
            r"podmetrics.metrics.k8s.io",
            r"3 pods, \d+\.\d × the target",
            r"30 requests .* none failed[^\n]*(\n +\w{5} +\d+ [^\n]*){3}$",
            r"by room +slow pod: ",
            r"browser-11 +{'v\d': 10}",
            r"v1 +200 +100.0%",
            r"requests .* none failed[\s\S]*\n +v2 +60 +100.0%",  # while the pod in the same zone went away
            r"requests .* none failed[\s\S]*\n +v3 +60 +100.0%",
            r"v1 +60 +100.0%",
            r"(8|9|\d\d) destinations before, [1-7] after",
        ],
    },
    "boutique": {
        "08-online-boutique": [
            r"frontend-\S+ +2/2",
            r"cartservice-\S+ +1/1",
            r"32 lines, 0 times istio-proxy",
            r"frontend v1 → cartservice v1: [\d.]+ req/s, healthy",
            r"edges, 1 of them with mutual TLS",
            r"redis-cart-\S+ +2/2",
            r"cartservice v1 → redis-cart v1: [\d.]+ B/s",
            r"60 requests .* none failed",
            r"together +13\.00",
        ],
        "09-ingress": [
            r"(?m)^000\s",
            r"(?m)^404\s",
            r"GET / +404 +NR",
            r"404 without a name",
            r"200 with the name",
            r"200 from http://boutique\.example\.com",
            r"gateway-api\.example\.com +\{200: 100\}",
            r"nobody\.example\.com +\{404: 100\}",
            r"Accepted: True",
            r"curl: \(60\)",
            r"301 Moved Permanently\s+location: https://boutique\.example\.com",
        ],
        "10-ingress-addons": [
            r"200 .*http://addons\.example\.com/kiali/",
            r"200 .*/jaeger/api/services",
            r"404 .*http://addons\.example\.com/grafana",
            r"503 .*http://map\.example\.com/kiali/",
            r"GET /kiali/ +503 +NC",
            r"200 .*http://map\.example\.com/kiali/api/status",
        ],
    },
    "security": {
        "14-security": [
            r"spiffe://cluster.local/ns/default/sa/curl",
            r"\(24 hours\)",
            r"20 × (503|no answer)",  # strict: who comes in plaintext
            r"500 requests .* none failed",  # while it became strict
            r"in plaintext: +nothing",
            r"by the gateway:.*URI=spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway",
            r"403            50",
            r"denied by ext_authz",
            r"hello it is me",
            r"legacy, 9000: refused",
            r"expired .*\n +5 × 401  Jwt is expired",
            r"mallory .*\n +10 × 401  Jwt verification fails",
        ],
        "15-egress": [
            r"20 × 200",
            r"20 × 502",
            r"direct_response .* block_all",
            r"504 UT after \d+ ms",
            r"CERTIFICATE_VERIFY_FAILED",
            r"50 of 50 are in the log",
            r"nothing of the world outside left",
        ],
    },
}


@contextmanager
def cluster(group: str, over: str = "embedded") -> Iterator[None]:
    """The notebooks start the cluster themselves; whatever happens, it is gone afterwards.

    :param over: ``context``: they find somebody else's cluster instead, of which they know the kubeconfig only.
    """
    name = f"notebooks-{group}"
    if over == "context":
        with tempfile.TemporaryDirectory() as folder, foreign.cluster(name, Path(folder)):
            yield
        return
    patch = pytest.MonkeyPatch()
    patch.setenv("MESHCOURSE_NAME", name)
    try:
        yield
    finally:
        patch.undo()
        launcher.down(name, delete=True)


def top_to_bottom(slug: str, promises: Sequence[str]) -> None:
    """Execute one notebook with papermill and look at its outputs."""
    path = NOTEBOOKS[slug].path
    outcome = execute.run(path, BUILD, progress_bar=False)
    assert not outcome.error
    texts = outputs(BUILD / "notebooks" / path.name)
    assert texts
    for promise in promises:
        assert any(re.search(promise, text) for text in texts), promise
    assert (BUILD / "html" / f"{slug}.html").stat().st_size > 100_000


def another_order(slugs: Iterable[str]) -> list[str]:
    """The same, shuffled, and never as it was; `ORDER_VARIABLE` chooses which order."""
    given = list(slugs)
    found = sorted(given)
    random.Random(os.environ.get(ORDER_VARIABLE, "course")).shuffle(found)
    return found if found != given else found[::-1]


def again(slugs: Sequence[str], scratch: Path) -> None:
    """Execute notebooks with nbval, on the same cluster; outputs kept in the repository must come out as they are."""
    (scratch / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    paths = [NOTEBOOKS[slug].path for slug in slugs]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", str(scratch / "pytest.ini"), "-p", "no:cacheprovider"),
            *("--nbval-lax", "--nbval-cell-timeout", str(execute.CELL_TIMEOUT), "--nbval-kernel-name", "python3"),
            *map(str, paths),
        ],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) == sum(len(code_cells(path)) for path in paths) > 0


def outputs(path: Path) -> list[str]:
    """The text of every output of an executed notebook."""
    found = []
    for cell in code_cells(path):
        for output in cell["outputs"]:
            text = output.get("text") or output.get("data", {}).get("text/plain") or ""
            found.append("".join(text))
    return found


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]
