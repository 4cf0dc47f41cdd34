"""How much worse a model does on rows it was not fitted on, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class LossGap:
    """Mean validation loss minus mean training loss, as a share of a baseline's loss."""

    gap: float
    low: float
    high: float
    confidence: float
    train_loss: float
    valid_loss: float
    baseline_loss: float


def loss_gap(
    train_losses: npt.ArrayLike,
    valid_losses: npt.ArrayLike,
    baseline_loss: float,
    confidence: float = 0.95,
) -> LossGap:
    """Gap between validation and training loss, with Welch's interval.

    Parameters
    ----------
    train_losses, valid_losses : array_like, shape (n,) and (m,), n, m >= 2
        Losses of the same model, one a row, smaller is better.
    baseline_loss : float > 0
        Mean loss of a constant prediction; it makes the gap free of the loss' unit.
    confidence : float in (0, 1)
        Of the two-sided interval.

    Returns
    -------
    LossGap
        With equal losses in all rows of both sets the interval is the gap itself.

    Raises
    ------
    ValueError
        If an array is too short or not finite, or a number out of range.

    Notes
    -----
    The rows of both sets are taken as independent draws of one population, the model as fixed;
    the interval speaks of this model, not of the method that fitted it. The model was fitted on
    the training rows, whose mean loss therefore has no sampling error that would matter to the
    validation rows: Welch's interval is on the wide side.

    References
    ----------
    B. L. Welch (1947), Biometrika 34, 28-35.

    Examples
    --------
    >>> result = loss_gap([0.1, 0.2, 0.3, 0.2], [0.3, 0.5, 0.4, 0.4], baseline_loss=1.0)
    >>> round(result.gap, 3), round(result.low, 3), round(result.high, 3)
    (0.2, 0.059, 0.341)

    The validation loss is higher by 20 % of the baseline's loss, surely by 5 %.
    """
    train = np.asarray(train_losses, dtype=np.float64)
    valid = np.asarray(valid_losses, dtype=np.float64)
    for name, values in (("train_losses", train), ("valid_losses", valid)):
        if values.ndim != 1 or len(values) < 2:
            raise ValueError(f"{name} must be of shape (n,) with n >= 2, got {values.shape!r}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]!r}")
    if not baseline_loss > 0:
        raise ValueError(f"baseline_loss must be above 0, got {baseline_loss!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence!r}")
    gap = float(valid.mean() - train.mean())
    half = 0.0
    if np.ptp(train) > 0 or np.ptp(valid) > 0:
        interval = stats.ttest_ind(valid, train, equal_var=False).confidence_interval(confidence)
        half = float(interval.high - interval.low) / 2
    return LossGap(
        gap=gap / baseline_loss,
        low=(gap - half) / baseline_loss,
        high=(gap + half) / baseline_loss,
        confidence=confidence,
        train_loss=float(train.mean()),
        valid_loss=float(valid.mean()),
        baseline_loss=baseline_loss,
    )
