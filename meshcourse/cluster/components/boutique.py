"""Online Boutique with sidecars, in a namespace of its own, published by the gateway as boutique.example.com."""

from __future__ import annotations

from meshcourse.cluster.components.application import Application

NAMESPACE, HOST = "boutique", "boutique.example.com"
BOUTIQUE = Application(
    title="Online Boutique",
    folder="apps/boutique",
    files=("boutique.yaml", "boutique-gateway.yaml"),
    host=HOST,
    namespace=NAMESPACE,
)
