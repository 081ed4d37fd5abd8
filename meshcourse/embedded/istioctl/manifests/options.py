"""``--set path=value`` and ``-f FILE``: from the command line to one IstioOperator spec."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from meshcourse.embedded.istioctl.manifests import profiles
from meshcourse.embedded.istioctl.manifests.profiles import Spec
from meshcourse.errors import MeshcourseError

_STEP = re.compile(r"((?:\\.|[^.\[\\])+)((?:\[\d+\])*)\.?")
#: First words that stand for themselves; the short forms of real istioctl.
_ROOTS = frozenset(
    {
        "profile", "hub", "tag", "revision", "namespace", "meshConfig",
        "components", "values", "compatibilityVersion", "installPackagePath",
    }
)  # fmt: skip


class BadOption(MeshcourseError):
    """A setting that cannot be understood."""


def resolve(files: Iterable[Any], settings: Sequence[str]) -> Spec:
    """The spec that profile, files and settings describe; the last word counts.

    :param files: parsed documents, each an IstioOperator.
    :raises BadOption: for a setting without ``=`` or with an unknown first word.
    """
    own: Spec = {}
    for document in files:
        own = profiles.merge(own, _spec_of(document))
    for setting in settings:
        path, separator, value = setting.partition("=")
        if not separator:
            raise BadOption(
                f"set flag must be of the form path=value, got {setting!r}",
                remedy="write for example --set meshConfig.accessLogFile=/dev/stdout",
            )
        own = _put(own, _steps(path), _value(value), path)
    found: Spec = profiles.merge(profiles.spec(own.get("profile") or "default"), own)
    return found


def _spec_of(document: Any) -> Spec:
    if not isinstance(document, dict) or document.get("kind") != "IstioOperator":
        raise BadOption(
            "the file does not hold an IstioOperator",
            remedy="it should begin with apiVersion: install.istio.io/v1alpha1, kind: IstioOperator",
        )
    return document.get("spec") or {}


def _steps(path: str) -> list[str | int]:
    """``a.b[0].c`` → ``["a", "b", 0, "c"]``; a backslash keeps a dot in a key."""
    found: list[str | int] = []
    for key, indexes in _STEP.findall(path):
        found.append(re.sub(r"\\(.)", r"\1", key))
        found += [int(number) for number in re.findall(r"\d+", indexes)]
    if not found or found[0] not in _ROOTS:
        known = ", ".join(sorted(_ROOTS - {"installPackagePath", "compatibilityVersion"}))
        raise BadOption(
            f"unknown field {path.split('.')[0]!r} in --set {path}",
            remedy=f"settings begin with one of {known}",
        )
    return found


def _put(node: Any, steps: list[str | int], value: Any, path: str) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = list(node) if isinstance(node, list) else []
        if step > len(items):
            raise BadOption(f"index {step} in --set {path} leaves a gap")
        before = items[step] if step < len(items) else None
        items[step : step + 1] = [_put(before, rest, value, path)]
        return items
    fields = dict(node) if isinstance(node, dict) else {}
    fields[step] = _put(fields.get(step), rest, value, path)
    return fields


def _value(text: str) -> Any:
    """Booleans, numbers and JSON as what they are, anything else as text."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(found, float) else found
