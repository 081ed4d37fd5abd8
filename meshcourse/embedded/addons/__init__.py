"""Stand-ins for the mesh's add-ons that serve the real ones' HTTP APIs.

Belongs here: one package per add-on (``prometheus`` …), each a workload behind the real image's name. I/O: yes, except
where a module says otherwise. Does not belong here: the course's clients of those APIs (`observe`), Istio's
translation.
"""

from __future__ import annotations

from typing import Final

_HERE: Final = "meshcourse.embedded.addons"

#: Image path suffix → the function behind it (see `embedded.images`).
IMAGES: Final[dict[str, str]] = {
    "prom/prometheus": f"{_HERE}.prometheus.main:main",
    "jaegertracing/jaeger": f"{_HERE}.jaeger.main:main",
    "kiali/kiali": f"{_HERE}.kiali.main:main",
    "fluent/fluent-bit": f"{_HERE}.fluentbit.main:main",
    "grafana/grafana": f"{_HERE}.grafana.main:main",
    "jaegertracing/all-in-one": f"{_HERE}.jaeger.main:main",
}
