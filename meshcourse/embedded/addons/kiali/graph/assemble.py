"""From a request's options to its questions, and from the answers to the graph. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshcourse.embedded.addons.kiali.graph import build, details, finish, queries, render
from meshcourse.embedded.addons.kiali.graph.build import Sample
from meshcourse.embedded.addons.kiali.graph.model import TrafficMap
from meshcourse.embedded.addons.kiali.graph.queries import Query
from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.options import Options

#: What each question was answered.
Answers = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The questions of one graph, by purpose."""

    traffic: list[Query] = field(default_factory=list)
    security: list[str] = field(default_factory=list)
    response_times: list[str] = field(default_factory=list)
    throughput: list[str] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """All questions, each once."""
        found = [query.text for query in self.traffic]
        return list(dict.fromkeys([*found, *self.security, *self.response_times, *self.throughput]))


def plan(options: Options, durations: Mapping[str, int]) -> Plan:
    """What to ask.

    :param durations: seconds to look back, by namespace (younger namespaces have less to look at).
    """
    found = Plan()
    for namespace, seconds in durations.items():
        found.traffic.extend(queries.traffic(options, namespace, seconds))
        if options.wants("securityPolicy"):
            found.security.extend(queries.security(options, namespace, seconds))
        if options.wants("responseTime"):
            found.response_times.extend(queries.response_times(options, namespace, seconds))
        if options.wants("throughput"):
            found.throughput.extend(queries.throughput(options, namespace, seconds))
    # Destinations first: where both ends report, theirs counts.
    found.response_times.sort(key=lambda text: "destination_service_namespace=" not in text)
    return found


def graph(
    options: Options, asked: Plan, answers: Answers, mesh: Mesh, timestamp: int
) -> dict[str, Any]:
    """Kiali's JSON. `timestamp` in seconds since the epoch."""
    nodes: TrafficMap = {}
    for query in asked.traffic:
        build.populate(nodes, query.metric, answers[query.text], options)
    build.add_security(nodes, _joined(asked.security, answers), options)
    finish.fold_anonymous(nodes)
    times = [sample for text in asked.response_times for sample in answers[text]]
    build.add_response_times(nodes, times, options)
    build.add_throughput(nodes, _joined(asked.throughput, answers), options)
    return render.config(_completed(nodes, options, mesh), options, timestamp)


def _joined(texts: Sequence[str], answers: Answers) -> list[Sample]:
    """All samples; a series that two namespaces asked for counts once."""
    found: dict[tuple[tuple[str, str], ...], Sample] = {}
    for text in texts:
        metric = text.partition("{")[0]
        for sample in answers[text]:
            found.setdefault((("metric", metric), *sorted(sample.labels.items())), sample)
    return list(found.values())


def _completed(nodes: TrafficMap, options: Options, mesh: Mesh) -> TrafficMap:
    if options.wants("deadNode"):
        finish.remove_dead(nodes, mesh)
    if options.wants("idleNode"):
        for namespace in options.namespaces:
            finish.add_idle(nodes, namespace, mesh, options)
    finish.mark(nodes, options.namespaces, mesh)
    if options.graph_type == "service":
        nodes = finish.reduce_to_services(nodes)
    if options.wants("istio"):
        details.decorate(nodes, mesh)
    if options.wants("serviceEntry"):
        details.mark_service_entries(nodes, mesh)
    if options.wants("health"):
        finish.add_health(nodes, mesh)
    return nodes
