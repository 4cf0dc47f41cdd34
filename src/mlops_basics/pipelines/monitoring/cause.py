"""Where a rise of the error comes from, and what fits: other classes, or another relation?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mlops_basics.schemas import CLASS_COLUMN, ReleaseReference, Watch, WatchedBatch
from mlops_basics.stats.concept_drift.label_shift import (
    ClassLosses,
    Kind,
    ShiftResult,
    tell_apart,
)
from mlops_basics.stats.concept_drift.sequential import SequentialState

Floats = npt.NDArray[np.float64]
#: Of each class: rows, the sum of their losses, and that of the squares of these.
ByClass = Mapping[str, tuple[int, float, float]]

UNKNOWN_CLASS = ""  # one that the model does not know
NOT_OF_A_REGRESSION = (
    "In a regression it is not told apart whether the target's distribution or its relation to the "
    "features has moved."
)
NOT_RECORDED = (
    "Whether the shares of the classes or the relation has changed is not told apart: what is "
    "compared with holds no losses by class."
)
REMEDIES: dict[Kind, str] = {
    "label_shift": (
        "What helps: weights that are fitted with the newer shares (a refresh), probabilities that "
        "are calibrated to them, or another threshold. A search for a new recipe need not help."
    ),
    "concept_drift": (
        "What helps: to learn from newer rows, and a search for a new recipe; other thresholds do "
        "not mend it."
    ),
    "both": "What helps: to learn from newer rows, and a search for a new recipe.",
    "unknown": "More labelled rows will tell.",
}


def losses_by_class(
    losses: Floats, codes: npt.NDArray[np.int64], classes: Sequence[str]
) -> dict[str, tuple[int, float, float]]:
    """Sum up the losses of each class that is there.

    Args:
        losses: Shape (rows,).
        codes: The true classes, -1 for one that the model does not know; shape (rows,).
        classes: Their names.
    """
    names = (*classes, UNKNOWN_CLASS)
    sums = ClassLosses.of(losses, codes % len(names), len(names))
    each = zip(names, sums.rows, sums.total, sums.squares, strict=True)
    return {name: (int(n), float(total), float(sq)) for name, n, total, sq in each if n}


def cause_of_rise(
    watch: Watch,
    reference: ReleaseReference,
    classes: Sequence[str],
    batches: Sequence[WatchedBatch],
) -> tuple[Kind | None, str]:
    """Tell where a rise of the error that is shown comes from, and what fits.

    Args:
        watch: With the alarm.
        reference: The losses of the release's test rows, with their classes.
        classes: Of the release; none of a regression.
        batches: That have entered the test.

    Returns:
        The cause, None where it cannot be told; and a reason in words.
    """
    if not classes:
        return None, NOT_OF_A_REGRESSION
    state = SequentialState.from_dict(watch.sequential)
    names = (*classes, UNKNOWN_CLASS)
    before = _compared_with(watch, reference, names, batches)
    now = _sums([record.class_losses for record in _since_rise(watch, state, batches)], names)
    if before is None or not now.rows.sum() or not before.rows.sum():
        return None, NOT_RECORDED
    found = tell_apart(before, now, alpha=state.alpha, design_effect=_design_effect(state, before))
    return found.kind, _in_words(found)


def _compared_with(
    watch: Watch,
    reference: ReleaseReference,
    names: Sequence[str],
    batches: Sequence[WatchedBatch],
) -> ClassLosses | None:
    """What the error has risen from: the release's test rows, or what a search has answered."""
    if watch.own is not None:
        known = [record.class_losses for record in batches if record.key in watch.compared_with]
        return _sums(known, names)
    if CLASS_COLUMN not in reference.losses:
        return None
    losses = reference.losses[watch.loss].to_numpy(dtype=np.float64)
    codes = reference.losses[CLASS_COLUMN].to_numpy(dtype=np.int64)
    return ClassLosses.of(losses, codes % len(names), len(names))


def _since_rise(
    watch: Watch, state: SequentialState, batches: Sequence[WatchedBatch]
) -> list[WatchedBatch]:
    """The newest batches, as many as exceed what is tolerated by most in sum."""
    answered = watch.attempts[-1].batches if watch.attempts else 0
    newest = sorted(
        (record for record in batches if record.entered and record.number > answered),
        key=lambda record: -record.number,
    )
    if not newest:
        return []
    excess = [
        sum(total - n * state.mean for n, total, _ in record.class_losses.values())
        for record in newest
    ]
    return newest[: int(np.cumsum(excess).argmax()) + 1]


def _sums(each: Sequence[ByClass], names: Sequence[str]) -> ClassLosses:
    nothing = (0, 0.0, 0.0)
    rows = np.array([[known.get(name, nothing) for name in names] for known in each], dtype=float)
    sums = rows.reshape(len(each), len(names), 3).sum(axis=0)
    return ClassLosses(*sums.T)


def _design_effect(state: SequentialState, before: ClassLosses) -> float:
    """How many times as large the variance of a block's mean is as that of independent rows."""
    n = before.rows.sum()
    of_rows = before.squares.sum() / n - (before.total.sum() / n) ** 2
    return max(1.0, state.block * state.variance / of_rows) if of_rows > 0 else 1.0


def _in_words(found: ShiftResult) -> str:
    part = {
        "label_shift": "Other shares of the classes explain it",
        "concept_drift": "Rows of a class are predicted worse; other shares do not explain it",
        "both": "Rows of a class are predicted worse, and other shares of classes add to it",
        "unknown": "Whether the shares of the classes or the relation has changed is not shown yet",
    }[found.kind]
    return (
        f"{part}. {REMEDIES[found.kind]} In figures: an error of {found.reference:.3g} before, of "
        f"{found.expected:.3g} by the present shares alone (p-value {found.p_shares:.2g}), and "
        f"{found.observed:.3g} observed (p-value {found.p_within:.2g} for worse predictions of the "
        f"same class); {found.alpha:g} or less shows it."
    )
