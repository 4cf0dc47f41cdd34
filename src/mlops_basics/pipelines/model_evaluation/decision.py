"""Tests the challenger against the champion on the gate, and puts the outcome into words."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import ConfigurationError
from mlops_basics.schemas import (
    NO_CHAMPION,
    Challenge,
    ChallengeRequest,
    Decision,
    DecisionParams,
    GuardResult,
    Metrics,
)
from mlops_basics.scoring.scores import Floats, Scores
from mlops_basics.stats.paired import confusion_metrics
from mlops_basics.stats.paired.auc import auc_influence, compare_auc, rank_scores
from mlops_basics.stats.paired.compare import PairedSums, compare_losses
from mlops_basics.stats.paired.confusion import PairedTable, paired_bootstrap
from mlops_basics.stats.paired.groups import compare_groups, group_sums
from mlops_basics.stats.paired.guards import shown_worse
from mlops_basics.stats.paired.influence import confusion_influence
from mlops_basics.stats.paired.losses import (
    absolute_rows,
    brier_rows,
    huber_rows,
    log_loss_rows,
    squared_rows,
)
from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
from mlops_basics.stats.paired.result import PairedResult
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.table.row_groups import counted

from .gate import GROUP_COLUMN, gate_scores

UNITS = {
    "log_loss": "nats",
    "huber": "loss",
    "squared_error": "squared units of the target",
    "absolute_error": "units of the target",
}
METRICS = {  # that fit the task; the first is what "auto" stands for
    "classification": (
        "log_loss",
        "brier",
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "mcc",
        "roc_auc",
    ),
    "regression": ("huber", "squared_error", "absolute_error"),
}
OF_CONFUSION = ("accuracy", "balanced_accuracy", "macro_f1", "mcc")
DEFAULT_GUARDS = {
    "classification": ("accuracy", "macro_f1", "roc_auc"),
    "regression": ("absolute_error", "squared_error"),
}


def compare(
    metric: str,
    gate: pd.DataFrame,
    request: ChallengeRequest,
    alpha: float,
    min_gain: float,
    rng: np.random.Generator,
) -> PairedResult:
    """Compare both models by one metric.

    Args:
        metric: One of ``TestedMetric``, not "auto".
        gate: Both models' predictions, from ``gate_table``.
        request: Gives the Huber loss its scale.
        alpha: One-sided level.
        min_gain: Gain that has to be exceeded; minus the margin for non-inferiority.
        rng: Source of the bootstrap's draws.
    """
    champion, challenger = gate_scores(gate, "champion"), gate_scores(gate, "challenger")
    if GROUP_COLUMN in gate.columns:
        groups = gate[GROUP_COLUMN].to_numpy()
        return _compare_by_group(metric, champion, challenger, groups, request, alpha, min_gain)
    if metric == "accuracy":
        counts = PairedCounts.from_predictions(champion.y, champion.predicted, challenger.predicted)
        return mcnemar(counts, alpha=alpha, min_gain=min_gain)
    if metric == "roc_auc":
        one, other = (rank_scores(each.probabilities) for each in (champion, challenger))
        return compare_auc(champion.y, one, other, alpha=alpha, min_gain=min_gain)
    if metric in OF_CONFUSION:
        table = PairedTable.from_codes(
            champion.y,
            champion.predicted,
            challenger.predicted,
            n_classes=champion.probabilities.shape[1],
        )
        metrics = {metric: getattr(confusion_metrics, metric)}
        return paired_bootstrap(table, metrics, rng=rng, alpha=alpha, min_gain=min_gain)[metric]
    rows = row_losses(metric, request.huber_delta or 1.0)
    sums = PairedSums.from_losses(rows(champion), rows(challenger))
    return compare_losses(sums, metric=metric, alpha=alpha, min_gain=min_gain)


def _compare_by_group(
    metric: str,
    champion: Scores,
    challenger: Scores,
    groups: npt.NDArray[np.int64],
    request: ChallengeRequest,
    alpha: float,
    min_gain: float,
) -> PairedResult:
    """The same with groups of rows as the independent units."""
    if metric == "roc_auc":
        one, other = (rank_scores(each.probabilities) for each in (champion, challenger))
        alone = compare_auc(champion.y, one, other, alpha=alpha, min_gain=min_gain)
        if alone.standard_error is None:  # these rows are of one class, or nearly
            return alone
        found = auc_influence(champion.y, one, other)
        return compare_groups(
            found, groups, champion.y, metric=alone.metric, alpha=alpha, min_gain=min_gain
        )
    if metric in OF_CONFUSION:
        found = confusion_influence(
            getattr(confusion_metrics, metric),
            champion.y,
            champion.predicted,
            challenger.predicted,
            n_classes=champion.probabilities.shape[1],
        )
        return compare_groups(
            found, groups, champion.y, metric=metric, alpha=alpha, min_gain=min_gain
        )
    rows = row_losses(metric, request.huber_delta or 1.0)
    sums = group_sums(rows(champion), rows(challenger), groups)
    return compare_losses(sums, metric=metric, alpha=alpha, min_gain=min_gain)


def row_losses(metric: str, delta: float) -> Callable[[Scores], Floats]:
    """The function that gives each row's loss by a metric."""
    losses: dict[str, Callable[[Scores], Floats]] = {
        "log_loss": lambda scores: log_loss_rows(scores.y, scores.probabilities),
        "brier": lambda scores: brier_rows(scores.y, scores.probabilities),
        "huber": lambda scores: huber_rows(scores.y, scores.predicted, delta),
        "squared_error": lambda scores: squared_rows(scores.y, scores.predicted),
        "absolute_error": lambda scores: absolute_rows(scores.y, scores.predicted),
    }
    return losses[metric]


