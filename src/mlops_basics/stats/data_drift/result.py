"""What a test of drift says of one column, or of the columns jointly."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DriftThresholds:
    """Effects that do not matter: only what is surely larger is called drift.

    Attributes:
        numeric: KS distance: largest difference of the share of values at or below any value.
        share: Change of the share of one level, or of missing values.
        correlation: Difference of Fisher's z of a normal-score correlation (0.1: 0.5 becomes 0.57).
        auc: Area under the ROC curve of a classifier that tells current rows from reference rows.
    """

    numeric: float = 0.05
    share: float = 0.02
    correlation: float = 0.1
    auc: float = 0.55

    def __post_init__(self) -> None:
        for name, low in (("numeric", 0.0), ("share", 0.0), ("auc", 0.5)):
            value = getattr(self, name)
            if not low <= value < 1:
                raise ValueError(f"{name} must be at least {low:g} and below 1, got {value!r}")
        if not 0 <= self.correlation < float("inf"):
            raise ValueError(f"correlation must be at least 0, got {self.correlation!r}")


@dataclass(frozen=True, kw_only=True)
class DriftResult:
    """Whether one thing has changed by more than what matters.

    No field is ever NaN or infinite; what cannot be computed is None.

    Attributes:
        column: Name of the column; of both columns, or of the classifier, for joint changes.
        kind: ``"numeric"``, ``"missing"``, ``"categorical"``, ``"correlation"`` or
            ``"classifier"``.
        measure: What the effect is: ``"KS distance"``, ``"change of one share"``, ...
        where: Where the largest change is: the value, the level, the pair of columns; "" when
            nowhere.
        effect: The observed effect; None when it cannot be computed.
        lower: Lower confidence bound of the effect at ``level``; 0 (0.5 for an AUC) when nothing is
            certain.
        threshold: The effect that does not matter.
        level: Probability that ``drifted`` is a false alarm, at most.
        drifted: Whether ``lower > threshold``.
        n_reference, n_current: Values (rows) behind the effect on each side.
        smallest: What it would take: the smallest true effect that is found with 80 % probability
            on as many rows; None when no effect would be.
        reason: The outcome in plain words.
    """

    column: str
    kind: str
    measure: str
    where: str
    effect: float | None
    lower: float
    threshold: float
    level: float
    drifted: bool
    n_reference: int
    n_current: int
    smallest: float | None
    reason: str


_MEASURES = {
    "numeric": "KS distance",
    "missing": "change of one share",
    "categorical": "change of one share",
    "correlation": "change of Fisher's z",
    "classifier": "AUC",
}


def drift_result(
    kind: str,
    column: str,
    level: float,
    threshold: float,
    rows: tuple[int, int],
    reason: str,
    *,
    where: str = "",
    effect: float | None = None,
    lower: float | None = None,
    smallest: float | None = None,
) -> DriftResult:
    """The result of one kind; what is left out could not be computed.

    Args:
        kind, column, level, threshold, reason, where, effect, lower, smallest: As in
            ``DriftResult``.
        rows: Values (rows) behind the effect: reference, current.

    Returns:
        Drifted when the lower bound is above the threshold.
    """
    if lower is None:
        lower = 0.5 if kind == "classifier" else 0.0
    return DriftResult(
        column=column,
        kind=kind,
        measure=_MEASURES[kind],
        where=where,
        effect=effect,
        lower=lower,
        threshold=threshold,
        level=level,
        drifted=lower > threshold,
        n_reference=rows[0],
        n_current=rows[1],
        smallest=smallest,
        reason=reason,
    )


def describe(what: str, change: str, lower: float, threshold: float, smallest: float | None) -> str:
    """The sentence about an effect that could be computed."""
    if lower > threshold:
        return f"{what} {change}: surely by {lower:.3g} or more, and above {threshold:g} it matters"
    if smallest is None:
        return f"{what} {change}: on so few rows no change could be shown"
    return (
        f"{what} {change}: not shown to be more than {threshold:g}; "
        f"on so many rows {smallest:.3g} would be noticed"
    )
