"""What simpler ways of keeping up would have predicted, beside the model in production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlops_basics.pipelines.monitoring.policies import Fits
from mlops_basics.schemas import BATCH_COLUMN, Model, Parts, PreprocessingParams, Recipe, Release
from mlops_basics.schemas.policy import POLICIES, learns_from
from mlops_basics.scoring.policy_loss import losses_in_parts
from mlops_basics.table.learning import LabelledRows, labelled_rows

NEVER, ALWAYS, WINDOW = "never retrained", "always retrained", "best window"
#: In the order in which they are shown.
RIVALS = {
    NEVER: "the first release, for the whole year",
    ALWAYS: "its recipe, fitted again each month on all months with labels",
    WINDOW: "its recipe, fitted again each month on all months with labels, or on the last 12, 6, "
    "3 or 1: on whichever had been best on the newest of them",
}


class Rivals:
    """The models that were at hand in each month, had production been kept up in another way."""

    def __init__(
        self,
        first: Release,
        recipe: Recipe,
        months: Mapping[str, pd.DataFrame],
        params: PreprocessingParams,
    ) -> None:
        """
        Args:
            first: The first release.
            recipe: Its recipe, which all of them keep.
            months: Every month by its name, with labels.
            params: Key columns, groups and time column.
        """
        self._first, self._recipe = first, recipe
        self._fits = Fits(_rows(first, months, params), first)

    def of(self, known: Sequence[str]) -> dict[str, Model]:
        """The rivals' models in a month.

        Args:
            known: Months whose labels have come by then, at least two.
        """
        always = self._fitted("all", known)
        return {NEVER: self._first.model, ALWAYS: always, WINDOW: self._best(known)}

    def _best(self, known: Sequence[str]) -> Model:
        """Of the windows, the one that did best on the newest month, before it learned from it."""
        *past, newest = sorted(known)
        windows = [policy for policy in POLICIES if policy != "keep"]
        losses = [self._loss(self._fitted(policy, past), newest) for policy in windows]
        return self._fitted(windows[int(np.argmin(losses))], known)

    def _fitted(self, policy: str, known: Sequence[str]) -> Model:
        model = self._fits.of(self._recipe, learns_from(policy, known, ()))
        assert model is not None  # noqa: S101 (a month has flights of both classes)
        return model

    def _loss(self, model: Model, month: str) -> float:
        rows = self._fits.rows.of([month])
        losses = losses_in_parts(model, rows.features, rows.target, self._first.table)
        return float(losses.mean())


def _rows(
    first: Release, months: Mapping[str, pd.DataFrame], params: PreprocessingParams
) -> LabelledRows:
    raw = pd.concat([table.assign(**{BATCH_COLUMN: name}) for name, table in months.items()])
    position = np.concatenate([np.arange(len(table)) for table in months.values()])
    target = raw[first.table.target].reset_index(drop=True)
    return labelled_rows(Parts.of(raw), target, position, first.table, params)
