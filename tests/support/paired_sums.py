"""What tests compare of summaries of paired losses."""

from __future__ import annotations

from mlops_basics.stats.paired.compare import PairedSums


def moments(sums: PairedSums) -> list[float]:
    """What the paired test uses of a summary."""
    return [sums.n, sums.champion, sums.gain, sums.m2, sums.m3, sums.scale]
