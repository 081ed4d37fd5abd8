"""Views that stay alive in a notebook: each has a still that a headless run keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshcourse.course.seeing import Seeing
from meshcourse.observe import inventory, send, steady
from meshcourse.widgets import picture as views
from meshcourse.widgets import topology

if TYPE_CHECKING:  # ipywidgets is slow to import, and the command line does without
    from meshcourse.widgets.live.traffic import TrafficPanel
    from meshcourse.widgets.live.watching import Look, Watching


class Living(Seeing):
    """A cluster that is watched."""

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

    def picture(self, namespace: str = "") -> views.Picture:
        """The mesh as it is now: pods, their proxies, and the control plane that configures them."""
        return topology.draw(inventory.take(self, namespace or self.namespace))


def _watch(look: Look, every: float) -> Watching:
    from meshcourse.widgets.live.watching import Watching

    return Watching(look, every)
