"""Mutating and validating webhooks: who is asked in which order, and what their answers do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.apiserver.admission import hooks, review
from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.admission.caller import Caller, CallFailed
from meshcourse.embedded.apiserver.admission.hooks import Hook
from meshcourse.embedded.apiserver.admission.review import BadAnswer, Verdict
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.apiserver.registry.registry import Registry
from meshcourse.embedded.apiserver.store.events import Event
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import refs, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import jsonpatch
from meshcourse.embedded.kube.patches.errors import PatchError, PatchFailed
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

_log = logging.getLogger(__name__)


class Webhooks:
    """Mutating webhooks one after the other (by configuration name), validating ones at the same time."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._caller = Caller(store)
        self._known: dict[str, list[Hook]] = {}
        for resource in (refs.MUTATING_WEBHOOKS, refs.VALIDATING_WEBHOOKS):
            store.listen(resource.qualified, self._forget)

    def _forget(self, event: Event) -> None:
        self._known.clear()

    async def close(self) -> None:
        await self._caller.close()

    async def mutate(self, attributes: Attributes) -> bool:
        """Whether any webhook has changed the object.

        :raises ApiError: if a webhook refuses, or fails and must not.
        """
        asked: list[tuple[Hook, Kind]] = []
        changes: list[Hook] = []
        for hook, seen in self._matching(refs.MUTATING_WEBHOOKS, attributes):
            asked.append((hook, seen))
            if await self._mutate(hook, attributes, seen):
                changes.append(hook)
        for hook, seen in asked:
            if hook.reinvoked and changes and _after(asked, changes, hook):
                await self._mutate(hook, attributes, seen)
        return bool(changes)

    async def _mutate(self, hook: Hook, attributes: Attributes, seen: Kind) -> bool:
        """Ask and apply the patch; returns whether the object has changed."""
        verdict = await self._ask(hook, attributes, seen)
        if verdict is None or not verdict.patch or attributes.object is None:
            return False
        before = attributes.object
        try:
            attributes.object = _patched(attributes, before, verdict)
        except (PatchError, PatchFailed, ApiError) as error:
            text = getattr(error, "message", str(error))
            raise status.internal(f'failed calling webhook "{hook.name}": {text}') from None
        return attributes.object != before

    async def validate(self, attributes: Attributes) -> None:
        """:raises ApiError: as `mutate`."""
        matching = list(self._matching(refs.VALIDATING_WEBHOOKS, attributes))
        if not matching:
            return
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._capture(hook, attributes, seen)) for hook, seen in matching
            ]
        for task in tasks:
            error = task.result()
            if error is not None:
                raise error

    async def _capture(self, hook: Hook, attributes: Attributes, seen: Kind) -> ApiError | None:
        try:
            await self._ask(hook, attributes, seen)
        except ApiError as error:
            return error
        return None

    def _matching(self, resource: Resource, attributes: Attributes) -> Iterator[tuple[Hook, Kind]]:
        """Lazily, because a mutation may change what the next one matches."""
        if hooks.exempt(attributes):
            return
        namespace = self._store.get(refs.NAMESPACES.qualified, "", attributes.namespace)
        for hook in self._hooks(resource):
            seen = hook.version_for(attributes, self._registry)
            if seen and hook.selects(attributes, namespace):
                yield hook, seen

    def _hooks(self, resource: Resource) -> list[Hook]:
        name = resource.qualified
        if name not in self._known:
            self._known[name] = [
                hook
                for configuration in self._store.list(name)
                for hook in hooks.of_configuration(configuration)
            ]
        return self._known[name]

    async def _ask(self, hook: Hook, attributes: Attributes, seen: Kind) -> Verdict | None:
        """The verdict; None if the webhook failed and may be ignored.

        :raises ApiError: if it refuses, or fails and must not.
        """
        call = attributes.call
        if call.options.dry_run and hook.side_effects:
            raise status.bad_request(f'admission webhook "{hook.name}" does not support dry run')
        try:
            verdict = await self._caller.call(hook, review.question(hook, attributes, seen))
        except (CallFailed, BadAnswer) as error:
            if hook.ignores_failure:
                _log.warning('Failed calling webhook, failing open "%s": %s', hook.name, error)
                return None
            raise status.internal(f'failed calling webhook "{hook.name}": {error}') from None
        call.warnings += verdict.warnings
        if not verdict.allowed:
            raise _denied(hook, verdict.status)
        return verdict


def _after(asked: list[tuple[Hook, Kind]], changes: list[Hook], hook: Hook) -> bool:
    """Whether somebody has changed the object since `hook` saw it."""
    order = [found for found, _ in asked]
    return order.index(changes[-1]) > order.index(hook)


def _patched(attributes: Attributes, before: Object, verdict: Verdict) -> Object:
    call = attributes.call
    patched: Object = jsonpatch.apply(before, verdict.patch)
    patched["apiVersion"] = before["apiVersion"]
    if not call.subresource or call.subresource in ("status",):
        schema = strategy.schema(call.kind)
        schema.decode(patched, mode="Ignore")
        schema.default(patched)
    return patched


def _denied(hook: Hook, verdict: Object) -> ApiError:
    text = f'admission webhook "{hook.name}" denied the request'
    why = verdict.get("message") or verdict.get("reason")
    message = f"{text}: {why}" if why else f"{text} without explanation"
    code = int(verdict.get("code") or 0)
    details = verdict.get("details")
    return ApiError(
        code if code >= 400 else 400, str(verdict.get("reason") or ""), message, details
    )