def tested_metric(params: DecisionParams, is_regression: bool) -> str:
    """The metric to test, with "auto" resolved by the task.

    Raises:
        ConfigurationError: If it is no metric of such a task.
    """
    return _fitting(params.metric, "metric", "regression" if is_regression else "classification")


def decide_untested(
    request: ChallengeRequest, challenge: Challenge, params: DecisionParams, metric: str
) -> Decision:
    """The decision about a challenger that was not tested; nothing was spent."""
    outcome = request.status
    return Decision.model_validate(
        {
            **_common(request, challenge, params, metric),
            "promote": False,
            "outcome": outcome,
            "reasons": (request.reason, _kept(request)),
        }
    )


def decide_tested(
    result: PairedResult,
    guards: tuple[GuardResult, ...],
    request: ChallengeRequest,
    challenge: Challenge,
    params: DecisionParams,
    metrics: Metrics,
) -> Decision:
    """The decision about a challenger that was tested: first the test, then whoever may veto."""
    first = request.champion_version == NO_CHAMPION
    vetoes = [guard for guard in guards if guard.shown_worse]
    below = _below_floor(metrics, params.quality_floor) if first else []
    reasons = [_test_in_words(result, request, challenge, params)]
    if not result.significant:
        outcome = "not_better_than_baseline" if first else "kept"
        reasons.append(_what_it_would_take(result, request))
    elif below:
        outcome, reasons = "below_floor", [*reasons, *below]
    elif vetoes and not first:
        outcome, reasons = "guard_veto", [*reasons, *(guard.reason for guard in vetoes)]
    else:
        outcome = "first_release" if first else "promoted"
        reasons += [guard.reason for guard in guards]
    promote = outcome in ("first_release", "promoted")
    if not promote:
        reasons.append(_kept(request))
    interval = result.interval or (None, None)
    return Decision.model_validate(
        {
            **_common(request, challenge, params, result.metric),
            "promote": promote,
            "outcome": outcome,
            "reasons": tuple(reasons),
            "champion_value": result.champion,
            "challenger_value": result.challenger,
            "gain": result.effect,
            "low": interval[0],
            "high": interval[1],
            "p_value": result.p_value,
            "alpha": result.alpha,
            "smallest_gain": result.smallest_gain,
            "level_note": result.level_note,
            "guards": guards,
        }
    )


