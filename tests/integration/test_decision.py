"""A new run becomes a version when a test says so, and only then; every outcome says why."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from mlops_basics.reporting.decision_text import decision_markdown
from tests.support.small_table import (
    ENV,
    STRONG,
    challenges_of,
    history_of,
    make_table,
    production_of,
    set_up,
    weak,
)

pytestmark = pytest.mark.slow

#: A machine with a kernel so narrow that it remembers rows; still far better than the champion.
OVERFITTED = {
    "training__n_trials": 1,
    "training__gap_tolerance": 0.1,
    "training__candidates__binary__linear": {
        "class": "sklearn.svm.SVC",
        "fixed": {"probability": True, "gamma": 2.0, "max_iter": -1},
    },
}
#: Its type, which a project that uses it would have reviewed.
TRUSTED = "sklearn.svm._classes.SVC"


@dataclass(frozen=True)
class Seen:
    """What one run left behind."""

    decision: Any
    registered: Any
    release: Any
    report: str
    terminal: str
    versions: list[str]
    challenges: int
    record: str


@pytest.fixture(scope="module")
def project(shared_project):
    """A project whose environment learns from a folder of batches."""
    set_up(shared_project)
    catalog = shared_project.path / "conf" / "base" / "catalog_models.yml"
    text = catalog.read_text(encoding="utf-8")
    trusting = re.sub(r"(?m)^(_trusted_types:.*)$", rf"\1\n  - {TRUSTED}", text)
    assert trusting != text
    catalog.write_text(trusting, encoding="utf-8")
    return shared_project


def look(project, capture: Any, env: str = ENV, pipeline: str = "__default__", **params) -> Seen:
    """Run, and note the outcome."""
    with contextlib.redirect_stdout(capture):
        project.run(pipeline, env=env, **params)
    with project.session(env) as session:
        catalog = session.load_context().catalog
    registry = catalog.get("release").registry
    names = ("decision", "registered_version", "release", "report")
    return Seen(
        *(catalog.load(name) for name in names),
        terminal=capture.getvalue(),
        versions=registry.versions(),
        challenges=len(challenges_of(registry.model_name)),
        record=catalog.load("model_record").mlflow_run_id,
    )


@pytest.fixture(scope="module")
def life(project) -> dict[str, Seen]:
    """The life of two champions: what each run of it left behind."""
    import io

    runs = {
        "first": weak(),
        "same": weak(),
        "little": weak(0.009),
        "little again": weak(0.009),
        "less": weak(0.007),
        "overfitted": OVERFITTED,
        "better": STRONG,
        "better again": STRONG,
    }
    return {name: look(project, io.StringIO(), **params) for name, params in runs.items()}


def words_of(seen: Seen) -> str:
    """The reasons as one text."""
    return " ".join(seen.decision.reasons)


def test_the_first_run_publishes_release_one(life):
    """Registry, pointer and report show a release that beat a constant prediction."""
    first = life["first"]
    assert first.decision.outcome == "first_release"
    assert first.decision.champion_version == "none"
    assert "Shown to be better than a constant prediction." in words_of(first)
    assert first.registered.promoted
    assert first.versions == ["1"]
    assert (first.release.version, first.release.changed) == ("1", True)


def test_a_second_run_on_the_same_data_keeps_it_and_spends_nothing(life):
    """The same predictions are no challenge: no run of MLflow, no share of alpha."""
    same = life["same"]
    assert same.decision.outcome == "identical"
    assert "predict the same" in words_of(same)
    assert "Version 1 stays in production" in words_of(same)
    assert same.decision.challenge.number == 0
    assert same.decision.alpha is None
    assert same.challenges == life["first"].challenges
    assert same.versions == ["1"]
    assert (same.release.version, same.release.changed) == ("1", False)
    assert same.registered.reason == "Version 1 stays in production."


def test_challengers_that_are_not_better_are_kept_out_and_counted(life):
    """Each is a challenge with its own number and a smaller level; a repetition is no new one."""
    little, again, less = life["little"], life["little again"], life["less"]
    assert {seen.decision.outcome for seen in (little, again, less)} == {"kept"}
    assert [seen.decision.challenge.number for seen in (little, again, less)] == [1, 1, 2]
    assert again.decision.challenge.repeated
    assert again.decision.alpha == little.decision.alpha
    assert less.decision.alpha < little.decision.alpha
    assert less.challenges == life["same"].challenges + 2
    assert "Not shown to be better than version 1." in words_of(less)
    assert "or more would be shown" in words_of(less)
    assert less.versions == ["1"]


def test_an_overfitted_challenger_never_promotes(life):
    """Although its loss on unseen rows is the lower one."""
    overfitted = life["overfitted"]
    assert overfitted.decision.outcome == "overfitted"
    assert not overfitted.decision.promote
    assert overfitted.challenges == life["less"].challenges
    assert overfitted.versions == ["1"]
    assert overfitted.release.version == "1"


def test_a_better_challenger_becomes_the_champion(project, life):
    """Aliases, tags, pointer and ledger agree."""
    better = life["better"]
    assert better.decision.outcome == "promoted"
    assert better.decision.p_value <= better.decision.alpha
    assert better.decision.challenge.number == 3
    assert better.versions == ["1", "2"]
    assert (better.registered.version, better.registered.previous) == ("2", "1")
    assert (better.release.version, better.release.changed) == ("2", True)
    store, registry = production_of(project)
    assert (registry.champion(), registry.previous()) == ("2", "1")
    assert store.pointer().version == "2"
    assert history_of(store) == [("release", "1", None), ("release", "2", "1")]
    entry = store.ledger()[-1]
    assert entry.value == better.decision.gain
    assert entry.reason.startswith("promoted")
    assert entry.mlflow_run_id == registry.run_of("2")
    assert "raw_data" in entry.data_versions


def test_the_tags_of_a_version_explain_it(life, project):
    """The version's tags in MLflow hold the reasons of the decision."""
    from mlflow import MlflowClient

    production_of(project)
    version = MlflowClient().get_model_version(ENV, "2")
    decision = life["better"].decision
    assert version.tags["outcome"] == "promoted"
    assert version.tags["champion_version"] == "1"
    assert version.tags["challenge_number"] == "3"
    assert float(version.tags["gain"]) == decision.gain
    assert json.loads(version.tags["reasons"]) == list(decision.reasons)
    assert version.description == decision_markdown(decision)


