"""A study with screening, codes in AWS parameters and e-mail addresses, as the function serves it."""

from __future__ import annotations

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.experiments.study import Study
from tests.experiments.conftest import write_data_set, write_study

N_TRIALS = 6
CODE_PARAMETER = "/lwise/moths/done"

_STUDY = {
    "session_config": [{"test": {"n_trials_per_class_val": 2, "bonus_usd_if_correct": 0.25}}],
    "deployment": {
        "seed": 5,
        "num_trialsets": 3,
        "completion_code": f"ssm:{CODE_PARAMETER}",
        "screen_out_code": "env:OUT_CODE",
    },
    "site": {"title": "Moths", "screening": {"min_correct": 4}, "ask_email": True},
}


@pytest.fixture(scope="session")
def cloud_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Six test trials, of which four have to be right; three may take part."""
    folder = tmp_path_factory.mktemp("cloud")
    data_set = write_data_set(folder / "images", per_class={"val": 2})
    return compile_study(write_study(folder / "moths_1", data_set, _STUDY)).study
