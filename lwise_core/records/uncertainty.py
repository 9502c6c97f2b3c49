"""Intervals and tests with the participant as the unit.

Knows arrays of numbers; knows nothing of conditions, columns or files.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9_999
CURVE_RESAMPLES = 1_999
_BATCH_CELLS = 2_000_000
_GEE_ITERATIONS = 100

Floats = NDArray[np.float64]
Interval = tuple[float, float]


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[..., Any] = np.mean,
    *,
    seed: tuple[int, ...],
    resamples: int = RESAMPLES,
) -> Interval:
    """95 % percentile bootstrap interval of a statistic over one value per participant.

    NaN for fewer than two values. `statistic` must accept the argument `axis`.
    """
    return _bootstrap((np.asarray(values, dtype=float),), statistic, seed=seed, resamples=resamples)


def bootstrap_difference(first: ArrayLike, second: ArrayLike, *, seed: tuple[int, ...]) -> Interval:
    """95 % percentile bootstrap interval of mean(first) - mean(second), each resampled independently."""
    samples = (np.asarray(first, dtype=float), np.asarray(second, dtype=float))
    return _bootstrap(samples, _difference_of_means, seed=seed, resamples=RESAMPLES)


@dataclass(frozen=True)
class ClusteredTest:
    """Odds ratio and two-sided p-value, or NaN for both and the reason."""

    odds_ratio: float = math.nan
    p_value: float = math.nan
    reason: str = ""


def clustered_logit(outcome: ArrayLike, exposed: ArrayLike, cluster: ArrayLike) -> ClusteredTest:
    """Logistic GEE of a binary outcome on a between-cluster exposure, one row per trial.

    logit P(outcome = 1) = α + β exposed, exchangeable working correlation within a cluster (Liang & Zeger 1986,
    https://doi.org/10.1093/biomet/73.1.13), bias-reduced sandwich covariance (Mancl & DeRouen 2001,
    https://doi.org/10.1111/j.0006-341X.2001.00126.x), β / SE(β) referred to Student's t with (clusters - 2) degrees of
    freedom because sandwich errors are too small when clusters are few.
    """
    outcomes, exposure = np.asarray(outcome, dtype=float), np.asarray(exposed, dtype=float)
    clusters = np.unique(np.asarray(cluster), return_inverse=True)[1]
    groups = [exposure == value for value in (0, 1)]
    if min(len(np.unique(clusters[group])) for group in groups) < 2:
        return ClusteredTest(reason="fewer than two participants in a condition")
    if any(outcomes[group].mean() in (0, 1) for group in groups):
        return ClusteredTest(reason="all answers of a condition are correct, or all incorrect")
    try:
        slope, error_of_slope = _fit_gee(outcomes, exposure, clusters)
    except (np.linalg.LinAlgError, ValueError) as error:
        return ClusteredTest(reason=f"the GEE cannot be fitted ({error})")
    if not math.isfinite(slope) or not error_of_slope > 0:
        return ClusteredTest(reason="the GEE did not converge")
    p_value = 2 * stats.t.sf(abs(slope / error_of_slope), df=clusters.max() + 1 - 2)
    return ClusteredTest(odds_ratio=math.exp(slope), p_value=float(p_value))


def holm(p_values: ArrayLike) -> Floats:
    """Holm's (1979) step-down adjustment over the p-values that are not NaN."""
    raw = np.asarray(p_values, dtype=float)
    adjusted = np.full(len(raw), math.nan)
    order = [index for index in np.argsort(raw) if math.isfinite(raw[index])]
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, float(raw[index]) * (len(order) - rank)))
        adjusted[index] = highest
    return adjusted


def _bootstrap(
    samples: tuple[Floats, ...], statistic: Callable[..., Any], *, seed: tuple[int, ...], resamples: int
) -> Interval:
    if min(len(sample) for sample in samples) < 2:
        return math.nan, math.nan
    result = stats.bootstrap(
        samples,
        statistic,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _BATCH_CELLS // sum(len(sample) for sample in samples)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _difference_of_means(first: Floats, second: Floats, axis: int = -1) -> Any:
    return first.mean(axis=axis) - second.mean(axis=axis)


def _fit_gee(outcomes: Floats, exposure: Floats, clusters: NDArray[np.intp]) -> tuple[float, float]:
    """β and its standard error; NaN without convergence."""
    # Importing statsmodels takes seconds; tables and curves do not need it.
    import statsmodels.api as sm

    model = sm.GEE(
        outcomes,
        np.column_stack([np.ones_like(exposure), exposure]),
        groups=clusters,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    with warnings.catch_warnings():
        # The result says whether the iterations converged.
        warnings.simplefilter("ignore")
        fitted = model.fit(maxiter=_GEE_ITERATIONS, cov_type="bias_reduced")
    if not fitted.converged:
        return math.nan, math.nan
    return float(fitted.params[1]), float(fitted.bse[1])
