"""Pulling images, which here means looking them up in the catalogue, with a kubelet's events and back-off.

Source: kubelet's image manager (EnsureImageExists): reasons, messages, order of events.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from meshcourse.embedded.kubelet import catalogue
from meshcourse.embedded.kubelet.catalogue import Catalogue, Image
from meshcourse.errors import MeshcourseError

#: Records an event about the container: type, reason, message.
Tell = Callable[[str, str, str], None]


class PullError(MeshcourseError):
    """An image that cannot be had (yet).

    :param reason: ErrImagePull, InvalidImageName or ErrImageNeverPull, as ``state.waiting.reason``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that is there.

    :param name: the reference as a container runtime reports it.
    """

    image: Image
    name: str

    @property
    def image_id(self) -> str:
        repository = self.name.partition("@")[0].rpartition(":")[0] or self.name
        return f"{repository}@{self.image.digest}"


class Puller:
    """Knows which images have been pulled since the daemon started."""

    def __init__(self, images: Catalogue) -> None:
        self.catalogue = images
        self._present: dict[str, Pulled] = {}

    def present(self) -> list[Pulled]:
        """Everything pulled so far, for ``node.status.images``."""
        return list(self._present.values())

    def pull(self, container: dict[str, object], tell: Tell) -> Pulled:
        """Make sure that a container's image is there.

        :raises PullError: if it is not, after the event that says why.
        """
        wanted = str(container.get("image") or "")
        try:
            reference = catalogue.parse(wanted)
        except catalogue.InvalidImageName as error:
            message = f'Failed to apply default image tag "{wanted}": {error.message}'
            tell("Warning", "InspectFailed", message)
            raise PullError("InvalidImageName", message) from error
        policy = container.get("imagePullPolicy") or (
            "Always" if reference.latest else "IfNotPresent"
        )
        image = self._find(reference)
        known = reference.canonical in self._present
        if policy == "Never" and image is None:
            message = f'Container image "{wanted}" is not present with pull policy of Never'
            tell("Warning", "ErrImageNeverPull", message)
            raise PullError("ErrImageNeverPull", message)
        if image is not None and (policy == "Never" or (known and policy != "Always")):
            tell("Normal", "Pulled", f'Container image "{wanted}" already present on machine')
        else:
            image = self._fetch(wanted, reference, image, tell)
        found = Pulled(image, reference.canonical)
        self._present[reference.canonical] = found
        return found

    def _find(self, reference: catalogue.Reference) -> Image | None:
        try:
            return self.catalogue.find(reference)
        except MeshcourseError as error:  # the learner's own list is damaged
            raise PullError("ErrImagePull", str(error)) from error

    def _fetch(
        self, wanted: str, reference: catalogue.Reference, image: Image | None, tell: Tell
    ) -> Image:
        tell("Normal", "Pulling", f'Pulling image "{wanted}"')
        began = time.monotonic()
        if image is None:
            message = self._missing(wanted, reference)
            tell("Warning", "Failed", f'Failed to pull image "{wanted}": {message}')
            raise PullError("ErrImagePull", message)
        took = f"{max(1, round((time.monotonic() - began) * 1000))}ms"
        tell(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{wanted}" in {took} ({took} including waiting). '
            "Image size: 0 bytes.",
        )
        return image

    def _missing(self, wanted: str, reference: catalogue.Reference) -> str:
        own = reference.repository.rpartition("/")[2]
        return (
            f'image "{wanted}" is not in the catalogue of this embedded cluster, which runs the '
            f"{len(self.catalogue.paths())} images that the course uses and downloads none "
            "(meshcourse image list shows them). To run a program of your own under this name: "
            f"meshcourse image add {own} -- COMMAND"
        )
