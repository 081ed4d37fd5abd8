"""Generated rules and requests for property tests: small alphabets, so that rules and requests meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

PATHS = ("/", "/a", "/a/b", "/A", "/ab", "/b/c")
PREFIXES = ("/", "/a", "/a/", "/b")
REGEXES = ("/a.*", "/[ab]", "/(a|b)/.+", ".*", "/[A-Z]")
VALUES = ("one", "two", "onetwo", "")
NAMES = ("x-h", "x-i")
METHODS = ("GET", "POST", "PUT")
SUBSETS = ("v1", "v2", "v9", "")


def text(exact: tuple[str, ...], prefixes: tuple[str, ...], regexes: tuple[str, ...]) -> Any:
    """A StringMatch."""
    return st.one_of(
        st.sampled_from(exact).map(lambda one: {"exact": one}),
        st.sampled_from(prefixes).map(lambda one: {"prefix": one}),
        st.sampled_from(regexes).map(lambda one: {"regex": one}),
    )


def some(**fields: Any) -> Any:
    """Some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


value = text(("one", "two"), ("on", "t"), ("o.*", "(one|two)", ".+"))
named = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(value, st.just({})), min_size=1, max_size=2
)
match = some(
    uri=text(PATHS, PREFIXES, REGEXES),
    ignoreUriCase=st.booleans(),
    headers=named,
    withoutHeaders=named,
    queryParams=st.dictionaries(st.sampled_from(("q", "r")), value, min_size=1, max_size=1),
    method=text(METHODS, ("P",), ("(GET|PUT)",)),
    scheme=text(("http", "https"), ("h",), ("http",)),
    authority=st.sampled_from(({"prefix": "s"}, {"exact": "elsewhere"}, {"regex": ".*:9080"})),
    port=st.sampled_from((9080, 9081)),
    sourceLabels=st.sampled_from(({"app": "web"}, {"app": "other"})),
    gateways=st.sampled_from((["mesh"], ["edge"])),
)
changes = some(
    set=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("set", "one")), max_size=1),
    add=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("add", "two")), max_size=1),
    remove=st.lists(st.sampled_from(NAMES), max_size=1),
)
headers = some(request=changes, response=changes)


@st.composite
def destinations(draw: Any) -> list[Json]:
    """One destination, or two with weights."""
    count = draw(st.sampled_from((1, 1, 2)))
    found = []
    for _ in range(count):
        target: Json = {"host": "HOST"}
        if subset := draw(st.sampled_from(SUBSETS)):
            target["subset"] = subset
        one: Json = {"destination": target}
        if count > 1:
            one["weight"] = draw(st.sampled_from((0, 30, 70, 100)))
        if draw(st.booleans()):
            one["headers"] = draw(headers)
        found.append(one)
    return found


redirect = some(
    uri=st.sampled_from(("/there", "/t?x=1")),
    authority=st.just("other.example"),
    scheme=st.sampled_from(("http", "https")),
    redirectCode=st.sampled_from((301, 302, 303, 307, 308)),
    port=st.sampled_from((80, 443, 8080)),
)
rewrite = st.one_of(
    some(uri=st.sampled_from(("/", "/new", "/new/")), authority=st.just("rewritten")),
    st.sampled_from((("/(a|b)", r"/x\1"), ("^/([^/]+)/(.*)$", r"/\2/\1"), ("b", ""))).map(
        lambda one: {"uriRegexRewrite": {"match": one[0], "rewrite": one[1]}}
    ),
)
abort = st.sampled_from((418, 503)).map(
    lambda code: {"abort": {"httpStatus": code, "percentage": {"value": 100}}}
)


@st.composite
def route(draw: Any) -> Json:
    """One HTTP route."""
    found: Json = {}
    if matches := draw(st.lists(match, max_size=2)):
        found["match"] = matches
    kind = draw(st.sampled_from(("route",) * 5 + ("redirect", "direct")))
    if kind == "redirect":
        return {**found, "redirect": draw(redirect)}
    if kind == "direct":
        return {**found, "directResponse": {"status": draw(st.sampled_from((200, 299, 404)))}}
    found["route"] = draw(destinations())
    found |= draw(some(rewrite=rewrite, headers=headers))
    if draw(st.integers(0, 9)) == 0:
        found["fault"] = draw(abort)
    return found


routes = st.lists(route(), min_size=1, max_size=4)

source = some(
    principals=st.lists(
        st.sampled_from(("cluster.local/ns/default/sa/web", "*/sa/web", "cluster.local/*", "x")),
        min_size=1,
        max_size=2,
    ),
    notPrincipals=st.lists(st.sampled_from(("*", "cluster.local/ns/other/*")), max_size=1),
    namespaces=st.lists(st.sampled_from(("default", "o*")), min_size=1, max_size=1),
    ipBlocks=st.lists(st.sampled_from(("127.0.0.0/8", "10.0.0.0/8")), min_size=1, max_size=1),
)
operation = some(
    methods=st.lists(st.sampled_from(("GET", "P*", "POST")), min_size=1, max_size=2),
    paths=st.lists(st.sampled_from(("/a*", "/new*", "*b", "/a/{*}", "/")), min_size=1, max_size=2),
    notPaths=st.lists(st.sampled_from(("/b*", "/a")), max_size=1),
    hosts=st.lists(st.sampled_from(("s*", "rewritten")), min_size=1, max_size=1),
    ports=st.lists(st.sampled_from(("9080", "9081")), min_size=1, max_size=1),
)
condition = st.one_of(
    st.sampled_from(NAMES).map(
        lambda name: {"key": f"request.headers[{name}]", "values": ["one", "t*"]}
    ),
    st.just({"key": "source.namespace", "notValues": ["other"]}),
    st.just({"key": "destination.port", "values": ["9080"]}),
)
permission = some(
    **{
        "from": st.lists(
            source.filter(bool).map(lambda one: {"source": one}), min_size=1, max_size=2
        ),
        "to": st.lists(
            operation.filter(bool).map(lambda one: {"operation": one}), min_size=1, max_size=2
        ),
        "when": st.lists(condition, min_size=1, max_size=1),
    }
)
authorization = st.fixed_dictionaries(
    {"action": st.sampled_from(("ALLOW", "DENY"))},
    optional={"rules": st.lists(permission, min_size=1, max_size=2)},
)

request = st.fixed_dictionaries(
    {
        "path": st.sampled_from(PATHS),
        "query": st.sampled_from(("", "", "?q=one", "?q=two&r=onetwo", "?r=one")),
        "method": st.sampled_from(METHODS),
        "headers": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=2),
    }
)
