"""Has the model's error risen by more than what is tolerated?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import (
    ConceptResult,
    MonitoringParams,
    Part,
    Parts,
    Release,
    ReleaseReference,
    Watch,
    WatchedBatch,
    WatchedLoss,
)
from mlops_basics.schemas.policy import ENOUGH_ROWS
from mlops_basics.scoring.policy_loss import score_target
from mlops_basics.scoring.scores import expected_losses, watched_losses
from mlops_basics.stats.concept_drift.blocks import choose_block
from mlops_basics.stats.concept_drift.bursts import Bursts, block_shown, observe
from mlops_basics.stats.concept_drift.sequential import (
    SequentialState,
    conclude,
    start_monitor,
    update,
)
from mlops_basics.stats.intervals import metrics as intervals
from mlops_basics.stats.intervals.result import Interval
from mlops_basics.table.copies import one_of_each
from mlops_basics.table.engine import map_parts
from mlops_basics.table.target import target_values

from .cause import cause_of_rise, losses_by_class
from .rebase import with_losses

Floats = npt.NDArray[np.float64]

#: A rise is worth knowing when it is found within so many batches.
BATCHES_AHEAD = 4
LEAST_HORIZON = 500


def begin_watch(release: Release, reference: ReleaseReference, params: MonitoringParams) -> Watch:
    """Start to watch a release.

    Raises:
        ConfigurationError: If the loss asked for is none of the release's.
    """
    version, choices = release.manifest.version, reference.info.losses
    loss: WatchedLoss = choices[0] if params.loss == "auto" else params.loss
    if loss not in choices:
        raise ConfigurationError(
            f"monitoring.loss is {loss!r}, but the release {version} can be watched by: "
            f"{', '.join(choices)}."
        )
    losses = reference.losses[loss].to_numpy(dtype=np.float64)
    state = start_monitor(
        losses,
        tolerance=params.tolerance,
        alpha=params.concept_alpha,
        block=choose_block(losses, run=min(reference.info.run, len(losses) / 2)),
    )
    return Watch(
        version=version,
        trained={batch.name: batch.sha256 for batch in release.batches if batch.learned_from},
        loss=loss,
        sequential=in_full_stream(state, losses, reference.info.thinned).to_dict(),
        bursts=Bursts().to_dict() if reference.info.thinned > 1 else None,
    )


def in_full_stream(state: SequentialState, losses: Floats, thinned: int) -> SequentialState:
    """Blocks for a stream of which the reference holds every ``thinned``-th row only.

    A burst that hits k reference rows hits ``thinned`` times as many in the stream, and one that is
    shorter than ``thinned`` rows does not show in the reference at all. So a split by hash that
    keeps a fifth of the rows means blocks of five rows at least: total failure, which single rows
    show after about 8, is then seen after two or three blocks. What still is hidden, such as days
    of which a few rows were drawn, the batches show (``in_bursts``).
    """
    if thinned <= 1:
        return state
    block = state.block * thinned
    alone = float(losses.var())
    # What the rows of a block have in common is not averaged out by more of them.
    common = max(state.variance - alone / state.block, 0.0) if state.block > 1 else 0.0
    variance = alone / block + common
    return dataclasses.replace(state, block=block, variance=max(variance, 1e-6 * state.mean))


def in_bursts(state: SequentialState, bursts: Bursts) -> SequentialState:
    """Blocks as long as the batches before have shown bursts to be, if these are longer."""
    length, variance = block_shown(bursts)
    if length <= state.block:
        return state
    return dataclasses.replace(state, block=length, variance=max(variance, 1e-6 * state.mean))


def batch_losses(
    features: Parts,
    target: pd.Series,
    release: Release,
    watch: Watch,
    strict: bool,
    order: npt.NDArray[np.intp] | None = None,
) -> tuple[Floats, float | None, dict[str, tuple[int, float, float]]]:
    """The losses of a batch's labelled rows, and the mean loss that the model itself expects.

    Args:
        features: Shape (rows, columns).
        target: Raw labels of these rows, missing ones included.
        release: The model and its table.
        watch: By which loss it is watched.
        strict: Whether a row without a label counts with a loss of 0, which makes the test valid
            whichever labels are missing.
        order: Positions of the rows in the order of time, shape (rows,); None: as they are.

    Returns:
        Losses in [0, 1], in the order of time, that of a prediction that is no number being 1; the
        mean loss, None where the model expects none; and of the labelled rows the sums by true
        class (classification).

    Raises:
        DataError: If a label is no number where the target is one, or the model cannot predict
            these rows.
    """
    table = release.table
    y = target_values(target, table.task, table.positive_above)
    labelled = y.notna().to_numpy()
    kept = np.ones(len(y), dtype=bool)  # copies of a row say what it has said
    kept[labelled] = one_of_each(
        features.where(labelled), y[labelled], None if order is None else _rank(order)[labelled]
    )
    of_each = [y.iloc[rows] for rows in features.slices]
    parts = list(zip(features.parts, of_each, strict=True))
    scored = list(map_parts(partial(_scored, release, watch.loss), parts))
    rows = np.flatnonzero(kept) if order is None else order[kept[order]]

    def of_rows(name: str) -> npt.NDArray[Any]:  # one after the other: rows may be many
        return np.concatenate([part.pop(name).to_numpy() for part in scored])[rows]

    losses, labelled = of_rows("loss"), labelled[rows]
    by_class = {}
    if table.task != "regression":
        codes = of_rows("code")
        by_class = losses_by_class(losses[labelled], codes[labelled], table.classes)
    expected = None
    if "expected" in scored[0]:
        known = of_rows("expected")
        known = known[~np.isnan(known)]
        expected = float(known.mean()) if known.size else None
    kept_losses = np.where(labelled, losses, 0.0) if strict else losses[labelled]
    return kept_losses, expected, by_class


def _rank(order: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The place of each position in an order, shape (rows,)."""
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank


