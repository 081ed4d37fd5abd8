"""What ``label`` and ``annotate`` share: ``key=value`` sets, ``key-`` removes, changing needs ``--overwrite``."""

from __future__ import annotations

from meshcourse.cluster.manifests import dig
from meshcourse.cluster.rest import MERGE_PATCH
from meshcourse.kubectl import naming, output
from meshcourse.kubectl.apply import query_for, suffix
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (Flag("overwrite", "", "switch"), Flag("all", "", "switch"), Flag("list", "", "switch"))


def change(context: Context, field: str, said: str) -> int:
    """Change ``metadata.<field>`` of the objects meant.

    :param said: the word for what was done: ``labeled``, ``annotated``.
    :raises KubectlError: if a value is there already and may not be overwritten.
    """
    words = [word for word in context.args.words if not _is_change(word)]
    changes = dict(_change(word) for word in context.args.words if _is_change(word))
    if not changes and not context.args.on("list"):
        raise KubectlError(f"at least one {field[:-1]} update is required")
    for target, obj in naming.resolve(context, words):
        old = dig(obj, f"metadata.{field}", {})
        _check(context, old, changes)
        if context.args.on("list"):
            context.write("".join(f"{key}={value}\n" for key, value in sorted(old.items())))
            continue
        patch = {"metadata": {field: changes}}
        path = target.path(dig(obj, "metadata.namespace", ""))
        query = query_for(context, f"kubectl-{said.removesuffix('ed')}")
        changed = context.cluster.api.request(
            "PATCH", path, query=query, body=patch, content_type=MERGE_PATCH
        )
        if context.args.given("output"):
            output.objects(context, [(target.kind, changed)], as_list=False)
            continue
        outcome = _outcome(said, old, dig(changed, f"metadata.{field}", {}), changes)
        context.say(f"{target.kind.printed}/{target.name} {outcome}{suffix(context)}")
    return 0


def _is_change(word: str) -> bool:
    return "=" in word or (word.endswith("-") and len(word) > 1)


def _change(word: str) -> tuple[str, str | None]:
    key, equals, value = word.partition("=")
    return (key, value) if equals else (key.removesuffix("-"), None)


def _check(context: Context, old: dict[str, str], changes: dict[str, str | None]) -> None:
    if context.args.on("overwrite"):
        return
    for key, value in changes.items():
        if value is not None and old.get(key, value) != value:
            raise KubectlError(
                f"'{key}' already has a value ({old[key]}), and --overwrite is false"
            )


def _outcome(
    said: str, old: dict[str, str], new: dict[str, str], changes: dict[str, str | None]
) -> str:
    if said == "annotated":
        return said
    if new == old:
        return f"not {said}"
    return f"un{said}" if all(value is None for value in changes.values()) else said
