"""The front door: ``from meshcourse import course`` and ``mesh = course.open()``.

A `Mesh` is a `Cluster` with what a learner does to it: send traffic, look at it, do an exercise. Everything here is
thin; what it does is in the rooms below.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from meshcourse import versions
from meshcourse.cluster import components, progress, tools
from meshcourse.cluster import preflight as examination
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.embedded import Embedded
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.provider import Provider
from meshcourse.kubectl import front
from meshcourse.lab import manifest, proof, runner, steps
from meshcourse.lab.progress import Store
from meshcourse.observe import (
    addons,
    inventory,
    journey,
    logs,
    send,
    shipping,
    steady,
    tracing,
)
from meshcourse.observe import traffic as generator
from meshcourse.observe.grafana import Grafana
from meshcourse.observe.jaeger import Jaeger, Trace
from meshcourse.observe.kiali import Kiali
from meshcourse.observe.prometheus import Prometheus, Vector
from meshcourse.observe.result import Result
from meshcourse.widgets import picture as views
from meshcourse.widgets import service_graph, spans, timeseries, topology, waterfall

if TYPE_CHECKING:  # ipywidgets is slow to import, and the command line does without
    from meshcourse.widgets.live.traffic import TrafficPanel
    from meshcourse.widgets.live.watching import Look, Watching

#: Which cluster notebooks attach to, for tests and classes that run several on one machine.
NAME_VARIABLE = "MESHCOURSE_NAME"


class Mesh(Cluster):
    """A cluster as a learner uses it."""

    def ensure(self, *names: str) -> None:
        """Bring in ``istio``, ``bookinfo`` … and wait until they answer. What is there already is left alone."""
        components.ensure(self, *names)

    def remove(self, *names: str) -> None:
        """Take components away without trace."""
        components.remove(self, *names)

    def traffic(self, target: str = "/productpage", **what: Any) -> Result:
        """Send requests on a schedule and count the answers by version and status.

        :param target: ``/productpage`` through the ingress gateway, ``reviews`` for a Service, or a whole URL.
        :param what: as of `observe.send.plan`: n, seconds, rate, path, headers, host, user, timeout, classified.
        """
        return send.traffic(self, target, progress=self.new_progress(), **what)

    def start_traffic(self, target: str = "/productpage", **what: Any) -> generator.Run:
        """The same in the background: change something meanwhile, then ask for its ``result()``."""
        return generator.Run(send.plan(self, target, **what))

    def follow(self, target: str = "/productpage", **what: Any) -> views.Picture:
        """Send one request and show which Envoys it passed, from their own access logs."""
        return waterfall.draw(journey.follow(self, target, **what))

    # -- what the add-ons know -------------------------------------------------------------------------------------

    @property
    def prometheus(self) -> Prometheus:
        return addons.prometheus(self)

    @property
    def grafana(self) -> Grafana:
        return addons.grafana(self)

    @property
    def jaeger(self) -> Jaeger:
        return addons.jaeger(self)

    @property
    def kiali(self) -> Kiali:
        return addons.kiali(self)

    @overload
    def promql(self, query: str) -> Vector: ...

    @overload
    def promql(self, query: str, minutes: float, **shown: Any) -> timeseries.Panel: ...

    def promql(
        self, query: str, minutes: float | None = None, **shown: Any
    ) -> Vector | timeseries.Panel:
        """Ask Prometheus: the values now, or with `minutes` a picture of that time.

        :param shown: title, unit, legend of the picture.
        :raises AddonError: in Prometheus' words, if it refuses the query.
        """
        if minutes is None:
            return self.prometheus.query(query)
        return timeseries.draw(self.prometheus.range(query, minutes=minutes), **shown)

    def traces(
        self,
        service: str = tracing.GATEWAY,
        *,
        minutes: float = 10.0,
        limit: int = 20,
        expect: int = 0,
    ) -> spans.Traces:
        """The newest traces with a span of a service.

        :param expect: wait some seconds until there are so many (spans are sent in batches).
        """
        found = tracing.newest(self, service, minutes=minutes, limit=limit, expect=expect)
        return spans.Traces(tuple(found))

    def trace(self, request: str = "/productpage", **what: Any) -> spans.Waterfall:
        """Send one request and show its trace; or show the trace with an id.

        :param what: as of `observe.send.plan`.
        """
        return spans.draw(tracing.trace(self, request, self.new_progress(), **what))

    def traces_of(self, result: Result) -> list[Trace]:
        """The traces of the requests of a run through the ingress gateway."""
        return tracing.of_run(self, result)

    def graph(
        self, namespace: str = "", *, seconds: float = 60.0, **what: Any
    ) -> service_graph.View:
        """Kiali's service graph of a namespace over the last `seconds`.

        :param what: as of `observe.kiali.Kiali.graph`: kind, idle.
        """
        found = self.kiali.graph([namespace or self.namespace], seconds=seconds, **what)
        return service_graph.draw(found)

    def access_log(
        self, app: str = "", *, containing: str = "", last: int | None = 20, expect: int = 0
    ) -> logs.Log:
        """The newest access-log lines of an application's Envoys ("": of all in the mesh).

        :param expect: wait some seconds for so many lines (Envoys write with a delay).
        """

        def look() -> logs.Log:
            return logs.read(self, app, containing=containing, last=last)

        return logs.until(look, lambda found: len(found) >= expect)

    def follow_request(self, target: str = "/productpage", **what: Any) -> journey.Journey:
        """Send one request; what every Envoy logged of it, as data (`follow` draws it)."""
        return journey.follow(self, target, **what)

    def ship(self, lines: logs.Log, tag: str = "envoy") -> int:
        """Send access-log lines to Fluent Bit by the forward protocol; returns how many."""
        return shipping.ship(self, lines, tag)

    # -- views that stay alive --------------------------------------------------------------------------------------

    def traffic_panel(self, target: str = "/productpage", **what: Any) -> TrafficPanel:
        """Traffic with a start button, a rate slider and live counts; parameters as of `traffic`."""
        from meshcourse.widgets.live.traffic import TrafficPanel

        what = {"rate": 20.0, "n": 1, **what}
        return TrafficPanel(steady.Steady(send.plan(self, target, **what)))

    def watch_promql(
        self, query: str, minutes: float = 5.0, *, every: float = 2.0, **shown: Any
    ) -> Watching:
        """A picture of a query over time, drawn again every few seconds."""
        return _watch(lambda: self.promql(query, minutes, **shown), every)

    def watch_graph(
        self, namespace: str = "", *, seconds: float = 30.0, every: float = 2.0
    ) -> Watching:
        """Kiali's service graph, drawn again every few seconds."""
        return _watch(lambda: self.graph(namespace, seconds=seconds), every)

    def watch_log(self, app: str = "", *, last: int = 12, every: float = 1.0) -> Watching:
        """The tail of the access logs of an application's Envoys."""
        return _watch(lambda: self.access_log(app, last=last), every)

    def watch_pods(self, namespace: str = "", *, every: float = 1.0) -> Watching:
        """The pods of a namespace as they are now, with their proxies and the control plane."""
        return _watch(lambda: self.picture(namespace), every)

    def kubectl(
        self, *args: str, text: str | None = None, on_line: Callable[[str], None] | None = None
    ) -> tools.Done:
        """Run kubectl: the real one if it is on PATH, otherwise the course's own."""
        return front.run(self, args, text=text, on_line=on_line)

    def picture(self, namespace: str = "") -> views.Picture:
        """The mesh as it is now: pods, their proxies, and the control plane that configures them."""
        return topology.draw(inventory.take(self, namespace or self.namespace))

    def link(self, target: str = "/productpage") -> views.Link:
        """The page of a path at the ingress gateway (or of a Service), to click."""
        return views.Link(send.url_of(self, target))

    def stand_ins(self) -> views.Table:
        """What is real in this cluster, and what is a stand-in."""
        rows = [
            (part.name, "real" if part.real else "stand-in", part.what)
            for part in self.capabilities.parts
        ]
        return views.Table(("part", "here", "what it is"), rows)

    def __repr__(self) -> str:
        version = self.api.get("/version").get("gitVersion", "?")
        pods = len(self.objects("pods", "*"))
        found = f'cluster "{self.name}" ({self.capabilities.provider}) · Kubernetes {version} · {pods} pods'
        if self.exists("deployment", "istiod", "istio-system"):
            found += f" · Istio {versions.ISTIO}"
        return found


