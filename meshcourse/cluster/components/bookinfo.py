"""Bookinfo in the default namespace, with sidecars, published by the ingress gateway under every name."""

from __future__ import annotations

from meshcourse.cluster.components.application import Application

BOOKINFO = Application(
    title="Bookinfo",
    folder="apps/bookinfo",
    files=("bookinfo.yaml", "bookinfo-gateway.yaml"),
    selector="app in (productpage,details,reviews,ratings)",
    page="/productpage",
)
