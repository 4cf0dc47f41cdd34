"""Has the error risen since other classes come now, or is each class predicted worse?"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from mlops_basics.stats import _check
from mlops_basics.stats.concept_drift.blocks import unit_losses

Floats = NDArray[np.float64]
_ROUNDING = 1e-12  # a smaller rise is none

Kind = Literal["label_shift", "concept_drift", "both", "unknown"]


@dataclass(frozen=True)
class ClassLosses:
    """Losses by class, summed up; mergeable.

    Attributes:
        rows: Rows of each class, shape (classes,).
        total, squares: Sums of their losses, and of the squares of these.
    """

    rows: Floats
    total: Floats
    squares: Floats

    @classmethod
    def of(cls, losses: ArrayLike, codes: ArrayLike, classes: int) -> "ClassLosses":
        """Sum up losses.

        Args:
            losses: In [0, 1], shape (n,).
            codes: The true class of each row, 0 ... ``classes`` - 1, shape (n,).
            classes: How many there are.

        Raises:
            ValueError: If a loss is outside [0, 1], or a code is none of a class.
        """
        x = unit_losses(losses, "losses")
        y = _check.codes(codes, "codes", classes).astype(np.int64)
        rows, total, squares = (
            np.bincount(y, weights=weights, minlength=classes).astype(np.float64)
            for weights in (None, x, x * x)
        )
        return cls(rows, total, squares)

    def merge(self, other: "ClassLosses") -> "ClassLosses":
        """The losses of both."""
        return ClassLosses(
            self.rows + other.rows, self.total + other.total, self.squares + other.squares
        )


@dataclass(frozen=True, kw_only=True)
class ShiftResult:
    """Where a rise of the mean loss comes from.

    Attributes:
        kind: ``label_shift``: the classes' shares explain it, and no rise within the classes is
            shown. ``concept_drift``: within the classes it has risen, and no part of it is shown to
            come from the shares. ``both`` are shown, or neither (``unknown``).
        reference, observed: Mean loss before and now.
        expected: What the mean loss would be if the shares alone had changed.
        p_shares: p-value of "the shares raise nothing".
        p_within: p-value of "within the classes nothing has risen".
        alpha: Level of each of both tests.
    """

    kind: Kind
    reference: float
    expected: float
    observed: float
    p_shares: float
    p_within: float
    alpha: float


def tell_apart(
    reference: ClassLosses, now: ClassLosses, *, alpha: float = 0.01, design_effect: float = 1.0
) -> ShiftResult:
    r"""Split a rise of the mean loss into what the classes' shares explain, and the rest.

    Args:
        reference: Losses of rows as they were.
        now: Losses of rows as they are; the same classes.
        alpha: Level of each of the two tests.
        design_effect: How many times as large the variance of a mean of ``now`` is as that of as
            many independent rows: 1 unless rows err together.

    Raises:
        ValueError: If one of both has no row, or alpha or design_effect is out of range.

    Note:
        Under label shift alone P(x | y) stays, and with it the mean loss mu_c of each class: the
        mean loss moves from sum pi_c mu_c to sum q_c mu_c, pi and q being the shares before and
        now (reweighting, as in [1], by labels that are there). So

        .. math:: \bar x - \sum \pi_c \mu_c = \sum (q_c - \pi_c) \mu_c
                  + \sum q_c (\bar x_c - \mu_c),

        the part of the shares, and the part within the classes. Each is divided by its standard
        error under the hypothesis that it is 0: that of the shares by
        sqrt(V (d / n + 1 / m)), V being the variance of mu_c over the rows of both; that within by
        sqrt(sum q_c^2 v_c (d / n_c + 1 / m_c)), v_c being the variance within the class, of the
        rows of both. Means of a class are drawn towards that of all by one row, so that a class
        without a reference is expected to be like the others. Normal approximation, one-sided.

        Rows that were chosen because their mean loss is high, as those before an alarm are, look a
        little worse within the classes, too. ``tests/pipelines/monitoring/test_label_shift.py``
        counts what comes of that.

    References:
        [1] Z. C. Lipton, Y.-X. Wang and A. Smola, "Detecting and correcting for label shift with
            black box predictors", Proceedings of the 35th International Conference on Machine
            Learning, 3122-3130 (2018).

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.concept_drift.label_shift import ClassLosses, tell_apart
        >>> before = ClassLosses(*(np.array([900.0, 100.0]), *[np.array([45.0, 40.0])] * 2))
        >>> rarer = ClassLosses(*(np.array([600.0, 400.0]), *[np.array([30.0, 160.0])] * 2))
        >>> told = tell_apart(before, rarer)
        >>> told.kind, round(told.reference, 3), round(told.expected, 3), told.observed
        ('label_shift', 0.085, 0.189, 0.19)

        One row in twenty of the first class is wrong, two in five of the second, as before; the
        second class has become four times as frequent.
    """
    alpha = _check.level(alpha)
    if design_effect < 1:
        raise ValueError(f"design_effect must be at least 1, got {design_effect!r}")
    m, n = float(reference.rows.sum()), float(now.rows.sum())
    if not m or not n:
        raise ValueError(f"reference and now must have rows, got {m:g} and {n:g}")
    overall = float(reference.total.sum()) / m
    mu = (reference.total + overall) / (reference.rows + 1)
    pi, q = reference.rows / m, now.rows / n
    both = reference.merge(now)
    share = both.rows / (m + n)
    between = float(share @ (mu - share @ mu) ** 2)
    from_shares = float((q - pi) @ mu)
    error_of_shares = math.sqrt(between * (design_effect / n + 1 / m))
    counted = now.rows > 0
    mean = both.total[counted] / both.rows[counted]
    within = np.maximum(both.squares[counted] / both.rows[counted] - mean**2, 0.0)
    of_class = design_effect / now.rows[counted] + 1 / (reference.rows[counted] + 1)
    expected, observed = float(q @ mu), float(now.total.sum()) / n
    error_within = math.sqrt(float(q[counted] ** 2 @ (within * of_class)))
    p_shares = _upper_tail(from_shares, error_of_shares)
    p_within = _upper_tail(observed - expected, error_within)
    before = float(pi @ mu)
    mostly = 2 * from_shares >= observed - before
    return ShiftResult(
        kind=_kind(p_shares <= alpha, p_within <= alpha, mostly_by_shares=mostly),
        reference=before,
        expected=expected,
        observed=observed,
        p_shares=p_shares,
        p_within=p_within,
        alpha=alpha,
    )


def _kind(by_shares: bool, within: bool, *, mostly_by_shares: bool) -> Kind:
    """A small part that is shown does not explain a large rest that is not."""
    if by_shares and within:
        return "both"
    if within:
        return "concept_drift"
    return "label_shift" if by_shares and mostly_by_shares else "unknown"


def _upper_tail(rise: float, error: float) -> float:
    if rise <= _ROUNDING:
        rise = min(rise, 0.0)
    if error <= 0:
        return 1.0 if rise <= 0 else 0.0
    return float(special.ndtr(-rise / error))
