"""Bad input as users have it: each gives one readable error and leaves nothing half-written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.support.files import as_parquet
from tests.support.project import lines_of_error

pytestmark = pytest.mark.slow


def good_table(rows: int = 200) -> pd.DataFrame:
    """A table that trains: two numbers, a category, a text target."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "height": rng.normal(size=rows).round(3),
            "weight": rng.normal(size=rows).round(3),
            "colour": rng.choice(["red", "green"], rows),
        }
    )
    table["kind"] = np.where(table["height"] + 0.3 * rng.normal(size=rows) > 0, "tall", "short")
    return table


def as_csv(table: pd.DataFrame) -> bytes:
    """The bytes of a CSV file."""
    return table.to_csv(index=False).encode()


def with_line(number: int, line: bytes) -> bytes:
    """A good CSV file whose line of this number (from 1, header included) is another."""
    lines = as_csv(good_table()).splitlines()
    lines[number - 1] = line
    return b"\n".join(lines) + b"\n"


GOOD = good_table()
ONE_FILE = [
    ("empty file", b"", {}, ["bad.csv", "is empty"]),
    ("white space", b" \n\n", {}, ["bad.csv", "white space"]),
    ("header only", b"height,weight,kind\n", {}, ["bad.csv", "no rows"]),
    ("too many fields", with_line(7, b"1,2,red,tall,5"), {}, ["bad.csv", "line 7", "5 fields"]),
    ("too few fields", with_line(9, b"1,2,red"), {}, ["bad.csv", "line 9", "3 fields"]),
    (
        "wrong encoding",
        with_line(5, "1,2,größe,tall".encode("latin-1")),
        {},
        ["bad.csv", "line 5", "latin-1"],
    ),
    (
        "duplicate columns",
        as_csv(GOOD).replace(b"height,weight", b"height,height"),
        {},
        ["bad.csv", "'height' 2 times"],
    ),
    ("wrong separator", as_csv(GOOD).replace(b",", b";"), {}, ["bad.csv", "separator", "';'"]),
    ("two rows", as_csv(GOOD.head(2)), {}, ["2 rows", "too few"]),
    ("few rows", as_csv(GOOD.head(20)), {}, ["20 rows", "at least 10"]),
    ("target not a column", as_csv(GOOD), {"target": "kimd"}, ["'kimd'", "Did you mean 'kind'"]),
    ("constant target", as_csv(GOOD.assign(kind="tall")), {}, ["'kind'", "one class only"]),
    ("empty target", as_csv(GOOD.assign(kind=None)), {}, ["'kind'", "no value in any of 200"]),
    (
        "identifier as target",
        as_csv(GOOD.assign(kind=[f"id{i}" for i in range(200)])),
        {},
        ["'kind'", "200 distinct values", "identifies rows"],
    ),
    (
        "row number as target",
        as_csv(GOOD.assign(kind=range(200))),
        {},
        ["'kind'", "0 to 199", "identifier"],
    ),
    (
        "infinite values",
        as_csv(GOOD.assign(weight=GOOD["weight"].mask(GOOD.index == 11, np.inf))),
        {},
        ["'weight'", "infinite in 1 of 200 rows", "data row 12 of 'bad.csv'"],
    ),
    (
        "mixed types",
        as_csv(GOOD.assign(weight=GOOD["weight"].astype(object).mask(GOOD.index == 3, "heavy"))),
        {},
        ["'weight'", "'heavy'", "data row 4 of 'bad.csv'", "text_columns"],
    ),
    ("no feature left", as_csv(GOOD[["kind"]].assign(x=1)), {}, ["No feature column remains"]),
    ("excluded column unknown", as_csv(GOOD), {"exclude": ["hight"]}, ["`exclude`", "'height'"]),
    ("target excluded", as_csv(GOOD), {"exclude": ["kind"]}, ["'kind'", "excluded"]),
    ("text target, regression", as_csv(GOOD), {"task": "regression"}, ["'kind'", "text"]),
    ("not a time", as_csv(GOOD), {"time_column": "colour"}, ["'colour'", "no time"]),
    (
        "too few periods",
        as_csv(GOOD.assign(day=pd.Timestamp("2024-01-01"))),
        {"time_column": "day"},
        ["'day'", "covers 1 periods"],
    ),
    ("a column of lists", b"", {"parquet": True, "lists": True}, ["'tags'", "list"]),
    ("damaged Parquet", b"PAR1 no more", {"parquet": True}, ["bad.parquet", "Parquet"]),
    ("reserved name", as_csv(GOOD.assign(__batch__=1)), {}, ["bad.csv", "'__batch__'", "reserved"]),
    ("a column without a name", b"," + as_csv(GOOD), {}, ["bad.csv", "column 1", "index_col"]),
    ("misspelt option", as_csv(GOOD), {"exlude": ["height"]}, ["'exlude'", "mean 'exclude'"]),
    ("other file type", b"x", {"suffix": "xlsx"}, ["neither CSV nor Parquet"]),
]


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [pytest.param(*case[1:], id=case[0]) for case in ONE_FILE],
)
def test_one_bad_file(project, content, settings, words):
    """The message names file, column or line, and the remedy; exit code 1; nothing trained."""
    settings = dict(settings)
    suffix = settings.pop("suffix", "parquet" if settings.pop("parquet", False) else "csv")
    if settings.pop("lists", False):
        content = as_parquet(GOOD.assign(tags=[["a", "b"]] * len(GOOD)))
    source = project.path / "data" / "source" / f"bad.{suffix}"
    source.write_bytes(content)
    values = {"model_name": "bad", "source": str(source), "target": "kind"}
    project.configure("bad", **values | settings)
    result = project.command("run", "--env", "bad", "--params", "training.n_trials=1")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert len(lines_of_error(result.stderr)) <= 5, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    produced = {file.parts[-4] for file in project.produced()}
    assert not produced & {"models", "reporting", "manifests"}


