"""Volumes: their files, how they are replaced, where they are mounted."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meshcourse.embedded.kubelet.layout import Layout
from meshcourse.embedded.kubelet.pods.environment import ConfigError, Sources
from meshcourse.embedded.kubelet.pods.volumes import atomic, content, mounts
from meshcourse.embedded.kubelet.pods.volumes.content import File, VolumeError

POD: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "8Mi"}}}]},
}
CONFIG = {
    "data": {"a.conf": "A", "b.conf": "B"},
    "binaryData": {"c.bin": base64.b64encode(b"\x00\x01").decode()},
}
SECRET = {"data": {"key": base64.b64encode(b"s").decode()}}
SOURCES = Sources(
    POD, {}, {"settings": CONFIG}.get, {"login": SECRET}.get, [], {"cpu": "1", "memory": "1Gi"}
)


def files(
    volume: dict[str, Any], tokens: dict[str, str] | None = None
) -> dict[str, tuple[bytes, int]]:
    found = content.of_volume(volume, SOURCES, tokens or {})
    return {path: (file.data, file.mode) for path, file in found.items()}


def test_a_configmap_is_a_file_per_key() -> None:
    assert files({"configMap": {"name": "settings"}}) == {
        "a.conf": (b"A", 0o644),
        "b.conf": (b"B", 0o644),
        "c.bin": (b"\x00\x01", 0o644),
    }


def test_items_choose_keys_paths_and_modes() -> None:
    items = [{"key": "a.conf", "path": "conf.d/main.conf", "mode": 0o400}]
    volume = {"configMap": {"name": "settings", "defaultMode": 0o600, "items": items}}
    assert files(volume) == {"conf.d/main.conf": (b"A", 0o400)}


def test_a_secret_is_readable_by_its_owner_only() -> None:
    assert files({"secret": {"secretName": "login"}}) == {"key": (b"s", 0o600)}


def test_downward_api() -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {
            "path": "memory",
            "resourceFieldRef": {"containerName": "app", "resource": "limits.memory"},
        },
    ]
    found = files({"downwardAPI": {"items": items}})
    assert found["labels"][0] == b'app="web"'
    assert found["memory"][0] == str(8 << 20).encode()


def test_a_projected_volume_joins_its_sources() -> None:
    token = {"serviceAccountToken": {"path": "token", "audience": "istio-ca"}}
    volume = {
        "projected": {
            "defaultMode": 0o444,
            "sources": [
                token,
                {"configMap": {"name": "settings", "items": [{"key": "a.conf", "path": "ca"}]}},
                {"secret": {"name": "login"}},
            ],
        }
    }
    assert content.token_requests(volume) == [token["serviceAccountToken"]]
    assert files(volume, {"token": "eyJ"}) == {
        "token": (b"eyJ", 0o600),
        "ca": (b"A", 0o444),
        "key": (b"s", 0o400),
    }


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
        (
            {"configMap": {"name": "settings", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent configmap key: z",
        ),
        (
            {"configMap": {"name": "settings", "items": [{"key": "a.conf", "path": "../x"}]}},
            'invalid path: "../x" must be relative and must not contain ".."',
        ),
    ],
)
def test_what_is_missing_or_leads_outside_is_refused(volume: dict[str, Any], message: str) -> None:
    with pytest.raises(VolumeError) as caught:
        files(volume)
    assert caught.value.message == message


def test_what_is_optional_may_be_missing() -> None:
    assert files({"configMap": {"name": "gone", "optional": True}}) == {}
    items = [{"key": "z", "path": "z"}, {"key": "key", "path": "k"}]
    volume = {"secret": {"secretName": "login", "optional": True, "items": items}}
    assert files(volume) == {"k": (b"s", 0o600)}


def shown(directory: Path) -> dict[str, bytes]:
    visible = [entry for entry in directory.iterdir() if not entry.name.startswith("..")]
    found = {}
    for entry in visible:
        inner = (
            [entry] if entry.is_file() else [each for each in entry.rglob("*") if each.is_file()]
        )
        found |= {str(each.relative_to(directory)): each.read_bytes() for each in inner}
    return found


def test_files_are_replaced_all_at_once(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    atomic.write(volume, {"a": File(b"1", 0o644), "d/b": File(b"2", 0o400)})
    assert shown(volume) == {"a": b"1", "d/b": b"2"}
    assert stat.S_IMODE((volume / "d" / "b").stat().st_mode) == 0o400
    before = os.readlink(volume / "..data")
    atomic.write(volume, {"a": File(b"3", 0o644), "c": File(b"4", 0o644)})
    assert shown(volume) == {"a": b"3", "c": b"4"}
    assert os.readlink(volume / "..data") != before
    assert not (volume / before).exists()
    atomic.write(volume, {})
    assert shown(volume) == {}


def view(tmp_path: Path, *volumes: str) -> Any:
    spec = {"volumes": [{"name": name} for name in volumes]}
    node = SimpleNamespace(layout=Layout(tmp_path))
    for name in volumes:
        node.layout.volume("u1", name).mkdir(parents=True)
    return SimpleNamespace(
        uid="u1", name="web", namespace="shop", spec=spec, node=node, fields=lambda: {}
    )


def mount(name: str, path: str, **more: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path, **more}


def test_two_containers_share_a_volume(tmp_path: Path) -> None:
    pod = view(tmp_path, "data")
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        mounts.mount_all(pod, {"volumeMounts": [mount("data", "/var/data")]}, root)
    (roots[0] / "var/data/file").write_text("shared")
    assert (roots[1] / "var/data/file").read_text() == "shared"


def test_mounting_again_changes_nothing_and_replaces_what_is_in_the_way(tmp_path: Path) -> None:
    pod = view(tmp_path, "data")
    root = tmp_path / "root"
    (root / "var/data/old").mkdir(parents=True)
    container = {"volumeMounts": [mount("data", "/var/data")]}
    mounts.mount_all(pod, container, root)
    (root / "var/data/file").write_text("kept")
    mounts.mount_all(pod, container, root)
    assert [entry.name for entry in (root / "var/data").iterdir()] == ["file"]


def test_a_part_of_a_volume(tmp_path: Path) -> None:
    pod = view(tmp_path, "config")
    source = pod.node.layout.volume("u1", "config")
    (source / "app.conf").write_text("first")
    root = tmp_path / "root"
    mounts.mount_all(
        pod,
        {
            "volumeMounts": [
                mount("config", "/etc/app.conf", subPath="app.conf"),
                mount("config", "/data", subPathExpr="$(POD_NAME)"),
            ]
        },
        root,
    )
    (source / "app.conf").write_text("second")
    assert (root / "etc/app.conf").read_text() == "first"  # as in Kubernetes
    (root / "data/x").write_text("")
    assert (source / "web" / "x").exists()


def test_mounts_must_name_a_volume_and_stay_inside_it(tmp_path: Path) -> None:
    pod = view(tmp_path, "data")
    with pytest.raises(ConfigError, match='cannot find volume "other"'):
        mounts.mount_all(pod, {"volumeMounts": [mount("other", "/x")]}, tmp_path / "root")
    with pytest.raises(ConfigError, match="must be relative"):
        mounts.mount_all(
            pod, {"volumeMounts": [mount("data", "/x", subPath="../../y")]}, tmp_path / "root"
        )
