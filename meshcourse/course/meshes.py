"""`Mesh`: a `Cluster` with what a learner does to it. Everything here is thin; what it does is in the rooms below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from meshcourse import explain, versions
from meshcourse.cluster import components, reach, tools
from meshcourse.course.living import Living
from meshcourse.kubectl import front
from meshcourse.lab import asking, proxies
from meshcourse.observe import envoy, identity, journey, pages, send
from meshcourse.observe import traffic as generator
from meshcourse.observe.asking import Asked
from meshcourse.observe.result import Result
from meshcourse.rollout import moving
from meshcourse.rollout.split import Split
from meshcourse.widgets import explained, waterfall
from meshcourse.widgets import picture as views


class Mesh(Living):
    """A cluster as a learner uses it."""

    def ensure(self, *names: str) -> None:
        """Bring in ``istio``, ``bookinfo`` … and wait until they answer. What is there already is left alone."""
        components.ensure(self, *names)

    def remove(self, *names: str) -> None:
        """Take components away without trace."""
        components.remove(self, *names)

    def traffic(self, target: str = "/productpage", **what: Any) -> Result:
        """Send requests on a schedule and count the answers by version and status.

        :param target: ``/productpage`` through the ingress gateway, ``reviews`` for a Service, or a whole URL.
        :param what: as of `observe.send.plan`: n, seconds, rate, path, headers, host, user, timeout, classified.
        """
        return send.traffic(self, target, progress=self.new_progress(), **what)

    def start_traffic(self, target: str = "/productpage", **what: Any) -> generator.Run:
        """The same in the background: change something meanwhile, then ask for its ``result()``."""
        return generator.Run(send.plan(self, target, **what))

    def split(
        self,
        weights: Mapping[str, int],
        service: str = "reviews",
        target: str = "/productpage",
        **what: Any,
    ) -> Split:
        """Divide the visitors of a Service by weights while they come, and measure until it is known what they get.

        :param weights: percents by version, ``{"v1": 80, "v2": 20}``.
        :param what: as of `rollout.moving.move`: n, namespace, and what `traffic` takes.
        """
        shown = self.new_progress()
        return moving.move(self, dict(weights), service, target, progress=shown, **what)

    def follow(self, target: str = "/productpage", **what: Any) -> views.Picture:
        """Send one request and show which Envoys it passed, from their own access logs."""
        return waterfall.draw(journey.follow(self, target, **what))

    def explain(self, source: str, target: str, **what: Any) -> explained.View:
        """Where a request would go, and why; nothing is sent: ``explain("deploy/web", "http://reviews:9080/")``.

        :param source: who sends it; "" is somebody outside, who enters by the ingress gateway.
        :param what: as of `explain.explain`: headers, method.
        """
        return explained.draw(explain.explain(self, source, target, **what))

    def page(self, url: str, also: tuple[str, ...] = ()) -> pages.Page:
        """Load a page through the ingress gateway, with everything that it is made of.

        :param url: with the name under which the gateway knows it: ``http://addons.example.com/kiali``.
        :param also: paths that its scripts ask for.
        """
        return pages.load(self, url, also)

    def ask(self, caller: str, url: str, **what: Any) -> Asked:
        """Let a pod with curl send requests, and count what it is answered.

        :param caller: a Deployment: ``curl``, or ``curl.legacy`` in the namespace legacy.
        :param what: as of `observe.asking.ask`: n, method, headers, options, until, timeout.
        """
        return asking.ask(self, caller, url, **what)

    def certificate(self, workload: str) -> identity.Certificate:
        """The certificate that a workload's Envoy shows, for example of ``deploy/httpbin``."""
        shown = self.istioctl("proxy-config", "secret", workload, "-o", "json").check()
        return identity.of_secrets(shown.output)

    def kubectl(
        self, *args: str, text: str | None = None, on_line: Callable[[str], None] | None = None
    ) -> tools.Done:
        """Run kubectl: the real one if it is on PATH, otherwise the course's own."""
        return front.run(self, args, text=text, on_line=on_line)

    def routes(self, pod: str, host: str, namespace: str = "", *, expect: str = "") -> envoy.Routes:
        """The routes that the Envoy of a pod (``deploy/productpage-v1``) has for a host, in the order it tries them.

        :param expect: wait some seconds until this text is among them.
        """
        return proxies.routes(self, pod, host, namespace, expect=expect)

    def counters(self, pod: str, pattern: str, namespace: str = "") -> envoy.Counters:
        """What the Envoy of a pod has counted; `pattern` is a regular expression for the names."""
        return proxies.counters(self, pod, pattern, namespace)

    def link(self, target: str = "/productpage") -> views.Link:
        """The page of a path at the ingress gateway (or of a Service), to click."""
        url = send.url_of(self, target)
        return views.Link(url, reach.clickable(url))

    def stand_ins(self) -> views.Table:
        """What is real in this cluster, and what is a stand-in."""
        rows = [
            (part.name, "real" if part.real else "stand-in", part.what)
            for part in self.capabilities.parts
        ]
        return views.Table(("part", "here", "what it is"), rows)

    def __repr__(self) -> str:
        version = self.api.get("/version").get("gitVersion", "?")
        pods = len(self.objects("pods", "*"))
        found = f'cluster "{self.name}" ({self.capabilities.provider}) · Kubernetes {version} · {pods} pods'
        if self.exists("deployment", "istiod", "istio-system"):
            found += f" · Istio {versions.ISTIO}"
        return found
