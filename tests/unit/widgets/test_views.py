from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from meshcourse.observe import accesslog, journey
from meshcourse.observe.inventory import Inventory, Member
from meshcourse.widgets import picture, topology, waterfall

SVG = "{http://www.w3.org/2000/svg}"


def member(app: str, *containers: str, proxy: bool = True, ready: bool = True) -> Member:
    status = "Running" if ready else "Pending"
    return Member(f"{app}-1", "default", app, "v1", proxy, ready, status, containers)


def inventory(*pods: Member, plane: bool = True) -> Inventory:
    gateway = member("istio-ingressgateway")
    control = (member("istiod", "discovery", proxy=False),) if plane else ()
    return Inventory("default", True, pods, (gateway,), control)


def test_every_pod_and_every_envoy_is_drawn() -> None:
    found = inventory(member("web", "app"), member("plain", "app", proxy=False))
    drawn = topology.draw(found)
    tree = ET.fromstring(drawn.svg)
    texts = [item.text for item in tree.iter(f"{SVG}text")]
    assert {"istiod", "web v1", "plain v1", "ingressgateway v1"} <= set(texts)
    assert len(list(tree.iter(f"{SVG}polygon"))) == 2 + 1  # two Envoys and the legend's
    assert found.proxies == 2
    assert repr(drawn).splitlines() == [
        "control plane: istiod; 2 Envoys in the data plane",
        "  istio-ingressgateway-1: Envoy, Running",
        "  web-1: Envoy + app, Running",
        "  plain-1: app, Running",
    ]


def test_a_mesh_without_control_plane_says_so() -> None:
    drawn = topology.draw(inventory(member("web", "app"), plane=False))
    assert "no control plane" in drawn.svg
    assert "control plane: none" in repr(drawn)


def test_many_pods_take_several_rows_and_an_empty_namespace_none() -> None:
    many = topology.draw(inventory(*(member(f"a{i}", "app") for i in range(13))))
    few = topology.draw(Inventory("empty", False, (), (), ()))
    assert float(ET.fromstring(many.svg).attrib["height"]) > float(
        ET.fromstring(few.svg).attrib["height"]
    )
    assert "no pods in namespace empty" in few.svg


def test_what_is_late_is_named() -> None:
    drawn = topology.draw(inventory(member("web", "app", ready=False)))
    assert "Pending" in drawn.svg


def entry(start: float, cluster: str, duration: int = 5, code: int = 200) -> accesslog.Entry:
    return accesslog.Entry(
        start, "GET", "/x", code, "-", duration, "me", "id-1", "web", "1.2.3.4:80", cluster
    )


HOPS = (
    journey.Hop("gateway", "gw-1", entry(100.0, "outbound|9080||web.default.svc.cluster.local", 9)),
    journey.Hop("web", "web-1", entry(100.001, "inbound|9080||", 8, 503)),
)


def test_a_journey_is_drawn_hop_by_hop() -> None:
    drawn = waterfall.draw(journey.Journey("http://x/y", 503, HOPS))
    tree = ET.fromstring(drawn.svg)
    texts = " ".join(item.text or "" for item in tree.iter(f"{SVG}text"))
    assert "out  gateway → web" in texts
    assert "503 · 8 ms" in texts
    assert repr(drawn).splitlines()[0] == "http://x/y answered 503; seen by 2 Envoys"
    assert "gateway's Envoy → web /x" in repr(drawn)


def test_who_waited_longer_called_the_other() -> None:
    inner = journey.Hop("b", "b-1", entry(5.0, "inbound|80||", 3))
    outer = journey.Hop("a", "a-1", entry(5.0, "outbound|80||b.default", 3))
    first = journey.Hop("c", "c-1", entry(5.0, "inbound|80||", 9))
    assert sorted([inner, outer, first], key=journey._order) == [first, outer, inner]


def test_tables_notes_and_links_have_a_text_form_and_escape_their_contents() -> None:
    table = picture.Table(("a", "b"), [("1", "<x>"), ("long", "2")])
    assert repr(table).splitlines() == ["a     b", "1     <x>", "long  2"]
    assert "&lt;x&gt;" in table._repr_html_()
    link = picture.Link("http://x/?a=1&b='2'")
    assert repr(link) == "http://x/?a=1&b='2'"
    assert "&amp;b=&#x27;2&#x27;" in link._repr_html_()
    note = picture.Note("Title", "text")
    assert note._repr_markdown_() == "**Title**\n\ntext"
    assert repr(note) == "Title\n\ntext"


LINE = (
    '[2026-11-23T00:23:51.894Z] "GET /productpage?u=1 HTTP/1.1" 200 - via_upstream - "-" 0 121 15 14 "10.0.0.1" '
    '"curl/8" "2aed8bd2-d7d1" "127.77.240.1" "127.77.0.10:9080" outbound|9080|v1|reviews.default.svc.cluster.local '
    "127.77.0.4:1 127.77.0.4:8080 127.0.0.1:48584 - default"
)


def test_a_line_of_the_default_access_log_is_understood() -> None:
    found = accesslog.parse(LINE)
    assert found is not None
    assert (found.method, found.path, found.code, found.flags) == (
        "GET",
        "/productpage?u=1",
        200,
        "-",
    )
    assert (found.duration, found.agent, found.request_id) == (15, "curl/8", "2aed8bd2-d7d1")
    assert (found.inbound, found.towards) == (False, "reviews (v1)")
    assert found.start == pytest.approx(1795393431.894)


def test_requests_without_an_answer_are_entries_too() -> None:
    found = accesslog.parse(LINE.replace(" 200 - via", " 0 DC via").replace(" 15 14 ", " - - "))
    assert found is not None
    assert (found.code, found.flags, found.duration) == (0, "DC", 0)


def test_inbound_entries_go_nowhere_further() -> None:
    found = accesslog.parse(
        LINE.replace("outbound|9080|v1|reviews.default.svc.cluster.local", "inbound|9080||")
    )
    assert found is not None
    assert (found.inbound, found.towards) == (True, "")


@pytest.mark.parametrize("line", ["", "2026-11-23 info Envoy proxy is ready", '[x] "GET'])
def test_other_lines_are_not_entries(line: str) -> None:
    assert accesslog.parse(line) is None
