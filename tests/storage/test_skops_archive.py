"""Tests of the reproducible archive."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from mlops_basics.storage.skops_archive import canonical_archive, load_model
from tests.support.fitted import TRUSTED, fit_pipeline, make_table
from tests.support.project import ROOT

PRINT_HASH = """
import hashlib, skops.io
from mlops_basics.storage.skops_archive import canonical_archive
from tests.support.fitted import fit_pipeline, make_table
archive = canonical_archive(skops.io.dumps(fit_pipeline(make_table())))
print(hashlib.sha256(archive).hexdigest())
"""


@pytest.fixture(scope="module")
def archive(pipeline):
    """What skops writes."""
    import skops.io

    return skops.io.dumps(pipeline)


def test_the_archive_loads_and_predicts_the_same(archive, pipeline, table, trusted):
    """Nothing of the model is lost."""
    import skops.io

    loaded = skops.io.loads(canonical_archive(archive), trusted=trusted)
    assert (loaded.predict_proba(table) == pipeline.predict_proba(table)).all()


def test_two_fits_have_identical_bytes(archive, pipeline):
    """The bytes depend on the model alone, though skops' own depend on memory addresses."""
    import skops.io

    again = skops.io.dumps(fit_pipeline(make_table(), dense="scaler" in pipeline.named_steps))
    assert again != archive
    assert canonical_archive(again) == canonical_archive(archive)


def test_another_model_has_other_bytes(archive, table):
    """A model that was fitted on other rows is not taken for the same."""
    import skops.io

    other = skops.io.dumps(fit_pipeline(table.head(50)))
    assert canonical_archive(other) != canonical_archive(archive)


def test_a_canonical_archive_stays_as_it_is(archive):
    """Doing it twice changes nothing more."""
    once = canonical_archive(archive)
    assert canonical_archive(once) == once


def test_the_archive_is_small_and_has_no_time(archive):
    """Compressed, and every file dated the same."""
    canonical = canonical_archive(archive)
    assert len(canonical) < len(archive) / 2
    with zipfile.ZipFile(io.BytesIO(canonical)) as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_archive_of_a_wide_model_stays_small():
    """An object is written once, however often it is held: some kilobytes a column."""
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from skrub import TableVectorizer

    rows = np.random.default_rng(0).normal(size=(30, 60))
    wide = pd.DataFrame(rows, columns=[f"c{i}" for i in range(60)])
    model = make_pipeline(TableVectorizer(), LogisticRegression()).fit(wide, [0, 1] * 15)
    written = skops.io.dumps(model)
    canonical = canonical_archive(written)
    with zipfile.ZipFile(io.BytesIO(canonical)) as packed:
        assert packed.getinfo("schema.json").file_size < 60 * 20_000 < len(written) / 20
    loaded = load_model(canonical, TRUSTED, "of a test")
    assert (loaded.predict_proba(wide) == model.predict_proba(wide)).all()


def test_arrays_keep_their_order_and_values():
    """Arrays that look alike are not mixed up by new names."""
    import skops.io

    arrays = [np.full(3, number) for number in range(12)]
    loaded = skops.io.loads(canonical_archive(skops.io.dumps({"arrays": arrays})))
    assert np.array_equal(loaded["arrays"], arrays)


def test_text_that_looks_like_an_id_is_not_renumbered():
    """A value of the model may hold any text."""
    import skops.io

    values = ['"__id__": 140234567890123', '"file": "140234567890123.npy"', "__id__", "1.npy"]
    loaded = skops.io.loads(canonical_archive(skops.io.dumps({"values": values, "1.npy": 1})))
    assert loaded == {"values": values, "1.npy": 1}


@pytest.mark.slow
def test_another_process_makes_the_same_bytes():
    """Neither addresses nor the seed of Python's hashes enter."""
    import hashlib

    import skops.io

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
    own = canonical_archive(skops.io.dumps(fit_pipeline(make_table())))
    assert done.stdout.strip() == hashlib.sha256(own).hexdigest()