def test_a_new_champion_is_kept_too(life):
    """The life of the second champion begins: the same run again is identical to it."""
    again = life["better again"]
    assert again.decision.outcome == "identical"
    assert again.decision.champion_version == "2"
    assert again.versions == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("first", "first release"),
        ("same", "kept: predicts the same"),
        ("less", "kept: not shown to be better"),
        ("overfitted", "refused: overfitted"),
        ("better", "promoted"),
    ],
)
def test_report_and_terminal_show_the_outcome(life, name, words):
    """Both say it in the same words; the terminal also says what production holds."""
    seen = life[name]
    assert words in seen.report
    lines = seen.terminal.splitlines()
    assert any(line.startswith("Decision") and words in line for line in lines)
    state = "new" if seen.release.changed else "unchanged"
    assert f"version {seen.release.version} ({state})" in seen.terminal


def test_the_mlflow_run_carries_the_decision(project, life):
    """The outcome can be searched for among the runs."""
    from mlflow import MlflowClient

    production_of(project)
    client = MlflowClient()
    run = client.get_run(project.load("model_record", env=ENV).mlflow_run_id)
    assert run.data.tags["decision.outcome"] == "identical"


def test_figures_of_a_second_refused_challenger_are_shown_on_demand_alone(project, life):
    """Its run shows validation metrics, as do page and MLflow; asked for, the figures are shown,
    and written down once as a use of the rows."""
    from mlflow import MlflowClient

    from mlops_basics.commands.show_test import show_test
    from mlops_basics.runs.session import Place

    little, less = life["little"], life["less"]
    assert (little.decision.withheld, less.decision.withheld) == (False, True)
    words = [" ".join(seen.terminal.split()) for seen in (little, less)]
    assert ["test rows; always" in each for each in words] == [True, False]
    assert ["p-value" in seen.report for seen in (little, less)] == [True, False]
    assert "used 2 times against version 1" in " ".join(less.terminal.split())
    production_of(project)
    place = Place(project.path, ENV, {})
    record = less.record
    client = MlflowClient()
    metrics = client.get_run(record).data.metrics
    assert "valid_log_loss" in metrics
    assert [name for name in metrics if name.startswith("test_")] == []
    sent = {file.path for file in client.list_artifacts(record)}
    assert {"report.html", "valid_metrics.json"} <= sent
    assert sent & {"test_metrics.json", "scores.parquet", "decision.json"} == set()
    with contextlib.chdir(project.path):
        uses = [show_test(place, record) for _ in range(2)]
        free = show_test(place, little.record)
    assert [figures.uses for figures in uses] == [4, 4]  # two refused, one promoted, and this
    assert uses[0].decision == less.decision
    assert uses[0].metrics.metrics["log_loss"].value > 0
    assert free.uses is None


