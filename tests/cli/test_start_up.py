"""Commands load what they use: help is there at once, and a laptop without PyTorch can serve studies."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SLOW = {
    *("aws_cdk", "boto3", "cv2", "httpx", "matplotlib", "pandas", "sagemaker", "scipy", "timm", "torch", "torchvision"),
}
_PROGRAM = """
import contextlib, io, sys
from lwise_core.cli.main import app
with contextlib.redirect_stdout(io.StringIO()):
    app({arguments!r}, standalone_mode=False)
print(*sorted({names!r} & set(sys.modules)))
"""


def loaded_packages(arguments: list[str], names: set[str]) -> str:
    """Which of the named packages a fresh process has loaded after a command."""
    program = _PROGRAM.format(arguments=arguments, names=names)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_list_of_commands_loads_no_command() -> None:
    assert loaded_packages(["--help"], _SLOW | {"numpy", "PIL", "pydantic", "yaml", "starlette"}) == ""


@pytest.mark.parametrize("command", ["train", "enhance", "score", "jobs", "serve", "data", "report", "demo"])
def test_help_of_a_command_loads_nothing_slow(command: str) -> None:
    assert loaded_packages([command, "--help"], _SLOW) == ""
