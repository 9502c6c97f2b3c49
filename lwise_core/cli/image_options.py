"""Arguments that the commands of the image side share."""

from __future__ import annotations

import typer

DIRMAP = typer.Argument(help="The dirmap of the data set.")
IMAGES = typer.Option(..., "--images", help="Folder that the dirmap's im_path starts from.")
MODEL = typer.Option(..., "--model", "-m", help="Guide model (.safetensors).")