def _scored(release: Release, loss: WatchedLoss, part: tuple[Part, pd.Series]) -> pd.DataFrame:
    """The loss of each row of a part, the one the model expects, and the code of its class."""
    rows, target = part
    try:
        scores = score_target(release.model, rows.read(None), target.to_numpy(), release.table)
    except Exception as error:  # of whatever library the model is made with
        raise DataError(
            f"Its error is not known: the release {release.manifest.version} cannot predict its "
            f"rows ({error})."
        ) from error
    assert release.reference is not None  # noqa: S101 (its watch was begun with it)
    losses = watched_losses(scores, release.reference.info.clip)[loss]
    if scores.task == "regression":
        return pd.DataFrame({"loss": np.where(np.isnan(scores.predicted), 1.0, losses)})
    unknown = np.isnan(scores.probabilities).any(axis=1)
    found = {"loss": np.where(unknown, 1.0, losses), "code": scores.y}
    expected = expected_losses(scores.probabilities, scores.predicted, loss)
    if expected is not None:
        found["expected"] = np.where(unknown, np.nan, expected)
    return pd.DataFrame(found)


def may_enter(record: WatchedBatch, newest: int, params: MonitoringParams) -> bool:
    """Whether a batch's losses enter the test: enough labels, or old enough; never by its loss."""
    count = record.labels
    if record.entered or not record.number or count is None or not count.labelled:
        return False
    waited = newest - record.number >= params.patience
    return count.coverage >= params.min_coverage or waited


def enter(watch: Watch, record: WatchedBatch, losses: Floats) -> tuple[Watch, WatchedBatch]:
    """Let a batch's losses, in time order, enter the test; once in its life."""
    before = SequentialState.from_dict(watch.sequential)
    bursts = None if watch.bursts is None else Bursts.from_dict(watch.bursts)
    after = update(before if bursts is None else in_bursts(before, bursts), losses)
    interval = _interval(losses)
    entered = record.model_copy(
        update={
            "entered": True,
            "alarm": before.alarm_row is None and after.alarm_row is not None,
            "error": float(losses.mean()),
            "error_low": interval.low,
            "error_high": interval.high,
        }
    )
    watch = watch.model_copy(
        update={
            "sequential": after.to_dict(),
            "bursts": None if bursts is None else observe(bursts, losses).to_dict(),
        }
    )
    return with_losses(watch, losses, alarmed=before.alarm_row is not None), entered


