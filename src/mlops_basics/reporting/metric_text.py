"""How metrics are put into words, the same on every page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_basics.schemas import METRICS, Estimate, Metrics, OverfitCheck

from .text import limits


def metric_name(name: str) -> str:
    """A metric's name as people write it."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def interval(estimate: Estimate) -> str:
    """The limits of a metric, or nothing."""
    return "" if estimate.value is None else limits(estimate.low, estimate.high)


def reading_order(metrics: Mapping[str, Metrics]) -> dict[str, Metrics]:
    """Test rows first: no choice was made on them, so they alone say how good a model is."""
    first = [rows for rows in ("test", "valid", "train") if rows in metrics]
    return {
        rows: metrics[rows] for rows in [*first, *(set_ for set_ in metrics if set_ not in first)]
    }


def leading_metric(metrics: Mapping[str, Metrics]) -> tuple[str, str, Estimate] | None:
    """Set of rows, name and estimate of the metric that a reader wants first."""
    for rows, found in reading_order(metrics).items():
        for name, estimate in found.metrics.items():
            return rows, name, estimate
    return None


def verdict(overfit: OverfitCheck) -> str:
    """The overfit check in a few words."""
    if overfit.low is None:
        return "overfitting cannot be judged: all rows of a set are of one group"
    return "overfitted: may not be promoted" if overfit.overfitted else "no overfitting shown"
