"""``kubectl patch``: a change of some fields, as strategic merge patch, merge patch or JSON patch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from meshcourse.cluster.manifests import dig
from meshcourse.cluster.rest import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from meshcourse.kubectl import naming, output
from meshcourse.kubectl.apply import query_for, suffix
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (Flag("patch", "p"), Flag("patch-file"), Flag("type"), Flag("subresource"))
_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}


def run(context: Context) -> int:
    kind = context.args.text("type", "strategic").lower()
    if kind not in _TYPES:
        raise KubectlError(f'--type must be one of [json merge strategic], not "{kind}"')
    patch = _patch(context)
    for target, before in naming.resolve(context, context.args.words):
        path = target.path(dig(before, "metadata.namespace", ""), context.args.text("subresource"))
        after = context.cluster.api.request(
            "PATCH",
            path,
            query=query_for(context, "kubectl-patch"),
            body=patch,
            content_type=_TYPES[kind],
        )
        if context.args.given("output"):
            output.objects(context, [(target.kind, after)], as_list=False)
            continue
        same = dig(before, "metadata.resourceVersion") == dig(after, "metadata.resourceVersion")
        outcome = f"patched{suffix(context)}{' (no change)' if same else ''}"
        context.say(f"{target.kind.printed}/{target.name} {outcome}")
    return 0


def _patch(context: Context) -> Any:
    """The patch, written as JSON or YAML."""
    text = context.args.text("patch")
    if name := context.args.text("patch-file"):
        text = Path(context.folder, name).read_text(encoding="utf-8")
    if not text:
        raise KubectlError(
            "must specify --patch or --patch-file containing the contents of the patch"
        )
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KubectlError(f'unable to parse "{text}": yaml: {error}') from error
