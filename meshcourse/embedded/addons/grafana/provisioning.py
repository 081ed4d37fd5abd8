"""Dashboards as files: in the manifest for a real Grafana, and read back from where they are mounted.

``python -m meshcourse.embedded.addons.grafana.provisioning labs/addons/grafana.yaml`` writes the ConfigMaps anew.
Source: grafana.com, "Provision Grafana": providers and dashboard files.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meshcourse.embedded.addons.grafana import dashboards

Json = dict[str, Any]
#: Where the manifest mounts the dashboards, a folder each.
FOLDER = "/var/lib/grafana/dashboards"
#: What follows this line of the manifest is generated.
MARK = "# Generated: the dashboards.\n"


def read(folder: Path) -> dict[str, Json]:
    """uid → dashboard for all files below `folder`; what is no dashboard is left out, as by Grafana."""
    found = {}
    for path in sorted(folder.glob("*/*.json")):
        try:
            board = json.loads(path.read_text(encoding="utf-8"))
            found[str(board["uid"])] = board
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def manifest(handwritten: str, boards: Mapping[str, Json]) -> str:
    """The manifest with one ConfigMap for each dashboard at its end.

    :raises ValueError: if `handwritten` lacks the line that says where.
    """
    kept, mark, _ = handwritten.partition(MARK)
    if not mark:
        raise ValueError(f"the manifest has no line {MARK.strip()!r}")
    return kept + mark + "".join(_config_map(uid, board) for uid, board in boards.items())


def _config_map(uid: str, board: Json) -> str:
    return (
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n"
        f"  name: grafana-dashboard-{uid}\n  namespace: istio-system\n"
        f"data:\n  {uid}.json: |\n{textwrap.indent(text(board), '    ')}\n"
    )


def text(board: Json) -> str:
    """JSON with a line for each panel and each variable, so that a change is a readable difference."""
    lines = ["{"]
    for name, value in board.items():
        if name not in ("panels", "templating"):
            lines.append(f"{json.dumps(name)}: {json.dumps(value)},")
    variables, panels = _rows(board["templating"]["list"]), _rows(board["panels"])
    lines += ['"templating": {"list": [', *variables, "]},", '"panels": [', *panels, "]", "}"]
    return "\n".join(lines)


def _rows(values: list[Json]) -> list[str]:
    last = len(values) - 1
    return [json.dumps(each) + ("," if i < last else "") for i, each in enumerate(values)]


def main(path: Path) -> None:
    """Write the generated part of the manifest anew."""
    path.write_text(manifest(path.read_text(encoding="utf-8"), dashboards.ALL), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
