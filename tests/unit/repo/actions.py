"""What is wrong with a workflow of GitHub Actions, as far as one can tell without GitHub.

Source: GitHub's "Workflow syntax" and "Contexts" references; the keys, events, runners and actions are those that this
repository may use, so that a slip of the pen is an unknown word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

TOP = {"name", "on", "permissions", "env", "concurrency", "defaults", "jobs", "run-name"}
JOB = {
    "name", "needs", "if", "runs-on", "strategy", "steps", "timeout-minutes", "env", "permissions",
    "continue-on-error", "concurrency", "outputs",
}  # fmt: skip
STEP = {"id", "name", "if", "uses", "run", "with", "env", "continue-on-error", "timeout-minutes"}
STRATEGY = {"fail-fast", "matrix", "max-parallel"}
EVENTS = {"push", "pull_request", "schedule", "workflow_dispatch"}
FILTERS = {"branches", "branches-ignore", "paths", "paths-ignore", "tags", "types", "inputs"}
RUNNERS = {"ubuntu-24.04", "ubuntu-24.04-arm", "macos-15"}
#: Action → its inputs, as far as they are used here.
ACTIONS = {
    "actions/checkout": {"fetch-depth", "persist-credentials", "ref"},
    "actions/setup-python": {"python-version", "cache", "cache-dependency-path"},
    "actions/upload-artifact": {"name", "path", "if-no-files-found", "retention-days"},
    "helm/kind-action": {"install_only", "version", "kubectl_version"},
}
CONTEXTS = {
    "github",
    "matrix",
    "env",
    "steps",
    "needs",
    "runner",
    "job",
    "secrets",
    "inputs",
    "strategy",
    "vars",
}
FUNCTIONS = {
    "always",
    "success",
    "failure",
    "cancelled",
    "contains",
    "startsWith",
    "endsWith",
    "format",
    "hashFiles",
}
VARIABLES = {"CLUSTER", "ISTIO", "KUBERNETES", "OUT", "AGAINST"}
_PERMISSIONS = {"read", "write", "none"}
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|\*))*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[()!<>,]))"
)


def problems(text: str, verbs: set[str]) -> list[str]:
    """Everything that is wrong, a line each; [] if nothing is.

    :param verbs: the verbs of the Makefile, which steps may run.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"no YAML: {error}"]
    if not isinstance(data, dict):
        return ["no mapping"]
    data = {"on" if key is True else key: value for key, value in data.items()}  # YAML 1.1
    found = [*_unknown(data, TOP, "workflow"), *_events(data.get("on")), *_permissions(data)]
    jobs = data.get("jobs") or {}
    if not jobs:
        found.append("no jobs")
    for name, job in jobs.items():
        found += _job(name, job, jobs, verbs)
    return [*found, *_expressions(data, {}, "workflow", skip="jobs"), *_comments(text)]


def _unknown(data: dict[str, Any], known: set[str], where: str) -> Iterator[str]:
    yield from (f"{where}: unknown key {key}" for key in data if key not in known)


def _events(on: Any) -> Iterator[str]:
    events = (
        {on: None} if isinstance(on, str) else dict.fromkeys(on) if isinstance(on, list) else on
    )
    if not events:
        yield "on: no event"
        return
    for event, options in events.items():
        if event not in EVENTS:
            yield f"on: unknown event {event}"
        elif event == "schedule":
            for entry in options or [{}]:
                if not _cron(str(entry.get("cron", ""))):
                    yield f"on: no cron: {entry}"
        elif options:
            yield from _unknown(options, FILTERS, f"on.{event}")


def _cron(text: str) -> bool:
    """Five fields, each within its bounds."""
    fields, bounds = text.split(), ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    if len(fields) != 5:
        return False
    for field, (low, high) in zip(fields, bounds, strict=True):
        if not re.fullmatch(r"(\*|\d+(-\d+)?)(/\d+)?(,\d+(-\d+)?)*", field):
            return False
        if any(not low <= int(number) <= high for number in re.findall(r"(?<!/)\b\d+", field)):
            return False
    return True


def _permissions(data: dict[str, Any]) -> Iterator[str]:
    found = data.get("permissions")
    if not isinstance(found, dict):
        yield "permissions: say which; without them a job may write everything"
        return
    for scope, level in found.items():
        if level not in _PERMISSIONS:
            yield f"permissions: {scope}: {level}"


def _job(name: str, job: dict[str, Any], jobs: dict[str, Any], verbs: set[str]) -> Iterator[str]:
    yield from _unknown(job, JOB, name)
    if "timeout-minutes" not in job:
        yield f"{name}: no timeout-minutes"
    needs = job.get("needs") or []
    yield from (
        f"{name}: needs {item}, which is no job"
        for item in ([needs] if isinstance(needs, str) else needs)
        if item not in jobs
    )
    strategy = job.get("strategy") or {}
    yield from _unknown(strategy, STRATEGY, f"{name}.strategy")
    matrix = strategy.get("matrix") or {}
    yield from _runners(name, str(job.get("runs-on", "")), matrix)
    for number, step in enumerate(job.get("steps") or [], 1):
        yield from _step(f"{name}, step {number}", step, verbs)
    if not job.get("steps"):
        yield f"{name}: no steps"
    yield from _expressions(job, matrix, name)


