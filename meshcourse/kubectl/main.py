"""From a command line to a verb; errors are printed in kubectl's words and become an exit code."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol

from meshcourse.cluster.errors import ApiError, ClusterError
from meshcourse.cluster.kinds import UnknownKindError
from meshcourse.errors import MeshcourseError
from meshcourse.kubectl import arguments, errors
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError


class Verb(Protocol):
    """A verb's module: its own flags, and what it does."""

    FLAGS: tuple[arguments.Flag, ...]

    def run(self, context: Context) -> int:
        """Do it; returns the exit code."""
        ...


#: Verb → module of this package, imported when it is used.
VERBS = {
    "get": "get",
    "describe": "describe",
    "apply": "apply",
    "create": "create",
    "delete": "delete",
    "label": "label",
    "annotate": "annotate",
    "scale": "scale",
    "patch": "patch",
    "rollout": "rollout",
    "logs": "logs",
    "exec": "execute",
    "wait": "wait",
    "api-resources": "api_resources",
    "explain": "explain",
    "port-forward": "forward",
    "top": "top",
    "version": "version",
}


def run(context: Context, args: Sequence[str]) -> int:
    """Run one command line; returns its exit code. Never raises for what a user can cause."""
    try:
        verb, rest = _verb(args)
        context.args = arguments.parse(rest, verb.FLAGS)
        return verb.run(context)
    except UnknownKindError as error:
        context.say(f"error: {error.message}")
    except ApiError as error:
        context.say(errors.server_error(error))
    except KubectlError as error:
        context.say(f"error: {error.message}" if error.message else "")
        return error.code
    except ClusterError as error:
        context.say(f"error: {error.message}")
    except MeshcourseError as error:
        context.say(f"error: {error}")
    return 1


def _verb(args: Sequence[str]) -> tuple[Verb, list[str]]:
    """The verb, which may stand behind global flags (``-n x get pods``)."""
    parsed_before: list[str] = []
    rest = list(args)
    takes_value = {"-n", "--namespace", "--context", "--kubeconfig", "--request-timeout"}
    while rest and rest[0].startswith("-"):
        parsed_before.append(rest.pop(0))
        if parsed_before[-1] in takes_value and rest:
            parsed_before.append(rest.pop(0))
    if not rest:
        raise KubectlError(f"which verb? This kubectl knows: {', '.join(sorted(VERBS))}")
    name = rest.pop(0)
    if name not in VERBS:
        raise KubectlError(
            f'unknown command "{name}" for the course\'s own kubectl, which knows: '
            f"{', '.join(sorted(VERBS))}. The real kubectl is used as soon as it is on PATH."
        )
    module: Verb = importlib.import_module(f"meshcourse.kubectl.{VERBS[name]}")
    return module, parsed_before + rest
