"""``kubectl api-resources``."""

from __future__ import annotations

from meshcourse.cluster.kinds import Kind
from meshcourse.kubectl import tables
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context

FLAGS = (
    Flag("api-group"),
    Flag("namespaced"),
    Flag("no-headers", "", "switch"),
    Flag("verbs"),
    Flag("categories"),
    Flag("sort-by"),
)


def run(context: Context) -> int:
    args = context.args
    kinds = sorted(
        context.cluster.served(refresh=True).all, key=lambda kind: (kind.group, kind.plural)
    )
    preferred: dict[tuple[str, str], Kind] = {}
    for kind in kinds:  # one version of each: the first is the server's preference
        preferred.setdefault((kind.group, kind.plural), kind)
    kinds = [kind for kind in preferred.values() if kind.verbs]
    if args.given("api-group"):
        kinds = [kind for kind in kinds if kind.group == args.text("api-group")]
    if args.given("namespaced"):
        kinds = [kind for kind in kinds if kind.namespaced == args.on("namespaced")]
    if args.given("verbs"):
        kinds = [kind for kind in kinds if set(args.text("verbs").split(",")) <= set(kind.verbs)]
    if args.text("output") == "name":
        for kind in kinds:
            context.say(kind.qualified)
        return 0
    wide = args.text("output") == "wide"
    head = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    rows = [] if args.on("no-headers") else [head + (["VERBS", "CATEGORIES"] if wide else [])]
    for kind in kinds:
        row = [
            kind.plural,
            ",".join(kind.short_names),
            kind.api_version,
            str(kind.namespaced).lower(),
            kind.kind,
        ]
        rows.append(row + ([",".join(kind.verbs), ",".join(kind.categories)] if wide else []))
    context.write(tables.render(rows))
    return 0
