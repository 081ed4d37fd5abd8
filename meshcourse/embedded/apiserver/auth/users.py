"""Who makes a request. Source: Kubernetes authentication (user info, well-known groups)."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshcourse.embedded.kube.objects import Object

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"


@dataclass(frozen=True, slots=True)
class User:
    """A name, the groups that it belongs to, and what its credential says besides."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict, hash=False)

    def info(self) -> Object:
        """``authentication.k8s.io/v1`` UserInfo."""
        found: Object = {"username": self.name}
        if self.uid:
            found["uid"] = self.uid
        if self.groups:
            found["groups"] = list(self.groups)
        if self.extra:
            found["extra"] = self.extra
        return found


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def administrator(name: str) -> User:
    """A user who may do everything."""
    return User(name, (MASTERS, AUTHENTICATED))


def service_account(
    namespace: str, name: str, uid: str, extra: dict[str, list[str]] | None = None
) -> User:
    groups = (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups, uid, extra or {})
