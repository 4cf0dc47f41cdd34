"""A decision as its page shows it: with the request, and both models' predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.schemas import ROW_HASH_COLUMN, ChallengeRequest, Decision
from tests.support import artifacts

CLASSES = ("setosa", "virginica", "unseen", "versicolor")


def make_decision(champion_version: str = "3", **values: Any) -> Decision:
    """A decision for a challenger of version 3."""
    fields = {
        "which_rows": "test rows of new batches",
        "champion_value": 0.5,
        "challenger_value": 0.375,
        "gain": 0.125,
        "low": 0.0625,
        "high": 0.1875,
        "p_value": 0.00123,
        "alpha": 0.005,
        "min_gain": 0.03125,
        "smallest_gain": 0.09375,
    }
    return artifacts.make_decision(champion_version, 7, **fields | values)


def make_request(classes: tuple[str, ...] = CLASSES, **values: Any) -> ChallengeRequest:
    """The request that belongs to it."""
    fields = {
        "champion_version": "3",
        "status": "comparable",
        "rows": 60,
        "rows_hash": "",
        "predictions_hash": "",
        "which_rows": "",
        "classes": classes,
    }
    return ChallengeRequest.model_validate(fields | values)


def make_gate(n: int = 60, classes: int = 4, seed: int = 0) -> pd.DataFrame:
    """Predictions of two models on rows of all classes but the third."""
    rng = np.random.default_rng(seed)
    gate = {ROW_HASH_COLUMN: np.arange(n, dtype=np.uint64)}
    gate["y"] = rng.choice([k for k in range(classes) if k != 2], n)
    for name, skill in (("champion", 1.0), ("challenger", 3.0)):
        logits = rng.normal(size=(n, classes))
        logits[np.arange(n), gate["y"]] += skill
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gate |= {f"{name}_{k}": p[:, k] for k in range(classes)}
    return pd.DataFrame(gate)
