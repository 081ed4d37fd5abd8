"""Ports of load balancers are served as long as somebody behind them listens."""

from __future__ import annotations

import socket
import sys

import pytest

from meshcourse.embedded.kube.objects import Key
from meshcourse.embedded.kubelet.proxy import doors
from meshcourse.embedded.kubelet.proxy.model import Address, ServicePort, View

POD, OTHER = ("127.80.0.5", 8080), ("127.80.0.6", 8080)


def port(*endpoints: Address, external: bool = True) -> ServicePort:
    return ServicePort(Key("a", "b"), "http", 80, (("127.80.240.1", 80),), endpoints, external)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_listeners_come_and_go() -> None:
    with socket.create_server(("127.80.1.1", 0)) as server:
        address = server.getsockname()
        assert address in (doors.listeners() or ())
        with socket.create_connection(address) as client:  # connected is not listening
            assert client.getsockname() not in (doors.listeners() or ())
    assert address not in (doors.listeners() or ())
    with socket.create_server(("::", 0), family=socket.AF_INET6) as server:
        assert ("::", server.getsockname()[1]) in (doors.listeners() or ())


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ({POD, OTHER}, (POD, OTHER)),
        ({OTHER}, (OTHER,)),
        ({("0.0.0.0", 8080)}, (POD, OTHER)),
        ({("127.80.0.5", 9090)}, ()),
        (None, (POD, OTHER)),
    ],
)
def test_endpoints_that_are_open(found: set[Address] | None, left: tuple[Address, ...]) -> None:
    inside = port(POD, external=False)
    view = View((port(POD, OTHER), inside), ())
    seen = doors.open_only(view, None if found is None else frozenset(found))
    assert seen.ports[0].endpoints == left
    assert seen.ports[1] == inside  # a connection to it must not depend on when we looked


def test_changes_are_noticed() -> None:
    now: list[set[Address]] = [set()]
    watched = doors.Doors(lambda: frozenset(now[0]))
    assert not watched.any
    assert watched.pass_on(View((port(POD),), ())).ports[0].endpoints == ()
    assert watched.any
    assert not watched.changed()
    now[0] = {POD}
    assert watched.changed()
    assert watched.pass_on(View((port(POD),), ())).ports[0].endpoints == (POD,)
    assert not watched.changed()
    watched.pass_on(View((port(external=True),), ()))
    assert not watched.any