def judge_guards(
    gate: pd.DataFrame,
    request: ChallengeRequest,
    tested: str,
    params: DecisionParams,
    rng: np.random.Generator,
) -> tuple[GuardResult, ...]:
    """Whether any metric that the user cares for is shown to be worse; not being is no proof."""
    task = "regression" if "champion" in gate.columns else "classification"
    names = [_fitting(name, "guards", task) for name in params.guards or DEFAULT_GUARDS[task]]
    found = []
    for name in dict.fromkeys(names):
        if name == tested:
            continue
        result = compare(name, gate, request, params.guard_alpha, 0.0, rng)
        guard = shown_worse(result, alpha=params.guard_alpha)
        low, high = result.interval or (None, None)
        found.append(
            GuardResult(
                metric=name,
                effect=guard.effect,
                low=low,
                high=high,
                p_worse=guard.p_worse,
                shown_worse=guard.shown_worse,
                reason=guard.reason,
            )
        )
    return tuple(found)


def level_of(challenge: Challenge, params: DecisionParams) -> float:
    """The part of alpha that this challenge may spend."""
    return alpha_at(max(1, challenge.number), params.alpha)


def gain_to_exceed(params: DecisionParams) -> float:
    """``min_gain``, or minus the margin where not being worse is enough."""
    return -params.margin if params.rule == "non_inferiority" else params.min_gain


def _fitting(name: str, parameter: str, task: str) -> str:
    """A metric's name with "auto" resolved, if it is one of the task."""
    known = METRICS[task]
    if name not in ("auto", *known):
        raise ConfigurationError(
            f"decision.{parameter} must be of {', '.join(known)} for a {task}, got '{name}'. "
            "Correct parameters_model_evaluation.yml."
        )
    return known[0] if name == "auto" else name


def _common(
    request: ChallengeRequest, challenge: Challenge, params: DecisionParams, metric: str
) -> dict[str, object]:
    return {
        "champion_version": request.champion_version,
        "challenge": challenge,
        "metric": metric,
        "unit": UNITS.get(metric, "share"),
        "rows": request.rows,
        "which_rows": request.which_rows,
        "groups": request.groups,
        "grouped_by": request.grouped_by,
        "total_alpha": params.alpha,
        "rule": params.rule,
        "min_gain": gain_to_exceed(params),
    }


def _kept(request: ChallengeRequest) -> str:
    if request.champion_version == NO_CHAMPION:
        return "Nothing is published."
    return f"Version {request.champion_version} stays the champion."


def _test_in_words(
    result: PairedResult, request: ChallengeRequest, challenge: Challenge, params: DecisionParams
) -> str:
    against = (
        "a constant prediction"
        if request.champion_version == NO_CHAMPION
        else f"version {request.champion_version}"
    )
    repeated = ", made before and not spent again" if challenge.repeated else ""
    note = f" ({result.level_note})" if result.level_approximate else ""
    return (
        f"Against {against} on {_units(request)}, by {result.metric}: "
        f"{result.reason.rstrip('.')}. This is "
        f"challenge {challenge.number} of this champion{repeated}: it is tested at "
        f"{100 * result.alpha:.3g} % of the {100 * params.alpha:g} % that all of them share{note}."
    )


def _units(request: ChallengeRequest) -> str:
    """How many rows, and of how many groups."""
    told = counted(request.rows, request.groups)
    return told if request.groups is None else f"{told} ({request.grouped_by})"


def _what_it_would_take(result: PairedResult, request: ChallengeRequest) -> str:
    if result.smallest_gain is None:
        return f"On these {_units(request)} no gain could have been proved. Collect others."
    unit = UNITS.get(result.metric, "")
    return (
        f"These {_units(request)} could prove (with 80 % probability) a gain of "
        f"{result.smallest_gain:.3g}{f' {unit}' if unit else ''} or more; a smaller one needs "
        "fresh rows."
    )


def _below_floor(metrics: Metrics, floor: dict[str, float]) -> list[str]:
    found = []
    for name, bound in floor.items():
        estimate = metrics.metrics.get(name)
        if estimate is None or estimate.value is None or math.isnan(estimate.value):
            known = ", ".join(metrics.metrics)
            found.append(f"quality_floor names '{name}', which was not measured ({known}).")
        elif estimate.greater_is_better and estimate.value < bound:
            found.append(f"{name} is {estimate.value:.4g}, below the floor of {bound:g}.")
        elif not estimate.greater_is_better and estimate.value > bound:
            found.append(f"{name} is {estimate.value:.4g}, above the most allowed, {bound:g}.")
    return found
