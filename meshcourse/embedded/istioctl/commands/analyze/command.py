"""The command line of ``istioctl analyze``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from meshcourse.embedded.istioctl import context, structure
from meshcourse.embedded.istioctl.analyze import catalogue, codes, documents
from meshcourse.embedded.istioctl.analyze.catalogue import Result, Suppression
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item
from meshcourse.embedded.istioctl.analyze.messages import DOCUMENTATION, Level
from meshcourse.embedded.istioctl.commands.analyze import files, live, printing
from meshcourse.embedded.istioctl.commands.analyze.files import File
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.status import ApiError

#: Exit codes: a file that cannot be understood; findings at or above the threshold.
UNREADABLE, ISSUES = 65, 79
_EXAMPLES: Final = """\
  # the cluster, in the namespace of the context
  istioctl analyze

  # all namespaces
  istioctl analyze -A

  # what the cluster would say after these files were applied
  istioctl analyze routes.yaml policies/

  # files alone
  istioctl analyze --use-kube=false routes.yaml

  # without the message about missing proxies in one namespace
  istioctl analyze -S "IST0103=Pod legacy/*"
"""


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "analyze",
        parents=parents,
        help="Analyze Istio configuration and print validation messages",
        description="Looks for mistakes in the configuration of the mesh and prints what it finds.\n"
        f"Each message has a code, which is explained below {DOCUMENTATION}",
        epilog=_EXAMPLES,
    )
    parser.add_argument("files", nargs="*", help="<file>...")
    flag(parser, "--use-kube", "-k", default=True, help="Read the cluster, too")
    flag(parser, "--all-namespaces", "-A", help="Messages of all namespaces")
    flag(parser, "--list-analyzers", "-L", help="List the analyzers, and do nothing else")
    flag(parser, "--verbose", "-v", help="Say which analyzers ran")
    flag(parser, "--color", default=False, help="Colours; by default on terminals")
    flag(parser, "--recursive", "-R", help="Removed: directories are always read whole")
    flag(parser, "--ignore-unknown", help="Do not fail for documents that cannot be read")
    printing.add_options(parser)
    parser.add_argument(
        "--failure-threshold",
        type=printing.threshold("--failure-threshold"),
        default=Level.ERROR,
        help="The level from which on the exit code is 79",
    )
    parser.add_argument(
        "--meshConfigFile", default="", help="A MeshConfig instead of the cluster's"
    )
    parser.add_argument(
        "--suppress",
        "-S",
        action="append",
        default=[],
        help="<code>=<resource>: not this message about these objects; * matches any text",
    )
    parser.add_argument("--timeout", default="30s", help="How long to wait for the cluster")
    parser.add_argument("--revision", "-r", default="default", help="Control plane revision")
    parser.add_argument("--analyzer", action="append", default=[], help="Run only this analyzer")
    parser.set_defaults(run=run)


def run(ctx: Context, options: argparse.Namespace) -> int:
    printing.check(options.output, "analyze")
    if options.list_analyzers:
        lines = (f"* {one.name}:\n    {one.description}\n" for one in catalogue.ANALYZERS)
        ctx.out.write("".join(lines))
        return 0
    if options.recursive:
        ctx.print(
            "The recursive flag has been removed and is hardcoded to true without explicitly "
            "specifying it."
        )
        return 0
    return _Analysis(ctx, options).run()


class _Analysis:
    """One run."""

    def __init__(self, ctx: Context, options: argparse.Namespace) -> None:
        self._ctx, self._options = ctx, options
        self._namespace = "" if options.all_namespaces else ctx.namespace or "default"
        if options.use_kube and not options.all_namespaces:
            self._namespace = ctx.namespace_or_default
        self._target = f"namespace: {self._namespace}" if self._namespace else "all namespaces"

    def run(self) -> int:
        options, ctx = self._options, self._ctx
        read = files.gather(ctx, options.files, quiet=options.output != "log")
        suppressions = [self._suppression(one) for one in options.suppress]
        analyzers = catalogue.chosen(options.analyzer)
        kinds = catalogue.inputs(analyzers)
        items, problems = self._documents(read, kinds)
        mesh = (
            yaml.safe_load(files.read(Path(options.meshConfigFile)))
            if options.meshConfigFile
            else {}
        )
        if options.use_kube:
            found = context.run(self._cluster(kinds))
            if found is None:
                ctx.warn(f'namespace "{ctx.namespace}" not found')
                return 0
            items, mesh = [*items, *found.items], mesh or found.mesh
        elif not read:
            raise Failure("at least one file and/or Kubernetes source must be provided")
        result = catalogue.analyze(
            Collection(items, mesh),
            namespace=self._namespace,
            available=None if options.use_kube else set(kinds) - documents.LIVE_ONLY,
            suppressions=suppressions,
            analyzers=analyzers,
        )
        return self._show(result, read, problems)

    def _suppression(self, text: str) -> Suppression:
        code, equal, resource = text.partition("=")
        if not equal or "=" in resource:
            raise Failure(f"{text} is not a valid suppression value. See istioctl analyze --help")
        if code not in codes.CODES:
            self._ctx.warn(
                f"Warning: Supplied message code '{code}' is an unknown message code and will not "
                "have any effect."
            )
        return Suppression(code, resource)

    def _documents(
        self, read: Iterable[File], kinds: Sequence[str]
    ) -> tuple[list[Item], list[str]]:
        """The items of files of kinds that may come from files, and what could not be read."""
        items: list[Item] = []
        problems: list[str] = []
        for file in read:
            found = documents.read(file.text, file.name, self._namespace)
            wrong = {one: structure.mistyped(one.obj) for one in found.items}
            wanted = (one for one in found.items if one.kind in kinds and not wrong[one])
            items += [one for one in wanted if one.kind not in documents.LIVE_ONLY]
            failed = [
                f"error processing {one.place(0)}: failed parsing {one.title}: {why[0]}"
                for one, why in wrong.items()
                if why
            ]
            problems += [
                f'errors parsing content "{file.name}": {one}' for one in (*found.problems, *failed)
            ]
        if problems:
            shown = "\n".join(f"\t* {one}" for one in problems)
            count = f"{len(problems)} error{'s' if len(problems) > 1 else ''} occurred:"
            self._ctx.warn(f"Error(s) adding files: {count}\n{shown}\n")
        return items, problems

    async def _cluster(self, kinds: Sequence[str]) -> live.Cluster | None:
        """None if the namespace does not exist."""
        ctx = self._ctx
        async with ctx.client() as client:
            try:
                if self._namespace:
                    await client.get(refs.NAMESPACES, self._namespace)
            except ApiError as error:
                if error.code == 404:
                    return None
                raise
            return await live.read(client, kinds, ctx.istio_namespace, self._options.revision)

    def _show(self, result: Result, read: Sequence[File], problems: Sequence[str]) -> int:
        options, ctx = self._options, self._ctx
        if options.verbose:
            self._verbose(result)
        shown = [one for one in result.messages if one.type.level <= options.output_threshold]
        colour = options.color or ctx.out.isatty()
        ctx.print(printing.render(shown, options.output, colour=colour))
        if not shown:
            ctx.warn(self._nothing(read, len(problems)))
        if options.output != "log":
            return 0
        if any(one.type.level <= options.failure_threshold for one in result.messages):
            raise Failure(
                f"Analyzers found issues when analyzing {self._target}.\n"
                f"See {DOCUMENTATION} for more information about causes and resolutions.",
                code=ISSUES,
            )
        if problems and not options.ignore_unknown:
            raise Failure("Some files couldn't be parsed.", code=UNREADABLE)
        return 0

    def _nothing(self, read: Sequence[File], problems: int) -> str:
        if problems:
            files_ = "file" if problems == 1 else "files"
            return (
                f"No validation issues found when analyzing {self._target} "
                f"(but {problems} {files_} could not be parsed)."
            )
        names = [file.name for file in read]
        if len(names) > 1:
            listed = "\n  - ".join(("", *names))
            return f"✔ No validation issues found when analyzing:{listed}"
        return f"✔ No validation issues found when analyzing {''.join(names) or self._target}."

    def _verbose(self, result: Result) -> None:
        lists: Mapping[str, list[str]] = {
            "Skipped analyzers:": result.skipped,
            "Executed analyzers:": result.executed,
        }
        self._ctx.warn(f"Analyzed resources in {self._target}")
        for title, names in lists.items():
            if names:
                self._ctx.warn("\n".join((title, *(f"\t {name}" for name in names))))
        self._ctx.warn("")
