"""The workloads behind catalogued images: Bookinfo, Online Boutique, httpbin, curl and the other samples.

Belongs here: programs that run inside a container of the embedded cluster, and the catalogue of their names.
Does not belong here: anything that knows the Kubernetes API, Istio or how a container is started. I/O is allowed.

`IMAGES` is the catalogue: image path suffix → ``"module:function"``, called as ``main(argv) -> int | None`` in a
forked child (docs/architecture.md, "Images"). argv[0] is the image, then the pod's command and args.

`EXECUTABLES` are programs that our images have in them, for ``kubectl exec`` and for commands of a pod: program name
→ ``"module:function"``, called as ``main(argv) -> int | None`` where argv[0] is the program. They come first on every
container's PATH, but for those in `HOST_FIRST` of which this machine has one of its own.

`PRELOAD` are the modules that most containers use: imported once in the fork server, they cost a child nothing.
"""

from __future__ import annotations

from typing import Final

_HERE: Final = "meshcourse.embedded.images"

#: Image path suffix (whole path components; registry and tag are free) → the function behind it.
IMAGES: Final[dict[str, str]] = {
    "examples-bookinfo-productpage-v1": f"{_HERE}.bookinfo.productpage:main",
    "examples-bookinfo-productpage-v-flooding": f"{_HERE}.bookinfo.productpage:main_flooding",
    "examples-bookinfo-details-v1": f"{_HERE}.bookinfo.details:main",
    "examples-bookinfo-details-v2": f"{_HERE}.bookinfo.details:main_v2",
    "examples-bookinfo-reviews-v1": f"{_HERE}.bookinfo.reviews:main_v1",
    "examples-bookinfo-reviews-v2": f"{_HERE}.bookinfo.reviews:main_v2",
    "examples-bookinfo-reviews-v3": f"{_HERE}.bookinfo.reviews:main_v3",
    "examples-bookinfo-ratings-v1": f"{_HERE}.bookinfo.ratings:main_v1",
    "examples-bookinfo-ratings-v2": f"{_HERE}.bookinfo.ratings:main_v2",
    "examples-bookinfo-ratings-v-faulty": f"{_HERE}.bookinfo.ratings:main_faulty",
    "examples-bookinfo-ratings-v-delayed": f"{_HERE}.bookinfo.ratings:main_delayed",
    "examples-bookinfo-ratings-v-unavailable": f"{_HERE}.bookinfo.ratings:main_unavailable",
    "examples-bookinfo-ratings-v-unhealthy": f"{_HERE}.bookinfo.ratings:main_unhealthy",
    "examples-bookinfo-mongodb": f"{_HERE}.bookinfo.store:mongodb",
    "examples-bookinfo-mysqldb": f"{_HERE}.bookinfo.store:mysqldb",
    "microservices-demo/adservice": f"{_HERE}.boutique.ads:main",
    "microservices-demo/cartservice": f"{_HERE}.boutique.cart:main",
    "microservices-demo/checkoutservice": f"{_HERE}.boutique.checkout:main",
    "microservices-demo/currencyservice": f"{_HERE}.boutique.currency:main",
    "microservices-demo/emailservice": f"{_HERE}.boutique.email:main",
    "microservices-demo/frontend": f"{_HERE}.boutique.frontend:main",
    "microservices-demo/loadgenerator": f"{_HERE}.boutique.load:main",
    "microservices-demo/paymentservice": f"{_HERE}.boutique.payment:main",
    "microservices-demo/productcatalogservice": f"{_HERE}.boutique.catalogue:main",
    "microservices-demo/recommendationservice": f"{_HERE}.boutique.recommendation:main",
    "microservices-demo/shippingservice": f"{_HERE}.boutique.shipping:main",
    "redis": f"{_HERE}.boutique.redis:main",
    "examples-helloworld-v1": f"{_HERE}.samples.helloworld:main_v1",
    "examples-helloworld-v2": f"{_HERE}.samples.helloworld:main_v2",
    "ext-authz": f"{_HERE}.policy.ext_authz:main",
    "jwt-server": f"{_HERE}.policy.jwt_server:main",
    "envoyproxy/ratelimit": f"{_HERE}.policy.rate_limit:main",
    "tcp-echo-server": f"{_HERE}.samples.tcp_echo:main",
    "go-httpbin": f"{_HERE}.httpbin.app:main",
    "curlimages/curl": f"{_HERE}.samples.programs:curl",
    "fortio/fortio": f"{_HERE}.samples.programs:fortio",
    "nicolaka/netshoot": f"{_HERE}.samples.programs:shell",
    "busybox": f"{_HERE}.samples.programs:shell",
    "alpine": f"{_HERE}.samples.programs:shell",
    "nginx": f"{_HERE}.samples.nginx:main",
    "pause": f"{_HERE}.samples.programs:pause",
}

#: Program name → the function behind it.
EXECUTABLES: Final[dict[str, str]] = {
    "curl": f"{_HERE}.tools.curl.main:main",
    "fortio": f"{_HERE}.tools.fortio.main:main",
    "nc": f"{_HERE}.tools.nc:main",
    "redis-cli": f"{_HERE}.tools.redis_cli:main",
    "wget": f"{_HERE}.tools.wget:main",
}

#: Programs of EXECUTABLES of which the machine's own, if any, is preferred. (nc and redis-cli are ours: the machine's
#: know no proxy variables and would go around the sidecar.)
HOST_FIRST: Final[frozenset[str]] = frozenset({"curl", "wget"})

#: Modules worth importing in the fork server before it forks.
PRELOAD: Final[tuple[str, ...]] = (
    "aiohttp",
    "aiohttp.web",
    f"{_HERE}.bookinfo.details",
    f"{_HERE}.bookinfo.productpage",
    f"{_HERE}.bookinfo.ratings",
    f"{_HERE}.bookinfo.reviews",
    f"{_HERE}.httpbin.app",
    f"{_HERE}.samples.helloworld",
    f"{_HERE}.samples.programs",
    f"{_HERE}.samples.tcp_echo",
)