def conclude_concept(
    watch: Watch,
    reference: ReleaseReference,
    batches: Sequence[WatchedBatch],
    classes: Sequence[str] = (),
) -> ConceptResult:
    """What the test says after all batches that have entered it; ``classes`` of the release."""
    state = SequentialState.from_dict(watch.sequential)
    used = [record for record in batches if record.number]
    entered = [record for record in used if record.entered]
    sizes = [record.rows for record in used] or [0]
    horizon = max(LEAST_HORIZON, BATCHES_AHEAD * round(float(np.median(sizes))))
    scale = reference.info.clip or 1.0 if watch.loss == "absolute_error" else 1.0
    result = conclude(state, horizon=horizon, scale=scale)
    rows = sum(record.labels.labelled for record in entered if record.labels)
    total = sum(
        (record.error or 0.0) * record.labels.labelled for record in entered if record.labels
    )
    if result.alarm:
        status, reason = "drift", result.reason + _condition(reference)
    elif not any(record.labels and record.labels.labelled for record in used):
        reason = (
            f"no labels yet, of {plural(len(used), 'batch')}" if used else "no batch has come yet"
        )
        status = "no_labels"
    elif not entered:
        status = "not_enough_labels"
        reason = f"not enough labels yet, in any of {plural(len(used), 'batch')}"
    else:
        status, reason = "no_drift", result.reason
    cause, cause_reason = None, ""
    if result.alarm:
        cause, cause_reason = cause_of_rise(watch, reference, classes, entered)
    losses = reference.losses[watch.loss]
    newest, newest_rows = _newest_error(entered)
    own = None if watch.own is None else SequentialState.from_dict(watch.own).mean
    return ConceptResult.model_validate(
        {
            "status": status,
            "loss": watch.loss,
            "rows": rows,
            "reference_rows": len(losses),
            "reference": float(losses.mean()),
            "reference_upper": state.reference,
            "tolerated": state.mean,
            "tolerance": state.tolerance,
            "observed": total / rows if rows else None,
            "wealth": max(result.log_peak / result.log_threshold, 0.0),
            "block": state.block,
            "alpha": state.alpha,
            "alarm_row": result.alarm_row,
            "smallest": result.smallest,
            "horizon": horizon,
            "scale": scale,
            "newest": newest,
            "newest_rows": newest_rows,
            "own_tolerated": own,
            "cause": cause or "",
            "cause_reason": cause_reason,
            "reason": reason,
        }
    )


def _condition(reference: ReleaseReference) -> str:
    """What the promise of an alarm rests on, where nothing tells which rows belong together."""
    if reference.info.thinned <= 1 or reference.info.run > 1:
        return ""
    return (
        "; in the first batches that holds for rows that err independently of each other: test "
        "rows of a split by hash hardly show bursts, such as bad days. Where rows belong together, "
        "name a column that says so (group_by)"
    )


def _newest_error(entered: Sequence[WatchedBatch]) -> tuple[float | None, int]:
    """Mean error of the newest batches that hold enough rows together, and these rows."""
    total, rows = 0.0, 0
    for record in sorted(entered, key=lambda record: -record.number):
        if rows >= ENOUGH_ROWS or record.labels is None or record.error is None:
            break
        total += record.error * record.labels.labelled
        rows += record.labels.labelled
    return (total / rows if rows else None), rows


def _interval(losses: Floats) -> Interval:
    if set(np.unique(losses)) <= {0.0, 1.0}:
        return intervals.share(int(losses.sum()), len(losses))
    if len(losses) < 2:
        value = float(losses.mean())
        return Interval(value, 0.0, 1.0)
    interval = intervals.mean(losses, 0.95, 0)  # of few rows it may reach past the largest loss
    return dataclasses.replace(
        interval, high=1.0 if interval.high is None else min(interval.high, 1.0)
    )
