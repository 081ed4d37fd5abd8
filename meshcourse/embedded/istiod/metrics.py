"""istiod's metrics by their real names, in Prometheus' text format. One process, one registry.

Source: istio.io "pilot-discovery" exported metrics; Prometheus exposition format 0.0.4.
"""

from __future__ import annotations

import bisect
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence

from meshcourse import versions

_Labels = tuple[tuple[str, str], ...]
_REGISTRY: list[Metric] = []
_STARTED = time.time()


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _render(name: str, labels: _Labels, value: float) -> str:
    inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    number = repr(float(value)) if value % 1 else str(int(value))
    return f"{name}{{{inner}}} {number}" if inner else f"{name} {number}"


class Metric:
    """A family of samples by label set; use `counter` or `gauge`."""

    def __init__(self, kind: str, name: str, text: str) -> None:
        self._kind, self._name, self._text = kind, name, text
        self._samples: dict[_Labels, float] = {}
        _REGISTRY.append(self)

    def inc(self, amount: float = 1.0, **labels: str) -> None:
        key = tuple(labels.items())
        self._samples[key] = self._samples.get(key, 0.0) + amount

    def set(self, value: float, **labels: str) -> None:
        self._samples[tuple(labels.items())] = value

    def get(self, **labels: str) -> float:
        return self._samples.get(tuple(labels.items()), 0.0)

    def clear(self) -> None:
        """Forget all label sets, before gauges are set anew."""
        self._samples.clear()

    def lines(self) -> Iterator[str]:
        if not self._samples:
            return
        yield f"# HELP {self._name} {self._text}"
        yield f"# TYPE {self._name} {self._kind}"
        for labels, value in self._samples.items():
            yield _render(self._name, labels, value)


class Histogram(Metric):
    """A histogram without labels; `bounds` are upper bounds in seconds."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        super().__init__("histogram", name, text)
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect.bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self._name} {self._text}"
        yield f"# TYPE {self._name} histogram"
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            text = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield _render(f"{self._name}_bucket", (("le", text),), total)
        yield _render(f"{self._name}_sum", (), self._sum)
        yield _render(f"{self._name}_count", (), total)


def counter(name: str, text: str) -> Metric:
    return Metric("counter", name, text)


def gauge(name: str, text: str) -> Metric:
    return Metric("gauge", name, text)


BUILD = gauge("istio_build", "Istio component build info")
BUILD.set(1, component="pilot", tag=versions.ISTIO)
XDS = gauge("pilot_xds", "Number of endpoints connected to this pilot using XDS.")
XDS_PUSHES = counter("pilot_xds_pushes", "Pilot pushes by type: lds, rds, cds and eds.")
XDS_REJECTS = counter(
    "pilot_total_xds_rejects", "Total number of XDS responses rejected by proxies."
)
INTERNAL_ERRORS = counter(
    "pilot_total_xds_internal_errors", "Total number of internal XDS errors in pilot."
)
CONVERGENCE = Histogram(
    "pilot_proxy_convergence_time",
    "Delay in seconds between config change and a proxy having accepted all of it.",
    (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 3, 5, 10, 20, 30),
)
PUSH_TIME = Histogram(
    "pilot_pushcontext_init_seconds",
    "Time in seconds Pilot takes to turn the cluster's objects into a snapshot.",
    (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 3, 5),
)
INBOUND = counter("pilot_inbound_updates", "Total number of updates received by pilot.")
TRIGGERS = counter("pilot_push_triggers", "Number of times a push was triggered, by reason.")
SERVICES = gauge("pilot_services", "Total services known to pilot.")
VIRTUAL_SERVICES = gauge("pilot_virt_services", "Total virtual services known to pilot.")
EVENTS = counter("pilot_k8s_cfg_events", "Events from k8s config.")
CSR = counter("citadel_server_csr_count", "The number of CSRs received by the CA.")
CSR_SUCCESS = counter(
    "citadel_server_success_cert_issuance_count", "The number of certificates that were issued."
)
CSR_SIGN_ERRORS = counter(
    "citadel_server_csr_sign_err_count", "The number of errors that occurred signing a CSR."
)
AUTHENTICATION_ERRORS = counter(
    "citadel_server_authentication_failure_count", "The number of authentication failures."
)
ROOT_EXPIRY = gauge(
    "citadel_server_root_cert_expiry_timestamp",
    "The unix timestamp, in seconds, when the root certificate expires.",
)
INJECTIONS = counter(
    "sidecar_injection_requests_total", "Total number of sidecar injection requests."
)
INJECTED = counter(
    "sidecar_injection_success_total", "Total number of successful sidecar injection requests."
)
NOT_INJECTED = counter(
    "sidecar_injection_skip_total", "Total number of skipped sidecar injection requests."
)
INJECTION_FAILURES = counter(
    "sidecar_injection_failure_total", "Total number of failed sidecar injection requests."
)
VALIDATED = counter("galley_validation_passed", "Resource is valid")
REFUSED = counter("galley_validation_failed", "Resource validation failed")


def _process() -> Iterator[str]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield "# TYPE process_cpu_seconds_total counter"
    yield _render("process_cpu_seconds_total", (), used.ru_utime + used.ru_stime)
    yield "# TYPE process_start_time_seconds gauge"
    yield _render("process_start_time_seconds", (), _STARTED)
    yield "# TYPE process_resident_memory_bytes gauge"
    yield _render("process_resident_memory_bytes", (), _resident(used))


def _resident(used: resource.struct_rusage) -> float:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (
        OSError
    ):  # no procfs: the peak is the next best thing (bytes on macOS, kilobytes elsewhere)
        return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def exposition() -> str:
    """All metrics as one page."""
    lines = [line for metric in _REGISTRY for line in metric.lines()]
    return "\n".join([*lines, *_process()]) + "\n"
