"""Samples and generated queries for the comparison of our PromQL with a real Prometheus."""

from __future__ import annotations

import random
from collections.abc import Iterator

Sample = tuple[int, float]
SeriesSet = list[tuple[dict[str, str], list[Sample]]]

START = 1_760_000_000_123  # milliseconds; odd, so that no sample falls on an edge of a window
SCRAPE = 15_000
SCRAPES = 160
BUCKETS = ("0.5", "1", "5", "10", "25", "50", "100", "250", "1000", "+Inf")


def mesh_samples(seed: int = 7) -> SeriesSet:
    """Counters and histograms as a small mesh produces them, with resets, gaps and late arrivals."""
    chance = random.Random(seed)
    found: SeriesSet = []
    workloads = ["productpage-v1", "reviews-v1", "reviews-v2", "ratings-v1"]
    for reporter in ("source", "destination"):
        for source in workloads[:3]:
            for target in workloads[1:]:
                for code in ("200", "503"):
                    labels = {
                        "reporter": reporter,
                        "source_workload": source,
                        "destination_workload": target,
                        "destination_workload_namespace": "default",
                        "destination_service": f"{target.split('-')[0]}.default.svc.cluster.local",
                        "response_code": code,
                        "connection_security_policy": "mutual_tls"
                        if reporter == "destination"
                        else "unknown",
                    }
                    found += _traffic(labels, chance)
    found.append(({"__name__": "pilot_info", "version": "1.30"}, _line(chance, lambda i: 1.0)))
    gauge = _line(chance, lambda i: chance.gauss(50, 20))
    found.append(({"__name__": "memory_bytes", "pod": "a", "job": "x"}, gauge))
    found.append(({"__name__": "memory_bytes", "pod": "b", "job": "x"}, gauge[20:60] + gauge[100:]))
    odd = _line(chance, lambda i: (float("nan"), float("inf"), -3.5, 0.0)[i % 4])
    found.append(({"__name__": "odd_values", "pod": "a"}, odd))
    return found


def _times(chance: random.Random) -> list[int]:
    return [START + i * SCRAPE + chance.randrange(-400, 400) for i in range(SCRAPES)]


def _line(chance: random.Random, value: object) -> list[Sample]:
    assert callable(value)
    return [(time, value(index)) for index, time in enumerate(_times(chance))]


def _traffic(labels: dict[str, str], chance: random.Random) -> SeriesSet:
    times = _times(chance)
    first = chance.choice((0, 0, 0, 30))
    gap = range(80, 80 + chance.choice((0, 0, 6, 30)))
    reset = chance.choice((None, None, 50, 120))
    rate = chance.choice((0, 0.5, 4, 40))
    total, buckets = 0.0, [0.0] * len(BUCKETS)
    requests: list[Sample] = []
    histogram: list[list[Sample]] = [[] for _ in BUCKETS]
    for index, time in enumerate(times):
        if index == reset:
            total, buckets = 0.0, [0.0] * len(BUCKETS)
        new = chance.randrange(0, int(rate * 10) + 1)
        total += new
        for _ in range(min(new, 12)):
            place = min(int(chance.expovariate(0.35)), len(BUCKETS) - 1)
            for bucket in range(place, len(BUCKETS)):
                buckets[bucket] += 1
        if index < first or index in gap:
            continue
        requests.append((time, total))
        for bucket, value in enumerate(buckets):
            histogram[bucket].append((time, value))
    name = "istio_request_duration_milliseconds_bucket"
    rows: SeriesSet = [({"__name__": "istio_requests_total", **labels}, requests)]
    for bound, samples in zip(BUCKETS, histogram, strict=True):
        rows.append(({"__name__": name, **labels, "le": bound}, samples))
    return rows


#: The shapes of the mesh's dashboards and of Kiali's graph queries (facts: observability).
DASHBOARD = (
    'round(sum(irate(istio_requests_total{reporter=~"source|waypoint"}[1m])), 0.01)',
    'sum(rate(istio_requests_total{reporter="destination", response_code!~"5.*"}[1m])) / '
    'sum(rate(istio_requests_total{reporter="destination"}[1m]))',
    'sum(rate(istio_requests_total{reporter="source", response_code=~"4.*"}[1m])) or vector(0)',
    'label_join(sum(rate(istio_requests_total{reporter="source"}[1m])) by '
    "(destination_workload, destination_workload_namespace, destination_service), "
    '"destination_workload_var", ".", "destination_workload", "destination_workload_namespace")',
    "label_join((histogram_quantile(0.50, sum(rate(istio_request_duration_milliseconds_bucket"
    '{reporter="source"}[1m])) by (le, destination_workload, destination_workload_namespace))), '
    '"destination_workload_var", ".", "destination_workload", "destination_workload_namespace")',
    "histogram_quantile(0.99, sum(irate(istio_request_duration_milliseconds_bucket"
    '{reporter="destination"}[1m])) by (destination_workload, le)) / 1000 > 0',
    'sum(irate(istio_requests_total{reporter="source",response_code!~"5.*"}[5m])) by (source_workload) '
    '/ sum(irate(istio_requests_total{reporter="source"}[5m])) by (source_workload) or on () vector(1)',
    "sum by (connection_security_policy, response_code) (round(irate("
    'istio_requests_total{reporter="destination"}[5m]), 0.001))',
    "sum(rate(istio_requests_total{}[600s])) BY (reporter, source_workload, destination_service) > 0",
    "topk(3, sum by (destination_workload) (rate(istio_requests_total[2m])))",
    "count(pilot_info) by (version)",
    'label_replace(sum(rate(istio_requests_total[1m])) by (source_workload), "app", "$1", '
    '"source_workload", "(.*)-v[0-9]+")',
    "max(memory_bytes) by (job) - min(memory_bytes) by (job)",
    "istio_requests_total offset 1m",
    "sum by (reporter) (istio_requests_total) unless on (reporter) pilot_info",
    "avg_over_time(memory_bytes[3m]) > bool 50",
    "-sum(delta(memory_bytes[2m]))",
    "sum(increase(istio_requests_total[2m])) by (response_code) > 0",
)


