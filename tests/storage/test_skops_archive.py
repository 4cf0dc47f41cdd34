"""Tests of the reproducible archive."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from mlops_basics.storage.archive_nodes import without_references
from mlops_basics.storage.skops_archive import load_model, model_archive
from tests.support.fitted import TRUSTED, fit_pipeline, make_table
from tests.support.project import ROOT

OWN_NAMES = {"__id__", "file"}

PRINT_HASH = """
import hashlib
from mlops_basics.storage.skops_archive import model_archive
from tests.support.fitted import fit_pipeline, make_table
archive = model_archive(fit_pipeline(make_table()))
print(hashlib.sha256(archive).hexdigest())
"""


def wide_rows(columns):
    """Thirty rows of so many numbers."""
    rows = np.random.default_rng(0).normal(size=(30, columns))
    return pd.DataFrame(rows, columns=[f"c{i}" for i in range(columns)])


def wide_model(columns):
    """A pipeline fitted on so many columns."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from skrub import TableVectorizer

    return make_pipeline(TableVectorizer(), LogisticRegression()).fit(
        wide_rows(columns), [0, 1] * 15
    )


@pytest.fixture(scope="module")
def archive(pipeline):
    """What is written of a model."""
    return model_archive(pipeline)


def schema_of(content):
    """The description of a file's objects, in it."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return json.loads(packed.read("schema.json"))


def test_the_archive_loads_and_predicts_the_same(archive, pipeline, table, trusted):
    """Nothing of the model is lost."""
    import skops.io

    loaded = skops.io.loads(archive, trusted=trusted)
    assert (loaded.predict_proba(table) == pipeline.predict_proba(table)).all()


def test_two_fits_have_identical_bytes(archive, pipeline):
    """The bytes depend on the model alone, though skops' own depend on memory addresses."""
    import skops.io

    again = fit_pipeline(make_table(), dense="scaler" in pipeline.named_steps)
    assert skops.io.dumps(again) != skops.io.dumps(pipeline)
    assert model_archive(again) == archive


def test_another_model_has_other_bytes(archive, table):
    """A model that was fitted on other rows is not taken for the same."""
    assert model_archive(fit_pipeline(table.head(50))) != archive


def test_the_archive_is_small_and_has_no_time(archive, pipeline):
    """Compressed, and every file dated the same."""
    import skops.io

    assert len(archive) < len(skops.io.dumps(pipeline)) / 2
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_archive_says_what_skops_would(archive, pipeline):
    """Once the numbers of what is held twice are followed, each value is there, in its place."""
    import skops.io

    written, own = (schema_of(content) for content in (skops.io.dumps(pipeline), archive))
    assert [own.pop(key) for key in ("protocol", "_skops_version")] == [
        written.pop(key) for key in ("protocol", "_skops_version")
    ]
    without_references(own)

    def values(node):
        """All values below a node, without the numbers of nodes and the names of arrays."""
        if isinstance(node, dict):
            return [(key, values(node[key])) for key in sorted(node) if key not in OWN_NAMES]
        return [values(item) for item in node] if isinstance(node, list) else node

    assert values(own) == values(written)


def test_an_object_is_looked_at_once_however_often_it_is_held(monkeypatch):
    """A further column costs what is its own: what all columns share is not gone through again."""
    from skops.io import _utils

    calls, state_of = [], _utils._get_state

    def counted(value, context):
        calls.append(type(value))
        return state_of(value, context)

    counted.dispatch = state_of.dispatch
    monkeypatch.setattr(_utils, "_get_state", counted)
    counts = []
    for columns in (20, 40):
        model = wide_model(columns)
        calls.clear()
        model_archive(model)
        counts.append(len(calls))
    assert counts[1] - counts[0] < 20 * 200  # a further column: 98; by skops alone 710
    assert _utils._get_state is counted, "what was put in its place is taken away again"


def test_the_archive_of_a_wide_model_stays_small():
    """An object is written once, however often it is held: some kilobytes a column."""
    import skops.io

    wide, model = wide_rows(60), wide_model(60)
    canonical = model_archive(model)
    with zipfile.ZipFile(io.BytesIO(canonical)) as packed:
        size = packed.getinfo("schema.json").file_size
    assert size < 60 * 20_000 < len(skops.io.dumps(model)) / 20
    loaded = load_model(canonical, TRUSTED, "of a test")
    assert (loaded.predict_proba(wide) == model.predict_proba(wide)).all()


def test_what_is_held_twice_is_one_object_again():
    """What is held in several places, a tuple among them, is one object again, written once."""
    import skops.io

    shared = [np.arange(3), {"a": (1, 2)}]
    content = model_archive({"first": shared, "again": shared, "in a tuple": (shared,)})
    loaded = skops.io.loads(content)
    assert loaded["first"] is loaded["again"] is loaded["in a tuple"][0]
    assert loaded["first"][1] == {"a": (1, 2)}
    assert len(re.findall(rb"\.npy", content)) == 2  # one array: its name, in two tables of a zip


def test_arrays_keep_their_order_and_values():
    """Arrays that look alike are not mixed up by new names."""
    import skops.io

    arrays = [np.full(3, number) for number in range(12)]
    loaded = skops.io.loads(model_archive({"arrays": arrays}))
    assert np.array_equal(loaded["arrays"], arrays)


def test_text_that_looks_like_an_id_is_not_renumbered():
    """A value of the model may hold any text."""
    import skops.io

    values = ['"__id__": 140234567890123', '"file": "140234567890123.npy"', "__id__", "1.npy"]
    loaded = skops.io.loads(model_archive({"values": values, "1.npy": 1}))
    assert loaded == {"values": values, "1.npy": 1}


@pytest.mark.slow
def test_another_process_makes_the_same_bytes():
    """Neither addresses nor the seed of Python's hashes enter."""
    import hashlib

    environment = os.environ | {
        "PYTHONHASHSEED": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRINT_HASH],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    own = model_archive(fit_pipeline(make_table()))
    assert done.stdout.strip() == hashlib.sha256(own).hexdigest()
