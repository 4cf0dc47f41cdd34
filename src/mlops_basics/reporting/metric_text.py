"""How metrics are put into words, the same on every page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    METRICS,
    Constant,
    Estimate,
    Metrics,
    OrderCheck,
    OverfitCheck,
    RefitReport,
    ThresholdChoice,
)
from mlops_basics.schemas.metrics import is_own

from .text import Badge, limits, number, plain

#: A class is hardly ever predicted where it is for fewer than this share of its rows.
HARDLY_EVER = 0.25
LEAST_ROWS_OF_CLASS = 10


@dataclass(frozen=True)
class MetricRow:
    """A metric by set of rows; None where it was not measured."""

    name: str
    greater_is_better: bool
    estimates: dict[str, Estimate | None]


def metric_name(name: str) -> str:
    """A metric's name as users write it."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def metric_with_unit(name: str) -> str:
    """A metric's name and its unit, as at an axis."""
    unit = METRICS[name].unit if name in METRICS else ""
    return f"{metric_name(name)}, {unit}" if unit else metric_name(name)


def metric_heading(name: str) -> str:
    """A metric's name in a table; with its unit where it is the user's own, as in "Cost, euros"."""
    return metric_with_unit(name) if is_own(name) else metric_name(name)


def interval(estimate: Estimate) -> str:
    """The limits of a metric, or nothing."""
    return "" if estimate.value is None else limits(estimate.low, estimate.high)


def reading_order(metrics: Mapping[str, Metrics]) -> dict[str, Metrics]:
    """Test rows first: no choice was made on them, so they alone say how good a model is."""
    first = [name for name in ("test", "valid", "train") if name in metrics]
    others = [name for name in metrics if name not in first]
    return {name: metrics[name] for name in [*first, *others]}


def set_size(metrics: Metrics) -> list[str]:
    """How many rows, of how many they are a sample, and of how many groups; in short lines.

    >>> set_size(Metrics(rows=20_000, of_rows=600_000, confidence=0.95, metrics={}))
    ['20,000 of', '600,000', 'rows']
    """
    groups = [] if metrics.groups is None else [plural(metrics.groups, "group")]
    if metrics.of_rows not in (None, metrics.rows):
        return [f"{metrics.rows:,} of", f"{metrics.of_rows:,}", "rows", *groups]
    lines = [plural(metrics.rows, "row"), *groups]
    return " ".join(lines).split(" ") if metrics.rows >= 100_000 else lines


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


def compared_text(metrics: Mapping[str, Metrics]) -> tuple[str, str]:
    """The first metric that a reader wants, beside what a constant prediction has.

    Returns:
        "Accuracy 0.815 on 786 test rows", and "always 'no' has 0.808"; empty where not known. Of a
        regression the error in units of the target: R² of a constant is about 0 by definition.
    """
    leading = leading_metric(metrics)
    if leading is None:
        return "", ""
    set_name, name, _ = leading
    of_set = metrics[set_name]
    if not of_set.classes and "rmse" in of_set.metrics:
        name = "rmse"
    value, constant = of_set.metrics[name].value, of_set.constant
    claim = f"{metric_name(name)} {number(value)} on {plural(of_set.rows, f'{set_name} row')}"
    if constant is None or constant.metrics.get(name) is None:
        return claim, ""
    return claim, f"{constant_text(constant)} has {number(constant.metrics[name])}"


def constant_text(constant: Constant) -> str:
    """A constant prediction in words."""
    if isinstance(constant.prediction, str):
        return f"always '{plain(constant.prediction, 24)}'"
    return f"always {number(constant.prediction)}"


def rare_predictions(metrics: Mapping[str, Metrics]) -> list[str]:
    """A warning for each class that is hardly ever predicted, on the first set that is shown."""
    for set_name, of_set in reading_order(metrics).items():
        remedy = (
            ", and `decision.threshold` predicts it earlier" if len(of_set.classes) == 2 else ""
        )
        return [
            f"'{plain(each.name, 40)}' is hardly ever predicted: of its {each.rows:,} {set_name} "
            f"rows {each.found:,} {'is' if each.found == 1 else 'are'} found ({each.predicted:,} "
            f"predicted). Its probability can rank rows all the same{remedy}."
            for each in of_set.classes
            if each.rows >= LEAST_ROWS_OF_CLASS and each.predicted < HARDLY_EVER * each.rows
        ]
    return []


def threshold_text(choice: ThresholdChoice) -> str:
    """From which probability on a class is predicted, and what that was chosen for."""
    if choice.chosen_by in METRICS:
        better = f"the best {within_a_sentence(metric_name(choice.chosen_by))}"
    else:
        better = f"the lowest mean {plain(choice.chosen_by, 80)}"
    return (
        f"'{plain(choice.positive, 24)}' is predicted from a probability of {choice.value:g} on, "
        f"for {better} on {plural(choice.rows, 'valid row')}: {number(choice.result)}, and "
        f"{number(choice.at_half)} from 0.5 on"
    )


def within_a_sentence(name: str) -> str:
    """A metric's name without its capital, unless it is an abbreviation."""
    return name if name[:2].isupper() else f"{name[0].lower()}{name[1:]}"


def overfit_badge(overfit: OverfitCheck) -> Badge:
    """The overfit check in a few words."""
    if overfit.low is None or overfit.high is None:
        words = "overfitting cannot be judged: all rows of a set are of one group"
        return Badge(words, "neutral")
    if overfit.overfitted:
        return Badge("overfitted: may not be promoted", "bad")
    return Badge("no overfitting shown", "good")


def gap_text(overfit: OverfitCheck) -> str:
    """The gap, and what speaks for or against its being more than is tolerated."""
    low = "" if overfit.low is None else f"{100 * overfit.low:.1f} %"
    tolerated = f"{100 * overfit.tolerance:g} %"
    words = f"gap {100 * overfit.gap:.1f} %"
    if not low:
        return f"{words}; up to {tolerated} is tolerated"
    if overfit.overfitted:
        return f"{words}, surely {low} or more; up to {tolerated} is tolerated"
    if overfit.gap > overfit.tolerance:  # else it reads as if it were shown
        return f"{words}, but it may be as small as {low}; up to {tolerated} is tolerated"
    return f"{words}; up to {tolerated} is tolerated"


def curve_text(refit: RefitReport) -> str:
    """What more rows may bring, from how the recipe learns from fewer; empty without a curve."""
    if len(refit.curve) < 2:
        return ""
    losses = [point.loss for point in refit.curve]
    learned = ", ".join(f"{number(p.loss)} by {plural(p.rows, 'row')}" for p in refit.curve)
    gain = losses[-2] - losses[-1]
    before = losses[-3] - losses[-2] if len(losses) > 2 else 0.0
    # The next doubling brings as large a share of the last one's gain as that did of its own.
    share = min(gain / before, 1.0) if before > 0 else 1.0
    told = (
        f"twice as many rows may bring some {number(gain * share)} less"
        if gain > 0
        else "more rows promise nothing"
    )
    return f" The table has more than may be used: {refit.loss} on valid rows is {learned}; {told}."


def order_text(check: OrderCheck | None) -> tuple[str, str, str]:
    """What the next batch may be like: claim, value and on what; empty where nothing is known."""
    if check is None or check.mean is None:
        return "", "", ""
    newest = len(check.batches)
    batches = "batch" if newest == 1 else plural(newest, "batch")
    claim = f"{check.loss[0].upper()}{check.loss[1:]} on the newest {batches}:"
    rows = f"({plural(sum(check.rows), 'row')}, each batch predicted from those before it)"
    return claim, number(check.mean), rows
