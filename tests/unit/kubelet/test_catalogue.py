"""Image references, what they match, and the learner's own images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshcourse.embedded.kubelet import catalogue
from meshcourse.embedded.kubelet.catalogue import Catalogue
from meshcourse.errors import MeshcourseError


@pytest.mark.parametrize(
    ("text", "repository", "tag", "canonical"),
    [
        ("nginx", "nginx", "latest", "docker.io/library/nginx:latest"),
        ("curlimages/curl:8.1", "curlimages/curl", "8.1", "docker.io/curlimages/curl:8.1"),
        (
            "docker.io/istio/examples-bookinfo-details-v1:1.20.3",
            "docker.io/istio/examples-bookinfo-details-v1",
            "1.20.3",
            "docker.io/istio/examples-bookinfo-details-v1:1.20.3",
        ),
        ("localhost:5000/app", "localhost:5000/app", "latest", "localhost:5000/app:latest"),
    ],
)
def test_references_are_parsed(text: str, repository: str, tag: str, canonical: str) -> None:
    found = catalogue.parse(text)
    assert (found.repository, found.tag, found.canonical) == (repository, tag, canonical)


def test_a_digest_takes_the_place_of_a_tag() -> None:
    digest = "sha256:" + "a" * 64
    found = catalogue.parse(f"app@{digest}")
    assert (found.tag, found.digest, found.latest) == ("", digest, False)
    assert found.canonical == f"docker.io/library/app@{digest}"


@pytest.mark.parametrize(
    "text", ["", "Nginx", "a b", "app:", "app::1", "-app", "app@sha256:12", "a//b"]
)
def test_other_references_are_invalid_in_containerd_s_words(text: str) -> None:
    with pytest.raises(catalogue.InvalidImageName, match="invalid reference format"):
        catalogue.parse(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "images.json"


def find(images: Catalogue, text: str) -> str | None:
    found = images.find(catalogue.parse(text))
    return found and found.path


def test_a_repository_matches_by_whole_path_components_from_its_end(file: Path) -> None:
    images = Catalogue({"examples-bookinfo-details-v1": "m:f", "curlimages/curl": "m:g"}, file)
    assert find(images, "docker.io/istio/examples-bookinfo-details-v1:9") is not None
    assert find(images, "examples-bookinfo-details-v1") is not None
    assert find(images, "my-examples-bookinfo-details-v1") is None
    assert find(images, "docker.io/curlimages/curl") is not None
    assert find(images, "curl") is None


def test_the_longest_path_wins(file: Path) -> None:
    images = Catalogue({"app": "m:f", "team/app": "m:g"}, file)
    assert find(images, "registry.local/team/app") == "team/app"
    assert find(images, "other/app") == "app"


def test_the_learner_s_images_are_seen_as_soon_as_they_are_added(file: Path) -> None:
    images = Catalogue({"nginx": "m:f"}, file)
    assert find(images, "mine") is None
    assert catalogue.add(file, "mine:v1", ["python", "app.py"]) == "mine"
    found = images.find(catalogue.parse("mine:v2"))
    assert found is not None
    assert found.command == ("python", "app.py")
    assert images.paths() == ["mine", "nginx"]
    assert catalogue.remove(file, "mine")
    assert find(images, "mine") is None
    assert not catalogue.remove(file, "mine")


def test_an_own_image_hides_a_built_in_one(file: Path) -> None:
    images = Catalogue({"nginx": "m:f"}, file)
    catalogue.add(file, "nginx", ["caddy"])
    found = images.find(catalogue.parse("nginx"))
    assert found is not None
    assert (found.entry, found.command) == ("", ("caddy",))


def test_adding_refuses_bad_names_and_missing_commands(file: Path) -> None:
    with pytest.raises(catalogue.InvalidImageName):
        catalogue.add(file, "Not An Image", ["x"])
    with pytest.raises(MeshcourseError, match="needs a command") as caught:
        catalogue.add(file, "mine", [])
    assert "image add NAME -- python app.py" in caught.value.remedy
    assert not file.exists()


def test_a_damaged_list_is_an_error_with_a_remedy(file: Path) -> None:
    file.write_text("{")
    with pytest.raises(MeshcourseError, match="damaged") as caught:
        Catalogue({}, file).find(catalogue.parse("x"))
    assert "delete it" in caught.value.remedy


def test_adding_keeps_the_others_and_leaves_no_temporary_file(file: Path) -> None:
    catalogue.add(file, "one", ["a"])
    catalogue.add(file, "two", ["b", "c"])
    assert json.loads(file.read_text()) == {"one": ["a"], "two": ["b", "c"]}
    assert [entry.name for entry in file.parent.iterdir()] == ["images.json"]


def test_modules_are_listed_once_for_preloading(file: Path) -> None:
    images = Catalogue({"a": "m:f", "b": "m:g", "c": "n:f"}, file)
    assert images.modules() == ["m", "n"]
