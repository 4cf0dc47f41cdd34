"""The columns of a table of rows that hold the predictions of each of two models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.scoring.scores import Scores

#: Before a model's name: the code of the class that it predicts, where that is not the likeliest.
_PREDICTED = "predicted_"


def predictions_of(name: str, scores: Scores) -> dict[str, Any]:
    """The columns of a table that hold one model's predictions; ``gate_scores`` reads them."""
    if scores.task == "regression":
        return {name: scores.predicted}
    columns: dict[str, Any] = {f"{name}_{k}": p for k, p in enumerate(scores.probabilities.T)}
    if (scores.predicted != scores.probabilities.argmax(axis=1)).any():  # by a threshold
        columns[f"{_PREDICTED}{name}"] = scores.predicted
    return columns


def gate_scores(gate: pd.DataFrame, name: str) -> Scores:
    """One model's predictions out of a gate table."""
    y = gate["y"].to_numpy()
    if name in gate.columns:
        return Scores("regression", y, gate[name].to_numpy(), np.empty((len(y), 0)))
    columns = [column for column in gate.columns if column.startswith(f"{name}_")]
    probabilities = gate[columns].to_numpy()
    predicted = probabilities.argmax(axis=1)
    if f"{_PREDICTED}{name}" in gate.columns:
        predicted = gate[f"{_PREDICTED}{name}"].to_numpy(dtype=np.int64)
    return Scores("classification", y, predicted, probabilities)
