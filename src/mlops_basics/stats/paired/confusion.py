"""Paired comparison of metrics of the confusion matrix: a bootstrap of cells, not of rows."""

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.safe_text import plural
from mlops_basics.stats import _check
from mlops_basics.stats._special import normal_isf
from mlops_basics.stats.paired.cell_sums import sums_for
from mlops_basics.stats.paired.confusion_metrics import Metric
from mlops_basics.stats.paired.result import (
    FIRM_ROWS,
    MIN_ROWS,
    POWER_Z,
    PairedResult,
    outcome,
    rough_level,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BLOCK = 1 << 20  # rows per block while counting
_DENSE = 1 << 22  # up to this many possible cells are counted by bincount
_CHUNK_BYTES = 1 << 24  # memory of one chunk of replicates
_THREADS = 4  # chunks at a time
_FEW = 1000  # up to this many disagreements the randomisation test is made too
_MIN_CLASS = 20  # rows of the rarest class below which the level is marked as approximate


@dataclass(frozen=True, eq=False)
class PairedTable:
    """Counts of (true class, champion's class, challenger's class): mergeable.

    Attributes:
        n_classes: K.
        cells: The non-empty cells, sorted: true class, champion's and challenger's prediction.
            Shape (m, 3).
        counts: Rows in each cell, positive, shape (m,).

    Example:
        >>> from mlops_basics.stats.paired.confusion import PairedTable
        >>> table = PairedTable.from_codes([0, 0, 1], [0, 0, 0], [0, 0, 1], n_classes=2)
        >>> table.cells.tolist(), table.counts.tolist()
        ([[0, 0, 0], [1, 0, 1]], [2, 1])

        Two rows that both models got right, and one that the challenger alone did.
    """

    n_classes: int
    cells: Ints
    counts: Ints

    @classmethod
    def from_codes(
        cls, y: ArrayLike, champion: ArrayLike, challenger: ArrayLike, *, n_classes: int
    ) -> Self:
        """Count the cells.

        Args:
            y, champion, challenger: Class codes 0 ... K-1. Shape (n,).
            n_classes: K, at least 2.

        Raises:
            ValueError: If lengths differ or a code is out of range.
        """
        k = _check.count(n_classes, "n_classes", at_least=2)
        y = _check.codes(y, "y", k)
        champion = _check.codes(champion, "champion", k)
        challenger = _check.codes(challenger, "challenger", k)
        _check.same_length("champion", len(champion), len(y))
        _check.same_length("challenger", len(challenger), len(y))
        dense = np.zeros(k**3 if k**3 <= _DENSE else 0, dtype=np.int64)
        blocks: list[tuple[Ints, Ints]] = []
        for start in range(0, len(y), _BLOCK):
            block = slice(start, start + _BLOCK)
            code = y[block].astype(np.int64)
            code *= k
            code += champion[block]
            code *= k
            code += challenger[block]
            if dense.size:
                dense += np.bincount(code, minlength=k**3)
            else:
                blocks.append(np.unique(code, return_counts=True))
        if dense.size:
            code = np.flatnonzero(dense)
            return cls._from_code(k, code, dense[code])
        return cls._from_code(
            k,
            np.concatenate([c for c, _ in blocks] or [np.zeros(0, np.int64)]),
            np.concatenate([c for _, c in blocks] or [np.zeros(0, np.int64)]),
        )

    @classmethod
    def _from_code(cls, k: int, code: Ints, counts: Ints) -> Self:
        """From cell numbers (possibly repeated) and their counts."""
        unique, place = np.unique(code, return_inverse=True)
        total = np.zeros(len(unique), dtype=np.int64)
        np.add.at(total, place, counts)
        cells = np.stack([unique // (k * k), unique // k % k, unique % k], axis=1)
        return cls(n_classes=k, cells=cells, counts=total)

    @property
    def _code(self) -> Ints:
        y, old, new = self.cells.T
        code: Ints = (y * self.n_classes + old) * self.n_classes + new
        return code

    def merge(self, other: "PairedTable") -> Self:
        """The table of the rows of both.

        Args:
            other: Table of other rows, of the same two models and classes.

        Raises:
            ValueError: If the number of classes differs.
        """
        if other.n_classes != self.n_classes:
            raise ValueError(f"n_classes must be {self.n_classes}, got {other.n_classes!r}")
        code = np.concatenate([self._code, other._code])
        return self._from_code(self.n_classes, code, np.concatenate([self.counts, other.counts]))

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.counts.sum())

    @property
    def disagreements(self) -> int:
        """Rows on which the models predict different classes."""
        return int(self.counts[self.cells[:, 1] != self.cells[:, 2]].sum())

    @property
    def champion(self) -> Floats:
        """Confusion matrix of the champion, shape (K, K), rows true, columns predicted."""
        return self._confusion(1)

    @property
    def challenger(self) -> Floats:
        """Confusion matrix of the challenger, shape (K, K), rows true, columns predicted."""
        return self._confusion(2)

    def _confusion(self, model: int) -> Floats:
        matrix = np.zeros((self.n_classes, self.n_classes))
        np.add.at(matrix, (self.cells[:, 0], self.cells[:, model]), self.counts)
        return matrix


@dataclass(frozen=True, kw_only=True)
class BootstrapResult(PairedResult):
    """``PairedResult`` of a metric of the confusion matrix, with its inputs.

    Attributes:
        table: The input.
        replicates: Bootstrap replicates drawn.
    """

    table: PairedTable
    replicates: int


def paired_bootstrap(
    table: PairedTable,
    metrics: Mapping[str, Metric],
    *,
    rng: np.random.Generator,
    alpha: float = 0.05,
    min_gain: float = 0.0,
    replicates: int | None = None,
) -> dict[str, BootstrapResult]:
    r"""Is the challenger's metric higher by more than ``min_gain``?

    Args:
        table: Joint counts of true class and both predictions.
        metrics: Metrics by name; each maps counts of shape (R, K, K) to R values, larger being
            better (``confusion_metrics``). They share the draws. Those of ``BY_MARGINS`` are taken
            from 3 K sums instead of K^2 cells.
        rng: Source of the draws.
        alpha: One-sided level, in (0, 0.5).
        min_gain: Gain that has to be exceeded; -margin for non-inferiority.
        replicates: Bootstrap replicates R. None takes max(10,000, 20 / alpha): with fewer than 1 /
            alpha no result can be significant. At least 100, or None.

    Raises:
        ValueError: If an argument is out of range.

    Note:
        Drawing n rows with replacement and counting cells *is* drawing the cells' counts from a
        multinomial with the observed shares. So counts are drawn, not rows: the cost is R times the
        number of non-empty cells, whatever n, and memory is bounded by working in chunks.

        p = (1 + #{gain* <= min_gain}) / (1 + R), never 0; the interval holds the order statistics
        that invert it (the percentile interval).

        The bootstrap trusts that what was not seen does not exist: with 8 rows gained and none lost
        its p is e^-8, where the exact test says 2^-8. For at most 1,000 disagreements a paired
        randomisation test is therefore made as well, which swaps the models' predictions row by row
        (again by cells: binomial draws) and is exact when the models are exchangeable. The larger p
        counts, and an end of the interval that claims more than the randomisation test stops at 0.
        Where min_gain < 0, exchangeability is not the null hypothesis, and the bootstrap stands
        alone.

        Fewer than 20 rows: no claim. Fewer than 100 rows, or than 20 rows of some class that
        occurs: the level is marked as approximate. A replicate in which a class is missing is
        evaluated like the rest, by the metric's own convention. A metric that is NaN on a replicate
        counts against the claim.

    References:
        [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall
            (1993), chapters 13 and 15.
        [2] A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge
            University Press (1997), chapter 4.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.paired.confusion import PairedTable, paired_bootstrap
        >>> from mlops_basics.stats.paired.confusion_metrics import macro_f1
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 3, 2000)
        >>> champion = np.where(rng.random(2000) < 0.80, y, rng.integers(0, 3, 2000))
        >>> challenger = np.where(rng.random(2000) < 0.86, y, rng.integers(0, 3, 2000))
        >>> table = PairedTable.from_codes(y, champion, challenger, n_classes=3)
        >>> result = paired_bootstrap(table, {"macro_f1": macro_f1}, rng=rng)["macro_f1"]
        >>> round(result.effect, 2), [round(limit, 2) for limit in result.interval]
        (0.03, [0.02, 0.05])
        >>> result.significant
        True

        Macro F1 rises by 0.03, and by at least 0.02 with 95 % confidence.
    """
    alpha, min_gain = _check.level(alpha), _check.finite(min_gain, "min_gain")
    if replicates is None:
        replicates = max(10_000, math.ceil(20 / alpha))
    replicates = _check.count(replicates, "replicates", at_least=100)
    champions, challengers = table.champion[None], table.challenger[None]
    observed = {
        name: (float(metric(champions)[0]), float(metric(challengers)[0]))
        for name, metric in metrics.items()
    }
    n, differing = table.n, table.disagreements
    drawn: dict[str, Floats] = {}
    swapped: dict[str, Floats] = {}
    if n >= MIN_ROWS and differing:
        drawn = _gains(_Resampled(table), metrics, replicates, rng)
        if differing <= _FEW:
            swapped = _gains(_Swapped(table), metrics, replicates, rng)
    note = _level_note(table)
    return {
        name: _result(
            name,
            table=table,
            observed=observed[name],
            drawn=drawn.get(name),
            swapped=swapped.get(name),
            alpha=alpha,
            min_gain=min_gain,
            replicates=replicates,
            note=note,
        )
        for name in metrics
    }


class _Resampled:
    """Counts of the cells in bootstrap samples of rows."""

    def __init__(self, table: PairedTable) -> None:
        # largest cells first: the multinomial's chain of binomials ends as soon as n is used up
        order = np.argsort(-table.counts, kind="stable")
        self.k, self.n = table.n_classes, table.n
        self.cells = table.cells[order]
        self.shares = table.counts[order] / table.n

    def __call__(self, size: int, rng: np.random.Generator) -> Ints:
        return rng.multinomial(self.n, self.shares, size=size)


class _Swapped:
    """Counts of the cells after swapping the models' predictions in each row by a fair coin."""

    def __init__(self, table: PairedTable) -> None:
        k = self.k = table.n_classes
        y, a, b = table.cells.T
        pair, place = np.unique(
            (y * k + np.minimum(a, b)) * k + np.maximum(a, b), return_inverse=True
        )
        total = np.zeros(len(pair), dtype=np.int64)
        np.add.at(total, place, table.counts)
        y, low, high = pair // (k * k), pair // k % k, pair % k
        self.agreed, self.differing = total[low == high], total[low != high]
        # agreeing cells, then the differing ones in one order, then in the other
        both = np.concatenate([np.flatnonzero(low == high), np.flatnonzero(low != high)])
        turned = np.flatnonzero(low != high)
        self.cells: Ints = np.concatenate(
            [
                np.stack([y[both], low[both], high[both]], axis=1),
                np.stack([y[turned], high[turned], low[turned]], axis=1),
            ]
        )

    def __call__(self, size: int, rng: np.random.Generator) -> Ints:
        kept = rng.binomial(self.differing, 0.5, size=(size, len(self.differing)))
        agreed = np.broadcast_to(self.agreed, (size, len(self.agreed)))
        return np.concatenate([agreed, kept, self.differing - kept], axis=1)


def _gains(
    draw: _Resampled | _Swapped,
    metrics: Mapping[str, Metric],
    replicates: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Each metric's gain on each replicate."""
    k, cells = draw.k, draw.cells
    of_models = [sums_for(metrics.values(), cells[:, [0, model]], k) for model in (1, 2)]

    def chunk(job: tuple[int, np.random.Generator]) -> dict[str, Floats]:
        counts = draw(*job)
        old, new = (sums(counts) for sums in of_models)
        return {
            name: np.asarray(metric(new) - metric(old), dtype=np.float64)
            for name, metric in metrics.items()
        }

    # Chunks bound the memory. Each has its own stream, so the result depends on rng alone and
    # not on the number of threads (numpy draws without holding the interpreter's lock).
    held = 3 * len(cells) + 2 * of_models[0].numbers
    size = max(1, _CHUNK_BYTES // (8 * held))
    sizes = [min(size, replicates - start) for start in range(0, replicates, size)]
    jobs = zip(sizes, rng.spawn(len(sizes)), strict=True)
    if len(sizes) == 1:
        parts = [chunk(next(jobs))]
    else:
        with ThreadPoolExecutor(max_workers=min(_THREADS, os.cpu_count() or 1)) as pool:
            parts = list(pool.map(chunk, jobs))
    return {name: np.concatenate([part[name] for part in parts]) for name in metrics}


def _level_note(table: PairedTable) -> str:
    n = table.n
    if n < MIN_ROWS:
        return ""
    if n < FIRM_ROWS:
        return rough_level(f"the bootstrap of {plural(n, 'row')} knows only what these rows show")
    per_class = table.champion.sum(axis=1)
    rarest = int(per_class[per_class > 0].min())
    if rarest < _MIN_CLASS:
        return rough_level(f"the rarest class has only {plural(rarest, 'row')}")
    return ""


_ROUNDING = 1e-12  # gains of replicates closer than this are ties


def _result(
    name: str,
    *,
    table: PairedTable,
    observed: tuple[float, float],
    drawn: Floats | None,
    swapped: Floats | None,
    alpha: float,
    min_gain: float,
    replicates: int,
    note: str,
) -> BootstrapResult:
    champion, challenger = (x if math.isfinite(x) else None for x in observed)
    effect = None if champion is None or challenger is None else challenger - champion
    n = table.n
    interval: tuple[float, float] | None = None
    smallest: float | None = None
    p_value = p_worse = 1.0
    if n == 0:
        champion = challenger = effect = None
        reason = "refused: there are no rows"
    elif effect is None:
        reason = f"not computable: {name} is not defined on these rows"
    elif n < MIN_ROWS:
        reason = f"refused: {plural(n, 'row')}, at least {MIN_ROWS} are needed for a claim"
    elif drawn is None:
        reason = f"the predictions are identical on all {plural(n, 'row')}"
    elif float(np.ptp(np.nan_to_num(drawn))) <= _ROUNDING:
        reason = f"not computable: the gain in {name} is the same on every replicate"
    else:
        # the negated comparisons count a NaN against the claim
        p_value = _tail(~(drawn > min_gain + _ROUNDING))
        p_worse = _tail(~(drawn < -_ROUNDING))
        low, high = _ends(drawn, alpha)
        if swapped is not None:
            # a null gain at least as large as the observed one, on exchangeable models
            p_swap = _tail(~(swapped < effect - _ROUNDING))
            p_swap_worse = _tail(~(swapped > effect + _ROUNDING))
            p_worse = max(p_worse, p_swap_worse)
            if min_gain >= 0:
                p_value = max(p_value, p_swap)
            low = low if p_swap <= alpha else min(low, 0.0)
            high = high if p_swap_worse <= alpha else max(high, 0.0)
        interval = (low, high)
        error = float(np.nanstd(drawn, ddof=1))
        smallest = min_gain + error * (normal_isf(alpha) + POWER_Z)
        reason = outcome(p_value <= alpha, p_value, alpha, min_gain, name)
        if 1 / (1 + replicates) > alpha:
            reason += (
                f"; {replicates} replicates cannot reach the level, take {math.ceil(1 / alpha)}"
            )
    return BootstrapResult(
        metric=name,
        method="paired bootstrap of cells",
        n=n,
        champion=champion,
        challenger=challenger,
        effect=effect,
        interval=interval,
        p_value=p_value,
        p_worse=p_worse,
        alpha=alpha,
        min_gain=min_gain,
        smallest_gain=smallest,
        level_note=note,
        reason=reason,
        table=table,
        replicates=replicates,
    )


def _tail(exceeds: NDArray[np.bool_]) -> float:
    return (1 + int(np.count_nonzero(exceeds))) / (1 + len(exceeds))


def _ends(drawn: Floats, alpha: float) -> tuple[float, float]:
    """Order statistics: (1 + #{gain* <= x}) / (1 + R) <= alpha exactly for x below the lower."""
    values = np.sort(drawn[np.isfinite(drawn)])
    rank = min(max(1, math.floor(alpha * (1 + len(drawn)))), len(values))
    return float(values[rank - 1]), float(values[-rank])
