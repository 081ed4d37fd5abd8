"""The expression language of CRD rules."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.apiserver.schemas import cel, patterns

_SELF = {
    "s": "hello",
    "n": 7,
    "list": [1, 2, 3],
    "items": [{"name": "a", "n": 1}, {"name": "b"}],
    "map": {"x": "1", "y": "2"},
    "namespace": "ns",
    "a-b": True,
    "nothing": None,
}


def value(text: str, **scope: Any) -> Any:
    return cel.compile_expression(text)({"self": _SELF, **scope})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 == 7", True),
        ("(1 + 2) * 3", 9),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7.0 / 2.0", 3.5),
        ("'a' + \"b\"", "ab"),
        ("[1] + [2]", [1, 2]),
        ("0x1F", 31),
        ("1e3 > 999", True),
        ("5u == 5", True),
        ("1 == 1.0", True),
        ("true == 1", False),
        ("'1' == 1", False),
        ("{'a': [1]} == {'a': [1.0]}", True),
        ("!true || 1 < 2 && 2 <= 2", True),
        ("2 in [1, 2]", True),
        ("'x' in self.map", True),
        ("self.n > 5 ? 'big' : 'small'", "big"),
        ("false ? 1 : true ? 2 : 3", 2),
        ("has(self.s) && !has(self.t)", True),
        ("has(self.map.x)", True),
        ("self.map['y']", "2"),
        ("self.list[1]", 2),
        ("self.list.size() + size(self.s)", 8),
        ("self.__namespace__", "ns"),
        ("self.a__dash__b", True),
        ("self.nothing == null", True),
        ("self.list.all(x, x > 0)", True),
        ("self.list.exists(x, x == 3)", True),
        ("self.list.exists_one(x, x > 2)", True),
        ("self.list.exists_one(x, x > 1)", False),
        ("self.list.filter(x, x > 1)", [2, 3]),
        ("self.list.map(x, x * 2)", [2, 4, 6]),
        ("self.list.map(x, x > 1, x * 2)", [4, 6]),
        ("self.map.all(k, k.size() == 1)", True),
        ("self.items.all(a, self.items.exists_one(b, a.name == b.name))", True),
        ("self.items.exists(i, i.n == 1)", True),
        ("self.s.matches('^h.*o$')", True),
        ("self.s.matches('ell')", True),
        ("self.s.startsWith('he') && self.s.endsWith('lo') && self.s.contains('ll')", True),
        ("'a/b/c'.split('/')[0]", "a"),
        ("'a/b/c'.split('/', 2)", ["a", "b/c"]),
        ("self.s.substring(1, 3)", "el"),
        ("self.s.upperAscii()", "HELLO"),
        ("['a', 'b'].join('-')", "a-b"),
        ("int('42') + 1", 43),
        ("string(1) + string(true)", "1true"),
        ("duration('1h30m') > duration('90s')", True),
        ("duration('1ms') >= duration('1ms')", True),
        ("'10s' < duration('1m')", True),
        ("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')", True),
        ("isURL('https://a.b/c') && !isURL('a b')", True),
        ("url('https://a.b:80/c').getHostname()", "a.b"),
        ("url('oci://x/y').getScheme() in ['oci']", True),
        ("isIP('::1') && !isIP('a.b')", True),
        ("format.dns1123Label().validate('ok') == null", True),
        ("format.dns1123Label().validate('NO') == null", False),
        (r"'\u0041\x42\n' == 'AB' + '\n'", True),
        (r"r'\d+' == '\\d+'", True),
        ("'''it's''' == \"it's\"", True),
        ("1 // a remark\n + 1", 2),
    ],
)
def test_values(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("self.missing", "no such key: missing"),
        ("self.map['z']", "no such key: z"),
        ("self.list[9]", "index out of bounds: 9"),
        ("self.s + 1", "no such overload"),
        ("1 + true", "no such overload"),
        ("1 < 'a'", "no such overload"),
        ("self.n.startsWith('a')", "no such overload"),
        ("1 / 0", "division by zero"),
        ("!1", "no such overload"),
        ("1 ? 2 : 3", "no such overload"),
        ("duration('soon')", 'time: invalid duration "soon"'),
        ("nobody", "undeclared reference to 'nobody' (in container '')"),
        ("self.items.all(i, i.n == 1)", "no such key: n"),
        ("int('x')", "strconv.ParseInt: parsing 'x': invalid syntax"),
    ],
)
def test_errors(text: str, problem: str) -> None:
    with pytest.raises(cel.EvaluationError) as found:
        value(text)
    assert str(found.value) == problem


def test_logic_forgives_what_does_not_matter() -> None:
    assert value("self.missing || true") is True
    assert value("true || self.missing") is True
    assert value("self.missing && false") is False
    with pytest.raises(cel.EvaluationError):
        value("self.missing || false")
    with pytest.raises(cel.EvaluationError):
        value("self.missing && true")
    assert value("self.items.exists(i, i.n == 1 || i.name == 'z')") is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "self.",
        "(1",
        "[1, 2",
        "{'a' 1}",
        "'open",
        "a b",
        "self.f(",
        "1 ? 2",
        "@",
        "has()",
        "has(1)",
        "all(x, true)",
    ],
)
def test_what_is_not_the_language(text: str) -> None:
    with pytest.raises(cel.SyntaxProblem):
        cel.compile_expression(text)


def test_durations() -> None:
    assert value("duration('1.5s')") == dt.timedelta(seconds=1.5)
    assert value("duration('-1h2m')") == -dt.timedelta(hours=1, minutes=2)
    assert value("duration('100us')") == dt.timedelta(microseconds=100)


@given(st.text(max_size=30))
def test_nonsense_is_refused_not_suffered(text: str) -> None:
    try:
        value(text)
    except (cel.SyntaxProblem, cel.EvaluationError):
        pass


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("a$|b", "xa", True),
        ("[$]x", "$x", True),
        (r"\$x", "$x", True),
        (r"^a\z", "a\n", False),
        ("x(?i)abc", "XABC", True),
        ("[[:alpha:]]+[]x]", "ab]", True),
        ("[^]]", "]", False),
        ("[a[b]", "[", True),
    ],
)
def test_patterns_as_go_reads_them(pattern: str, text: str, expected: bool) -> None:
    assert patterns.found(pattern, text) is expected