def test_registry_and_publishing_run_alone(project, life):
    """Both pipelines use the newest versions and do not repeat finished work."""
    import io

    for pipeline in ("model_registry", "model_publishing"):
        seen = look(project, io.StringIO(), pipeline=pipeline)
        assert seen.versions == ["1", "2"]
    assert seen.release.version == "2"
    assert not seen.release.changed
    assert "Production" in seen.terminal
    assert len(production_of(project)[0].ledger()) == 2


@pytest.fixture(scope="module")
def batches(shared_project, project) -> dict[str, Seen]:
    """A champion of one batch; then a second batch comes; then a column goes."""
    import io

    folder = set_up(shared_project, "batches")
    seen = {"first": look(project, io.StringIO(), "batches", **weak())}
    make_table(300, seed=1).to_csv(folder / "b.csv", index=False)
    fresh = STRONG | {"decision__min_fresh_rows": 20, "decision__folds": 5}
    seen["fresh"] = look(project, io.StringIO(), "batches", **fresh)
    for file in folder.iterdir():
        pd.read_csv(file).drop(columns="shift").to_csv(file, index=False)
    seen["gone"] = look(project, io.StringIO(), "batches", **weak())
    return seen


def test_rows_of_new_batches_speak_by_themselves_beside_all_others(project, batches):
    """All rows that the champion never saw are compared; those of the new batch are told apart."""
    from mlops_basics.schemas import BATCH_COLUMN, ROW_HASH_COLUMN

    decision = batches["fresh"].decision
    assert decision.outcome == "promoted"
    folder = sorted((project.path / "data/batches/reporting/gate_scores.parquet").iterdir())
    gate = pd.read_parquet(next(folder[1].iterdir()))
    newer = sorted((project.path / "data/batches/silver/labelled_data.parquet").iterdir())
    labelled = pd.read_parquet(next(newer[1].iterdir()))
    fresh = gate.loc[gate["age"] > 0, ROW_HASH_COLUMN]
    came = labelled[labelled[ROW_HASH_COLUMN].isin(fresh)]
    assert set(came[BATCH_COLUMN]) == {"b.csv"}
    assert 200 <= len(fresh) <= 280  # about four fifths of 300: the valid rows chose the recipe
    assert decision.rows == len(fresh)
    assert decision.fold_rows == ((gate["age"] > 0) & (gate["fold"] > 0)).sum() > 100
    assert "What was tested is the challenger's recipe, not one" in words_of(batches["fresh"])
    assert f"({decision.fold_rows} out of fold)" in batches["fresh"].terminal
    assert "by 5 further fits of the recipe" in batches["fresh"].report
    assert "batches that came after the champion" in decision.which_rows
    others = labelled[labelled[ROW_HASH_COLUMN].isin(gate.loc[gate["age"] == 0, ROW_HASH_COLUMN])]
    assert set(others[BATCH_COLUMN]) == {"a.csv"}


def test_a_champion_that_lacks_a_column_is_an_outcome_of_its_own(project, batches):
    """The champion cannot be compared: nothing is promoted, and the column is named."""
    gone = batches["gone"]
    assert gone.decision.outcome == "champion_unusable"
    assert "shift" in words_of(gone)
    assert not gone.decision.promote
    assert gone.versions == ["1", "2"]
    assert gone.release.version == "2"
    assert gone.challenges == batches["fresh"].challenges
    assert "the champion cannot score these rows" in gone.terminal


def test_a_first_model_below_the_floor_is_not_published(shared_project):
    """A model that beats a constant but not the floor leaves registry and production empty."""
    import io

    set_up(shared_project, "floor")
    floor = {"decision__quality_floor": {"accuracy": 0.99}}
    seen = look(shared_project, io.StringIO(), "floor", **weak(), **floor)
    assert seen.decision.outcome == "below_floor"
    assert "below the floor of 0.99" in words_of(seen)
    assert seen.versions == []
    assert seen.release.version is None
    assert production_of(shared_project, "floor")[0].pointer() is None
    assert "nothing yet" in seen.terminal


def test_rows_of_a_named_column_count_as_one(shared_project, project):
    """Named in globals.yml, no feature of the model; said in decision, report and terminal."""
    import io

    folder = set_up(shared_project, "sites", group_by="site", exclude=["site"])
    table = make_table().assign(site=lambda rows: [f"site {i % 40}" for i in range(len(rows))])
    table.to_csv(folder / "a.csv", index=False)
    seen = look(project, io.StringIO(), "sites", **weak())
    assert (seen.decision.outcome, seen.decision.groups) == ("first_release", 40)
    assert seen.decision.grouped_by == "site"
    assert "40 (site): rows of one group may err together" in seen.report
    assert "rows of 40 groups: gain" in " ".join(seen.terminal.split())
    assert "site" not in project.load("table_info", env="sites").features
