"""Views that stay alive in a notebook: each has a still that a headless run keeps."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshcourse.cluster import progress
from meshcourse.course.seeing import Seeing
from meshcourse.observe import autoscaler as autoscaling
from meshcourse.observe import boards, inventory, send, steady, tracing
from meshcourse.rollout import release
from meshcourse.rollout.canary import Plan
from meshcourse.rollout.splitter import Splitter
from meshcourse.widgets import canary as timeline
from meshcourse.widgets import picture as views
from meshcourse.widgets import timeseries, topology

if TYPE_CHECKING:  # ipywidgets is slow to import, and the command line does without
    from meshcourse.widgets.live.picking import Picking, TraceView
    from meshcourse.widgets.live.splitting import SplitPanel
    from meshcourse.widgets.live.traffic import TrafficPanel
    from meshcourse.widgets.live.watching import Look, Watching


class Living(Seeing):
    """A cluster that is watched."""

    def traffic_panel(self, target: str = "/productpage", **what: Any) -> TrafficPanel:
        """Traffic with its controls and live counts by version and by code; parameters as of `traffic`."""
        from meshcourse.widgets.live.traffic import TrafficPanel

        what = {"rate": 20.0, "n": 1, **what}
        return TrafficPanel(steady.Steady(send.plan(self, target, **what)))

    def split_panel(
        self,
        service: str = "reviews",
        target: str = "/productpage",
        *,
        namespace: str = "",
        **what: Any,
    ) -> SplitPanel:
        """A slider for each version of a Service, and live which share of the visitors each one gets.

        :param what: as of `traffic`; by default 60 requests a second.
        """
        from meshcourse.widgets.live.splitting import SplitPanel

        sending = send.plan(self, target, **{"rate": 60.0, "n": 1, **what})
        return SplitPanel(Splitter(self, service, namespace), steady.Steady(sending))

    def canary(
        self,
        service: str = "reviews",
        stable: str = "v1",
        candidate: str = "v2",
        target: str = "/productpage",
        *,
        steps: tuple[int, ...] = (10, 25, 50, 100),
        limit: float = 0.05,
        patience: float = 60.0,
        **what: Any,
    ) -> timeline.Timeline:
        """Give a new version more and more visitors, and roll back by itself if Prometheus counts errors.

        :param limit: the share of failed requests that is too much; see `rollout.canary.Plan`.
        :param what: as of `rollout.release.release`: sends, namespace, and what `traffic` takes.
        """
        plan = Plan(service, stable, candidate, tuple(steps), limit, patience)
        with _drawing() as draw:
            found = release.release(
                self, plan, target, show=lambda state: draw(timeline.draw(state)), **what
            )
        return timeline.draw(found)

    def autoscaler(self, name: str, pods: int, *, timeout: float = 180.0) -> timeseries.Panel:
        """Watch a HorizontalPodAutoscaler until it has `pods` pods; what it saw meanwhile, as a picture.

        :raises ClusterError: if it has not after `timeout` seconds.
        """
        found = autoscaling.follow(self, name, pods, self.new_progress(), timeout=timeout)
        panel = timeseries.draw(found.matrix(), title=f"autoscaler {name}", legend=_line_name)
        steps = "\n".join(f"  {at:5.1f} s  {look}" for at, look in found.changes)
        return dataclasses.replace(panel, text=f"autoscaler {name}\n{steps}")

    def watch_promql(
        self, query: str, minutes: float = 5.0, *, every: float = 2.0, **shown: Any
    ) -> Watching:
        """A picture of a query over time, drawn again every few seconds."""
        return _watch(lambda: self.promql(query, minutes, **shown), every)

    def watch_graph(
        self, namespace: str = "", *, seconds: float = 30.0, every: float = 2.0
    ) -> Picking:
        """Kiali's service graph, drawn again every few seconds; a click on a node or an edge shows its details."""
        from meshcourse.widgets.live.picking import Picking

        return Picking(lambda: self.graph(namespace, seconds=seconds), every)

    def watch_panel(
        self,
        dashboard: boards.Json | str | Path,
        title: str,
        minutes: float = 5.0,
        *,
        every: float = 2.0,
        **variables: str,
    ) -> Watching:
        """A panel of a dashboard, drawn again every few seconds; parameters as of `panel`."""
        return _watch(lambda: self.panel(dashboard, title, minutes, **variables), every)

    def watch_heatmap(
        self, query: str, minutes: float = 5.0, *, every: float = 2.0, **shown: Any
    ) -> Watching:
        """Histogram buckets over time, drawn again every few seconds."""
        return _watch(lambda: self.heatmap(query, minutes, **shown), every)

    def watch_traces(
        self,
        service: str = tracing.GATEWAY,
        *,
        minutes: float = 5.0,
        last: int = 6,
        every: float = 2.0,
    ) -> TraceView:
        """The newest traces, and the one that is clicked (else the newest) as a waterfall."""
        from meshcourse.widgets.live.picking import TraceView

        return TraceView(lambda: self.traces(service, minutes=minutes, limit=last), every)

    def watch_log(self, app: str = "", *, last: int = 12, every: float = 1.0) -> Watching:
        """The tail of the access logs of an application's Envoys."""
        return _watch(lambda: self.access_log(app, last=last), every)

    def watch_pods(self, namespace: str = "", *, every: float = 1.0) -> Watching:
        """The pods of a namespace as they are now, with their proxies and the control plane."""
        return _watch(lambda: self.picture(namespace), every)

    def picture(self, namespace: str = "") -> views.Picture:
        """The mesh as it is now: pods, their proxies, and the control plane that configures them."""
        return topology.draw(inventory.take(self, namespace or self.namespace))


def _line_name(labels: dict[str, str]) -> str:
    return labels["line"]


@contextlib.contextmanager
def _drawing() -> Iterator[Callable[[views.Picture], None]]:
    """A picture that is drawn again and again in the running cell, and goes away at the end; elsewhere nothing."""
    if not progress.in_notebook():
        yield lambda _picture: None
        return
    from IPython.display import display

    handle = display({"text/plain": "…"}, raw=True, display_id=True)
    try:
        yield handle.update
    finally:
        handle.update({"text/plain": ""}, raw=True)


def _watch(look: Look, every: float) -> Watching:
    from meshcourse.widgets.live.watching import Watching

    return Watching(look, every)
