"""How much worse a model does on rows it was not fitted on, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from mlops_basics.stats.paired.groups import unit_parts


@dataclass(frozen=True)
class LossGap:
    """Excess of the validation loss over the training loss, as a share of a baseline's loss."""

    gap: float
    low: float | None
    high: float | None
    confidence: float
    train_loss: float
    valid_loss: float
    baseline_loss: float

    def exceeds(self, tolerance: float) -> bool:
        """Whether the gap is surely larger: its whole interval is."""
        return self.low is not None and self.low > tolerance


def loss_gap(
    train_losses: npt.ArrayLike,
    valid_losses: npt.ArrayLike,
    train_baseline: npt.ArrayLike,
    valid_baseline: npt.ArrayLike,
    confidence: float = 0.95,
    train_groups: npt.ArrayLike | None = None,
    valid_groups: npt.ArrayLike | None = None,
) -> LossGap:
    """How much more of its advantage over a baseline a model has on the rows it was fitted on.

    Args:
        train_losses, valid_losses: Losses of the same model, one a row, smaller is better, shape
            (n,) and (m,), n, m >= 2.
        train_baseline, valid_baseline: Losses of a constant prediction on the same rows. Its mean
            on the validation rows, which must be above 0, is the unit of the gap. Shape (n,) and
            (m,).
        confidence: Of the two-sided interval.
        train_groups, valid_groups: The group of each row, where groups are independent and rows are
            not; both or none. A group may have rows in both sets, under one name: what it has in
            common cancels. Shape (n,) and (m,).

    Returns:
        With equal differences in all rows of both sets the interval is the gap itself; without
        limits where one set is of a single group, which tells nothing about others.

    Raises:
        ValueError: If an array is too short or not finite, of another shape, or a number out of
            range.

    Note:
        With l a row's loss and b the baseline's, the gap is (mean(l - b) on validation rows -
        mean(l - b) on training rows) / mean(b) on validation rows. Subtracting the baseline row by
        row keeps apart what is not overfitting: when the validation rows are of a later time with
        another share of a class, both models lose.

        The rows (or groups, see ``groups.group_sums``) of both sets are taken as independent draws
        of one population, the model as fixed; the interval speaks of this model, not of the method
        that fitted it. The model was fitted on the training rows, whose mean loss therefore has no
        sampling error that would matter to the validation rows: Welch's interval is on the wide
        side.

    References:
        B. L. Welch (1947), Biometrika 34, 28-35; his degrees of freedom are at most the number of
        groups minus one, as groups in both sets are no two.

    Example:
        >>> ones = [1.0, 1.0, 1.0, 1.0]
        >>> result = loss_gap([0.1, 0.2, 0.3, 0.2], [0.3, 0.5, 0.4, 0.4], ones, ones)
        >>> round(result.gap, 3), round(result.low, 3), round(result.high, 3)
        (0.2, 0.059, 0.341)

        The validation loss is higher by 20 % of the baseline's loss, surely by 5 %.
    """
    train, train_base = _check("train", train_losses, train_baseline)
    valid, valid_base = _check("valid", valid_losses, valid_baseline)
    unit = float(valid_base.mean())
    if not unit > 0:
        raise ValueError(f"valid_baseline must have a mean above 0, got {unit!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence!r}")
    seen, unseen = train - train_base, valid - valid_base
    gap = float(unseen.mean() - seen.mean())
    half = _half_width(
        confidence,
        unit_parts((seen - seen.mean()) / len(seen), train_groups),
        unit_parts((unseen - unseen.mean()) / len(unseen), valid_groups),
    )
    return LossGap(
        gap=gap / unit,
        low=None if half is None else (gap - half) / unit,
        high=None if half is None else (gap + half) / unit,
        confidence=confidence,
        train_loss=float(train.mean()),
        valid_loss=float(valid.mean()),
        baseline_loss=unit,
    )


def _half_width(
    confidence: float,
    train: tuple[npt.NDArray[Any], npt.NDArray[np.float64]],
    valid: tuple[npt.NDArray[Any], npt.NDArray[np.float64]],
) -> float | None:
    """Half of Welch's interval of the difference of two means; None if a set is of one group."""
    (train_names, seen), (valid_names, unseen) = train, valid
    if min(len(seen), len(unseen)) < 2:
        return None
    _, at_train, at_valid = np.intersect1d(
        train_names, valid_names, assume_unique=True, return_indices=True
    )
    both = 2 * float(seen[at_train] @ unseen[at_valid])
    variances = [float(parts @ parts) for parts in (seen, unseen)]
    variance = sum(variances) - both
    if variance <= 0:
        return 0.0
    welch = sum(variances) ** 2 / sum(
        each**2 / (len(parts) - 1) for each, parts in zip(variances, (seen, unseen), strict=True)
    )
    freedom = min(welch, len(seen) + len(unseen) - len(at_train) - 1)
    return float(stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(variance))


def _check(
    name: str, losses: npt.ArrayLike, baseline: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    values = np.asarray(losses, dtype=np.float64)
    base = np.asarray(baseline, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"{name}_losses must be of shape (n,) with n >= 2, got {values.shape!r}")
    if base.shape != values.shape:
        raise ValueError(f"{name}_baseline must be of shape {values.shape!r}, got {base.shape!r}")
    both = np.concatenate([values, base])
    if not np.isfinite(both).all():
        raise ValueError(
            f"{name}_losses must be finite, got {float(both[~np.isfinite(both)][0])!r}"
        )
    return values, base
