"""Classes that the release hardly ever finds: the share of wrong predictions is blind to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlops_basics.reporting.metric_text import HARDLY_EVER, LEAST_ROWS_OF_CLASS
from mlops_basics.reporting.text import plain
from mlops_basics.schemas import CLASS_COLUMN, ReleaseReference, Watch


def unfound_classes(watch: Watch, reference: ReleaseReference, classes: Sequence[str]) -> list[str]:
    """A warning for each class of whose test rows hardly any is found; none under other losses.

    Args:
        watch: Which loss is watched, of which release.
        reference: The losses of the release's test rows, with their classes.
        classes: Of the release; none of a regression.
    """
    if watch.loss != "error" or CLASS_COLUMN not in reference.losses:
        return []
    codes = reference.losses[CLASS_COLUMN].to_numpy(dtype=np.int64)
    right = 1 - reference.losses[watch.loss].to_numpy(dtype=np.float64)
    own = [codes == code for code in range(len(classes))]
    rows, found = [of.sum() for of in own], [right[of].sum() for of in own]
    return [
        f"Release {watch.version} hardly ever finds '{plain(name, 40)}': {found[code]:,.0f} of its "
        f"{rows[code]:,} test rows. What is watched, the share of wrong predictions, hardly moves "
        "when it gets worse there. `monitoring: {loss: brier}` watches the probabilities, from the "
        "next release on."
        for code, name in enumerate(classes)
        if rows[code] >= LEAST_ROWS_OF_CLASS and found[code] < HARDLY_EVER * rows[code]
    ]
