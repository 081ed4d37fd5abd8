"""Server-side apply of a whole manifest, with one typed row per object.

Source: Kubernetes documentation, "Server-Side Apply". Fields are taken over by force: in a course the YAML in front
of the learner is meant to win over whatever an earlier step left behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from meshcourse.cluster import errors, kinds, manifests
from meshcourse.cluster.manifests import Object
from meshcourse.cluster.rest import APPLY_PATCH, Rest
from meshcourse.errors import MeshcourseError

Outcome = Literal["created", "configured", "unchanged", "deleted", "absent", "error"]
#: The outcome, and the server's warnings.
Act = tuple[Outcome, list[str]]
FIELD_MANAGER = "meshcourse"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one object: its kind and name as kubectl prints them, the outcome, and why if it failed.

    :param warnings: what the server had to say all the same.
    """

    kind: str
    name: str
    namespace: str
    outcome: Outcome
    message: str = ""
    remedy: str = ""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.outcome != "error":
            said = "".join(f"\n  Warning: {text}" for text in self.warnings)
            return f"{self.kind}/{self.name} {self.outcome}{said}"
        tail = f"\n  → {self.remedy}" if self.remedy else ""
        return f"{self.kind}/{self.name} error: {self.message}{tail}"


@dataclass(frozen=True, slots=True)
class Applied:
    """The rows of one apply or delete."""

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        return not self.errors

    @property
    def errors(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.outcome == "error")

    def raise_on_error(self) -> Applied:
        """Itself, if nothing failed.

        :raises ClusterError: with every refusal, otherwise.
        """
        if self.errors:
            raise errors.ClusterError("\n".join(map(str, self.errors)))
        return self

    def __repr__(self) -> str:
        return "\n".join(map(str, self.rows)) or "nothing to apply"


class Applier:
    """Applies and deletes objects over one connection.

    :param discover: gives the served kinds; called again with True when a kind is unknown (a CRD just arrived).
    """

    def __init__(self, rest: Rest, discover: Callable[[bool], kinds.Kinds]) -> None:
        self._rest = rest
        self._discover = discover

    def apply(self, objects: Iterable[Object], namespace: str) -> Applied:
        """Apply each object; a refusal of one does not stop the others."""
        return Applied(tuple(self._row(obj, namespace, self._apply) for obj in objects))

    def delete(self, objects: Iterable[Object], namespace: str) -> Applied:
        """Delete each object, last first; what is not there is `absent`, not an error."""
        rows = [self._row(obj, namespace, self._delete) for obj in reversed(list(objects))]
        return Applied(tuple(rows))

    def kind_of(self, obj: Object, patience: float = 5.0) -> kinds.Kind:
        """The served kind of an object; waits up to `patience` seconds for a CRD applied just now."""
        api_version, kind = str(obj["apiVersion"]), str(obj["kind"])
        deadline = time.monotonic() + (patience if "." in api_version else 0)
        fresh = False
        while True:
            try:
                return self._discover(fresh).by_gvk(api_version, kind)
            except kinds.UnknownKindError:
                if fresh and (
                    time.monotonic() > deadline or not self._crd_pending(api_version, kind)
                ):
                    raise
                time.sleep(0.05 if fresh else 0)
            fresh = True

    def _crd_pending(self, api_version: str, kind: str) -> bool:
        """Does a CRD announce this kind, so that waiting for discovery makes sense?"""
        group = api_version.split("/")[0]
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        specs = (item["spec"] for item in self._rest.get(path).get("items", []))
        return any(spec["group"] == group and spec["names"]["kind"] == kind for spec in specs)

    def _row(self, obj: Object, namespace: str, act: Callable[[kinds.Kind, Object], Act]) -> Row:
        name = manifests.name_of(obj)
        printed = str(obj["kind"]).lower()
        try:
            kind = self.kind_of(obj)
            printed = kind.printed
            placed = manifests.in_namespace(obj, namespace) if kind.namespaced else obj
            where = manifests.namespace_of(placed)
            outcome, warnings = act(kind, placed)
            return Row(printed, name, where, outcome, warnings=tuple(warnings))
        except MeshcourseError as error:
            return Row(printed, name, namespace, "error", error.message, error.remedy)

    def _apply(self, kind: kinds.Kind, obj: Object) -> Act:
        path = kind.path(manifests.namespace_of(obj), manifests.name_of(obj))
        before = self._version(path)
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        said: list[str] = []
        after = self._rest.request(
            "PATCH",
            path,
            query=query,
            body=obj,
            content_type=APPLY_PATCH,
            timeout=60,
            warnings=said,
        )
        if before is None:
            return "created", said
        same = after["metadata"]["resourceVersion"] == before
        return "unchanged" if same else "configured", said

    def _delete(self, kind: kinds.Kind, obj: Object) -> Act:
        path = kind.path(manifests.namespace_of(obj), manifests.name_of(obj))
        try:
            self._rest.request("DELETE", path, query={"propagationPolicy": "Background"})
        except errors.ApiError as error:
            if error.code != 404:
                raise
            return "absent", []
        return "deleted", []

    def _version(self, path: str) -> str | None:
        try:
            return str(self._rest.get(path)["metadata"]["resourceVersion"])
        except errors.ApiError as error:
            if error.code != 404:
                raise
            return None
