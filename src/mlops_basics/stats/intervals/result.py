"""The result that every interval of a metric returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A metric's value with the limits of its two-sided interval.

    Attributes:
        value: None where the metric is not defined.
        low, high: None where there is no interval.
        note: Why something is missing, or what to beware of; empty if nothing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
