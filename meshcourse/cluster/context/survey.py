"""What a cluster has already: which Kubernetes it is, which Istio, which add-ons."""

from __future__ import annotations

from dataclasses import dataclass

from meshcourse import versions
from meshcourse.cluster import kinds
from meshcourse.cluster.errors import ApiError
from meshcourse.cluster.manifests import Object, dig
from meshcourse.cluster.rest import Rest

ADDONS = ("prometheus", "grafana", "jaeger", "kiali", "fluent-bit")
_ROOT = "istio-system"


@dataclass(frozen=True, slots=True)
class Istio:
    """One control plane: revision ("default" if it has none) and version ("" if it cannot be told)."""

    revision: str
    version: str


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of a cluster before the course touches it."""

    kubernetes: str
    openshift: bool
    istio: tuple[Istio, ...]
    addons: tuple[str, ...]

    def remarks(self) -> list[str]:
        """What a learner should know, a sentence each."""
        found = []
        if self.openshift:
            found.append(
                "This is OpenShift: Istio needs its `openshift` profile and the anyuid constraint for gateways; "
                "the course installs with `--set profile=openshift`."
            )
        for one in self.istio:
            if one.version and _line(one.version) != _line(versions.ISTIO):
                found.append(
                    f"Istio {one.version} is installed (revision {one.revision}); the course teaches "
                    f"{versions.ISTIO} and leaves it as it is. Some answers will differ."
                )
            if one.revision != "default":
                found.append(
                    f"Istio is installed as revision {one.revision}: label namespaces "
                    f"`istio.io/rev={one.revision}` where the course says `istio-injection=enabled`."
                )
        if self.addons:
            found.append(f"Already installed and left alone: {', '.join(self.addons)}.")
        return found


def take(api: Rest) -> Survey:
    """Look, without changing anything. What may not be read counts as absent."""
    deployments = _items(api, f"/apis/apps/v1/namespaces/{_ROOT}/deployments")
    names = {str(item["metadata"]["name"]) for item in deployments}
    groups = {kind.group for kind in kinds.discover(api).all}
    return Survey(
        kubernetes=str(api.get("/version").get("gitVersion", "?")),
        openshift="security.openshift.io" in groups,
        istio=tuple(_istio(item) for item in deployments if _labels(item).get("app") == "istiod"),
        addons=tuple(name for name in ADDONS if name in names),
    )


def _istio(deployment: Object) -> Istio:
    revision = _labels(deployment).get("istio.io/rev") or "default"
    containers = dig(deployment, "spec.template.spec.containers", [])
    image = str(containers[0].get("image", "")) if containers else ""
    tag = image.rpartition("/")[2].partition(":")[2].partition("@")[0]
    return Istio(revision, tag.partition("-")[0])


def _labels(item: Object) -> dict[str, str]:
    return dict(dig(item, "metadata.labels", {}) or {})


def _items(api: Rest, path: str) -> list[Object]:
    try:
        found: list[Object] = api.get(path)["items"]
    except ApiError as error:
        if error.code not in (403, 404):
            raise
        return []
    return found


def _line(version: str) -> str:
    """``1.30`` of ``1.30.4``."""
    return ".".join(version.split(".")[:2])
