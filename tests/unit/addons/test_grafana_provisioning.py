"""The dashboards that a real Grafana gets are those that the stand-in serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshcourse import paths
from meshcourse.embedded.addons.grafana import dashboards, provisioning

MANIFEST = paths.home() / "labs" / "addons" / "grafana.yaml"


def objects(kind: str) -> dict[str, Any]:
    found = yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def test_the_manifest_carries_the_definitions() -> None:
    written = MANIFEST.read_text(encoding="utf-8")
    again = f"python -m {provisioning.__name__} labs/addons/grafana.yaml"
    assert written == provisioning.manifest(written, dashboards.ALL), f"write it anew: {again}"
    assert len(dashboards.ALL) == 4
    for uid, board in dashboards.ALL.items():
        (text,) = objects("ConfigMap")[f"grafana-dashboard-{uid}"]["data"].values()
        assert json.loads(text) == board


def test_every_dashboard_is_mounted_where_the_provider_looks() -> None:
    maps = objects("ConfigMap")
    provider = yaml.safe_load(maps["grafana-providers"]["data"]["dashboards.yaml"])
    assert provider["providers"][0]["options"]["path"] == provisioning.FOLDER
    pod = objects("Deployment")["grafana"]["spec"]["template"]["spec"]
    volumes = {each["name"]: each["configMap"]["name"] for each in pod["volumes"]}
    mounts = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
    assert set(volumes.values()) <= set(maps)
    for uid in dashboards.ALL:
        assert volumes[mounts[f"{provisioning.FOLDER}/{uid}"]] == f"grafana-dashboard-{uid}"


def test_files_are_read_back_and_what_is_no_dashboard_is_left_out(tmp_path: Path) -> None:
    for uid, board in dashboards.ALL.items():
        (tmp_path / uid).mkdir()
        (tmp_path / uid / f"{uid}.json").write_text(provisioning.text(board))
    (tmp_path / "mesh" / "broken.json").write_text("{")
    (tmp_path / "mesh" / "list.json").write_text("[]")
    assert provisioning.read(tmp_path) == dashboards.ALL
    assert provisioning.read(tmp_path / "nothing") == {}


def test_a_manifest_without_a_place_for_them_is_refused() -> None:
    with pytest.raises(ValueError, match="no line"):
        provisioning.manifest("kind: ConfigMap\n", dashboards.ALL)
