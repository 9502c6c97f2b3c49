"""`lwise`: the entry point. Turns bad input into one clear line and exit code 2."""

from __future__ import annotations

import os
import sys
from typing import Any, cast

import typer
from typer.core import TyperGroup

from lwise_core import __version__
from lwise_core.cli.lazy_group import LazyCommands
from lwise_core.cli.progress import warn
from lwise_core.errors import InputError

INTERRUPTED = 130

_EXTRA_OF_MODULE = {
    **dict.fromkeys(("torch", "torchvision", "timm", "PIL", "numpy", "safetensors", "cv2"), "vision"),
    **dict.fromkeys(("starlette", "uvicorn", "httpx", "segno"), "local"),
    **dict.fromkeys(("boto3", "botocore"), "cloud"),
    **dict.fromkeys(("sagemaker", "packaging"), "sagemaker"),
    **dict.fromkeys(("pandas", "scipy", "statsmodels", "matplotlib", "jinja2"), "analysis"),
}

COMMANDS = LazyCommands(
    {
        "demo": "demo:demo",
        "dataset": "dataset:app",
        "train": "train:train",
        "checkpoints": "checkpoints:app",
        "score": "score:score",
        "difficulty": "difficulty:app",
        "enhance": "enhance:enhance",
        "controls": "controls:controls",
        "look": "look:look",
        "jobs": "jobs:app",
        "experiments": "experiments:app",
        "serve": "serve:serve",
        "links": "links:links",
        "stimuli": "stimuli:app",
        "status": "status:status",
        "teardown": "teardown:teardown",
        "data": "records:app",
        "report": "records:report",
    }
)


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(Any, COMMANDS)


app = typer.Typer(
    cls=_Group,
    help="Teach people to tell look-alike categories apart with images scored and enhanced by a robust network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
) -> None:
    pass


def main() -> None:
    """Run the command line; exit code 0 done, 1 failed, 2 bad input, 130 interrupted."""
    try:
        app()
    except InputError as error:
        warn(f"error: {error}")
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF_MODULE.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        warn(f"error: this command needs {error.name}; install it with: pip install 'lwise[{extra}]'")
        sys.exit(2)
    except BrokenPipeError:
        # The reader, such as `head`, closed the pipe. Without this, Python would report it again on its last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        # A full disk or a lost network drive: no other arguments would have helped.
        warn(f"error: {error}")
        sys.exit(1)
    except SystemExit as exit_:
        # Typer turns Ctrl-C into this exit code and prints nothing.
        if exit_.code == INTERRUPTED:
            warn(
                "interrupted; finished results are saved. Run the same command again to resume (lwise train: with "
                "--resume)"
            )
        raise
