"""Tests the challenger against the champion on the gate, and puts the outcome into words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from mlops_basics.errors import ConfigurationError
from mlops_basics.reporting.decision_text import champion_text, chance_text, gain_text, luck_text
from mlops_basics.reporting.metric_text import metric_name
from mlops_basics.reporting.text import sentence, unit_text
from mlops_basics.schemas import (
    METRICS,
    NO_CHAMPION,
    Challenge,
    ChallengeRequest,
    Decision,
    DecisionParams,
    Look,
    Metrics,
    RefitReport,
)
from mlops_basics.schemas.metrics import Kind, default_guards, kind_of_task, metrics_to_test
from mlops_basics.scoring.comparison import compare_scores
from mlops_basics.scoring.gate_columns import gate_scores
from mlops_basics.stats.paired.guards import Guard, shown_worse
from mlops_basics.stats.paired.result import MIN_ROWS, PairedResult
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.table.row_groups import counted

from . import ages, evidence
from .gate import GROUP_COLUMN


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
        metric: One that may be tested, not "auto".
        gate: Both models' predictions, from ``gate_table``.
        request: Gives the Huber loss its scale.
        alpha: One-sided level.
        min_gain: Gain that has to be exceeded; minus the margin for non-inferiority.
        rng: Source of the bootstrap's draws.
    """
    grouped = GROUP_COLUMN in gate.columns
    return compare_scores(
        metric,
        gate_scores(gate, "champion"),
        gate_scores(gate, "challenger"),
        gate[GROUP_COLUMN].to_numpy() if grouped else None,
        alpha,
        min_gain,
        rng,
        request.huber_delta or 1.0,
        in_order=request.in_order,
    )


