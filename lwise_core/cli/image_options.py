"""Arguments that the commands of the image side share."""

from __future__ import annotations

import typer

DIRMAP = typer.Argument(help="The dirmap of the data set.")
IMAGES = typer.Option(..., "--images", help="Folder that the dirmap's im_path starts from.")
MODEL = typer.Option(..., "--model", "-m", help="Guide model (.safetensors).")
SETTINGS_FILE = typer.Option(None, "--config", help="YAML file of the settings below; options win.")
SPLIT = typer.Option(None, help="Only the images of this split (default: all).")
CLASS_NUM_COL = typer.Option(
    None, help="Column with the numbers of the model's logits (default: classes are found by their names)."
)
SUPERCLASSES = typer.Option(
    None, help="For classes that are several of the model's: a YAML file, class: [logits], or a known data set."
)
PRESENT_ONLY = typer.Option(
    False, "--present-only", help="Leave out the model's classes that the data set does not have."
)
SKIP_BAD = typer.Option(False, "--skip-bad", help="Leave out what cannot be read instead of stopping.")
