"""Guards: metrics that may veto a promotion, and never cause one."""

from dataclasses import dataclass

from mlops_basics.stats import _check
from mlops_basics.stats.paired.result import PairedResult


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Whether a metric shows the challenger to be worse.

    Attributes:
        metric: What was compared.
        effect: The observed gain (negative: the challenger looks worse).
        low, high: Confidence interval of the gain, as the comparison has it.
        p_worse: One-sided p-value against "the challenger is at least as good".
        shown_worse: The veto.
        reason: The outcome in plain words.
    """

    metric: str
    effect: float | None
    low: float | None
    high: float | None
    p_worse: float
    shown_worse: bool
    reason: str


def shown_worse(result: PairedResult, *, alpha: float = 0.05) -> Guard:
    """Veto when a paired comparison shows the challenger to be worse.

    Args:
        result: Any comparison: per-row loss, accuracy, a metric of the confusion matrix, AUC.
        alpha: One-sided level of the veto. It is not spent over a champion's life: a veto can only
            prevent promotions, so it cannot raise the rate of wrong ones. In (0, 0.5).

    Raises:
        ValueError: If alpha is out of range.

    Note:
        "Not shown to be worse" is not "shown not to be worse": with few rows a guard sees little. A
        claim of the second kind is a test of non-inferiority, ``min_gain = -margin``.

    Example:
        >>> from mlops_basics.stats.paired.guards import shown_worse
        >>> from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
        >>> accuracy = mcnemar(PairedCounts(n=500, both_right=430, gained=8, lost=22))
        >>> guard = shown_worse(accuracy)
        >>> guard.shown_worse, round(guard.p_worse, 4)
        (True, 0.0081)

        22 rows lost against 8 gained: the veto holds at 5 %.
    """
    alpha = _check.level(alpha)
    worse = result.effect is not None and result.p_worse <= alpha
    verb = "is" if worse else "is not"
    low, high = result.interval or (None, None)
    return Guard(
        metric=result.metric,
        effect=result.effect,
        low=low,
        high=high,
        p_worse=result.p_worse,
        shown_worse=worse,
        reason=f"the challenger {verb} shown to be worse "
        f"(p-value {result.p_worse:.3g}; {alpha:.3g} or less shows it)",
    )
