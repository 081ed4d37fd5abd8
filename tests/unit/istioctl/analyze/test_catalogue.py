"""What is shown of an analysis, and in which form."""

from __future__ import annotations

import json

import pytest

from meshcourse.embedded.istioctl.analyze import catalogue, documents, messages
from meshcourse.embedded.istioctl.analyze.catalogue import Suppression
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.commands.analyze import printing
from meshcourse.embedded.istioctl.context import Failure
from tests.unit.istioctl.analyze.objects import gathered, make, namespace, route, service

_TEXT = """\
# a comment

apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1
  kind: VirtualService
  metadata: {name: reviews}
  spec:
    hosts: [reviews]
    http:
    - route:
      - destination:
          host: nowhere
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: other}
spec:
  servers: []
---
not: [closed
"""


def test_a_message_names_file_and_line() -> None:
    read = documents.read(_TEXT, "a.yaml", "default")
    assert [item.full for item in read.items] == ["default/reviews", "other/gw"]
    assert len(read.problems) == 1
    assert read.problems[0].startswith("error processing a.yaml[2]: ")
    result = catalogue.analyze(
        Collection(read.items),
        analyzers=catalogue.chosen(["virtualservice.DestinationHostAnalyzer"]),
    )
    (message,) = result.messages
    assert message.render() == (
        "Error [IST0101] (VirtualService default/reviews a.yaml:14) "
        'Referenced host not found: "nowhere"'
    )
    assert read.items[1].place(0) == "a.yaml:16"


def test_json_has_no_line() -> None:
    (item,) = documents.read('{"kind": "Gateway", "metadata": {"name": "g"}}', "g.json", "").items
    assert (item.place(1), item.full) == ("g.json", "g")


def test_namespaces_limit_what_is_shown_but_not_cluster_objects() -> None:
    crd = make(
        "CustomResourceDefinition",
        "tlsroutes.gateway.networking.k8s.io",
        annotations={"gateway.networking.k8s.io/bundle-version": "v1.4.0"},
    )
    objects = gathered(
        route("one/a", "{host: nowhere}"), route("two/b", "{host: nowhere}"), namespace("two"), crd
    )
    found = catalogue.analyze(objects, namespace="one").messages
    assert [one.origin for one in found] == [
        "VirtualService one/a",
        "CustomResourceDefinition tlsroutes.gateway.networking.k8s.io",
    ]


def test_messages_are_suppressed_by_flag_and_by_annotation() -> None:
    noted = make(
        "Service",
        "b",
        "{ports: [{name: x, port: 1}]}",
        annotations={"galley.istio.io/analyze-suppress": "IST0118"},
    )
    objects = gathered(
        service("a", "[{name: x, port: 1}]"), noted, service("c", "[{name: x, port: 1}]")
    )
    wanted = [Suppression("IST0118", "Service */a")]
    found = catalogue.analyze(objects, suppressions=wanted).messages
    assert [one.origin for one in found] == ["Service default/c"]


def test_an_analyzer_without_its_inputs_is_skipped() -> None:
    result = catalogue.analyze(
        gathered(route("a", "{host: nowhere}")), available={"VirtualService"}
    )
    assert "virtualservice.DestinationHostAnalyzer" in result.skipped
    assert "virtualservice.ConflictingMeshGatewayHostsAnalyzer" in result.executed
    assert result.messages == []


def test_the_worst_comes_first_and_nothing_twice() -> None:
    objects = gathered(
        service("s", "[{name: x, port: 1}]"), route("a", "{host: nowhere}"), namespace("n")
    )
    found = catalogue.analyze(objects).messages
    assert [one.type.code for one in found] == ["IST0101", "IST0102", "IST0118"]
    assert messages.ordered([*found, *found]) == found


def test_output_formats() -> None:
    (found,) = catalogue.analyze(gathered(service("s", "[{name: x, port: 1}]"))).messages
    assert printing.render([found], "log", colour=False).startswith(
        "Info [IST0118] (Service default/s) "
    )
    assert printing.render([found], "log", colour=True).startswith("Info\x1b[0m [IST0118]")
    (record,) = json.loads(printing.render([found], "json", colour=False))
    assert record == {
        "code": "IST0118",
        "documentationUrl": "https://istio.io/v1.30/docs/reference/config/analysis/ist0118/"
        "?ref=istioctl-analyze",
        "level": "Info",
        "message": "Port name x (port: 1, targetPort: 0) doesn't follow the naming convention of "
        "Istio port.",
        "origin": "Service default/s",
    }
    with pytest.raises(Failure, match="xml not a valid option for format") as caught:
        printing.check("xml", "analyze")
    assert caught.value.code == 64
