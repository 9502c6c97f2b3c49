"""Data sets: what is known of them, which images they have, splits, statistics, and new ones made of others."""

from lwise_core.vision.data.description import DatasetDescription, load_dataset_description

__all__ = ["DatasetDescription", "load_dataset_description"]
