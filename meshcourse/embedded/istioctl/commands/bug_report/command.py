"""The command line of ``istioctl bug-report``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from meshcourse import versions
from meshcourse.embedded.istioctl import context, control_plane
from meshcourse.embedded.istioctl.commands.bug_report import archive, filters
from meshcourse.embedded.istioctl.commands.bug_report.collect import Report
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import objects, refs

_FILE: Final = "bug-report.tar.gz"
_EXCLUDED: Final = "kube-node-lease,kube-public,kube-system,local-path-storage"


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "bug-report",
        parents=parents,
        help="Cluster information and log capture support tool.",
        description="Collects what is needed to look into a problem elsewhere: objects, logs, and the\n"
        "configuration of istiod and of the proxies. Secrets are named, their contents left out;\n"
        "the archive can be read by its owner only.",
        epilog="  istioctl bug-report\n"
        "  istioctl bug-report --include default/reviews-v1 --output-dir /tmp",
    )
    parser.add_argument(
        "--include", action="append", default=[], help="Pods to look into: ns1,ns2/dep1/pod1"
    )
    parser.add_argument(
        "--exclude", action="append", default=[], help="Pods not to look into, in the same form"
    )
    parser.add_argument("--output-dir", default="", help="Where the archive goes; by default here")
    flag(parser, "--full-secrets", help="Put the contents of Secrets into the archive, too")
    flag(parser, "--dry-run", help="Collect, but write no archive")
    parser.set_defaults(run=run)


def run(ctx: Context, options: argparse.Namespace) -> int:
    directory = Path(options.output_dir or ".")
    if not directory.is_dir():
        raise Failure(f"no such directory: {directory}")
    return context.run(_collect(ctx, options, (directory / _FILE).resolve()))


async def _collect(ctx: Context, options: argparse.Namespace, path: Path) -> int:
    exclude = [filters.parse(one) for one in options.exclude or [_EXCLUDED]]
    include = [filters.parse(one) for one in options.include]
    async with ctx.client() as client:
        pods = (await client.list(refs.PODS)).items
        chosen = filters.chosen(pods, include, exclude)
        ctx.print("✅ Fetching logs for the following pods:\n")
        for pod in chosen:
            ctx.print(f"{objects.namespace(pod)}/{filters.deployment(pod)}/{objects.name(pod)}")
        ctx.print("\n✅ Fetching Istio control plane information from cluster.\n")
        report = Report(ctx, client, full_secrets=options.full_secrets)
        report.files["versions"] = (await _versions(ctx, client)).encode()
        await report.gather(chosen)
    if report.errors:
        report.files["errors.log"] = "\n".join(report.errors).encode() + b"\n"
        ctx.warn(f"⚠️ {len(report.errors)} things could not be fetched; see errors.log")
    if options.dry_run:
        ctx.print(f"✅ Dry run, skipping archive creation at {path}.")
    else:
        ctx.print(f"✅ Creating an archive at {path}.")
        try:
            archive.write(path, report.files)
        except OSError as error:
            raise Failure(f"cannot write {path}: {error.strerror}") from error
    ctx.print("✅ Done.")
    return 0


async def _versions(ctx: Context, client: Any) -> str:
    """Of this program and of the proxies."""
    try:
        entries = await control_plane.sync_status(client, ctx)
    except Failure as error:
        return f"CLI version:\n{versions.ISTIO}\n\n{error.message}\n"
    proxies = ", ".join(sorted({str(entry["istio_version"]) for entry in entries}))
    return f"CLI version:\n{versions.ISTIO}\n\nProxy versions: {{{proxies}}}\n"