def generated(count: int, seed: int = 11) -> Iterator[str]:
    """`count` different queries, built from the operators that dashboards use."""
    chance = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < count:
        query = _vector(chance, 3)
        if query not in seen:
            seen.add(query)
            yield query


LABELS = ("reporter", "source_workload", "destination_workload", "response_code")


def _selector(chance: random.Random) -> str:
    name = chance.choice(
        ("istio_requests_total",) * 3 + ("memory_bytes", "odd_values", "pilot_info")
    )
    matchers = [
        'reporter="source"',
        'response_code=~"5.*"',
        'response_code!="200"',
        'destination_workload!~"reviews.*"',
        'source_workload=~"productpage-v1|reviews-v1"',
        'absent_label=""',
    ]
    chosen = chance.sample(matchers, chance.randrange(3))
    return f"{name}{{{', '.join(chosen)}}}"


def _window(chance: random.Random) -> str:
    offset = chance.choice(("", "", "", " offset 45s"))
    return f"{_selector(chance)}[{chance.choice(('40s', '1m', '90s', '5m', '10m'))}]{offset}"


def _by(chance: random.Random) -> str:
    labels = ", ".join(chance.sample(LABELS, chance.randrange(3)))
    return f"{chance.choice(('by', 'without'))} ({labels})"


RANGE = (
    "rate", "irate", "increase", "delta", "idelta", "resets", "changes", "deriv", "avg_over_time", "sum_over_time",
    "min_over_time", "max_over_time", "count_over_time", "last_over_time", "stddev_over_time", "present_over_time",
)  # fmt: skip


def _vector(chance: random.Random, depth: int) -> str:
    kind = chance.randrange(11) if depth else chance.randrange(3)
    if kind == 0:
        return _selector(chance)
    if kind in (1, 2):
        return f"{chance.choice(RANGE)}({_window(chance)})"
    inner = _vector(chance, depth - 1)
    if kind in (3, 4):
        aggregation = chance.choice(
            ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
        )
        return f"{aggregation} {_by(chance)} ({inner})"
    if kind == 5:
        return f"quantile {_by(chance)} ({chance.choice(('0.5', '0.9', '0', '1'))}, {inner})"
    if kind == 6:
        # Functions with jumps see only stored samples: behind a jump the last bit of a float would count.
        jump = chance.choice(("ceil", "floor", "sgn", ""))
        if jump:
            return f"{jump}({_selector(chance)})"
        function = chance.choice(("abs", "sqrt", "ln", "exp", "scalar"))
        return f"vector(scalar({inner}))" if function == "scalar" else f"{function}({inner})"
    if kind == 7:
        operator = chance.choice(
            ("+", "-", "*", "/", "%", ">", "<", "== bool", ">= bool", "!=", "^")
        )
        return f"({inner} {operator} {chance.choice(('2', '0.5', '100'))})"
    if kind == 8:
        label = chance.choice(LABELS)
        operator = chance.choice(("+", "-", "/", "*", ">", "<= bool", "and", "or", "unless"))
        other = _vector(chance, depth - 1)
        matching = f"on ({label})" if operator in ("and", "or", "unless") else ""
        left, right = f"sum by ({label}) ({inner})", f"sum by ({label}) ({other})"
        return f"({left} {operator} {matching} {right})"
    if kind == 9:
        quantile = chance.choice(("0.5", "0.9", "0.99", "1", "0"))
        by = ", ".join(("le", *chance.sample(LABELS, chance.randrange(3))))
        bucket = "istio_request_duration_milliseconds_bucket"
        return f"histogram_quantile({quantile}, sum by ({by}) (rate({bucket}[{chance.choice(('1m', '5m'))}])))"
    return f"round({_selector(chance)}, {chance.choice(('0.01', '1', '5'))})"
