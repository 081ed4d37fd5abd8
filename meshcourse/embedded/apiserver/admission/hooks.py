"""Webhooks as their configurations describe them, and which requests they are for.

Source: ``admissionregistration.k8s.io/v1`` and the API server's webhook matchers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.apiserver.registry.registry import Registry
from meshcourse.embedded.kube import objects, refs, selectors
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.selectors import LabelSelector

_GROUP = "admissionregistration.k8s.io"
_DEFAULT_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class Rule:
    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: frozenset[str]
    scope: str = "*"

    def matches(self, operation: str, resource: Resource, subresource: str) -> bool:
        return (
            not {"*", operation}.isdisjoint(self.operations)
            and not {"*", resource.group}.isdisjoint(self.groups)
            and not {"*", resource.version}.isdisjoint(self.versions)
            and self.scope in ("*", "Namespaced" if resource.namespaced else "Cluster")
            and not self.resources.isdisjoint(_names(resource.plural, subresource))
        )


def _names(plural: str, subresource: str) -> set[str]:
    """Everything by which a rule may name a resource or subresource."""
    if not subresource:
        return {"*", "*/*", plural}
    return {"*/*", f"{plural}/*", f"*/{subresource}", f"{plural}/{subresource}"}


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of a configuration."""

    name: str
    client_config: Object
    rules: tuple[Rule, ...]
    namespaces: LabelSelector
    objects: LabelSelector
    equivalent: bool
    ignores_failure: bool
    reinvoked: bool
    side_effects: bool
    timeout: int
    versions: tuple[str, ...]

    def version_for(self, attributes: Attributes, registry: Registry) -> Kind | None:
        """The kind (in the version) that the hook wants to see a request in; None if it is not for it."""
        kind = attributes.call.kind
        for candidate in [kind, *self._equivalents(kind, registry)]:
            if any(
                rule.matches(attributes.operation, candidate.resource, attributes.call.subresource)
                for rule in self.rules
            ):
                return candidate
        return None

    def _equivalents(self, kind: Kind, registry: Registry) -> Iterator[Kind]:
        if self.equivalent:
            yield from (found for found in registry.all() if found.key == kind.key)

    def selects(self, attributes: Attributes, namespace: Object | None) -> bool:
        """Whether the labels of object and namespace are what the hook wants."""
        if self.namespaces and not self._selects_namespace(attributes, namespace):
            return False
        if not self.objects:
            return True
        candidates = [found for found in (attributes.object, attributes.old) if found]
        return any(self.objects.matches(objects.labels(found)) for found in candidates)

    def _selects_namespace(self, attributes: Attributes, namespace: Object | None) -> bool:
        if attributes.call.kind.key == refs.NAMESPACES.qualified:
            namespace = attributes.object or attributes.old
        elif not attributes.call.resource.namespaced:
            return True
        return self.namespaces.matches(objects.labels(namespace or {}))


def exempt(attributes: Attributes) -> bool:
    """Webhooks are not asked about webhooks, or nobody could mend a broken one; nor about mere questions."""
    call = attributes.call
    return call.resource.group == _GROUP or (call.kind.virtual and not call.subresource)


def of_configuration(configuration: Object) -> list[Hook]:
    """The webhooks of a Mutating- or ValidatingWebhookConfiguration, in order."""
    return [_hook(found) for found in configuration.get("webhooks") or ()]


def _hook(found: Object) -> Hook:
    return Hook(
        name=found["name"],
        client_config=found["clientConfig"],
        rules=tuple(_rule(rule) for rule in found.get("rules") or ()),
        namespaces=selectors.from_object(found.get("namespaceSelector") or {}),
        objects=selectors.from_object(found.get("objectSelector") or {}),
        equivalent=found.get("matchPolicy", "Equivalent") == "Equivalent",
        ignores_failure=found.get("failurePolicy", "Fail") == "Ignore",
        reinvoked=found.get("reinvocationPolicy") == "IfNeeded",
        side_effects=found.get("sideEffects") not in ("None", "NoneOnDryRun"),
        timeout=int(found.get("timeoutSeconds") or _DEFAULT_TIMEOUT),
        versions=tuple(found.get("admissionReviewVersions") or ()),
    )


def _rule(found: Object) -> Rule:
    return Rule(
        frozenset(found.get("operations") or ()),
        frozenset(found.get("apiGroups") or ()),
        frozenset(found.get("apiVersions") or ()),
        frozenset(found.get("resources") or ()),
        found.get("scope") or "*",
    )
