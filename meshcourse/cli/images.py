"""``meshcourse image``: a learner's own program as an image of the embedded cluster."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Option("--name", help="Which cluster (default: the only one).")]


@app.command(context_settings={"allow_interspersed_args": False})
def add(
    image: Annotated[str, typer.Argument(help="The image's name, for example mine/hello.")],
    command: Annotated[list[str], typer.Argument(help="What a container of it runs, after --.")],
    name: Name = "",
) -> None:
    """Make a program of yours an image: meshcourse image add mine/hello -- python3 hello.py"""
    from meshcourse.cluster import embedded

    if command[0] == "--":  # it comes through, because options end with the image's name
        command = command[1:]
    path = embedded.Embedded(name).add_image(image, command)
    typer.echo(f"image {path} runs: {' '.join(command)}")


@app.command("list")
def list_(name: Name = "") -> None:
    """The images that pods may name: yours with their commands, and those of the course."""
    from meshcourse.cluster import embedded

    for image, command in embedded.Embedded(name).images().items():
        typer.echo(f"{image:<55} {' '.join(command) or '(of the course)'}")


@app.command()
def remove(image: str, name: Name = "") -> None:
    """Forget an image; containers that run go on."""
    from meshcourse.cluster import embedded

    if not embedded.Embedded(name).remove_image(image):
        typer.echo(f"there is no image {image} of yours", err=True)
        raise typer.Exit(1)
    typer.echo(f"image {image} removed")