def _watch(look: Look, every: float) -> Watching:
    from meshcourse.widgets.live.watching import Watching

    return Watching(look, every)


_current: Mesh | None = None


def open(name: str = "") -> Mesh:
    """Attach to the running cluster, or start it; magics are ready afterwards.

    :param name: which of several clusters (default: ``$MESHCOURSE_NAME``, or the only one).
    """
    provider = choose(name)
    if not provider.running():
        provider.start(progress.auto())
    return attach(name)


def attach(name: str = "") -> Mesh:
    """The same, but never start anything.

    :raises ClusterError: if the cluster does not run.
    """
    global _current
    provider = choose(name)
    if not provider.running():
        raise ClusterError(
            f'cluster "{provider.name}" is not running', remedy="Start it: `meshcourse up`."
        )
    if _current is not None:
        _current.close()
    _current = Mesh(provider)
    if progress.in_notebook():
        _prepare_notebook(_current)
    return _current


def choose(name: str = "") -> Provider:
    """The provider of the cluster called `name` (default: the one that ``$MESHCOURSE_NAME`` names)."""
    return Embedded(name or os.environ.get(NAME_VARIABLE, ""))


def mesh() -> Mesh:
    """The mesh that was opened last.

    :raises ClusterError: if none was.
    """
    if _current is None:
        raise ClusterError("no mesh is open", remedy="Run the setup cell: `mesh = course.open()`.")
    return _current


