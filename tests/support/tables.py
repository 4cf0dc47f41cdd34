"""What the tests of the pipelines share: slices in memory, copies, small tables."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pandas.testing import assert_frame_equal
from pydantic import BaseModel

from mlops_basics.pipelines.model_training.nodes import search_model
from mlops_basics.schemas import (
    BATCH_COLUMN,
    Batch,
    DecisionParams,
    FittedModel,
    Parts,
    PreprocessingParams,
    TrainingParams,
)
from tests.support.parameters import configured
from tests.support.whole import label_rows, preprocess_data, split_data

LINEAR = {
    "class": "sklearn.linear_model.LogisticRegression",
    "dense": True,
    "fixed": {"max_iter": 200},
    "space": {"C": {"type": "float", "low": 0.001, "high": 100, "log": True}},
}
BOOSTING = {
    "class": "sklearn.ensemble.HistGradientBoostingClassifier",
    "dense": False,
    "fixed": {"categorical_features": "from_dtype", "early_stopping": False},
    "space": {
        "max_iter": {"type": "int", "low": 2, "high": 8},
        "learning_rate": {"type": "float", "low": 0.05, "high": 0.3, "log": True},
    },
}
RIDGE = {
    "class": "sklearn.linear_model.Ridge",
    "dense": True,
    "space": {"alpha": {"type": "float", "low": 0.01, "high": 100, "log": True}},
}

IN_PARTS = {"raw_data", "labelled_data", "preprocessed_data"}


class Kept(AbstractDataset):
    """Keeps what was saved; MemoryDataset drops what the pipeline itself has used up."""

    def save(self, data):  # noqa: D102
        self.data = data.pipeline if isinstance(data, FittedModel) else data

    def load(self):  # noqa: D102
        return self.data

    def _describe(self):
        return {}


def run_slice(pipeline, inputs):
    """Run a pipeline on an in-memory catalog; returns its outputs, also those in between.

    Tables that are worked on in parts go in, and come out, whole.
    """
    kept = {name: Kept() for name in pipeline.all_outputs()}
    inputs = {k: Parts.of(v) if k in IN_PARTS else v for k, v in inputs.items()}
    given = {name: MemoryDataset(value) for name, value in inputs.items()}
    SequentialRunner().run(pipeline, DataCatalog(given | kept))
    found = {name: dataset.load() for name, dataset in kept.items()}
    return {k: v.read() if isinstance(v, Parts) else v for k, v in found.items()}


def copied(value):
    """A copy that shares nothing with the value; of a model its hash, of a figure its JSON."""
    if isinstance(value, pd.DataFrame):
        return value.copy(deep=True)
    if isinstance(value, Batch):
        return replace(value, parts=Parts.of(value.table.copy(deep=True)))
    if isinstance(value, list):
        return [copied(item) for item in value]
    if isinstance(value, BaseModel):
        return value.model_copy(deep=True)
    if isinstance(value, go.Figure):
        return value.to_json()
    if hasattr(value, "predict"):
        return joblib.hash(value)
    return copy.deepcopy(value)


def assert_same(value, before):
    """Values and types are what they were."""
    if isinstance(value, pd.DataFrame):
        assert_frame_equal(value, before)
    elif isinstance(value, Batch):
        assert (value.name, value.sha256) == (before.name, before.sha256)
        assert_frame_equal(value.table, before.table)
    elif isinstance(value, list):
        for item, item_before in zip(value, before, strict=True):
            assert_same(item, item_before)
    elif isinstance(value, go.Figure):
        assert value.to_json() == before
    elif hasattr(value, "predict"):
        assert joblib.hash(value) == before
    elif isinstance(value, (str, BaseModel)):
        assert value == before


def assert_inputs_unchanged(node, *inputs):
    """Call a node and compare its inputs with copies from before; returns what it returns."""
    before = [copied(value) for value in inputs]
    result = node(*inputs)
    for value, value_before in zip(inputs, before, strict=True):
        assert_same(value, value_before)
    return result


def raw_table(rows=120, seed=0):
    """A raw table of two batches: a number, a category, a time, a target of two classes."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows).round(4)
    return pd.DataFrame(
        {
            "size": size,
            "count": rng.integers(0, 50, rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "day": pd.date_range("2024-01-01", periods=rows, freq="D").strftime("%Y-%m-%d"),
            "kind": np.where(size + 0.3 * rng.normal(size=rows) > 0, "tall", "short"),
            BATCH_COLUMN: np.where(np.arange(rows) < rows // 2, "a.csv", "b.csv"),
        }
    )


def preprocessed(raw, params):
    """The typed table of the raw rows that have a target, and what is known of it."""
    return preprocess_data(*label_rows(raw, params), params)


def prepare(raw, **values):
    """Preprocessed and divided rows, as the nodes take them."""
    params = configured(PreprocessingParams, **{"target": "kind"} | values)
    table, info = preprocessed(raw, params)
    train, valid, test, split = split_data(table, info, params)
    return SimpleNamespace(
        train=train, valid=valid, test=test, info=info, split=split, preprocessing=params
    )


def training_params(task="binary", candidates=None, **values):
    """Parameters of a short search."""
    if candidates is None:
        candidates = {"linear": LINEAR, "boosting": BOOSTING}
    return configured(TrainingParams, **{"n_trials": 3, "candidates": {task: candidates}} | values)


class NoMonitor:
    """A monitor without a terminal, whose time is over after so many trials."""

    def __init__(self, trials=None):
        self.trials = trials
        self.lines = []
        self.tried = []

    def require_savable(self, model):
        """Notes the model."""
        self.tried.append(type(model[-1]).__name__)

    @contextmanager
    def watch(self, trials, name="search"):
        """Counts the trials, of which so many are announced."""
        self.announced, self.name = trials, name

        def after_trial(line):
            self.lines.append(line)
            return self.trials is not None and len(self.lines) >= self.trials

        yield after_trial


def search_of(data, params, monitor=None):
    """What a search finds on a prepared table, as the node returns it."""
    return search_model(
        data.train,
        data.valid,
        data.info,
        data.preprocessing,
        params,
        monitor or NoMonitor(),
        configured(DecisionParams),
    )
