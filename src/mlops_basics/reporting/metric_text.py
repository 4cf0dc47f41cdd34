"""How metrics are put into words, the same on every page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_basics.schemas import METRICS, Estimate, Metrics, OrderCheck, OverfitCheck

from .text import Badge, limits, number


@dataclass(frozen=True)
class MetricRow:
    """A metric by set of rows; None where it was not measured."""

    name: str
    greater_is_better: bool
    estimates: dict[str, Estimate | None]


def metric_name(name: str) -> str:
    """A metric's name as users write it."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def interval(estimate: Estimate) -> str:
    """The limits of a metric, or nothing."""
    return "" if estimate.value is None else limits(estimate.low, estimate.high)


def reading_order(metrics: Mapping[str, Metrics]) -> dict[str, Metrics]:
    """Test rows first: no choice was made on them, so they alone say how good a model is."""
    first = [name for name in ("test", "valid", "train") if name in metrics]
    others = [name for name in metrics if name not in first]
    return {name: metrics[name] for name in [*first, *others]}


def metric_rows(metrics: Mapping[str, Metrics]) -> list[MetricRow]:
    """Each metric once, in the order in which the sets name them."""
    names = dict.fromkeys(name for of_set in metrics.values() for name in of_set.metrics)
    rows = []
    for name in names:
        estimates = {set_name: of_set.metrics.get(name) for set_name, of_set in metrics.items()}
        better = next(estimate.greater_is_better for estimate in estimates.values() if estimate)
        rows.append(MetricRow(name, better, estimates))
    return rows


def leading_metric(metrics: Mapping[str, Metrics]) -> tuple[str, str, Estimate] | None:
    """Set of rows, name and estimate of the metric that a reader wants first."""
    for set_name, of_set in reading_order(metrics).items():
        for name, estimate in of_set.metrics.items():
            return set_name, name, estimate
    return None


def overfit_badge(overfit: OverfitCheck) -> Badge:
    """The overfit check in a few words."""
    if overfit.low is None or overfit.high is None:
        words = "overfitting cannot be judged: all rows of a set are of one group"
        return Badge(words, "neutral")
    if overfit.overfitted:
        return Badge("overfitted: may not be promoted", "bad")
    return Badge("no overfitting shown", "good")


def order_text(check: OrderCheck | None) -> tuple[str, str, str]:
    """What the next batch may be like: claim, value and on what; empty where nothing is known."""
    if check is None or check.mean is None:
        return "", "", ""
    batches = "batch" if len(check.batches) == 1 else f"{len(check.batches)} batches"
    claim = f"{check.loss[0].upper()}{check.loss[1:]} on the newest {batches}:"
    rows = f"({sum(check.rows):,} rows, each batch predicted from those before it)"
    return claim, number(check.mean), rows
