"""Options of the command line that are settings."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lwise_core.cli.many_numbers import ManyNumbers
from lwise_core.cli.setting_options import choose_settings, with_settings
from lwise_core.errors import InputError
from lwise_core.vision.enhancement_config import EnhancementConfig


def _parse(*words: str) -> EnhancementConfig:
    """Parse the options of a command with an argument of its own and the settings of an enhancement."""
    app, parsed = typer.Typer(), []

    @app.command(cls=ManyNumbers)
    @with_settings(EnhancementConfig)
    def command(dataset: str, **options: Any) -> None:
        parsed.append((dataset, choose_settings(EnhancementConfig, options, command="it")))

    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    ((dataset, config),) = parsed
    assert dataset == "moths"
    return config


@pytest.mark.parametrize(
    "words",
    [
        ("moths", "--eps", "0.25", "8", "1e-1", "--step", "0.5"),
        ("--eps", "0.25", "8", "--eps", "1e-1", "moths"),
        ("--eps=0.25", "--eps", "8", "0.1", "--lower", "moths"),
    ],
)
def test_option_takes_several_numbers_in_a_row(words: tuple[str, ...]) -> None:
    assert _parse(*words).epsilon == (0.25, 8, 0.1)


def test_number_after_another_option_belongs_to_that_option() -> None:
    config = _parse("--steps", "3", "--eps", "2", "--views", "4", "moths")
    assert (config.steps, config.epsilon, config.views) == (3, (2,), 4)


def test_missing_options_have_defaults() -> None:
    assert _parse("moths") == EnhancementConfig()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epsilon": [1, 0]}, r"epsilon.1: expected more than 0 \(found 0\)"),
        ({"epsilon": [-2]}, r"epsilon.0: expected more than 0 \(found -2\)"),
        ({"format": "gif"}, r"format: expected 'png', 'webp', 'png16' or 'jpeg' \(found 'gif'\)"),
        ({"superclasses": {"dog": ["many"]}}, r"superclasses.dog.0: expected a whole number \(found 'many'\)"),
    ],
)
def test_rejects_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"(?s)options of it: .*{message}"):
        choose_settings(EnhancementConfig, settings, command="it")
