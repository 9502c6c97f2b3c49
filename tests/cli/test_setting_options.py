"""Options that are settings, as a command line gives them."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lwise_core.cli.setting_options import ManyNumbers, chosen, with_settings
from lwise_core.errors import InputError
from lwise_core.vision.enhancement_config import EnhancementConfig


def _given(*words: str) -> EnhancementConfig:
    """What a command with the settings of an enhancement, and one word of its own, makes of this."""
    app, found = typer.Typer(), []

    @app.command(cls=ManyNumbers)
    @with_settings(EnhancementConfig)
    def command(dataset: str, **settings: Any) -> None:
        found.append((dataset, chosen(EnhancementConfig, settings, command="it")))

    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    ((dataset, config),) = found
    assert dataset == "moths"
    return config


@pytest.mark.parametrize(
    "words",
    [
        ("moths", "--eps", "0.25", "8", "1e-1", "--step", "0.5"),
        ("--eps", "0.25", "8", "--eps", "1e-1", "moths"),
        ("--eps=0.25", "--eps", "8", "0.1", "--attack", "moths"),
    ],
)
def test_numbers_may_stand_in_a_row(words: tuple[str, ...]) -> None:
    assert _given(*words).eps == (0.25, 8, 0.1)


def test_a_number_after_another_option_is_that_options_alone() -> None:
    config = _given("--steps", "3", "--eps", "2", "--views", "4", "moths")
    assert (config.steps, config.eps, config.views) == (3, (2,), 4)


def test_what_is_not_given_has_its_default() -> None:
    assert _given("moths") == EnhancementConfig()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"eps": [1, 0]}, "eps is 0; input should be greater than 0"),
        ({"eps": [-2]}, "eps is -2; input should be greater than 0"),
        ({"format": "gif"}, "format is 'gif'; input should be 'png', 'webp', 'png16' or 'jpeg'"),
        ({"superclasses": {"dog": ["many"]}}, "superclasses is 'many'; input should be a valid integer"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=f"(?s)options of it: .*{complaint}"):
        chosen(EnhancementConfig, settings, command="it")
