"""Real tables, and any table of a user."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_basics.commands.samples import write_sample
from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.schemas import ROW_HASH_COLUMN

pytestmark = pytest.mark.slow

TRIALS = 3


def test_breast_cancer(project):
    """A binary table of scikit-learn: better than 90 % right."""
    write_sample("breast_cancer", project.path / "data" / "source")
    project.run(env="breast_cancer", training__n_trials=TRIALS)
    assert project.load("table_info", env="breast_cancer").task == "binary"
    metrics = project.load("test_metrics", env="breast_cancer").metrics
    assert metrics["accuracy"].low > 0.85
    assert metrics["roc_auc"].low > 0.9


def test_diabetes(project):
    """A regression of scikit-learn: some of the variance, without overfitting."""
    write_sample("diabetes", project.path / "data" / "source")
    project.run(env="diabetes", training__n_trials=TRIALS)
    assert project.load("table_info", env="diabetes").task == "regression"
    assert project.load("test_metrics", env="diabetes").metrics["r2"].value > 0.3
    assert not project.load("overfit_check", env="diabetes").overfitted
    matrix = project.load("confusion_matrix", env="diabetes")
    assert list(matrix["actual"]) == ["low third", "middle third", "high third"]


@pytest.fixture(scope="module")
def flights(shared_project):
    """A project with the flights table."""
    write_sample("flights", shared_project.path / "data" / "source")
    return shared_project


def test_flights_sample(flights):
    """2,000 flights, split by month: the last month is test."""
    flights.run(env="flights", num_instances=2_000, training__n_trials=TRIALS, model_name="few")
    report = flights.load("split_report", env="flights", model_name="few")
    assert report.method == "time"
    assert report.boundaries["test_from"].startswith("2013-11-01")
    assert report.boundaries["valid_from"].startswith("2013-10-01")
    train = flights.load("train_data", env="flights", model_name="few")
    assert train["time_hour"].max() < pd.Timestamp("2013-10-01")
    valid = flights.load("valid_data", env="flights", model_name="few")
    refit = flights.load("refit_report", env="flights", model_name="few")
    assert (refit.rule, refit.rows) == ("train_valid", len(train) + len(valid))
    # The day before the test period is among the rows that the model has learned from.
    learned = flights.load("fitted_rows", env="flights", model_name="few")
    newest = valid[valid["time_hour"] >= "2013-10-31"]
    assert len(newest)
    assert set(newest[ROW_HASH_COLUMN]) <= set(learned[ROW_HASH_COLUMN])
    judged = flights.load("model", env="flights", model_name="few")
    rows = pd.concat([train, valid])
    recipe = flights.load("recipe", env="flights", model_name="few")
    info = flights.load("table_info", env="flights", model_name="few")
    features = list(info.features)
    again = fit_recipe(recipe, rows[features], rows[info.target].to_numpy())
    probe = flights.load("test_data", env="flights", model_name="few")[features]
    assert (judged.predict_proba(probe) == again.predict_proba(probe)).all()
    decision = flights.load("decision", env="flights", model_name="few")
    assert (decision.grouped_by, decision.groups) == ("day of time_hour", 30)
    known_later = {"dep_time", "dep_delay", "arr_time", "air_time", "arr_delay"}
    features = set(flights.load("table_info", env="flights", model_name="few").features)
    assert not features & known_later


def test_flights_are_released_and_followed(flights):
    """The example ends well: a release of November, and in December an alarm with its cause."""
    parameters = flights.path / "conf" / "flights" / "parameters.yml"
    parameters.write_text("training: {n_trials: 1}\n", encoding="utf-8")
    ran = flights.command("run", "--env", "flights")
    assert ran.exit_code == 0
    assert "Decision     first release" in ran.stdout
    assert "search: 1 of 1" in ran.stderr
    info = flights.load("table_info", env="flights")
    assert (info.rows, info.missing_target_rows) == (11 * 3600 - 1102, 1102)
    assert not {"dep_delay", "tailnum", "month"} & set(info.features)
    metrics = flights.load("test_metrics", env="flights")
    assert metrics.groups == 30  # the days of November
    assert metrics.metrics["roc_auc"].low > 0.6  # by days: wider than by 3,500 rows
    rows = flights.load("fitted_rows", env="flights")
    unseen = set(flights.load("test_data", env="flights")[ROW_HASH_COLUMN])
    assert not unseen & set(rows[ROW_HASH_COLUMN])

    write_sample("flights_december", flights.path / "data" / "source")
    looked = flights.command("ct", "--env", "flights")
    assert looked.exit_code == 3
    verdict = flights.load("verdict", env="flights")
    assert verdict.concept.cause == "label_shift"
    assert "Other shares of the classes explain it" in looked.stdout
    assert "Refreshed: version 2 replaces 1" in looked.stdout


def users_table(rows: int = 400) -> pd.DataFrame:
    """Numbers, categories, dates, missing values, text of high cardinality, booleans."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "income": np.where(rng.random(rows) < 0.1, np.nan, rng.lognormal(10, 1, rows)),
            "city": rng.choice(np.array(["Berlin", "Paris", "Roma", None], dtype=object), rows),
            "joined": pd.date_range("2020-01-01", periods=rows, freq="D"),
            "comment": [f"user {i} likes {rng.choice(['cats', 'dogs'])}" for i in range(rows)],
            "member": rng.random(rows) < 0.5,
        }
    )
    score = table["age"] + 10 * (table["city"] == "Roma") + rng.normal(0, 5, rows)
    table["spend"] = score.round(2)
    table["churn"] = np.where(score > 50, "yes", "no")
    table["segment"] = np.select([score < 40, score < 60], [1, 2], 3)
    return table