def preflight() -> views.Table:
    """Is this machine fit for the course? Every failure names its remedy.

    :raises ClusterError: if something is missing that the course cannot do without.
    """
    findings = examination.examine()
    for finding in findings:
        if finding.needed and not finding.ok:
            raise ClusterError(f"{finding.name}: {finding.seen}", remedy=finding.remedy)
    rows = [(item.mark, item.name, item.seen, "" if item.ok else item.remedy) for item in findings]
    return views.Table(("", "what", "seen", "remedy"), rows)


def task(lab: str) -> views.Note:
    """The task of a lab."""
    found = manifest.read().lab(lab)
    title, _, text = found.task.partition("\n")
    return views.Note(
        f"Exercise {found.slug}: {title.lstrip('# ')} ({found.minutes} minutes)", text.strip()
    )


def begin(lab: str) -> None:
    """Prepare what a lab starts from."""
    steps.perform(manifest.read().lab(lab).start, mesh(), kubectl_in)


def check(lab: str) -> runner.Report:
    """Run the checks of a lab against the open mesh."""
    found = manifest.read().lab(lab)
    report = runner.run(found, mesh(), progress.auto())
    if report.passed:
        Store().mark_solved(found.slug)
    return report


def hint(lab: str) -> views.Note:
    """The next hint of a lab; the last one again when all have been shown."""
    found, store = manifest.read().lab(lab), Store()
    count = min(store.hints(found.slug) + 1, len(found.hints))
    store.mark_hints(found.slug, count)
    return views.Note(f"Hint {count} of {len(found.hints)}", found.hints[count - 1])


def solution(lab: str) -> views.Note:
    """The solution of a lab, to read."""
    found = manifest.read().lab(lab)
    return views.Note(f"Solution of {found.slug}", f"```\n{steps.text(found.solution)}```")


def solve(lab: str) -> runner.Report:
    """Carry the solution out, and check it."""
    found = manifest.read().lab(lab)
    steps.perform(found.solution, mesh(), kubectl_in)
    return check(found.slug)


def clean(lab: str) -> None:
    """Undo a lab, whatever was done of it."""
    proof.clean(manifest.read().lab(lab), mesh(), kubectl_in)


def labs() -> views.Table:
    """The exercises in order, and which are solved."""
    solved = Store().solved()
    rows = [
        (lab.slug, lab.title, f"{lab.minutes} min", "✓" if lab.slug in solved else "")
        for lab in manifest.read().labs
    ]
    return views.Table(("lab", "what", "time", "solved"), rows)


def kubectl_in(cluster: Cluster, args: Sequence[str], folder: Path) -> tools.Done:
    """kubectl for the steps of labs: file names are relative to the lab's folder."""
    return front.run(cluster, args, folder=folder)


def _prepare_notebook(found: Mesh) -> None:
    """Magics, and ``!kubectl`` as well: tools started from a cell speak to this cluster."""
    os.environ.update(found.environment())
    shell = sys.modules["IPython"].get_ipython()
    shell.extension_manager.load_extension("meshcourse")
