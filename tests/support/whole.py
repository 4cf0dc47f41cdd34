"""Nodes that work on parts, called with tables that memory holds: for tests of what they do."""

from __future__ import annotations

import pandas as pd

from mlops_basics.pipelines.batch_inference import nodes as batch_inference
from mlops_basics.pipelines.data_collection import nodes as collection
from mlops_basics.pipelines.data_preprocessing import nodes as preprocessing
from mlops_basics.pipelines.recipe_search import nodes as recipe_search
from mlops_basics.schemas import Parts, TrainingParams
from mlops_basics.table import row_hash
from tests.support.parameters import configured


def _parts(table):
    return Parts.of(table) if isinstance(table, pd.DataFrame) else table


def collect_batches(*given):
    """The node, its table whole."""
    table, report = collection.collect_batches(*given)
    return table.read(), report


def score_batches(batches, release, params):
    """The node, its table whole."""
    return batch_inference.score_batches(batches, release, params).read()


def label_rows(raw, params):
    """The node, its table whole."""
    table, info = preprocessing.label_rows(_parts(raw), params)
    return table.read(), info


def preprocess_data(labelled, info, params):
    """The node, its table whole."""
    table, info = preprocessing.preprocess_data(_parts(labelled), info, params)
    return table.read(), info


def split_data(table, info, params, **training):
    """The node."""
    training = configured(TrainingParams, **training)
    return preprocessing.split_data(_parts(table), info, params, training)


def hold_out_newest(table, info, params, **training):
    """The node."""
    training = configured(TrainingParams, **training)
    return recipe_search.hold_out_newest(_parts(table), info, params, training)


def rows_by_hash(table, wanted, target):
    """The rows alone."""
    return row_hash.rows_by_hash(_parts(table), wanted, target)[0]
