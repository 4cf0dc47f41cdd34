"""Labelled batches whose relation is known, and releases whose recipe learns it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.schemas import (
    MonitoringReference,
    Parts,
    Recipe,
    Release,
    ReleaseManifest,
    ReleaseReference,
    TableInfo,
)
from mlops_basics.table.learning import LabelledRows
from tests.support.artifacts import make_decision

NOISE = 0.3


def rows_of(slopes: list[float], rows: int) -> LabelledRows:
    """Batches b00, b01, ...: y is slope times x, with noise."""
    rng = np.random.default_rng(0)
    total = len(slopes) * rows
    x = rng.normal(size=total)
    names = np.array([f"b{number:02d}" for number in range(len(slopes))], dtype=object)
    return LabelledRows(
        features=Parts.of(pd.DataFrame({"x": x})),
        target=np.repeat(slopes, rows) * x + NOISE * rng.normal(size=total),
        batch=np.repeat(names, rows),
        position=np.tile(np.arange(rows), len(slopes)),
        hashes=np.arange(total, dtype=np.uint64),
        groups=None,
    )


def slope_recipe(strength: float = 1e-3) -> Recipe:
    """A straight line; a strong penalty makes it blind."""
    return Recipe(
        task="regression",
        candidate="line",
        class_path="sklearn.linear_model.Ridge",
        dense=True,
        parameters={"alpha": strength},
        vectorizer={},
        seed=0,
    )


def release_of(
    rows: LabelledRows,
    version: str = "1",
    recipe: Recipe | None = None,
    classes: tuple[str, ...] = (),
) -> Release:
    """A release whose recipe was fitted on these rows, all of them."""
    recipe = recipe or slope_recipe()
    info = MonitoringReference(
        rows=len(rows),
        thinned=1,
        losses=("absolute_error",) if recipe.task == "regression" else ("error",),
        clip=3 * NOISE,
    )
    table: dict[str, Any] = {
        "task": recipe.task,
        "target": "y",
        "classes": classes,
        "features": ("x",),
        "numeric": ("x",),
        "key_columns": ("x",),
        "rows": len(rows),
        "duplicate_rows": 0,
        "missing_target_rows": 0,
        "dropped_columns": {},
        "warnings": (),
    }
    return Release(
        manifest=ReleaseManifest(
            model_name="line",
            version=version,
            run_id="run",
            mlflow_run_id=None,
            data_versions={},
            git_commit=None,
            git_dirty=None,
            decision=make_decision(),
            files={},
        ),
        model=fit_recipe(recipe, rows.features.read(), rows.target),
        table=TableInfo.model_validate(table),
        reference=ReleaseReference(info, {}, pd.DataFrame(), rows.features.read()),
        recipe=recipe,
        fitted_rows=rows.hashes,
    )
