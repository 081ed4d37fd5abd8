"""YAML as kubectl prints it: sorted keys, double quotes, literal blocks, no folding. Pure."""

from __future__ import annotations

from typing import Any

import yaml


def render(data: Any) -> str:
    """An object as YAML text."""
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=True,
        default_flow_style=False,
        width=80,
        allow_unicode=True,
    )


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    tag = "tag:yaml.org,2002:str"
    if "\n" in text:
        return dumper.represent_scalar(tag, text, style="|")
    found = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    plain = found in (tag, _INDICATOR)
    if not plain or text in _OLD_BOOLEANS:
        return dumper.represent_scalar(tag, text, style='"')
    return dumper.represent_scalar(tag, text)


#: What PyYAML takes ``*``, ``&`` and ``!`` for at the start of a text; they are texts all the same.
_INDICATOR = "tag:yaml.org,2002:yaml"
#: Words that YAML 1.1 read as booleans: still quoted by kubectl.
_OLD_BOOLEANS = {"y", "Y", "n", "N"}
_Dumper.add_representer(str, _string)
