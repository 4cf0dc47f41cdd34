"""Tests of `kedro check`: what a table is, and the lines that a run needs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_basics.commands.check import check_table
from mlops_basics.commands.check.examination import examine_table
from mlops_basics.commands.check.judgement import (
    excluded,
    left_out,
    seconds_of_a_run,
    suspects,
)
from mlops_basics.commands.check.lines import lines, name_of, write_lines
from mlops_basics.commands.check.reading import read_table
from mlops_basics.commands.check.text import in_words
from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.runs.session import Place
from mlops_basics.schemas import CollectionParams, PreprocessingParams
from tests.support.parameters import configured
from tests.support.project import bootstrap

ROWS = 600


def customers(rows: int = ROWS) -> pd.DataFrame:
    """A table with what a real one has: an identifier, a leak, dates, a constant, text."""
    rng = np.random.default_rng(0)
    age, spent = rng.integers(18, 90, rows), rng.gamma(2.0, 50.0, rows).round(2)
    left = rng.random(rows) < 1 / (1 + np.exp(-(age - 60) / 20))
    return pd.DataFrame(
        {
            "customer": [f"C{number:06d}" for number in range(rows)],
            "since": pd.date_range("2023-01-01", periods=rows, freq="D").strftime("%Y-%m-%d"),
            "age": age,
            "spent": spent,
            "country": rng.choice(["AT", "CH", "DE"], rows),
            "currency": "EUR",
            "closing_fee": np.where(left, 10.0, 0.0),
            "has_left": np.where(left, "yes", "no"),
        }
    )


def found(path: Path, target: str | None = "has_left", **options):
    """The findings of a file."""
    params = configured(PreprocessingParams, target=target, **options) if target else None
    collection = configured(CollectionParams, target=target)
    return examine_table(str(path), read_table(str(path), {}, []), collection, params)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The customers as a CSV file."""
    path = tmp_path / "customers.csv"
    customers().to_csv(path, index=False)
    return path


@pytest.fixture
def place(project, monkeypatch) -> Place:
    """A new project that has the customers."""
    bootstrap(project.path)
    monkeypatch.chdir(project.path)
    customers().to_csv(project.path / "data" / "source" / "customers.csv", index=False)
    return Place(project.path, None, {})


def test_columns_are_what_a_run_reads_them_as(table):
    """Numbers, times and text, by the same rules; an identifier, a leak and a constant are told."""
    findings = found(table)
    assert {each.name: each.read_as for each in findings.columns} == {
        "customer": "text", "since": "time", "age": "number", "spent": "number",
        "country": "text", "currency": "text", "closing_fee": "number", "has_left": "text",
    }  # fmt: skip
    target = findings.target
    assert target.table.task == "binary"
    assert target.identifiers == ("customer",)
    assert target.table.dropped_columns == {"currency": "one value in all rows"}
    assert suspects(findings) == ["closing_fee"]
    assert excluded(findings) == {"customer": "another value in every row"}
    assert set(target.balance) == {"yes", "no"}
    assert sum(target.balance.values()) == pytest.approx(1)
    assert sum(target.split.rows.values()) == ROWS
    (time,) = findings.times
    assert (time.name, time.first, time.period) == ("since", "2023-01-01", "Q")


def test_the_smallest_gain_shrinks_with_the_rows(tmp_path):
    """Four times the rows show half the gain, about; too few rows show none."""
    gains = {}
    for rows in (60, 2_000, 8_000):
        path = tmp_path / f"{rows}.csv"
        customers(rows).drop(columns="since").to_csv(path, index=False)
        gains[rows] = found(path).target.smallest_gain
    assert gains[60] is None
    assert gains[8_000] == pytest.approx(gains[2_000] / 2, rel=0.1)


def test_a_quantity_has_its_spread_and_unit(table):
    """A regression tells its median, and the gain in its own unit."""
    target = found(table, "spent").target
    assert target.table.task == "regression"
    low, middle, high = target.spread
    assert low < middle < high
    assert 0 < target.smallest_gain < high
    assert target.gain_unit == "mean absolute error"


def test_the_split_is_that_of_a_run_by_the_lines(table):
    """What the lines leave out has no part in it; what `exclude` names is told as left out."""
    before, after = found(table), found(table, exclude=["customer"])
    assert before.target.split == after.target.split
    assert before.target.telling == after.target.telling
    assert "customer" not in before.target.table.features
    assert left_out(before) == {"customer": "another value in every row"}
    assert left_out(after) == {"customer": "named by `exclude`"}
    assert "Left out     customer: named by `exclude`" in in_words(after, (1.0, 2.0), [], "")


def test_no_gain_is_promised_that_is_not_there(tmp_path):
    """Where one class has nearly all rows, accuracy cannot rise by what would have to be shown."""
    path = tmp_path / "rare.csv"
    rare = customers(2_000).drop(columns="since")
    rare["has_left"] = np.where(np.arange(2_000) % 50 == 0, "yes", "no")
    rare.to_csv(path, index=False)
    told = " ".join(in_words(found(path), (1.0, 2.0), [], "").split())
    assert "Can show no gain in accuracy" in told
    assert "leaves 2 points to gain" in told


def test_without_a_target_columns_are_suggested(table):
    """The one that is named like a target, or stands last, comes first; no identifier does."""
    findings = found(table, None)
    assert findings.target is None
    names = [each.name for each in findings.suggestions]
    assert names[0] == "has_left"
    assert not {"customer", "since", "currency"} & set(names)


