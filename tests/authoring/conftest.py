"""The same small data set and study that the tests of `experiments` use."""

from tests.experiments.conftest import data_set, taper, taper_folder

__all__ = ["data_set", "taper", "taper_folder"]
