"""All components of an installation, in the order of their dependencies."""

from __future__ import annotations

from dataclasses import dataclass

from meshcourse.embedded.istioctl.manifests import base, common, gateways, pilot
from meshcourse.embedded.istioctl.manifests.profiles import Spec
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Component:
    """A part that is installed, waited for and reported as one.

    :param title: how progress names it; `icon` stands behind it.
    :param needs: names of components that must be ready before.
    """

    name: str
    title: str
    icon: str
    objects: tuple[Object, ...]
    needs: tuple[str, ...] = ()


def build(spec: Spec) -> list[Component]:
    """The enabled components of a spec."""
    enabled = spec.get("components") or {}
    found = []
    if (enabled.get("base") or {}).get("enabled", True):
        found.append(Component("Base", "Istio core", "⛵️", tuple(base.objects(spec))))
    if (enabled.get("pilot") or {}).get("enabled", True):
        objects = tuple(pilot.Pilot(spec).objects())
        found.append(Component("Pilot", "Istiod", "🧠", objects, ("Base",)))
    for name, title, icon in (
        ("EgressGateways", "Egress gateways", "🛫"),
        ("IngressGateways", "Ingress gateways", "🛬"),
    ):
        objects = tuple(gateways.objects(spec, name))
        if objects:
            found.append(Component(name, title, icon, objects, ("Pilot",)))
    return found


def namespace() -> Object:
    """``istio-system``."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": common.NAMESPACE},
    }
