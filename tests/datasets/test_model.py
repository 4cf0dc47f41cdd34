"""Tests of the model data set."""

from __future__ import annotations

import json

import fsspec
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from kedro.io.core import Version

from mlops_basics.datasets import SklearnModelDataset
from mlops_basics.datasets.model import REQUIREMENTS, requirements_of
from mlops_basics.schemas import FittedModel

OLD, NEW = "2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z"
LINE = ["sklearn.pipeline.Pipeline", "sklearn.linear_model._base.LinearRegression"]
ROWS = pd.DataFrame({"x": [0.0, 1.0, 2.0]})


@pytest.fixture(params=["file", "memory"])
def address(request, tmp_path):
    """Where a model's folder may be written, on disk or in memory."""
    if request.param == "file":
        yield str(tmp_path / "model")
        return
    yield "memory:///test_model/model"
    filesystem = fsspec.filesystem("memory")
    if filesystem.exists("/test_model"):
        filesystem.rm("/test_model", recursive=True)


def line(slope):
    """A fitted model that multiplies by a number."""
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    fitted = make_pipeline(LinearRegression()).fit(ROWS, slope * ROWS["x"])
    return FittedModel(fitted, ROWS.head(2))


def slope_of(dataset):
    """The number that a saved model multiplies by."""
    return round(float(dataset.load().predict(pd.DataFrame({"x": [1.0]}))[0]), 6)


def test_round_trip(tmp_path, pipeline, table, trusted):
    """A pipeline of every encoding predicts the same after loading."""
    dataset = SklearnModelDataset(filepath=str(tmp_path / "model"), trusted_types=trusted)
    assert not dataset.exists()
    dataset.save(FittedModel(pipeline, table.head(5)))
    assert dataset.exists()
    assert (dataset.load().predict_proba(table) == pipeline.predict_proba(table)).all()


def test_versions_are_kept(address):
    """The latest is loaded unless a version is asked for; none is overwritten."""
    for slope, version in ((2, OLD), (3, NEW)):
        dataset = SklearnModelDataset(
            filepath=address, trusted_types=LINE, version=Version(None, version)
        )
        dataset.save(line(slope))
    latest = SklearnModelDataset(filepath=address, trusted_types=LINE, version=Version(None, None))
    chosen = SklearnModelDataset(filepath=address, trusted_types=LINE, version=Version(OLD, None))
    gone = SklearnModelDataset(filepath=address, trusted_types=LINE, version=Version("2000", None))
    assert (slope_of(latest), slope_of(chosen)) == (3, 2)
    assert (latest.exists(), chosen.exists(), gone.exists()) == (True, True, False)
    again = SklearnModelDataset(filepath=address, trusted_types=LINE, version=Version(None, OLD))
    with pytest.raises(DatasetError, match="must not exist if versioning is enabled"):
        again.save(line(4))


def test_a_model_without_versions_is_replaced(address):
    """Saved again, the new one is loaded and nothing of the old one stays."""
    dataset = SklearnModelDataset(filepath=address, trusted_types=LINE)
    dataset.save(line(2))
    filesystem, path = fsspec.core.url_to_fs(address)
    files = set(filesystem.find(path))
    dataset.save(line(3))
    assert slope_of(dataset) == 3
    assert set(filesystem.find(path)) == files


def test_a_missing_model_is_named(address):
    """The error holds the path."""
    with pytest.raises(DatasetError, match=r"model\.skops"):
        SklearnModelDataset(filepath=address, trusted_types=LINE).load()


def test_types_that_are_not_trusted_are_refused(tmp_path, pipeline, table, trusted):
    """A model that holds another type is not loaded, and the message names type and remedy."""
    path = str(tmp_path / "model")
    SklearnModelDataset(filepath=path, trusted_types=trusted).save(
        FittedModel(pipeline, table.head(5))
    )
    fewer = [name for name in trusted if not name.endswith("TableVectorizer")]
    reading = SklearnModelDataset(filepath=path, trusted_types=fewer)
    with pytest.raises(
        DatasetError,
        match=r"not trusted: skrub\._table_vectorizer\.TableVectorizer\..*_trusted_types",
    ):
        reading.load()


def test_types_that_are_not_trusted_are_not_saved(tmp_path, pipeline, table):
    """A model with untrusted types is not saved, not even as a pickle, and leaves no version."""
    dataset = SklearnModelDataset(filepath=str(tmp_path / "model"), trusted_types=LINE)
    with pytest.raises(DatasetError, match="TableVectorizer"):
        dataset.save(FittedModel(pipeline, table.head(5)))
    assert not dataset.exists()
    assert list(tmp_path.rglob("*.*")) == []


def test_a_model_names_the_packages_that_it_needs():
    """Those of any model, and the package of each other type; the user's own code has none."""
    assert requirements_of(["sklearn.pipeline.Pipeline", "functools.partial"]) == REQUIREMENTS
    more = requirements_of(["optuna.Trial", "mine.steps.Own", "skops.io.loads"])
    assert more == (*REQUIREMENTS, "optuna")


def test_what_the_folder_names_is_not_executed(tmp_path):
    """A loader module with code of its own, which MLflow would run, is not even read."""
    path = tmp_path / "model"
    dataset = SklearnModelDataset(filepath=str(path), trusted_types=LINE)
    dataset.save(line(2))
    (path / "code").mkdir()
    (path / "code" / "evil.py").write_text("raise SystemExit('executed')")
    (path / "MLmodel").write_text("flavors: {python_function: {loader_module: evil, code: code}}")
    assert slope_of(dataset) == 2


def test_the_signature_takes_missing_values(tmp_path, pipeline, table, trusted):
    """Every number is a double, every text a string, every time a time: none refuses a gap."""
    from mlflow.models import Model

    path = tmp_path / "model"
    dataset = SklearnModelDataset(filepath=str(path), trusted_types=trusted)
    dataset.save(FittedModel(pipeline, table.head(5)))
    signature = Model.load(str(path)).signature
    kinds = dict(zip(signature.inputs.input_names(), signature.inputs.input_types(), strict=True))
    assert {name: kind.name for name, kind in kinds.items()} == {
        "number": "double",
        "colour": "string",
        "text": "string",
        "time": "datetime",
    }
    assert len(json.loads((path / "input_example.json").read_text())["data"]) == 5


def test_mlflow_loads_the_folder(tmp_path):
    """The folder is what ``mlflow.pyfunc`` serves."""
    import mlflow

    path = tmp_path / "model"
    SklearnModelDataset(filepath=str(path), trusted_types=LINE).save(line(2))
    loaded = mlflow.pyfunc.load_model(str(path))
    assert np.allclose(loaded.predict(ROWS), [0, 2, 4])


def test_a_model_without_an_example_is_refused(tmp_path):
    """Without a row there would be no signature."""
    dataset = SklearnModelDataset(filepath=str(tmp_path / "model"), trusted_types=LINE)
    model = line(2)
    with pytest.raises(DatasetError, match="at least one example row, got none"):
        dataset.save(FittedModel(model.pipeline, ROWS.head(0)))


def test_two_saves_have_identical_models(tmp_path):
    """The model file depends on the fitted model alone; MLflow stamps only its own files."""
    for name in ("one", "other"):
        SklearnModelDataset(filepath=str(tmp_path / name), trusted_types=LINE).save(line(2))
    one, other = (tmp_path / name / "model.skops" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_the_description_shows_no_secret():
    """Credentials stay out of messages."""
    dataset = SklearnModelDataset(
        filepath="memory:///m", trusted_types=LINE, credentials={"secret": "hidden"}
    )
    assert "hidden" not in str(dataset)
