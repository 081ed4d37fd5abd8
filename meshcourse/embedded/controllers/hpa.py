"""Horizontal pod autoscaling (``autoscaling/v2``) by CPU and memory.

Source: Kubernetes documentation, "Horizontal Pod Autoscaling". The arithmetic is in `hpa_metrics` and `hpa_behavior`.
Metrics come from ``metrics.k8s.io``; there is no source of custom, object or external metrics, and an autoscaler that
asks for them says so in its conditions, as on a cluster without the adapter.
"""

from __future__ import annotations

import time

from meshcourse.embedded.controllers import conditions, hpa_behavior
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.hpa_source import MetricFailure, MetricSource
from meshcourse.embedded.controllers.served import ServedKinds
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError


class HpaController(Controller):
    """Looks at every autoscaler each ``Options.hpa_period`` seconds; without any there is no timer."""

    name = "horizontal-pod-autoscaler"

    def __init__(self, context: Context, served: ServedKinds) -> None:
        super().__init__(context)
        self._served = served
        self._hpas = context.informer(refs.HPAS)
        self._source = MetricSource(context)
        self._histories: dict[str, hpa_behavior.History] = {}
        self._hpas.add_handler(self._changed)

    def _changed(self, type_: str, obj: Object, old: Object | None) -> None:
        """Our own status updates must not wake us: only what the user changed does."""
        if type_ == "DELETED":
            self._histories.pop(objects.uid(obj), None)
        elif old is None or obj["spec"] != old["spec"]:
            self.queue.add(objects.key(obj))

    async def sync(self, key: Key) -> float | None:
        hpa = self._hpas.get(*key)
        if hpa is None or objects.deleting(hpa):
            return None
        view = _View(hpa)
        try:
            await self._autoscale(view)
        finally:
            await self._report(key, view)
        return self.context.options.hpa_period

    async def _autoscale(self, view: _View) -> None:
        found = await self._target(view)
        if found is None:
            return
        resource, scale = found
        view.current = int(objects.dig(scale, "spec.replicas", 0))
        view.desired = view.current
        if view.current == 0:
            message = "scaling is disabled since the replica count of the target is zero"
            view.set("ScalingActive", "False", "ScalingDisabled", message)
            return
        why = await self._desire(view, objects.dig(scale, "status.selector", ""))
        if why is not None and view.desired != view.current:
            await self._rescale(view, resource, scale, why)

    async def _target(self, view: _View) -> tuple[Resource, Object] | None:
        """The kind and the ``Scale`` of the target."""
        ref = view.hpa["spec"]["scaleTargetRef"]
        informer = self._served.by_kind(ref.get("apiVersion", ""), ref["kind"])
        problem = f'no matches for kind "{ref["kind"]}" in group "{ref.get("apiVersion", "")}"'
        if informer is not None:
            namespace = objects.namespace(view.hpa)
            try:
                scale = await self.client.get(
                    informer.resource, ref["name"], namespace, subresource="scale"
                )
            except ApiError as error:
                problem = error.message
            else:
                message = "the HPA controller was able to get the target's current scale"
                view.set("AbleToScale", "True", "SucceededGetScale", message)
                return informer.resource, scale
        self.recorder.event(view.hpa, "Warning", "FailedGetScale", problem)
        message = f"the HPA controller was unable to get the target's current scale: {problem}"
        view.set("AbleToScale", "False", "FailedGetScale", message)
        return None

    async def _desire(self, view: _View, selector: str) -> str | None:
        """Set ``view.desired``; the reason for a change, or None if nothing can be said."""
        least, most = view.bounds
        if view.current > most:
            view.desired = most
            return "Current number of replicas above Spec.MaxReplicas"
        if view.current < least:
            view.desired = least
            return "Current number of replicas below Spec.MinReplicas"
        try:
            wanted, metric = await self._measure(view, selector)
        except MetricFailure as failure:
            self._fail(view, failure)
            return None
        message = f"the HPA was able to successfully calculate a replica count from {metric}"
        view.set("ScalingActive", "True", "ValidMetricFound", message)
        self._normalize(view, wanted)
        return f"{metric} above target" if wanted > view.current else "All metrics below target"

    async def _measure(self, view: _View, selector: str) -> tuple[int, str]:
        """The most that any metric asks for, and that metric's name."""
        if not selector:
            message = "the HPA target's scale is missing a selector"
            raise MetricFailure("InvalidSelector", message)
        specs = view.hpa["spec"].get("metrics") or []
        best: tuple[int, str] | None = None
        failures: list[MetricFailure] = []
        for spec in specs:
            try:
                found = await self._source.measure(view.hpa, spec, selector, view.current)
            except MetricFailure as failure:
                failures.append(failure)
                continue
            view.metrics.append(found.status)
            if best is None or found.replicas > best[0]:
                best = (found.replicas, found.name)
        if failures and (best is None or best[0] < view.current):
            # With a metric unknown, scaling down could be wrong.
            raise failures[0].among(len(failures), len(specs))
        if best is None:
            raise MetricFailure("InvalidMetricSourceType", "no metrics are specified")
        return best

    def _fail(self, view: _View, failure: MetricFailure) -> None:
        self.recorder.event(view.hpa, "Warning", failure.reason, failure.detail or failure.message)
        if failure.detail:
            self.recorder.event(
                view.hpa, "Warning", "FailedComputeMetricsReplicas", failure.message
            )
        text = failure.detail or failure.message
        message = f"the HPA was unable to compute the replica count: {text}"
        view.set("ScalingActive", "False", failure.reason, message)

    def _normalize(self, view: _View, wanted: int) -> None:
        history = self._history(view.hpa)
        up, down = self._rules(view.hpa)
        now = time.time()
        stable, reason = hpa_behavior.stabilize(wanted, view.current, up, down, history, now)
        view.set("AbleToScale", "True", reason.reason, reason.message)
        view.desired, reason = hpa_behavior.limit(
            stable, view.current, view.bounds, up, down, history, now
        )
        view.set("ScalingLimited", str(reason.limited), reason.reason, reason.message)

    async def _rescale(self, view: _View, resource: Resource, scale: Object, why: str) -> None:
        changed = {**scale, "spec": {**(scale.get("spec") or {}), "replicas": view.desired}}
        try:
            await self.client.update(
                resource, changed, subresource="scale", field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            text = f"New size: {view.desired}; reason: {why}; error: {error.message}"
            self.recorder.event(view.hpa, "Warning", "FailedRescale", text)
            message = f"the HPA controller was unable to update the target scale: {error.message}"
            view.set("AbleToScale", "False", "FailedUpdateScale", message)
            view.desired = view.current
            return
        message = f"the HPA controller was able to update the target scale to {view.desired}"
        view.set("AbleToScale", "True", "SucceededRescale", message)
        text = f"New size: {view.desired}; reason: {why}"
        self.recorder.event(view.hpa, "Normal", "SuccessfulRescale", text)
        view.scaled_at = objects.now()
        keep = max(map(hpa_behavior.longest, self._rules(view.hpa)))
        self._history(view.hpa).note_change(view.current, view.desired, time.time(), keep)

    def _history(self, hpa: Object) -> hpa_behavior.History:
        return self._histories.setdefault(objects.uid(hpa), hpa_behavior.History())

    def _rules(self, hpa: Object) -> tuple[hpa_behavior.Rules, hpa_behavior.Rules]:
        return hpa_behavior.rules(hpa, self.context.options.hpa_down_window)

    async def _report(self, key: Key, view: _View) -> None:
        status = view.status()
        if status == view.hpa.get("status"):
            return
        written = await self.client.update(
            refs.HPAS,
            {**view.hpa, "status": status},
            subresource="status",
            field_manager=FIELD_MANAGER,
        )
        self.writes.wrote(key, self._hpas, written)


class _View:
    """One look at one autoscaler, from which its status is made."""

    def __init__(self, hpa: Object) -> None:
        self.hpa = hpa
        self._old: Object = hpa.get("status") or {}
        self._conditions: list[Object] = list(self._old.get("conditions") or [])
        self.current = int(self._old.get("currentReplicas", 0))
        self.desired = int(self._old.get("desiredReplicas", 0))
        self.metrics: list[Object] = []
        self.scaled_at: str | None = self._old.get("lastScaleTime")

    @property
    def bounds(self) -> tuple[int, int]:
        spec = self.hpa["spec"]
        return int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])

    def set(self, type_: str, status: str, reason: str, message: str) -> None:
        self._conditions = conditions.put(self._conditions, type_, status, reason, message)

    def status(self) -> Object:
        status: Object = {"observedGeneration": objects.dig(self.hpa, "metadata.generation", 1)}
        if self.scaled_at:
            status["lastScaleTime"] = self.scaled_at
        status |= {"currentReplicas": self.current, "desiredReplicas": self.desired}
        metrics = self.metrics or self._old.get("currentMetrics")
        return status | {"currentMetrics": metrics, "conditions": self._conditions}
