"""Arguments that the commands of the image side share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.shard import Shard

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
SHARD = typer.Option(
    None,
    "--shard",
    help="Of N runs at once, e.g. on N cards, this one's part: I/N, I from 0; then once without --shard.",
)
SKIP_BAD = typer.Option(False, "--skip-bad", help="Leave out what cannot be read instead of stopping.")


def shard_told(text: str | None) -> Shard | None:
    """The shard of `--shard`, if it was given."""
    from lwise_core.vision.shard import Shard

    if text is None:
        return None
    index, slash, of = text.partition("/")
    if not slash or not index.isdecimal() or not of.isdecimal() or int(index) >= int(of) or int(of) < 2:
        raise InputError(f"--shard is {text!r}; expected I/N with I from 0 to N - 1, e.g. 0/4")
    return Shard(int(index), int(of))
