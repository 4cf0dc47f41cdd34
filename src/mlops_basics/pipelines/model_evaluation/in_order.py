"""What to expect of the next batch: the newest ones, each predicted from those before it."""

from __future__ import annotations

import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.fitting.recipe import fit_tables, require_known_code
from mlops_basics.schemas import BATCH_COLUMN, OrderCheck, Recipe, TableInfo, TrainingParams
from mlops_basics.scoring.policy_loss import LOSS_NAMES, policy_losses
from mlops_basics.scoring.scores import score_rows

#: Newest batches that are measured, and the newest rows before each that a fit may cost.
MEASURED, MOST_LEARNED = 3, 50_000


def measure_in_order(
    recipe: Recipe,
    train_data: pd.DataFrame,
    valid_data: pd.DataFrame,
    test_data: pd.DataFrame,
    table_info: TableInfo,
    params: TrainingParams,
) -> OrderCheck:
    """Fit the recipe on the batches before each of the newest ones, and measure it on that one.

    Rows that are drawn by hash from all batches tell what a model knows of the time that it has
    seen. Where things move on the next batch is another matter, and this is what it is like. The
    recipe was chosen on rows of all batches; that makes the figure too good, if anything.

    Returns:
        The mean loss by batch; empty where there is no earlier batch, or none to learn from.

    Raises:
        ConfigurationError: If no candidate has the recipe's class.
    """
    require_known_code(recipe, params)  # it may come from an earlier run's file
    rows = pd.concat([train_data, valid_data, test_data], ignore_index=True)
    names = sorted(rows[BATCH_COLUMN].unique())
    rows = rows.sort_values(BATCH_COLUMN, kind="stable")
    measured: list[tuple[str, int, float]] = []
    for name in names[1:][-MEASURED:]:
        past = rows[rows[BATCH_COLUMN] < name].tail(MOST_LEARNED)
        batch = rows[rows[BATCH_COLUMN] == name].reset_index(drop=True)
        try:
            model = fit_tables(recipe, [past], table_info)
        except DataError:  # one class only, so far
            continue
        scores = score_rows(model, batch[list(table_info.features)], batch, table_info)
        measured.append((str(name), len(batch), float(policy_losses(scores).mean())))
    return OrderCheck(
        loss=LOSS_NAMES[table_info.task],
        batches=tuple(name for name, _, _ in measured),
        rows=tuple(count for _, count, _ in measured),
        losses=tuple(loss for _, _, loss in measured),
    )
