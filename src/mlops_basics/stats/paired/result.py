"""The result that every paired comparison returns."""

from dataclasses import dataclass

MIN_ROWS = 20  # below: refused; the approximations mean nothing
FIRM_ROWS = 100  # below: the level is marked as approximate
POWER_Z = 0.8416212335729143  # standard normal quantile of the power of 80 %


@dataclass(frozen=True, kw_only=True)
class PairedResult:
    """Comparison of a challenger with a champion on the same rows.

    Effects are gains: positive means that the challenger is better, whatever the metric.
    No field is ever NaN or infinite; what cannot be computed is None.

    Attributes:
        metric, method: What was compared (``"log_loss"``, ``"accuracy"``, ...) and by which test.
        n: Number of shared rows, or of their groups where these are the independent units.
        champion, challenger: The metric (or mean loss) of each model on these rows.
        effect: The observed gain.
        interval: Confidence interval of the gain at level 1 - 2 alpha. Its lower end is the
            one-sided bound at level 1 - alpha that belongs to the test (by inversion): the gain is
            significant when the lower end exceeds ``min_gain``. Its upper end belongs to
            ``p_worse``.
        p_value: One-sided p-value against "the gain is at most min_gain"; 1 when not computable.
        p_worse: One-sided p-value against "the gain is at least 0": small when the challenger is
            shown to be worse; 1 when not computable.
        alpha, min_gain: The level of the test and the gain that has to be exceeded, as given
            (min_gain = -margin is a test of non-inferiority).
        smallest_gain: The smallest true gain that a test like this one finds with 80 % probability;
            None when it cannot be computed, or when no gain would be found on so few rows.
        level_note: Why the level alpha holds only approximately on these rows; "" where it holds.
        reason: The outcome in plain words.
    """

    metric: str
    method: str
    n: int
    champion: float | None
    challenger: float | None
    effect: float | None
    interval: tuple[float, float] | None
    p_value: float
    p_worse: float
    alpha: float
    min_gain: float
    smallest_gain: float | None
    level_note: str
    reason: str

    @property
    def significant(self) -> bool:
        """Whether the gain is shown: ``p_value <= alpha``."""
        return self.p_value <= self.alpha

    @property
    def level_approximate(self) -> bool:
        """Whether ``level_note`` says that the level holds only approximately."""
        return bool(self.level_note)


def rough_level(why: str) -> str:
    """The note of an answer whose level holds only roughly: the reason, and what follows."""
    return f"{why}: luck may pass this test somewhat more often than its level says"


def outcome(significant: bool, p_value: float, alpha: float, min_gain: float, unit: str) -> str:
    """The sentence about a comparison that could be computed."""
    if min_gain == 0:
        claim = "better"
    elif min_gain > 0:
        claim = f"better by more than {min_gain:.4g} {unit}".rstrip()
    else:
        claim = f"less than {-min_gain:.4g} {unit}".rstrip() + " worse"
    verb, sign = ("is", "<=") if significant else ("is not", ">")
    return f"the challenger {verb} shown to be {claim} (p = {p_value:.4g} {sign} {alpha:.4g})"