def test_a_missing_source_says_where_to_name_it(project):
    """A missing source is an error that names globals.yml."""
    project.configure("bad", model_name="bad", source="data/source/none.csv", target="kind")
    result = project.command("run", "--env", "bad")
    assert result.exit_code == 1
    assert "does not exist" in result.stderr
    assert "globals.yml" in result.stderr
    assert project.produced() == []


def test_batches_with_other_columns_are_named(project):
    """The file that differs from the first is named, with what it lacks and adds."""
    folder = project.path / "data" / "source" / "batches"
    folder.mkdir()
    (folder / "a.csv").write_bytes(as_csv(GOOD))
    (folder / "b.csv").write_bytes(as_csv(GOOD.rename(columns={"weight": "mass"})))
    project.configure("bad", model_name="bad", source=str(folder), target="kind")
    result = project.command("run", "--env", "bad")
    assert result.exit_code == 1
    for word in ("'b.csv'", "lacks 'weight'", "adds 'mass'"):
        assert word in result.stderr
    assert project.produced() == []


def test_an_empty_folder_is_named(project):
    """A folder without a batch is an error, not an empty table."""
    (project.path / "data" / "source" / "batches").mkdir()
    project.configure("bad", model_name="bad", source="data/source/batches", target="kind")
    result = project.command("run", "--env", "bad")
    assert result.exit_code == 1
    assert "holds no CSV or Parquet file" in result.stderr


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("n_trials=3", ["Unknown parameter 'n_trials'", "training"]),
        ("training.n_trial=3", ["Unknown parameter 'training.n_trial'"]),
        ("training.n_trials=many", ["training.n_trials", "integer", "'many'"]),
        ("num_instances=0", ["collection.num_instances", "greater than or equal to 1"]),
        ("model_name=../../etc", ["model_name must be", "'../../etc'"]),
        ("preprocessing.split.test_fraction=0.9", ["below 1"]),
    ],
)
def test_a_wrong_parameter_is_an_error(project, params, words):
    """Nothing starts with a parameter that would be ignored or cannot be used."""
    result = project.command("run", "--params", params)
    assert result.exit_code == 1
    for word in words:
        assert word in result.stderr, result.stderr
    assert project.produced() == []


def test_an_unknown_environment_is_an_error(project):
    """Kedro alone would run on base."""
    result = project.command("run", "--env", "nope")
    assert result.exit_code == 1
    assert "conf/nope" in result.stderr


def test_verbose_shows_the_traceback(project):
    """With --verbose the whole traceback is shown."""
    result = project.command("run", "--env", "nope", "--verbose")
    assert "Traceback" in result.stderr


def test_a_candidate_that_cannot_be_made_is_named(project):
    """A typing error in the search space is an error before the search begins."""
    space = "training.candidates.multiclass.linear.fixed.penalti=l2"
    result = project.command("run", "--params", space)
    assert result.exit_code == 1
    assert "'linear'" in result.stderr
    assert "penalti" in result.stderr


def test_what_can_be_lived_with_is_a_warning(project):
    """Empty and constant columns, a rare class and missing targets are counted and warned about."""
    table = good_table(300).assign(nothing=np.nan, same=7)
    table.loc[0:2, "kind"] = "rare"
    table.loc[10:14, "kind"] = None
    source = project.path / "data" / "source" / "warn.csv"
    source.write_bytes(as_csv(table))
    project.configure("warn", model_name="warn", source=str(source), target="kind")
    project.run(env="warn", training__n_trials=1)
    info = project.load("table_info", env="warn")
    assert info.dropped_columns == {
        "nothing": "no value in any row",
        "same": "one value in all rows",
    }
    text = " ".join(info.warnings)
    assert "5 rows without a target" in text
    assert "Class 'rare' has 3 rows only" in text
    page = project.load("report", env="warn")
    assert "5 rows without a target" in page
