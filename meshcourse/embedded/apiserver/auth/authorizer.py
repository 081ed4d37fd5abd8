"""May this user do that? RBAC over the roles and bindings in the store.

Source: Kubernetes' RBAC authorizer (``plugin/pkg/auth/authorizer/rbac``) and the words of its refusals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meshcourse.embedded.apiserver.auth import users
from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import objects, selectors, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_GROUP = "rbac.authorization.k8s.io"
_ROLES = f"roles.{_GROUP}"
_CLUSTER_ROLES = f"clusterroles.{_GROUP}"
_BINDINGS = f"rolebindings.{_GROUP}"
_CLUSTER_BINDINGS = f"clusterrolebindings.{_GROUP}"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: about a resource, or (with `path`) about a URL."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Authorizer:
    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, call: Call) -> None:
        """:raises ApiError: 403 in Kubernetes' words."""
        resource = call.resource
        question = Question(
            call.verb, resource.group, resource.plural, call.subresource, call.namespace, call.name
        )
        if not self.allows(call.user, question):
            raise _forbidden(call)

    def check_path(self, user: User, verb: str, path: str) -> None:
        """:raises ApiError: 403 for a URL that is no resource's."""
        if not self.allows(user, Question(verb, path=path)):
            raise ApiError(
                403, "Forbidden", f'forbidden: User "{user.name}" cannot {verb} path "{path}"', {}
            )

    def allows(self, user: User, question: Question) -> bool:
        if users.MASTERS in user.groups:
            return True
        found = self.rules(user, question.namespace)
        return any(_grants(rule, question) for rule in found)

    def rules(self, user: User, namespace: str) -> Iterator[Object]:
        """All rules that apply to a user in a namespace ("" for the whole cluster)."""
        for binding in self._store.list(_CLUSTER_BINDINGS):
            if _concerns(binding, user, ""):
                yield from self._role_rules(binding["roleRef"], "")
        if namespace:
            for binding in self._store.list(_BINDINGS, namespace):
                if _concerns(binding, user, namespace):
                    yield from self._role_rules(binding["roleRef"], namespace)

    def _role_rules(self, ref: Object, namespace: str) -> list[Object]:
        if ref["kind"] == "Role":
            role = self._store.get(_ROLES, namespace, ref["name"])
        else:
            role = self._store.get(_CLUSTER_ROLES, "", ref["name"])
        return self.rules_of(role) if role else []

    def rules_of(self, role: Object) -> list[Object]:
        """The rules of a role and of all that it aggregates."""
        found: list[Object] = []
        reached = [role]
        for one in reached:  # grows while it is walked
            found += one.get("rules") or ()
            reached += [other for other in self._aggregated(one) if other not in reached]
        return found

    def _aggregated(self, role: Object) -> list[Object]:
        chosen = objects.dig(role, "aggregationRule.clusterRoleSelectors", [])
        if not chosen:
            return []
        wanted = [selectors.from_object(selector) for selector in chosen]
        return [
            other
            for other in self._store.list(_CLUSTER_ROLES)
            if any(selector.matches(objects.labels(other)) for selector in wanted)
        ]


def _concerns(binding: Object, user: User, namespace: str) -> bool:
    return any(_is(subject, user, namespace) for subject in binding.get("subjects") or ())


def _is(subject: Object, user: User, namespace: str) -> bool:
    if subject["kind"] == "User":
        return bool(subject["name"] == user.name)
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    where = subject.get("namespace") or namespace
    return user.name == f"system:serviceaccount:{where}:{subject['name']}"


def _grants(rule: Object, question: Question) -> bool:
    if not _listed(question.verb, rule.get("verbs")):
        return False
    if question.path:
        return any(_path(wanted, question.path) for wanted in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    if names and question.name not in names:
        return False
    return _listed(question.group, rule.get("apiGroups")) and _resource(rule, question)


def _listed(value: str, found: list[str] | None) -> bool:
    return bool(found) and ("*" in (found or ()) or value in (found or ()))


def _resource(rule: Object, question: Question) -> bool:
    whole = f"{question.resource}/{question.subresource}".rstrip("/")
    wanted = {"*", whole}
    if question.subresource:
        wanted.add(f"*/{question.subresource}")
    return bool(wanted & set(rule.get("resources") or ()))


def _path(wanted: str, path: str) -> bool:
    if wanted.endswith("*"):
        return path.startswith(wanted[:-1])
    return path == wanted


def _forbidden(call: Call) -> ApiError:
    resource = call.resource
    plural = f"{resource.plural}/{call.subresource}".rstrip("/")
    where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
    return status.forbidden(
        resource,
        call.name,
        f'User "{call.user.name}" cannot {call.verb} resource "{plural}" in API group '
        f'"{resource.group}" {where}',
    )
