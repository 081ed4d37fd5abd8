"""``istioctl validate``: what istiod's webhook would say about files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from meshcourse import versions
from meshcourse.embedded.istio import validate
from meshcourse.embedded.istioctl import structure
from meshcourse.embedded.istioctl.analyze import documents, services
from meshcourse.embedded.istioctl.commands.analyze import files
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_OPS: Final = f"https://istio.io/v{versions.ISTIO.rpartition('.')[0]}/docs/ops"
_REQUIREMENTS: Final = f"{_OPS}/deployment/requirements/"
_SELECTION: Final = f"{_OPS}/configuration/traffic-management/protocol-selection/"
_TOP: Final = frozenset(("apiVersion", "kind", "metadata", "spec", "status"))
_NAME_LABELS: Final = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
_VERSION_LABELS: Final = (
    "service.istio.io/canonical-revision",
    "app.kubernetes.io/version",
    "version",
)
_MISSING: Final = (
    "error: you must specify resources by --filename.\n"
    "Example resource specifications include:\n"
    "   '-f rsrc.yaml'\n"
    "   '--filename=rsrc.json'"
)


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "validate",
        aliases=["v"],
        parents=parents,
        help="Validate Istio policy and rules files",
        description="Checks files as istiod would, one object at a time and without a cluster.\n"
        "`istioctl analyze` also looks at how objects fit together.",
        epilog="  # one file, and all files of a directory\n"
        "  istioctl validate -f routes.yaml -f policies/\n\n"
        "  # what the cluster has\n"
        "  kubectl get services -o yaml | istioctl validate -f -",
    )
    parser.add_argument("--filename", "-f", action="append", default=[], help="Files to validate")
    parser.set_defaults(run=run)


@dataclass(slots=True)
class Verdict:
    """About one file: what is wrong, what is doubtful, what is worth a note."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(ctx: Context, options: argparse.Namespace) -> int:
    names = [name for one in options.filename for name in one.split(",")]
    if not names:
        raise Failure(_MISSING)
    verdicts: dict[str, Verdict] = {}
    missing = []
    for name in names:
        if name != "-" and not Path(name).exists():
            missing.append(f'cannot stat file "{name}": stat {name}: no such file or directory')
            continue
        for path in _paths(name):
            text = sys.stdin.read() if path == "-" else files.read(Path(path))
            verdicts[path] = judge(path, text, ctx.istio_namespace)
    return _print(ctx, verdicts, missing)


def _paths(name: str) -> Iterator[str]:
    path = Path(name)
    if name == "-" or not path.is_dir():
        yield name
        return
    found = sorted(one for one in path.rglob("*") if one.is_file())
    yield from (str(one) for one in found if one.suffix in files.EXTENSIONS)


def _print(ctx: Context, verdicts: Mapping[str, Verdict], missing: Sequence[str]) -> int:
    errors = [*missing, *(error for one in verdicts.values() for error in one.errors)]
    for note in (note for one in verdicts.values() for note in one.notes):
        ctx.warn(note)
    for name, verdict in verdicts.items():
        if verdict.warnings:
            listed = "\n\t".join(f"* {one}" for one in verdict.warnings)
            prefix = "" if name == "-" else f'"{name}" has warnings: '
            ctx.warn(f"{prefix}\n\t{listed}\n")
        elif not errors:
            ctx.warn("validation succeed" if name == "-" else f'"{name}" is valid')
    if errors:
        raise Failure(occurred(errors))
    return 0


def occurred(errors: Sequence[str]) -> str:
    """Errors as Go's multierror lists them."""
    lines = "".join(f"\n\t* {error}" for error in errors)
    plural = "s" if len(errors) > 1 else ""
    return f"{len(errors)} error{plural} occurred:{lines}\n\n"


def judge(path: str, text: str, istio_namespace: str) -> Verdict:
    """What is wrong with the documents of a file."""
    verdict = Verdict()
    for _, chunk in documents.split(text):
        try:
            document = yaml.load(chunk, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            why = " ".join(str(error).split())
            verdict.errors.append(f"failed to decode file {path}: : {why}")
            continue
        for obj in members(document):
            _object(verdict, obj, istio_namespace)
    return verdict


def members(document: Any) -> Iterator[Object]:
    """The objects in a document, which may be a List."""
    if not isinstance(document, dict):
        return
    if document.get("kind") == "List":
        yield from (one for one in document.get("items") or () if isinstance(one, dict))
    else:
        yield document


def _object(verdict: Verdict, obj: Object, istio_namespace: str) -> None:
    kind, namespace, name = obj.get("kind", ""), objects.namespace(obj), objects.name(obj)
    where = f"{kind}/{namespace}/{name}:"
    if kind == "Service" and namespace != istio_namespace:
        verdict.errors += (f"{where} {one}" for one in _service(obj))
    elif kind == "Deployment" and namespace != istio_namespace:
        verdict.notes += _deployment(obj)
    elif str(obj.get("apiVersion", "")).partition("/")[0].endswith("istio.io"):
        errors, warnings = _istio(obj)
        verdict.errors += (f"{where} {one}" for one in errors)
        verdict.warnings += (f"{where} {one}" for one in warnings)


def _istio(obj: Object) -> tuple[Iterable[str], Iterable[str]]:
    unreadable = [*structure.mistyped(obj), *structure.unknown(obj)]
    if unreadable:
        return [f"cannot parse proto message: {unreadable[0]}"], []
    unknown = [f'unknown field "{key}"' for key in obj if key not in _TOP]
    if unknown:
        return unknown, []
    meta = {**objects.meta(obj), "namespace": objects.namespace(obj) or "default"}
    result = validate.check({**obj, "metadata": meta})
    return result.errors, result.warnings


def _service(obj: Object) -> Iterator[str]:
    """Ports whose protocol Istio cannot tell from the name."""
    quoted = f'"{objects.name(obj)}/{objects.namespace(obj)}/:"'
    for port in objects.dig(obj, "spec.ports", []):
        name, declared = port.get("name"), port.get("appProtocol")
        if str(port.get("protocol", "")).upper() == "UDP":
            continue
        if declared is not None:
            if str(declared).lower() not in services.PROTOCOLS:
                yield (
                    f"service {quoted} doesn't follow Istio protocol selection. "
                    f"This is not recommended, See {_SELECTION}"
                )
        elif name is None:
            yield f"service {quoted} has an unnamed port. This is not recommended, See {_REQUIREMENTS}"
        elif str(name).partition("-")[0].lower() not in services.PROTOCOLS:
            yield (
                f'service {quoted} port "{name}" does not follow the Istio naming convention. '
                f"See {_REQUIREMENTS}"
            )


def _deployment(obj: Object) -> Iterator[str]:
    """Without these labels metrics name neither the application nor its version."""
    labels = objects.dig(obj, "spec.template.metadata.labels", {})
    found = (any(key in labels for key in keys) for keys in (_NAME_LABELS, _VERSION_LABELS))
    if not all(found):
        quoted = f'"{objects.name(obj)}/{objects.namespace(obj)}:"'
        shown = " ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items()))
        yield (
            f"deployment {quoted} may not provide Istio metrics and telemetry labels: map[{shown}]. "
            f"See {_REQUIREMENTS}"
        )
