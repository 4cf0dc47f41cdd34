"""How much a model depends on each column: the rise of its loss when the column is shuffled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.schemas import Model, TableInfo
from mlops_basics.scoring.scores import losses, score_rows

MOST_CELLS = 1_000_000  # that a model predicts for each column, all repeats together
_LEAST_ROWS = 20


def permutation_importance(
    model: Model, table: pd.DataFrame, info: TableInfo, repeats: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Shuffle the values of one column after the other among the rows, and predict.

    The cost of a column does not depend on how many there are: of a wide table fewer rows are
    predicted, ``MOST_CELLS`` in all. Columns are encoded once, not once for each of them.

    Args:
        model: A fitted scikit-learn estimator or pipeline.
        table: Features and target, shape (rows, columns).
        info: Names the features, the target and the task.
        repeats: Permutations of each column.
        rng: Draws them.

    Returns:
        A row a feature: its name, mean rise of the loss, the standard deviation of the repeats,
        and the number of rows; largest rise first.
    """
    features = table[list(info.features)]
    estimator, encoded, sources = _encoded(model, features)
    rows = max(MOST_CELLS // (encoded.shape[1] * repeats), _LEAST_ROWS) if len(encoded) else 0
    if rows < len(table):
        drawn = np.sort(rng.choice(len(table), rows, replace=False))
        table, encoded = (part.iloc[drawn] for part in (table, encoded))
    encoded = encoded.reset_index(drop=True)
    before = losses(score_rows(estimator, encoded, table, info)).mean()
    # All repeats in one call: a model's cost is mostly per call, not per row.
    repeated = pd.concat([encoded] * repeats, ignore_index=True)
    targets = pd.concat([table[[info.target]]] * repeats, ignore_index=True)
    found = []
    for column in info.features:
        orders = [rng.permutation(len(encoded)) for _ in range(repeats)]
        order, own = np.concatenate(orders), sources[column]
        shuffled = repeated.copy(deep=False)
        for name in own:
            shuffled[name] = encoded[name].iloc[order].reset_index(drop=True)
        after = losses(score_rows(estimator, shuffled, targets, info)) if own else before
        rises = np.broadcast_to(after, len(targets)).reshape(repeats, -1).mean(axis=1) - before
        found.append({"feature": column, "rise": rises.mean(), "spread": rises.std()})
    importance = pd.DataFrame(found).assign(rows=len(encoded))
    return importance.sort_values("rise", ascending=False, kind="stable", ignore_index=True)


def _encoded(
    model: Model, features: pd.DataFrame
) -> tuple[Model, pd.DataFrame, dict[str, list[str]]]:
    """A model's last step, what it is given, and the columns of that which each feature becomes.

    Where the steps before do not tell which columns a feature becomes, these are the whole model,
    the features, and each feature itself.
    """
    steps: list[tuple[str, Any]] = getattr(model, "steps", [])
    outputs = getattr(steps[0][1], "input_to_outputs_", None) if len(steps) > 1 else None
    if outputs is not None:
        whole: Any = model
        encoded = whole[:-1].transform(features)
        named = [name for column in features for name in outputs.get(column, [])]
        if isinstance(encoded, pd.DataFrame) and sorted(named) == sorted(encoded.columns):
            kept = {str(column): list(outputs.get(column, [])) for column in features}
            return steps[-1][1], encoded, kept
    return model, features, {str(column): [str(column)] for column in features}
