"""Several alternatives to a current policy: an anytime-valid test of each, by betting."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_basics.stats import _check
from mlops_basics.stats.concept_drift.sequential import log_unspent, start_weight

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Shares of the wealth that are risked on one row, of which the smallest suit small gains.
BETS = (0.02, 0.05, 0.12, 0.3, 0.6, 0.9)
#: Share of alpha that is kept for alternatives that join later.
RESERVE = 0.2
#: The mean difference of a group counts up to this, so that a few groups can speak.
GROUP_LIMIT = 0.5
#: How far one batch may bring an alternative that it must not decide for alone.
OF_ONE_BATCH = 0.6


@dataclass(frozen=True, kw_only=True)
class Wealth:
    """What is remembered of one alternative.

    Attributes:
        share: Its share of alpha.
        starts: Batches that betting has started at.
        log_wealths: Log of the wealth of each bet, summed over the starts; empty before the first.
    """

    share: float
    starts: int = 0
    log_wealths: tuple[float, ...] = ()

    @property
    def log_total(self) -> float:
        """Log of the wealth now, what has not begun to bet included."""
        return float(np.logaddexp.reduce([log_unspent(self.starts), *self.log_wealths]))


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the test remembers between batches: plain numbers, ready for JSON.

    Attributes:
        alpha: Probability of any needless switch, over all batches to come.
        alternatives: The wealth of each alternative, by name.
        unshared: Share of alpha that no alternative has yet.
    """

    alpha: float
    alternatives: Mapping[str, Wealth] = field(default_factory=dict)
    unshared: float = RESERVE

    def strength(self, name: str) -> float:
        """How far the evidence for an alternative has come: 1 or more shows that it is better.

        The log of its wealth as a share of what it takes, the log of 1 / (its share of alpha).
        """
        wealth = self.alternatives[name]
        return wealth.log_total / -math.log(wealth.share * self.alpha)

    @property
    def shown(self) -> tuple[str, ...]:
        """The alternatives that are shown to be better, that with the most evidence first."""
        shown = [name for name in self.alternatives if self.strength(name) >= 1]
        return tuple(sorted(shown, key=self.strength, reverse=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON."""
        return {
            "alpha": self.alpha,
            "unshared": self.unshared,
            "alternatives": {
                name: asdict(wealth) | {"log_wealths": list(wealth.log_wealths)}
                for name, wealth in self.alternatives.items()
            },
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Evidence:
        """The evidence that ``to_dict`` described.

        Args:
            state: What ``to_dict`` returned, or what came back from a file.
        """
        return cls(
            alpha=float(state["alpha"]),
            unshared=float(state["unshared"]),
            alternatives={
                name: Wealth(
                    share=float(wealth["share"]),
                    starts=int(wealth["starts"]),
                    log_wealths=tuple(wealth["log_wealths"]),
                )
                for name, wealth in state["alternatives"].items()
            },
        )


def begin(alternatives: tuple[str, ...], alpha: float) -> Evidence:
    """Begin to compare a current policy with alternatives, which share alpha equally.

    Args:
        alternatives: Their names, at least one, each once.
        alpha: Probability of any needless switch, for ever; in (0, 0.5).

    Raises:
        ValueError: If there is no alternative, one is named twice, or alpha is out of range.
    """
    if not alternatives or len(set(alternatives)) < len(alternatives):
        raise ValueError(f"alternatives must be named, each once, got {alternatives!r}")
    share = (1 - RESERVE) / len(alternatives)
    return Evidence(
        alpha=_check.level(alpha),
        alternatives={name: Wealth(share=share) for name in alternatives},
    )


def join(evidence: Evidence, name: str) -> Evidence:
    """Let a further alternative join: it takes half of the alpha that nobody has yet.

    One that joins under a name that was there before takes its place, and begins anew with its
    share: what that has lost is not given back, what it has won is not handed on.

    Args:
        evidence: Before.
        name: Of the alternative.
    """
    half = evidence.unshared / 2
    joined = {**evidence.alternatives, name: Wealth(share=half)}
    return replace(evidence, alternatives=joined, unshared=half)


def update(
    evidence: Evidence,
    current: npt.ArrayLike,
    alternatives: Mapping[str, npt.ArrayLike],
    groups: Ints | None = None,
    unhurried: Collection[str] = (),
) -> Evidence:
    r"""The evidence after a further batch.

    Args:
        evidence: Before.
        current: Losses of the current policy in [0, 1], of the batch's rows, shape (n,).
        alternatives: Losses of the alternatives on the same rows, by name, each of shape (n,). One
            that has none (its model could not be fitted) keeps its wealth.
        groups: The group of each row, shape (n,), where rows of one group may err together; None
            where each row stands for itself.
        unhurried: Alternatives that one batch alone must not show to be better.

    Returns:
        The same evidence when the batch has no row.

    Raises:
        ValueError: If a loss is outside [0, 1], shapes differ, or an alternative is unknown.

    Note:
        Per row, d is the loss of the current policy minus that of the alternative, in [-1, 1]: no
        scale is taken from the batch that is tested. The null hypothesis is that, given the past,
        d has a mean of 0 or less in every row: the alternative is not better. A bet b in (0, 1)
        multiplies its wealth by 1 + b d at each row; that is a nonnegative supermartingale,
        whatever the distribution, and however both policies' models were trained on the past [1,
        2]. Where rows of a group depend on each other the group's mean, in smaller groups than the
        batch's median one in proportion to the size (known before any label), takes the place of
        d, in units of 0.5. One of more than that counts as 0.5, so that the promise holds for the
        mean that is cut there: a policy whose rare disaster takes up more than half of the unit on
        a whole group, and that is better otherwise, can be taken for better.

        What one batch brings to an unhurried alternative is cut, which can only lower its wealth.

        The wealth is a mixture over the bets, and over the batches at which betting starts, with
        the weights of ``start_weight``: a long time without any difference does not make it blind
        [3]. By Ville's inequality it ever reaches 1 / (share alpha) with probability at most share
        alpha; the shares sum to 1 at most, so any alternative that is not better is ever taken for
        better with probability at most alpha.

        Cost O(rows x alternatives), memory O(alternatives), whatever the age.

    References:
        [1] Y. J. Choe and A. Ramdas, "Comparing sequential forecasters", Operations Research 72,
            1368-1387 (2024).
        [2] I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by
            betting", Journal of the Royal Statistical Society B 86, 1-27 (2024); A. Henzi and J.
            F. Ziegel, "Valid sequential inference on probability forecast performance",
            Biometrika 109, 647-663 (2022).
        [3] J. Shin, A. Ramdas and A. Rinaldo, "E-detectors: a nonparametric framework for
            sequential change detection", New England Journal of Statistics in Data Science 2,
            229-260 (2024).

    Example:
        >>> from mlops_basics.stats.prequential.evidence import begin, update
        >>> evidence = begin(("last 1", "last 3"), alpha=0.05)
        >>> batch = {"last 1": [0.1] * 40, "last 3": [0.3] * 40}
        >>> evidence = update(evidence, [0.3] * 40, batch)
        >>> evidence.shown, round(evidence.strength("last 1"), 2)
        (('last 1',), 1.02)

        Forty rows with a loss of 0.1 instead of 0.3 are enough to switch.
    """
    of_current = _losses(current, "current")
    if of_current.size == 0:
        return evidence
    after = dict(evidence.alternatives)
    for name, losses in alternatives.items():
        if name not in after:
            raise ValueError(f"alternatives must be of {', '.join(after)}, got {name!r}")
        of_alternative = _losses(losses, name)
        if of_alternative.shape != of_current.shape:
            raise ValueError(
                f"{name} must have a loss for each of {len(of_current)} rows, "
                f"got {len(of_alternative)}"
            )
        wealth = _bet(after[name], _by_group(of_current - of_alternative, groups))
        if name in unhurried:
            wealth = _cut(wealth, after[name], evidence.alpha)
        after[name] = wealth
    return replace(evidence, alternatives=after)


def shown_worse(current: npt.ArrayLike, other: npt.ArrayLike, groups: Ints | None = None) -> float:
    """The evidence of one batch alone that ``current`` does worse than ``other``: an e-value.

    Args:
        current: Losses in [0, 1], shape (n,).
        other: Losses of the other on the same rows, shape (n,).
        groups: As for ``update``.

    Returns:
        Its log; that of 1 / alpha or more has a probability of at most alpha while it is not worse.
    """
    differences = _by_group(_losses(current, "current") - _losses(other, "other"), groups)
    logs = _log_growths(differences) - math.log(len(BETS))
    return float(np.logaddexp.reduce(logs))


def _bet(wealth: Wealth, differences: Floats) -> Wealth:
    starts = wealth.starts + 1
    logs = np.array(wealth.log_wealths or (-np.inf,) * len(BETS))
    logs = np.logaddexp(logs, math.log(start_weight(starts) / len(BETS)))
    logs = logs + _log_growths(differences)
    return replace(wealth, starts=starts, log_wealths=tuple(logs.tolist()))


def _log_growths(differences: Floats) -> Floats:
    """By which each bet multiplies its wealth; one after another, as rows may be many."""
    return np.array([np.log1p(bet * differences).sum() for bet in BETS])


def _cut(wealth: Wealth, before: Wealth, alpha: float) -> Wealth:
    most = OF_ONE_BATCH * -math.log(wealth.share * alpha)
    excess = wealth.log_total - before.log_total - most
    if excess <= 0:
        return wealth
    return replace(wealth, log_wealths=tuple(log - excess for log in wealth.log_wealths))


def _by_group(differences: Floats, groups: Ints | None) -> Floats:
    if groups is None or differences.size == 0:
        return differences
    codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    means = np.bincount(codes, weights=differences) / np.maximum(sizes, np.median(sizes))
    shares: Floats = np.clip(means / GROUP_LIMIT, -1.0, 1.0)
    return shares


def _losses(values: npt.ArrayLike, name: str) -> Floats:
    x = _check.vector(values, name)
    if x.size and (x.min() < 0 or x.max() > 1):
        raise ValueError(f"{name} must be in [0, 1], got {x.min():g} to {x.max():g}")
    return x