@pytest.mark.parametrize(
    ("suffix", "target", "task", "leading", "at_least"),
    [
        ("csv", "churn", "binary", "accuracy", 0.7),
        ("parquet", "segment", "multiclass", "accuracy", 0.6),
        ("parquet", "spend", "regression", "r2", 0.5),
    ],
)
def test_a_users_table_in_five_lines(project, suffix, target, task, leading, at_least):
    """A file, a target: no code, for each task; that file types are read alike is tested below."""
    others = [name for name in ("churn", "segment", "spend") if name != target]
    table = users_table()
    source = project.path / "data" / "source" / f"mine.{suffix}"
    table.to_csv(source, index=False) if suffix == "csv" else table.to_parquet(source)
    project.configure("mine", model_name="mine", source=str(source), target=target, exclude=others)
    project.run(env="mine", training__n_trials=TRIALS)
    info = project.load("table_info", env="mine")
    assert info.task == task
    assert set(info.features) == {"age", "income", "city", "joined", "comment", "member"}
    metrics = project.load("test_metrics", env="mine").metrics
    assert metrics[leading].value > at_least
    unseen = table.drop(columns=[target]).head(3).assign(city="Atlantis", income=np.nan)
    from mlops_basics.table.columns import features_of

    model = project.load("model", env="mine")
    assert len(model.predict(features_of(unseen, info))) == 3


def test_csv_and_parquet_are_divided_alike(project):
    """Rows are split alike for each file type and number of files."""
    table = users_table().drop(columns=["segment", "spend"])
    folder = project.path / "data" / "source"
    table.to_csv(folder / "one.csv", index=False)
    (folder / "many").mkdir()
    for number, part in enumerate(np.array_split(np.arange(len(table)), 4)):
        table.iloc[part].to_parquet(folder / "many" / f"{number}.parquet")
    sides = []
    for name in ("one.csv", "many"):
        project.configure("mine", model_name=name, source=f"data/source/{name}", target="churn")
        project.run("data_collection", env="mine")
        project.run("data_preprocessing", env="mine")
        sides.append(set(project.load("test_data", env="mine")[ROW_HASH_COLUMN]))
    assert sides[0] == sides[1]
