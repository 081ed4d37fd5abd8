"""``meshcourse lab``: the exercises from the command line."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
Lab = Annotated[str, typer.Argument(help="The lab: 03-bookinfo, or a part of it.")]
Name = Annotated[str, typer.Option("--name", help="Which cluster (default: the only one).")]


@app.command("list")
def list_() -> None:
    """The exercises in order, and which you have solved."""
    from meshcourse import course

    typer.echo(repr(course.labs()))


@app.command()
def check(lab: Lab, name: Name = "") -> None:
    """Check a lab: what was observed, what was expected, where to look next."""
    from meshcourse import course

    course.attach(name)
    report = course.check(lab)
    typer.echo(repr(report))
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def hint(lab: Lab) -> None:
    """The next hint."""
    from meshcourse import course

    typer.echo(repr(course.hint(lab)))


@app.command()
def solution(lab: Lab) -> None:
    """The solution, to read."""
    from meshcourse import course

    typer.echo(repr(course.solution(lab)))


@app.command()
def clean(lab: Lab, name: Name = "") -> None:
    """Undo a lab, whatever was done of it."""
    from meshcourse import course

    course.attach(name)
    course.clean(lab)
    typer.echo(f"{lab} is cleaned up")
