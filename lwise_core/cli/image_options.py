"""Arguments shared by the commands that work on images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.shard import Shard

DIRMAP = typer.Argument(help="The dirmap of the data set.")
IMAGES = typer.Option(..., "--images", help="Folder that the dirmap's im_path starts from.")
MODEL = typer.Option(..., "--model", "-m", help="Guide model (.safetensors).")
SETTINGS_FILE = typer.Option(None, "--config", help="YAML file of the settings below; options take precedence.")
SHARD = typer.Option(
    None,
    "--shard",
    help="This run's part of N parallel runs, e.g. on N GPUs: I/N, I from 0. Finish with a run without --shard.",
)


def parse_shard(text: str | None) -> Shard | None:
    """The shard of `--shard`, if given."""
    from lwise_core.vision.shard import Shard

    if text is None:
        return None
    index, slash, of = text.partition("/")
    if not slash or not index.isdecimal() or not of.isdecimal() or int(index) >= int(of) or int(of) < 2:
        raise InputError(f"--shard is {text!r}; expected I/N with I from 0 to N - 1, e.g. 0/4")
    return Shard(int(index), int(of))
