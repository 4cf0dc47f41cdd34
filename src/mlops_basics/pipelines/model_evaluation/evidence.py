"""Evidence about one recipe adds up: new rows join what earlier challenges have said."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.schemas import (
    METRICS,
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    ChallengeRequest,
    Champion,
    DecisionParams,
    Look,
    Recipe,
)
from mlops_basics.scoring.gate_columns import gate_scores
from mlops_basics.scoring.scores import row_losses
from mlops_basics.stats.paired.compare import LossResult, compare_losses
from mlops_basics.stats.paired.looks import level_of_last
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.stats.paired.sums import PairedSums
from mlops_basics.table.row_groups import Codes
from mlops_basics.table.row_hash import content_digest, rows_of_digest

from . import ages, gate


def add_look(
    request: ChallengeRequest,
    champion: Champion,
    scored: pd.DataFrame,
    positions: Codes,
    recipe: Recipe,
    metric: str,
    params: DecisionParams,
) -> ChallengeRequest:
    """Say what the rows add that have not spoken yet, if evidence of this kind adds up.

    It does where the tested metric is the mean of a loss, rows stand for themselves, and the
    recipe has challenged this champion before on rows that are the first of these. Rows that spoke
    then keep what they said; only the others are judged by the models of today. Otherwise the
    challenge is the first of its recipe, whose evidence later ones may add to.

    Args:
        request: Of all rows.
        champion: With the looks at its challengers so far.
        scored: Both models' predictions, a row a gate row, shape (n, columns).
        positions: Of the rows in the table as collected, shape (n,).
        recipe: Of the challenger.
        metric: The one to test.
        params: What is tested, and at which level.
    """
    row_loss = METRICS[metric].row_loss
    if request.status != "comparable" or champion.version == NO_CHAMPION or row_loss is None:
        return request
    if gate.GROUP_COLUMN in scored.columns:
        return request
    order = np.argsort(positions, kind="stable")
    hashes = scored[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64)[order]
    test = f"{metric} {params.rule} {params.min_gain:g} {params.margin:g}"
    looks, spoken = _chain(champion.looks, recipe.digest, test, hashes)
    delta = looks[0].huber_delta if looks else request.huber_delta
    new = scored.iloc[np.sort(order[spoken:])]
    old_loss, new_loss = (
        row_losses(gate_scores(new, name), metric, delta or 1.0)
        for name in ("champion", "challenger")
    )
    look = Look(
        after=looks[-1].number if looks else 0,
        recipe=recipe.digest,
        test=test,
        alpha=params.alpha / len(ages.sets_to_test(scored, request, gate.GROUP_COLUMN)),
        huber_delta=delta,
        rows_digest=content_digest(hashes),
        sums=PairedSums.from_losses(old_loss, new_loss),
    )
    asked = f"{request.test} after {look.after}" if looks else request.test
    update = {"look": look, "looks": looks, "huber_delta": delta, "test": asked}
    return request.model_copy(update=update)


def compare_looks(
    request: ChallengeRequest, metric: str, alpha: float, min_gain: float
) -> LossResult:
    """Test what all looks at a recipe have said, each at what it was given to spend.

    Args:
        request: With the new look, and those before.
        metric: Name of the loss.
        alpha: What this challenge may spend.
        min_gain: Gain that has to be exceeded.
    """
    if request.look is None:
        raise ValueError("request must have a look, got none")
    total, known = PairedSums(), []
    for look in (*request.looks, request.look):
        total = total.merge(look.sums)
        known.append(total.m2)
    spent = [alpha_at(look.number, look.alpha) for look in request.looks]
    level = alpha if min(known) <= 0 else level_of_last(known, [*spent, alpha])
    return compare_losses(total, metric=metric, alpha=level, min_gain=min_gain)


def _chain(
    looks: tuple[Look, ...], recipe: str, test: str, hashes: np.ndarray
) -> tuple[tuple[Look, ...], int]:
    """The newest look whose rows are the first of these, with those that it adds to; and how many
    rows these are. A look at all of these rows is this challenge itself, or leaves nothing new."""
    of_recipe = {look.number: look for look in looks if (look.recipe, look.test) == (recipe, test)}
    for number in sorted(of_recipe, reverse=True):
        spoken = rows_of_digest(hashes, of_recipe[number].rows_digest)
        if not 0 < spoken < len(hashes):
            continue
        chain = [of_recipe[number]]
        while chain[0].after in of_recipe and chain[0].after < chain[0].number:
            chain.insert(0, of_recipe[chain[0].after])
        if chain[0].after == 0:
            return tuple(chain), spoken
    return (), 0