def metric_to_test(params: DecisionParams, kind: Kind) -> str:
    """The metric to test, with "auto" resolved by the task.

    Raises:
        ConfigurationError: If it is no metric of such tasks.
    """
    return _fitting(params.metric, "metric", kind)


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
    guards: tuple[Guard, ...],
    request: ChallengeRequest,
    challenge: Challenge,
    params: DecisionParams,
    metrics: Metrics,
) -> Decision:
    """The decision about a challenger that was tested: first the test, then the guards."""
    first = request.champion_version == NO_CHAMPION
    vetoes = [guard.reason for guard in guards if guard.shown_worse]
    below = _below_floor(metrics, params.quality_floor) if first else []
    if not result.significant:
        outcome = "not_better_than_constant" if first else "kept"
        because = [_what_it_would_take(result, request)]
    elif below:
        outcome, because = "below_floor", below
    elif vetoes and not first:
        outcome, because = "guard_veto", vetoes
    else:
        outcome = "first_release" if first else "promoted"
        because = [guard.reason for guard in guards]
    promote = outcome in ("first_release", "promoted")
    interval = result.interval or (None, None)
    decision = Decision.model_validate(
        {
            **_common(request, challenge, params, result.metric),
            "promote": promote,
            "outcome": outcome,
            "reasons": (),
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
    reasons = [_verdict(result, decision), _allowed(decision, request, params)]
    reasons += [challenge.note] if challenge.note else []
    reasons += [*because, sentence(decision.level_note)]
    reasons += [] if promote else [_kept(request)]
    return decision.model_copy(update={"reasons": tuple(filter(None, reasons))})


def with_folds(decision: Decision) -> Decision:
    """Say so where what was tested is the recipe, not one fitted model."""
    if not decision.fold_rows or decision.gain is None:
        return decision
    told = (
        f"What was tested is the challenger's recipe, not one fitted model: it learned from "
        f"{decision.fold_rows:,} of the {decision.rows:,} rows, which the champion never saw. Each "
        f"of these was predicted by one of {decision.folds} further fits of the recipe, made "
        "without it."
    )
    return with_reason(decision, told)


def with_refit(decision: Decision, refit: RefitReport) -> Decision:
    """Say so where the model that a release holds is not the very one that was judged."""
    if refit.rule != "all":
        return decision
    told = (
        "The recipe was judged as fitted on train and valid rows; a release holds the same recipe "
        f"fitted on all {refit.rows:,} rows, and none is left to judge that."
    )
    return with_reason(decision, told)


def with_reason(decision: Decision, sentence: str) -> Decision:
    """A further sentence; what stays the champion is the last word."""
    last = len(decision.reasons) if decision.promote else -1
    reasons = (*decision.reasons[:last], sentence, *decision.reasons[last:])
    return decision.model_copy(update={"reasons": reasons})


def judge_guards(
    gate: pd.DataFrame,
    request: ChallengeRequest,
    tested: str,
    params: DecisionParams,
    rng: np.random.Generator,
) -> tuple[Guard, ...]:
    """Whether any metric that the user cares for is shown to be worse; not being is no proof.

    Where rows are of different ages the tested metric is a guard, too, on the newer ones; and what
    is worse on all rows, but not on the newest, is no veto: they tell what production meets now.
    All guards share one level, so that more of them do not veto more often by chance. Unless guards
    are named, the class whose recall has fallen most is one, too: overall metrics hardly move when
    a rare class is no longer found.
    """
    kind = kind_of_task(gate_scores(gate, "champion").task)
    asked = [_fitting(name, "guards", kind) for name in params.guards or default_guards(kind)]
    names = [name for name in dict.fromkeys(asked) if name != tested]
    newer, newest = ages.newer_rows(gate), ages.newest_rows(gate)
    by_class = bool(request.classes) and not params.guards
    count = len(names) + (newer is not None) + by_class
    if not count:
        return ()
    alpha = params.guard_alpha / count
    guards = []
    if newer is not None:
        result = compare(tested, newer, request, alpha, 0.0, rng)
        guards.append(ages.veto_of_newer(result, len(newer), alpha))
    for name in names:
        guard = shown_worse(compare(name, gate, request, alpha, 0.0, rng), alpha=alpha)
        if guard.shown_worse and newest is not None:
            again = compare(name, newest, request, alpha, 0.0, rng)
            guard = ages.lifted(guard, again, len(newest))
        guards.append(replace(guard, metric=name))  # as asked for; an AUC's own says which
    if by_class and (worst := _worst_class(gate, request, alpha, rng)) is not None:
        guards.append(worst)
    return tuple(
        replace(guard, reason=f"{metric_name(guard.metric)}: {guard.reason}.") for guard in guards
    )


def _worst_class(
    gate: pd.DataFrame, request: ChallengeRequest, alpha: float, rng: np.random.Generator
) -> Guard | None:
    """The class whose recall is most clearly worse, at a share of the level for each class."""
    old, new = gate_scores(gate, "champion"), gate_scores(gate, "challenger")
    groups = gate[GROUP_COLUMN].to_numpy() if GROUP_COLUMN in gate.columns else None
    found = []
    for code, name in enumerate(request.classes):
        rows = np.flatnonzero(old.y == code)
        if len(rows) >= MIN_ROWS:
            result = compare_scores(
                "accuracy",
                old.of(rows),
                new.of(rows),
                None if groups is None else groups[rows],
                alpha,
                0.0,
                rng,
                in_order=request.in_order,
            )
            found.append(replace(result, metric=f"recall of class '{name}'"))
    if not found:
        return None
    return shown_worse(min(found, key=lambda each: each.p_worse), alpha=alpha / len(found))


def compare_by_age(
    metric: str,
    gate: pd.DataFrame,
    request: ChallengeRequest,
    challenge: Challenge,
    params: DecisionParams,
    rng: np.random.Generator,
) -> tuple[PairedResult, pd.DataFrame, ChallengeRequest]:
    """Test on all rows, and on those that came after the champion, at a share of the level each.

    Returns:
        What decides: the first result that is significant, that of the newer rows before; else that
        of all rows. With the rows that it is of, and the request for these.
    """
    sets = ages.sets_to_test(gate, request, GROUP_COLUMN)
    alpha = level_of(challenge, params) / len(sets)
    least = gain_to_exceed(params)
    found = [
        (
            evidence.compare_looks(of_rows, metric, alpha, least)
            if of_rows.looks
            else compare(metric, rows, of_rows, alpha, least, rng),
            rows,
            of_rows,
        )
        for rows, of_rows in sets
    ]
    return next((each for each in reversed(found) if each[0].significant), found[0])


def level_of(challenge: Challenge, params: DecisionParams) -> float:
    """The part of alpha that this challenge may spend."""
    return alpha_at(max(1, challenge.number), params.alpha)


def gain_to_exceed(params: DecisionParams) -> float:
    """``min_gain``, or minus the margin where not being worse is enough."""
    return -params.margin if params.rule == "non_inferiority" else params.min_gain


def _fitting(name: str, parameter: str, kind: Kind) -> str:
    """A metric's name with "auto" resolved, if it is one of the kind."""
    names = metrics_to_test(kind)
    if name not in ("auto", *names):
        raise ConfigurationError(
            f"decision.{parameter} must be of {', '.join(names)} for a {kind}, got '{name}'. "
            "Correct parameters_model_evaluation.yml."
        )
    return names[0] if name == "auto" else name


def _common(
    request: ChallengeRequest, challenge: Challenge, params: DecisionParams, metric: str
) -> dict[str, object]:
    return {
        "champion_version": request.champion_version,
        "challenge": challenge,
        "metric": metric,
        "unit": _unit(metric) or "share",
        "rows": request.rows,
        "which_rows": request.which_rows,
        "groups": request.groups,
        "grouped_by": request.grouped_by,
        "fold_rows": request.fold_rows,
        "folds": request.folds,
        "looks": tuple(look.number for look in request.looks),
        "total_alpha": params.alpha,
        "rule": params.rule,
        "min_gain": gain_to_exceed(params),
    }


def _unit(metric: str) -> str:
    return METRICS[metric].unit if metric in METRICS else ""  # an AUC of several classes: no name


def _kept(request: ChallengeRequest) -> str:
    if request.champion_version == NO_CHAMPION:
        return "Nothing is published."
    return f"Version {request.champion_version} stays in production."


def _verdict(result: PairedResult, decision: Decision) -> str:
    """Whether it is shown to be better, and what was measured."""
    than = champion_text(decision.champion_version)
    unit = unit_text(decision.unit)
    claim = f"better than {than}"
    if decision.min_gain > 0:
        claim += f" by more than {decision.min_gain:.4g}{unit}"
    elif decision.min_gain < 0:
        claim = f"less than {-decision.min_gain:.4g}{unit} worse than {than}"
    shown = "Shown" if result.significant else "Not shown"
    found = f"{shown} to be {claim}."
    if result.effect is not None:
        grouped = f" ({decision.grouped_by})" if decision.groups is not None else ""
        found += f" {gain_text(decision, grouped)}."
    # Without an interval there was nothing to compute a chance from: the reason says why.
    return found if result.interval else f"{found} {sentence(result.reason)}"


def _allowed(decision: Decision, request: ChallengeRequest, params: DecisionParams) -> str:
    """What luck would do, what is allowed, and which part of alpha that is."""
    challenge = decision.challenge
    first = decision.champion_version == NO_CHAMPION
    share, total = level_of(challenge, params), params.alpha
    if request.looks:
        total = request.look.alpha if request.look else total
        share = alpha_at(challenge.number, total)
    of_all = "before a first release" if first else f"of {champion_text(decision.champion_version)}"
    repeated = ", made before and not counted again," if challenge.repeated else ""
    text = (
        f"{luck_text(decision)} Of the {chance_text(total)} that all challenges {of_all} share, "
        f"challenge {challenge.number}{repeated} has {chance_text(share)}"
    )
    if request.looks:
        text += (
            f"; it adds to {_named(request.looks)} of the same recipe, whose rows count as they "
            f"were judged then, which makes {chance_text(decision.alpha or 0)} for all of them"
        )
    elif (decision.alpha or 0) < share:
        text += ": half of it for the rows of newer batches, half for all rows"
    return f"{text}."


def _named(looks: tuple[Look, ...]) -> str:
    numbers = [str(look.number) for look in looks]
    if len(numbers) == 1:
        return f"challenge {numbers[0]}"
    return f"the challenges {', '.join(numbers[:-1])} and {numbers[-1]}"


def _units(request: ChallengeRequest) -> str:
    """How many rows, and of how many groups."""
    text = counted(request.rows, request.groups)
    return text if request.groups is None else f"{text} ({request.grouped_by})"


def _what_it_would_take(result: PairedResult, request: ChallengeRequest) -> str:
    if result.smallest_gain is None:
        return f"No gain, however large, could be shown on these {_units(request)}: collect others."
    return (
        f"On these {_units(request)} a true gain of {result.smallest_gain:.3g}"
        f"{unit_text(_unit(result.metric))} or more would be shown in four of five such "
        "comparisons; a smaller one needs new rows."
    )


def _below_floor(metrics: Metrics, floor: dict[str, float]) -> list[str]:
    reasons = []
    for name, bound in floor.items():
        estimate = metrics.metrics.get(name)
        if estimate is None or estimate.value is None or math.isnan(estimate.value):
            measured = ", ".join(metrics.metrics)
            reasons.append(f"quality_floor names '{name}', which was not measured ({measured}).")
        elif estimate.greater_is_better and estimate.value < bound:
            reasons.append(f"{name} is {estimate.value:.4g}, below the floor of {bound:g}.")
        elif not estimate.greater_is_better and estimate.value > bound:
            reasons.append(f"{name} is {estimate.value:.4g}, above the most allowed, {bound:g}.")
    return reasons
