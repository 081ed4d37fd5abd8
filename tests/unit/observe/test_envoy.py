"""What an Envoy says at its admin interface, read: counters, and routes in words."""

from __future__ import annotations

import json
from typing import Any

from meshcourse.observe import envoy
from meshcourse.observe.result import Result, Sample

HTTPBIN = "cluster.outbound|8000||httpbin.default.svc.cluster.local"
STATS = f"""{HTTPBIN}.upstream_rq_pending_overflow: 24
{HTTPBIN}.upstream_rq_retry: 3
cluster.outbound|8000|v2|httpbin.default.svc.cluster.local.upstream_rq_retry: 4
{HTTPBIN}.upstream_cx_connect_ms: P0(nan,27.5) P25(nan,27.5)
cluster_manager.cds.version_text: "2026-11-23"
"""


def asking(answer: str, asked: list[str]) -> envoy.Ask:
    def ask(path: str) -> str:
        asked.append(path)
        return answer

    return ask


def table(*routes: dict[str, Any], domains: tuple[str, ...] = ("reviews:9080", "reviews")) -> str:
    config = {"virtual_hosts": [{"domains": list(domains), "routes": list(routes)}]}
    return json.dumps({"configs": [{"route_config": config}]})


def only(route: dict[str, Any]) -> envoy.Route:
    (found,) = envoy.routes(asking(table(route), []), "reviews").routes
    return found


def test_counters_are_read_summed_by_their_last_word_and_compared() -> None:
    asked: list[str] = []
    found = envoy.counters(asking(STATS, asked), "httpbin.*(retry|overflow)")
    assert asked == ["stats?filter=httpbin.%2A%28retry%7Coverflow%29"]
    assert len(found) == 3
    assert (found["upstream_rq_retry"], found["upstream_rq_pending_overflow"]) == (7, 24)
    assert found["rq_retry"] == 0
    assert found.total == 31
    later = envoy.counters(asking(STATS.replace(": 24", ": 30"), []), "x")
    assert (later - found)["upstream_rq_pending_overflow"] == 6
    assert (later - found)["upstream_rq_retry"] == 0
    assert repr(envoy.Counters({})) == "no counters"
    assert f"{HTTPBIN}.upstream_rq_retry: 3" in repr(found)


def test_routes_are_in_envoys_order_and_those_of_other_hosts_are_left_out() -> None:
    text = table(
        {"match": {"connect_matcher": {}}, "route": {"cluster": "capture"}},
        {
            "match": {
                "prefix": "/",
                "headers": [{"name": "end-user", "string_match": {"exact": "jason"}}],
            },
            "route": {"cluster": "outbound|9080|v2|reviews.default.svc.cluster.local"},
        },
        {
            "match": {"prefix": "/"},
            "route": {"cluster": "outbound|9080|v1|reviews.default.svc.cluster.local"},
        },
    )
    asked: list[str] = []
    found = envoy.routes(asking(text, asked), "reviews")
    assert asked == [envoy.ROUTES]
    assert [(route.when, route.then) for route in found.routes] == [
        ("end-user = jason", "reviews v2"),
        ("anything", "reviews v1"),
    ]
    assert repr(found).splitlines()[1].startswith("2. if anything")
    assert "<td style='text-align:left'>reviews v2</td>" in found._repr_html_()
    assert (len(found), found[0].besides) == (2, "")
    none = envoy.routes(asking(text, []), "ratings")
    assert repr(none) == 'no routes for "ratings"'
    assert "no routes" in none._repr_html_()


def test_every_condition_is_put_into_words() -> None:
    headers = [
        {"name": ":method", "string_match": {"exact": "POST"}},
        {"name": "x-any", "present_match": True},
        {"name": "x-no", "present_match": True, "invert_match": True},
        {"name": "x-pre", "string_match": {"prefix": "t-"}},
        {"name": "x-re", "string_match": {"safe_regex": {"regex": "a.*"}}},
    ]
    parameters = [{"name": "a", "string_match": {"suffix": "b"}}]
    match = {"prefix": "/api", "headers": headers, "query_parameters": parameters}
    assert only({"match": match, "redirect": {}}) == envoy.Route(
        "path begins with /api and method = POST and x-any is there and not (x-no is there) "
        "and x-pre begins with t- and x-re ~ a.* and ?a ends with b",
        "redirect",
        "",
    )
    assert only({"match": {"path": "/x"}}).when == "path = /x"
    assert only({"match": {"safe_regex": {"regex": "/v.*"}}}).when == "path ~ /v.*"
    assert only({"match": {"path_separated_prefix": "/p"}}).when == "path is /p or below"


def test_where_a_request_goes_and_what_is_done_with_it_besides() -> None:
    action = {
        "weighted_clusters": {
            "clusters": [
                {"name": "outbound|80|v1|a.b.svc.cluster.local", "weight": 90},
                {"name": "PassthroughCluster", "weight": 10},
            ]
        },
        "timeout": "0.500s",
        "retry_policy": {"retry_on": "5xx,reset,connect-failure", "num_retries": 3},
        "request_mirror_policies": [{"cluster": "outbound|80|v3|a.b.svc.cluster.local"}],
    }
    fault = {
        "delay": {"fixed_delay": "2s", "percentage": {"numerator": 200000, "denominator": "MILLION"}},
        "abort": {"http_status": 500, "percentage": {"numerator": 10}},
    }  # fmt: skip
    filters = {"envoy.filters.http.fault": fault}
    found = only({"match": {"prefix": "/"}, "route": action, "typed_per_filter_config": filters})
    assert found.then == "90 → a v1, 10 → PassthroughCluster"
    assert found.besides == (
        "delay 2s for 20 %, abort 500 for 10 %, timeout 0.5 s, 3 retries on 5xx, reset …, copy to a v3"
    )
    assert only({"direct_response": {"status": 418}}).then == "answer 418"
    teapot = {"status": 418, "body": {"inline_string": "short and stout"}}
    assert only({"direct_response": teapot}).then == "answer 418 short and stout"


def test_the_share_of_slow_requests_has_an_interval() -> None:
    samples = [Sample(0, 0, 0.1 if number < 30 else 2.0, 200) for number in range(40)]
    found = Result("http://x", samples, 1.0).slower(1.0)
    assert found.share == 0.25
    assert found.low < 0.25 < found.high
