"""What is lost in the summary of a column."""

from __future__ import annotations

import numpy as np

from mlops_basics.stats.data_drift.numeric_profile import NumericProfile


def rank_error(profile: NumericProfile) -> float:
    """Largest share of the values whose place is unknown; 0 when the profile is exact."""
    if profile.exact or profile.n == 0:
        return 0.0
    before = np.concatenate([[0], profile.low[:-1]])
    unknown = max((profile.high - profile.low).max(), (profile.below - before).max())
    return float(unknown / profile.n)
