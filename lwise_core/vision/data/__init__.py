"""Data sets: descriptions, lists of images, splits, statistics, and new data sets built from others."""

from lwise_core.vision.data.description import DatasetDescription, load_dataset_description

__all__ = ["DatasetDescription", "load_dataset_description"]
