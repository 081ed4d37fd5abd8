"""The order of updates: nothing a route refers to is missing, at any moment, in any interleaving."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshcourse.embedded.istiod.xds import encode, types
from meshcourse.embedded.istiod.xds.delivery import Delivery, Request, Timing
from tests.unit.istiod.envoy_model import EnvoyModel, target


def connected(*args: object) -> EnvoyModel:
    model = EnvoyModel(Delivery(Timing(grace=0.5, patience=5.0)))
    model.delivery.retarget(target(*args))  # type: ignore[arg-type]
    model.settle(0.0)
    return model


def sent_since(model: EnvoyModel, count: int) -> list[str]:
    return [types.short(response.type_url) for response in model.received[count:]]


def test_a_new_proxy_gets_everything_in_order() -> None:
    model = connected({"a": "", "b": ""}, {"http": ["a", "b"]})
    assert sent_since(model, 0) == ["CDS", "EDS", "LDS", "RDS"]
    assert model.active == {"a", "b"}
    assert model.routes == {"http": frozenset({"a", "b"})}
    assert model.delivery.all_synced()


def test_a_proxy_that_comes_back_is_never_told_of_a_part_of_its_listeners() -> None:
    """After a restart of istiod nothing is acknowledged yet, but the proxy has it all: what is left out, it drops."""
    resource = {"route": {"cluster": "a"}}
    inbound = encode.encoded(types.LDS, "inbound", resource, b"inbound")
    plain = target({"a": ""}, {"http": ["a"]})
    both = {**plain.resources[types.LDS], "inbound": inbound}
    delivery = Delivery(Timing(grace=0.5, patience=5.0))
    delivery.retarget(encode.Target({**plain.resources, types.LDS: both}, "1"))
    for type_url in (types.CDS, types.LDS):
        delivery.receive(Request(type_url))
    assert [types.short(one.type_url) for one in delivery.take(0.0)] == ["CDS"]
    assert delivery.deadline() == 5.0
    (listeners,) = delivery.take(5.0)
    assert {one.name for one in listeners.resources} == {"http", "inbound"}


def test_what_was_removed_while_istiod_was_away_stays_until_the_routes_are_replaced() -> None:
    model = connected({"a": "", "v2": ""}, {"http": ["a", "v2"]})
    fresh = Delivery(Timing(grace=0.5, patience=5.0))
    fresh.retarget(target({"a": "", "v3": ""}, {"http": ["a", "v3"]}, "2"))
    model.come_back(fresh)
    while model.step(10.0):
        assert model.lost() == set()
    assert model.active == {"a", "v2", "v3"}
    assert model.routes == {"http": frozenset({"a", "v3"})}
    model.settle(10.5)
    assert model.active == {"a", "v3"}
    assert fresh.deadline() is None


def test_a_proxy_that_comes_back_without_telling_its_clusters_is_served_all_the_same() -> None:
    delivery = Delivery(Timing(grace=0.5, patience=5.0))
    delivery.retarget(target({"a": ""}, {"http": ["a"]}))
    delivery.receive(Request(types.CDS, version="7"))
    assert delivery.take(0.0) == []
    assert delivery.deadline() == 0.5
    assert [types.short(one.type_url) for one in delivery.take(0.5)] == ["CDS"]


def test_nothing_is_sent_before_there_is_a_target() -> None:
    delivery = Delivery()
    delivery.receive(Request(types.CDS))
    assert delivery.take(0.0) == []
    assert not delivery.synced(types.CDS)


def test_an_empty_target_is_answered_so_that_the_proxy_becomes_ready() -> None:
    model = connected({}, {})
    assert sent_since(model, 0) == ["CDS", "LDS"]


def test_a_route_waits_for_acknowledged_endpoints_of_its_new_cluster() -> None:
    model = connected({"a": ""}, {"http": ["a"]})
    count = len(model.received)
    model.delivery.retarget(target({"a": "", "v2": ""}, {"http": ["a", "v2"]}))
    responses = model.delivery.take(1.0)
    assert [types.short(one.type_url) for one in responses] == ["CDS"]
    model.inbox.extend(responses)
    model.settle(1.0)
    assert sent_since(model, count) == ["CDS", "EDS", "RDS"]
    assert model.lost() == set()


def test_a_weight_flip_is_one_route_response() -> None:
    model = connected({"a": "", "b": ""}, {"http": ["a"]})
    count = len(model.received)
    model.delivery.retarget(target({"a": "", "b": ""}, {"http": ["a", "b"]}))
    model.settle(1.0)
    assert sent_since(model, count) == ["RDS"]


def test_a_removed_cluster_goes_after_the_route_and_the_grace() -> None:
    model = connected({"a": "", "v2": ""}, {"http": ["a", "v2"]})
    count = len(model.received)
    model.delivery.retarget(target({"a": ""}, {"http": ["a"]}))
    model.settle(1.0)
    assert sent_since(model, count) == ["RDS"]
    assert model.active == {"a", "v2"}
    assert model.delivery.deadline() == 1.5
    model.settle(1.4)
    assert model.active == {"a", "v2"}
    model.settle(1.5)
    assert model.active == {"a"}
    assert model.delivery.deadline() is None


def test_a_cluster_that_is_gone_goes_even_if_a_route_still_names_it() -> None:
    """A DestinationRule deleted under a VirtualService: NC, after the grace."""
    model = connected({"a": "", "v2": ""}, {"http": ["a", "v2"]})
    model.delivery.retarget(target({"a": ""}, {"http": ["a", "v2"]}))
    model.settle(1.0)
    assert model.active == {"a", "v2"}
    assert model.delivery.deadline() == 1.5
    model.settle(1.5)
    assert model.active == {"a"}
    assert model.routes == {"http": frozenset({"a", "v2"})}
    assert model.delivery.all_synced()


def test_a_lingering_cluster_that_is_wanted_again_never_goes_away() -> None:
    both = target({"a": "", "v2": ""}, {"http": ["a", "v2"]})
    model = connected({"a": "", "v2": ""}, {"http": ["a", "v2"]})
    model.delivery.retarget(target({"a": ""}, {"http": ["a"]}))
    model.settle(1.0)
    model.delivery.retarget(both)
    count = len(model.received)
    model.settle(2.0)
    assert sent_since(model, count) == ["RDS"]
    assert model.delivery.deadline() is None


def test_a_changed_cluster_is_given_its_endpoints_again() -> None:
    model = connected({"a": ""}, {"http": ["a"]})
    count = len(model.received)
    model.delivery.retarget(target({"a": "other"}, {"http": ["a"]}))
    model.settle(1.0)
    assert sent_since(model, count) == ["CDS", "EDS"]
    assert model.warming == set()


def test_a_route_does_not_wait_for_ever() -> None:
    model = connected({"a": ""}, {"http": ["a"]})
    model.delivery.retarget(target({"a": "", "v2": ""}, {"http": ["v2"]}))
    assert [types.short(one.type_url) for one in model.delivery.take(1.0)] == ["CDS"]
    assert model.delivery.deadline() == 6.0
    assert model.delivery.take(5.9) == []
    assert [types.short(one.type_url) for one in model.delivery.take(6.0)] == ["RDS"]
    assert model.delivery.deadline() is None


def test_a_cluster_that_does_not_exist_anywhere_is_not_waited_for() -> None:
    model = connected({"a": ""}, {"http": ["a"]})
    count = len(model.received)
    model.delivery.retarget(target({"a": ""}, {"http": ["a", "nowhere"]}))
    model.settle(1.0)
    assert sent_since(model, count) == ["RDS"]


def test_a_refused_cluster_is_reported_and_does_not_hold_up_others() -> None:
    model = connected({"a": ""}, {"http": ["a"]})
    model.refuse.add("bad")
    model.delivery.retarget(target({"a": "", "bad": ""}, {"http": ["a", "bad"]}))
    model.settle(1.0)
    assert "bad" in model.delivery.channels[types.CDS].error
    assert not model.delivery.synced(types.CDS)
    assert model.routes["http"] == {"a", "bad"}
    count = len(model.received)
    model.settle(2.0)
    assert sent_since(model, count) == []  # the same content is not offered twice
    model.refuse.clear()
    model.delivery.retarget(target({"a": "", "bad": "mended"}, {"http": ["a", "bad"]}))
    model.settle(3.0)
    assert model.delivery.all_synced()
    assert model.lost() == set()


def test_one_refused_route_does_not_hold_up_the_others() -> None:
    model = connected({"a": "", "b": ""}, {"x": ["a"], "y": ["a"]})
    model.refuse.add("x")
    model.delivery.retarget(target({"a": "", "b": ""}, {"x": ["b"], "y": ["b"]}))
    model.settle(1.0)
    assert model.routes == {"x": {"a"}, "y": {"b"}}


def test_a_name_asked_for_again_is_answered_again() -> None:
    model = connected({"a": ""}, {"http": ["a"]})
    delivery = model.delivery
    nonce = model.nonce[types.RDS]
    delivery.receive(Request(types.RDS, (), nonce))
    delivery.receive(Request(types.RDS, ("http",), nonce))
    assert [types.short(one.type_url) for one in delivery.take(1.0)] == ["RDS"]


def test_a_stale_acknowledgement_is_not_taken_for_the_current_one() -> None:
    model = connected({"a": "", "b": ""}, {"http": ["a"]})
    stale = model.nonce[types.RDS]
    model.delivery.retarget(target({"a": "", "b": ""}, {"http": ["b"]}))
    model.delivery.take(1.0)
    model.delivery.receive(Request(types.RDS, ("http",), stale))
    assert not model.delivery.synced(types.RDS)


NAMES = "abcd"
targets = st.builds(
    lambda clusters, picks: target(
        clusters,
        {name: [c for c in wanted if c in clusters] for name, wanted in picks.items()},
    ),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "x"]), max_size=4),
    st.fixed_dictionaries({"r": st.lists(st.sampled_from(NAMES), max_size=3)}),
)


# A busy machine is not a finding, hence no check of how fast examples are made.
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(targets, min_size=2, max_size=6), choices=st.data())
def test_no_interleaving_loses_a_request(changes: list, choices: st.DataObject) -> None:
    model = EnvoyModel(Delivery(Timing(grace=0.5, patience=1e9)))
    now = 0.0
    for change in changes:
        if choices.draw(st.integers(0, 5)) == 0 and model.nonce:  # istiod is restarted meanwhile
            model.come_back(Delivery(Timing(grace=0.5, patience=1e9)))
        model.delivery.retarget(change)
        model.pump(now)
        for _ in range(choices.draw(st.integers(0, 12))):
            now += choices.draw(st.sampled_from([0.0, 0.01, 0.6]))
            model.step(now, choices.draw(st.integers(0, 5)))
            assert model.lost() == set()
    for _ in range(3):
        now += 1.0
        model.settle(now)
        assert model.lost() == set()
    assert model.delivery.all_synced()
    assert model.active == set(changes[-1].of(types.CDS))
    wanted = {name: one.clusters for name, one in changes[-1].of(types.RDS).items()}
    assert model.routes == wanted
