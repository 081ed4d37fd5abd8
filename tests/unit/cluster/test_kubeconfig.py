from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshcourse.cluster import kubeconfig
from meshcourse.cluster.errors import ClusterError
from tests.unit.cluster import fake_api


def write(folder: Path, **user: Any) -> Path:
    data = fake_api.config("https://host:6443/")
    data["users"][0]["user"] = user
    path = folder / "config"
    path.write_text(yaml.safe_dump(data))
    return path


def test_the_current_context_is_read(tmp_path: Path) -> None:
    found = kubeconfig.read(write(tmp_path, token="t"))
    assert (found.server, found.token, found.namespace) == ("https://host:6443", "t", "default")
    assert not found.plugin


def test_certificates_come_inline_or_as_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("KEY")
    inline = base64.b64encode(b"CERT").decode()
    path = write(tmp_path, **{"client-certificate-data": inline, "client-key": "key.pem"})
    assert kubeconfig.read(path).certificate == ("CERT", "KEY")


def test_a_token_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    assert kubeconfig.read(write(tmp_path, tokenFile="token")).token == "from-file"


def test_plug_ins_are_recognised(tmp_path: Path) -> None:
    assert kubeconfig.read(write(tmp_path, exec={"command": "cloud"})).plugin


def test_a_missing_file_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no kubeconfig") as error:
        kubeconfig.read(tmp_path / "none")
    assert "meshcourse up" in error.value.remedy


def test_an_unknown_context_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match='no context called "you"') as error:
        kubeconfig.read(write(tmp_path), "you")
    assert "me" in error.value.remedy


def test_what_is_not_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("{")
    with pytest.raises(ClusterError, match="is not a kubeconfig"):
        kubeconfig.read(tmp_path / "config")
