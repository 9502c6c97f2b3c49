"""Patterns with which SageMaker extracts metrics from a training's log, for the curves in its console."""

from __future__ import annotations

from collections.abc import Mapping

METRICS: Mapping[str, str] = {
    name: rf"\b{name}=([0-9.eE+-]+)"
    for name in ("loss", "clean_accuracy", "robust_accuracy", "learning_rate", "epsilon", "images_per_s", "mfu")
}
"""Name -> pattern of its number in `EpochRecord.line`."""
