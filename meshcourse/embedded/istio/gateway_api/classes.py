"""Which Gateways are ours: GatewayClasses and their controllers."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio.gateway_api import conditions
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.model import Config, Json
from meshcourse.embedded.kube import refs

CONTROLLER: Final = "istio.io/gateway-controller"
#: Gateways of another cluster: they get a status, nothing else.
UNMANAGED: Final = "istio.io/unmanaged-gateway"
#: Classes that work without a GatewayClass object; istiod creates the objects, too.
BUILT_IN: Final = {"istio": CONTROLLER, "istio-remote": UNMANAGED}
DESCRIPTIONS: Final = {
    CONTROLLER: "The default Istio GatewayClass",
    UNMANAGED: "Remote to this cluster. Does not deploy or affect configuration.",
}


def controller(gateway: Config, context: Context) -> str:
    """The controller of a Gateway's class, "" if it is not one of ours."""
    name = str(gateway.spec.get("gatewayClassName") or "")
    for one in context.of_kind(refs.K8S_GATEWAYCLASSES):
        if one.name == name:
            found = str(one.spec.get("controllerName") or "")
            return found if found in DESCRIPTIONS else ""
    return BUILT_IN.get(name, "")


def status(config: Config) -> Json | None:
    """The status of a GatewayClass; None if it is not one of ours."""
    if config.spec.get("controllerName") not in DESCRIPTIONS:
        return None
    accepted = conditions.condition(
        conditions.ACCEPTED, conditions.ACCEPTED, "Handled by Istio controller"
    )
    return {"conditions": conditions.listed([accepted], config.generation)}