def test_a_column_that_a_run_would_refuse_hides_no_other(tmp_path):
    """Its fault is told in the words of a run, and the lines leave it out."""
    path = tmp_path / "table.csv"
    odd = customers()
    odd["spent"] = odd["spent"].astype(object)
    odd.loc[7, "spent"] = "n. a."
    odd.to_csv(path, index=False)
    findings = found(path)
    (fault,) = [each for each in findings.columns if each.fault]
    assert fault.name == "spent"
    assert "mixes numbers and text" in fault.fault
    assert "exclude: [spent, customer]" in "\n".join(lines(findings, "m", {}, {}))


def test_a_target_that_cannot_be_learned_is_an_error_in_the_words_of_a_run(table):
    """As a run says it."""
    with pytest.raises(DataError, match=r"'currency' is 'EUR' in every row"):
        found(table, "currency")
    with pytest.raises(ConfigurationError, match="Did you mean 'has_left'"):
        found(table, "has_lef")


@pytest.mark.parametrize(
    ("written", "guessed"),
    [
        ({"sep": ";", "decimal": ","}, {"sep": ";", "decimal": ","}),
        ({"sep": "\t"}, {"sep": "\t"}),
        ({"encoding": "cp1252"}, {"encoding": "cp1252"}),
    ],
)
def test_how_a_file_is_written_is_found_out(tmp_path, written, guessed):
    """Separator, decimal comma and encoding; the lines say them, so that a run reads the same."""
    path = tmp_path / "table.csv"
    customers().assign(city="Zürich").to_csv(path, index=False, **written)
    read = read_table(str(path), {}, [])
    assert read.guessed == guessed
    (batch,) = read.sample.batches
    assert batch.table["city"].eq("Zürich").all()
    assert batch.table["spent"].dtype == np.float64


def test_what_no_guess_makes_readable_is_told_as_a_run_tells_it(tmp_path):
    """A ragged file is ragged under any separator."""
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n1,2,3\n4,5\n", encoding="utf-8")
    with pytest.raises(DataError, match="ragged: line 3"):
        read_table(str(path), {}, [])


def test_the_lines_that_are_written_are_those_of_a_run(place):
    """A new environment: a run takes the options as they are meant; nothing is overwritten."""
    source = str(place.project_path / "data" / "source" / "customers.csv")
    text = check_table(place, source, "has_left", "mine", overwrite=False)
    assert "Wrote conf/mine/globals.yml. Next: kedro run --env mine" in text
    written = place.project_path / "conf" / "mine" / "globals.yml"
    assert yaml.safe_load(written.read_text(encoding="utf-8")) == {
        "model_name": "mine",
        "source": "data/source/customers.csv",
        "target": "has_left",
        "exclude": ["customer"],
    }
    commented = re.findall(r"^# (\w+): ([^#\n]*)", written.read_text(encoding="utf-8"), re.M)
    assert [(key, value.strip()) for key, value in commented] == [
        ("exclude", "[customer, closing_fee]"), ("time_column", "since"), ("period", "Q"),
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="already, and nothing was written"):
        check_table(place, source, "has_left", "mine", overwrite=False)
    check_table(place, source, "has_left", "mine", overwrite=True)
    again = check_table(Place(place.project_path, "mine", {}), None, None, None, overwrite=False)
    assert again.startswith("data/source/customers.csv: binary model of has_left; 600 rows")
    assert max(map(len, again.splitlines()[:-2])) <= 80 or "# " in again


def test_without_a_source_or_a_target_the_error_says_what_to_name(place):
    """Nothing to look at, and nothing to write."""
    with pytest.raises(ConfigurationError, match=r"kedro check data/source/customers\.csv"):
        check_table(place, None, None, None, overwrite=False)
    with pytest.raises(ConfigurationError, match="add --target"):
        check_table(place, "data/source/iris.csv", None, "mine", overwrite=False)


@pytest.mark.parametrize("name", ["base", "local", "../up", "a/b", "con", ""])
def test_no_folder_is_written_that_means_something_else(tmp_path, name):
    """Names of environments that are ours, and paths."""
    with pytest.raises(ConfigurationError, match="cannot be its name"):
        write_lines(tmp_path, name, ["a: 1"], overwrite=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data/Kunden 2024.csv.gz", "kunden_2024"),
        ("s3://bucket/flights/", "flights"),
        ("C:\\data\\A.CSV", "a"),
        ("con.csv", "model_con"),
    ],
)
def test_a_model_is_named_by_its_source(source, name):
    """In letters that a folder, an environment and a model may have."""
    assert name_of(source) == name


def test_a_run_is_said_to_take_longer_with_more_rows(tmp_path):
    """The estimate grows with rows and trials, and a small table takes less than a minute."""
    path = tmp_path / "table.csv"
    customers().to_csv(path, index=False)
    findings = found(path)
    low, high = seconds_of_a_run(findings, 20, 40)
    assert low < high < 60
    assert seconds_of_a_run(findings, 2_000, 40)[0] > low


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ((8.5, 34.0), "less than a minute"),
        ((20.0, 80.0), "up to 2 minutes of one core"),
        ((92.0, 368.0), "2 to 7 minutes of one core"),
        ((3_600.0, 14_400.0), "1.0 to 4.0 hours of one core"),
    ],
)
def test_how_long_a_run_takes_is_told_as_a_range(tmp_path, seconds, words):
    """In minutes or hours, and never in seconds, which an estimate cannot know."""
    path = tmp_path / "table.csv"
    customers().to_csv(path, index=False)
    text = " ".join(in_words(found(path), seconds, [], "").split())
    assert f"A run takes {words}" in text
