"""What a learner sees of a mesh through its add-ons and logs: metrics, traces, the service graph, access logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

from meshcourse.cluster.cluster import Cluster
from meshcourse.observe import addons, boards, journey, logs, shipping, tracing
from meshcourse.observe.grafana import Grafana
from meshcourse.observe.jaeger import Jaeger, Trace
from meshcourse.observe.kiali import Kiali
from meshcourse.observe.prometheus import Prometheus, Vector
from meshcourse.observe.result import Result
from meshcourse.widgets import board, heatmap, service_graph, spans, timeseries


class Seeing(Cluster):
    """A cluster that is looked at."""

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

    def heatmap(self, query: str, minutes: float = 5.0, **shown: Any) -> heatmap.Heatmap:
        """Buckets over time: ``sum by (le) (increase(…_bucket[1m]))``.

        :param shown: title, unit.
        """
        return heatmap.draw(self.prometheus.range(query, minutes=minutes), **shown)

    def panel(
        self,
        dashboard: boards.Json | str | Path,
        title: str,
        minutes: float = 5.0,
        **variables: str,
    ) -> board.Shown:
        """A panel of a dashboard, drawn here from its definition.

        :param dashboard: Grafana's uid of it, or its JSON, or the path of a file with it.
        :param variables: what to put for the dashboard's variables; by default what Grafana shows first.
        """
        found, asker = self._board(dashboard), boards.Asker(self.prometheus)
        filled = found.panel(title).filled(asker.variables(found, variables))
        return board.draw(filled, asker.answers(filled, minutes))

    def dashboard(
        self, dashboard: boards.Json | str | Path, minutes: float = 5.0, **variables: str
    ) -> board.Sheet:
        """All panels of a dashboard; parameters as of `panel`."""
        found, asker = self._board(dashboard), boards.Asker(self.prometheus)
        values = asker.variables(found, variables)
        filled = [panel.filled(values) for panel in found.panels]
        drawn = [(panel, board.draw(panel, asker.answers(panel, minutes))) for panel in filled]
        return board.Sheet(found.title, drawn)

    def _board(self, dashboard: boards.Json | str | Path) -> boards.Board:
        by_name = isinstance(dashboard, str) and not dashboard.endswith(".json")
        return boards.read(self.grafana.definition(str(dashboard)) if by_name else dashboard)

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
