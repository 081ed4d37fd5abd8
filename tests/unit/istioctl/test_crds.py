"""The notation of schemas, and what it makes of our definitions."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.istioctl import crds
from meshcourse.embedded.istioctl.crds import language
from meshcourse.embedded.istioctl.crds.language import Compiler, LanguageError

Schema = dict[str, Any]


def compile_(text: str) -> Schema:
    nodes = language.parse(text)
    types = {node.words[1]: node for node in nodes if node.head == "type"}
    root = next(node for node in nodes if node.head == "root")
    return Compiler(types).object(root)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("a string", {"type": "string"}),
        ("a string -- Explained.", {"type": "string", "description": "Explained."}),
        ("a [string]", {"type": "array", "items": {"type": "string"}}),
        (
            "a {int32}",
            {"type": "object", "additionalProperties": {"type": "integer", "format": "int32"}},
        ),
        ("a A|B", {"type": "string", "enum": ["A", "B"]}),
        ("a uint32", {"type": "integer", "minimum": 0, "maximum": 4294967295}),
        (
            "a number min=0 max=100",
            {"type": "number", "format": "double", "minimum": 0, "maximum": 100},
        ),
        ("a string default=x minLength=1", {"type": "string", "default": "x", "minLength": 1}),
        ('a string default=""', {"type": "string", "default": ""}),
        ("a any", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        (
            "a [T]",
            {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "bool"}}}},
        ),
        ("a N", {"type": "string", "maxLength": 3}),
    ],
)
def test_a_line_is_a_field(line: str, wanted: Schema) -> None:
    text = f"type T\n  x bool\ntype N string maxLength=3\nroot r\n  {line}\n"
    found = compile_(text)["properties"]["a"]
    assert found == _with_bool(wanted)


def _with_bool(schema: Any) -> Any:
    """`bool` in the table above is OpenAPI's boolean."""
    if isinstance(schema, dict):
        return {k: "boolean" if v == "bool" else _with_bool(v) for k, v in schema.items()}
    return schema


def test_indentation_nests_and_required_is_a_mark() -> None:
    found = compile_("root r\n  a! object\n    b! string\n    c [object]\n      d bool\n")
    assert found["required"] == ["a"]
    inner = found["properties"]["a"]
    assert inner["required"] == ["b"]
    assert inner["properties"]["c"]["items"]["properties"] == {"d": {"type": "boolean"}}


def test_exclusive_fields() -> None:
    found = compile_("root r\n  one-of a b\n  a string\n  b string\n")
    each = [{"required": ["a"]}, {"required": ["b"]}]
    assert found["oneOf"] == [{"not": {"anyOf": each}}, *each]
    exactly = compile_("root r\n  exactly-one-of a b\n  a string\n  b string\n")
    assert exactly["oneOf"] == each


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a", "line 2: a has no type"),
        ("a strin", "line 2: 'strin' is not a type"),
        ("a string mni=1", "line 2: 'mni=1' is not a constraint"),
    ],
)
def test_mistakes_are_found_with_their_line(line: str, words: str) -> None:
    with pytest.raises(LanguageError, match=words):
        compile_(f"root r\n  {line}\n")


EVERY = [*crds.istio(), *crds.gateway_api()]


@pytest.mark.parametrize("crd", EVERY, ids=lambda crd: crd["metadata"]["name"])
def test_definitions_are_well_formed(crd: dict[str, Any]) -> None:
    spec = crd["spec"]
    assert crd["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    assert [version["storage"] for version in spec["versions"]].count(True) == 1
    for version in spec["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        assert schema["properties"]["spec"]["type"] == "object"
        assert schema["description"]
        _structural(schema)


def _structural(schema: Schema) -> None:
    """Every node has a type, as the API server demands."""
    assert "type" in schema or schema.get("x-kubernetes-int-or-string")
    for child in (schema.get("properties") or {}).values():
        _structural(child)
    for key in ("items", "additionalProperties"):
        if key in schema:
            _structural(schema[key])


def test_all_kinds_of_istio_are_there() -> None:
    kinds = {crd["spec"]["names"]["kind"]: crd["spec"] for crd in crds.istio()}
    assert len(kinds) == 15
    assert [v["name"] for v in kinds["VirtualService"]["versions"]] == ["v1", "v1alpha3", "v1beta1"]
    assert kinds["DestinationRule"]["names"]["shortNames"] == ["dr"]
    assert kinds["PeerAuthentication"]["names"]["categories"] == ["istio-io", "security-istio-io"]
    columns = kinds["VirtualService"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == ["Gateways", "Hosts", "Age"]


def test_the_main_fields_are_explained() -> None:
    service = next(c for c in crds.istio() if c["spec"]["names"]["kind"] == "VirtualService")
    schema = service["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    http = schema["properties"]["spec"]["properties"]["http"]["items"]["properties"]
    assert all(
        http[name]["description"] for name in ("match", "route", "timeout", "retries", "fault")
    )


def test_gateway_api_defaults() -> None:
    route = next(c for c in crds.gateway_api() if c["spec"]["names"]["kind"] == "HTTPRoute")
    schema = route["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rules = schema["properties"]["spec"]["properties"]["rules"]
    assert rules["default"] == [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]
    backend = rules["items"]["properties"]["backendRefs"]["items"]["properties"]
    assert backend["kind"]["default"] == "Service"
    assert backend["group"]["default"] == ""
