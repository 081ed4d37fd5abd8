"""The cluster's number, and the proof that no other cluster on this machine has it.

Numbers are chosen from what the state directories say; but two state roots (a test's and a learner's) do not
know of each other. So a running cluster listens at an address of its range, and whoever finds that address
taken chooses another number.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

from meshcourse.embedded.daemon import state
from meshcourse.errors import MeshcourseError

#: The port of a kubelet; what listens here answers nothing.
_PORT = 10250


@contextlib.contextmanager
def claimed(own: state.State) -> Iterator[int]:
    """The number of the cluster, its own for as long as the context lasts.

    :raises MeshcourseError: if the cluster has a number already and another cluster uses it now, or all are taken.
    """
    claims: dict[int, socket.socket | None] = {}

    def free(number: int) -> bool:
        try:
            claims[number] = _listen(number)
        except OSError:
            return False
        return True

    number = state.choose_number(own, free)
    if number not in claims and not free(number):
        raise MeshcourseError(
            f'the addresses 127.{number}.x.x of cluster "{own.name}" are in use by another cluster',
            remedy="stop the other cluster, or remove this one: meshcourse down --delete --name "
            + own.name,
        )
    try:
        yield number
    finally:
        claim = claims[number]
        if claim is not None:
            claim.close()


def _listen(number: int) -> socket.socket | None:
    """None where the system has one loopback address only: ports are then allocated one by one."""
    if sys.platform != "linux":
        return None
    claim = socket.socket()
    try:
        claim.bind((f"127.{number}.255.254", _PORT))
        claim.listen(1)
    except OSError:
        claim.close()
        raise
    return claim