def _runners(name: str, label: str, matrix: dict[str, Any]) -> Iterator[str]:
    chosen = re.fullmatch(r"\$\{\{ *matrix\.([\w-]+) *\}\}", label)
    labels = matrix.get(chosen.group(1), []) if chosen else [label]
    if not labels:
        yield f"{name}: runs on nothing"
    yield from (f"{name}: unknown runner {item}" for item in labels if item not in RUNNERS)


def _step(where: str, step: dict[str, Any], verbs: set[str]) -> Iterator[str]:
    yield from _unknown(step, STEP, where)
    if ("uses" in step) == ("run" in step):
        yield f"{where}: either uses or run"
    elif "uses" in step:
        yield from _action(where, step)
    else:
        yield from _command(where, str(step["run"]), verbs)


def _action(where: str, step: dict[str, Any]) -> Iterator[str]:
    name, _, version = str(step["uses"]).partition("@")
    if name not in ACTIONS:
        yield f"{where}: unknown action {name}"
        return
    if not re.fullmatch(r"[0-9a-f]{40}", version):
        yield f"{where}: {name} is not pinned by its commit"
    yield from _unknown(step.get("with") or {}, ACTIONS[name], f"{where}, {name}")


def _command(where: str, command: str, verbs: set[str]) -> Iterator[str]:
    """``make VERB VARIABLE=value…``, one line; a value may be an expression over the matrix."""
    words = re.sub(r"\$\{\{.*?\}\}", "X", command).split(" ")
    if words[0] != "make" or len(words) < 2 or words[1] not in verbs:
        yield f"{where}: runs `{command}`, which is no verb of make"
        return
    for word in words[2:]:
        if not re.fullmatch(rf"({'|'.join(sorted(VARIABLES))})=[\w./:-]+", word):
            yield f"{where}: {word} is no variable of make"


def _expressions(data: Any, matrix: dict[str, Any], where: str, skip: str = "") -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            if key == skip:
                continue
            if key == "if" and isinstance(value, str) and "${{" not in value:
                yield from _expression(value, matrix, where)
            yield from _expressions(value, matrix, where)
    elif isinstance(data, list):
        for item in data:
            yield from _expressions(item, matrix, where)
    elif isinstance(data, str):
        if data.count("${{") != data.count("}}"):
            yield f"{where}: an expression has no end: {data}"
        for inner in re.findall(r"\$\{\{(.*?)\}\}", data, flags=re.S):
            yield from _expression(inner, matrix, where)


def _expression(text: str, matrix: dict[str, Any], where: str) -> Iterator[str]:
    tokens, rest = [], text
    while rest.strip():
        match = _TOKEN.match(rest)
        if match is None:
            yield f"{where}: `{text.strip()}` has something that is no expression: {rest.strip()[:10]}"
            return
        tokens.append((str(match.lastgroup), match[match.lastgroup or 0]))
        rest = rest[match.end() :]
    reader = _Reader(tokens)
    if not reader.either() or reader.left:
        yield f"{where}: `{text.strip()}` is no expression"
    for name in reader.names:
        head, _, tail = name.partition(".")
        if head not in CONTEXTS:
            yield f"{where}: unknown context {head}"
        elif head == "matrix" and tail not in matrix:
            yield f"{where}: the matrix has no {tail}"
    yield from (
        f"{where}: unknown function {name}" for name in reader.calls if name not in FUNCTIONS
    )


class _Reader:
    """Recursive descent: or, and, comparison, not, value."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.left = tokens
        self.names: list[str] = []
        self.calls: list[str] = []

    def _take(self, *signs: str) -> bool:
        if self.left and self.left[0][0] == "sign" and self.left[0][1] in signs:
            self.left = self.left[1:]
            return True
        return False

    def either(self) -> bool:
        if not self._compared():
            return False
        while self._take("||", "&&"):
            if not self._compared():
                return False
        return True

    def _compared(self) -> bool:
        if not self._value():
            return False
        return not self._take("==", "!=", "<", ">", "<=", ">=") or self._value()

    def _value(self) -> bool:
        if self._take("!"):
            return self._value()
        if self._take("("):
            return self.either() and self._take(")")
        if not self.left or self.left[0][0] == "sign":
            return False
        (kind, text), self.left = self.left[0], self.left[1:]
        if kind == "name" and self._take("("):
            self.calls.append(text)
            return self._arguments()
        if kind == "name" and text not in ("true", "false", "null"):
            self.names.append(text)
        return True

    def _arguments(self) -> bool:
        if self._take(")"):
            return True
        while self.either():
            if self._take(")"):
                return True
            if not self._take(","):
                return False
        return False


def _comments(text: str) -> Iterator[str]:
    """Beside a commit stands the release that it is: nobody reads forty digits."""
    for line in text.splitlines():
        if re.search(r"uses: \S+@[0-9a-f]{40}", line) and not re.search(r"# v\d+(\.\d+)*$", line):
            yield f"no release beside the commit: {line.strip()}"
