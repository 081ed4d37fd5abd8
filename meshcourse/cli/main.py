"""The commands that start, stop and look at a cluster, and the entry point."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from meshcourse.errors import MeshcourseError

app = typer.Typer(
    help="Learn the Istio service mesh on real Envoys.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Kind = Annotated[
    str,
    typer.Option("--cluster", help="embedded (default), kind, context or context:NAME."),
]
Name = Annotated[str, typer.Option("--name", help="Which cluster (default: the only one).")]


@app.command()
def up(
    name: Name = "",
    with_: Annotated[str, typer.Option("--with", help="What to bring in: istio,bookinfo.")] = "",
    cluster: Kind = "",
    namespace_prefix: Annotated[
        str, typer.Option(help="On a shared cluster: what your namespaces begin with.")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Install on a cluster that is not the course's.")
    ] = False,
) -> None:
    """Start the cluster, resume it, or attach to it; returns when everything named is ready."""
    from meshcourse.cli import clusters

    wanted = [part.strip() for part in with_.split(",") if part.strip()]
    clusters.up(name, wanted, cluster, namespace_prefix, consent=yes)


@app.command()
def down(
    name: Name = "",
    all_: Annotated[bool, typer.Option("--all", help="Every cluster on this machine.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Forget its objects as well.")] = False,
    cluster: Kind = "",
) -> None:
    """Stop the cluster: no process, port or socket is left."""
    from meshcourse.cli import clusters

    clusters.down(name, everything=all_, delete=delete, kind=cluster)


@app.command()
def status(
    name: Name = "", json_: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """What runs, how much memory it takes, and what of it is real."""
    from meshcourse.cli import clusters

    clusters.status(name, as_json=json_)


@app.command()
def doctor(cluster: Kind = "") -> None:
    """Is this machine fit for the course (with --cluster kind: for a kind cluster)? Every failure names its remedy."""
    from meshcourse.cli import clusters
    from meshcourse.cluster import preflight

    findings = clusters.examine(cluster)
    for finding in findings:
        typer.echo(str(finding))
    if not preflight.fit(findings):
        raise typer.Exit(1)


@app.command()
def kubeconfig(name: Name = "") -> None:
    """Print the path of the kubeconfig."""
    from meshcourse.cli import clusters

    typer.echo(str(clusters.cluster(name).kubeconfig))


@app.command()
def url(
    service: str,
    name: Name = "",
    port: Annotated[str, typer.Option(help="Number or name of the port.")] = "",
    path: Annotated[str, typer.Option(help="What to append.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n")] = "",
) -> None:
    """Print a URL of a Service that this machine can open."""
    from meshcourse.cli import clusters

    wanted = int(port) if port.isdigit() else port or None
    typer.echo(clusters.cluster(name).url(service, wanted, path, namespace=namespace))


@app.command()
def logs(
    name: Name = "",
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 100,
) -> None:
    """The log of the cluster itself (of pods: meshcourse kubectl logs POD)."""
    from meshcourse.cluster import embedded

    typer.echo(embedded.logs(name, lines))


@app.command()
def kubectl() -> None:
    """kubectl against the cluster: the real one if it is on PATH, otherwise the course's own."""


@app.command()
def istioctl() -> None:
    """istioctl against the cluster."""


@app.command()
def version(
    json_: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """The versions of the course and of what it teaches."""
    from meshcourse import versions

    found = {
        "meshcourse": versions.COURSE,
        "istio": versions.ISTIO,
        "kubernetes": versions.KUBERNETES,
    }
    text = (
        json.dumps(found) if json_ else "\n".join(f"{key} {value}" for key, value in found.items())
    )
    typer.echo(text)


def _groups() -> None:
    from meshcourse.cli import images, labs

    app.add_typer(images.app, name="image", help="A learner's own programs as images.")
    app.add_typer(labs.app, name="lab", help="Exercises: list, check, hint, solution.")


_groups()


def main() -> None:
    """The console script."""
    try:
        if sys.argv[1:2] in (["kubectl"], ["istioctl"]):
            sys.exit(_pass_on(sys.argv[1], sys.argv[2:]))
        app()
    except MeshcourseError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _pass_on(tool: str, arguments: list[str]) -> int:
    """Tools get their arguments as they are: a parser of options in between would swallow the ``--`` of exec."""
    from meshcourse.cli import clusters

    return clusters.kubectl(arguments) if tool == "kubectl" else clusters.istioctl(arguments)


if __name__ == "__main__":
    main()
