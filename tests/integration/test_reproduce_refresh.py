"""kedro reproduce of what kedro ct made: refreshes, switches and searches."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from mlops_basics.runs.find import find_run, manifest_of
from mlops_basics.schemas import Manifest
from tests.support.prices import ENV, arrive, begin, ct, state_of
from tests.support.project import Project
from tests.support.small_table import history_of, production_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def followed(shared_project) -> Project:
    """A policy that took over, and two refreshes of it: the older ones are out of production."""
    project = begin(shared_project)
    for number in (6, 7):
        arrive(project, number)
        assert ct(project)[0] == 3
    store, _ = production_of(project, ENV)
    assert [action for action, _, _ in history_of(store)] == [
        "release",
        "switch",
        "refresh",
        "refresh",
    ]
    return project


def run_of(project: Project, version: str) -> Manifest:
    """The run that a release came from."""
    store, _ = production_of(project, ENV)
    return manifest_of(find_run(ENV, store.verify(version).run_id), ENV)


def archive_of(project: Project, run: Manifest) -> bytes:
    """The model of a run."""
    return (project.path / run.datasets["model"].path / "model.skops").read_bytes()


@pytest.mark.parametrize("version", ["2", "3", "4"], ids=["switch", "refresh", "newest"])
def test_what_a_policy_released_is_made_again(followed, version):
    """From the release that it replaced, though others followed: the same model, byte by byte."""
    run = run_of(followed, version)
    store, registry = production_of(followed, ENV)
    before = store.pointer(), store.ledger(), registry.versions(), state_of(followed)
    result = followed.command("reproduce", run.run_id, "--env", ENV)
    assert result.exit_code == 0, result.output
    assert "the model and the rows that it learned from are identical" in result.output
    repeated = followed.load("reproduction", env=ENV)
    assert repeated.parameters["reproduces"] == run.run_id
    assert archive_of(followed, repeated) == archive_of(followed, run)
    for name in ("recipe", "table_info", "fitted_rows", "reference", "reference_losses"):
        assert repeated.datasets[name].sha256 == run.datasets[name].sha256, name
    assert "registered_version" not in repeated.datasets
    assert (store.pointer(), store.ledger(), registry.versions(), state_of(followed)) == before


def test_another_model_is_told(followed):
    """A price that was changed in the collected data gives another model; exit code 2."""
    run = run_of(followed, "3")
    file = followed.path / run.datasets["raw_data"].path
    content = file.read_bytes()
    table = pd.read_parquet(file)
    table["price"] *= 2
    table.to_parquet(file)
    try:
        result = followed.command("reproduce", run.run_id, "--env", ENV)
    finally:
        file.write_bytes(content)
    assert result.exit_code == 2, result.output
    assert "these differ: model." in result.output
    assert "the raw data were changed since" in result.output


@pytest.mark.parametrize(
    ("gone", "words"),
    [("model", "The model of the run"), ("release", "release")],
)
def test_what_is_gone_is_an_error(followed, gone, words):
    """Without the model, or the release that the run replaced, nothing is claimed."""
    run = run_of(followed, "3")
    folder = followed.path / (
        run.datasets["model"].path if gone == "model" else f"data/production/{ENV}/releases/2"
    )
    hidden = followed.path / "hidden"
    shutil.move(folder, hidden)
    try:
        result = followed.command("reproduce", run.run_id, "--env", ENV)
    finally:
        shutil.move(hidden, folder)
    assert result.exit_code == 1, result.output
    assert words in result.stderr
    assert "identical" not in result.output
    assert "Traceback" not in result.output


def test_a_search_is_made_again(followed):
    """The newest batches choose the same recipe, with the same trials."""
    run = followed.run("recipe_search", env=ENV)
    result = followed.command("reproduce", run.run_id, "--env", ENV)
    assert result.exit_code == 0, result.output
    assert "the recipe are identical" not in result.output
    assert "the recipe is identical" in result.output
    repeated = followed.load("reproduction", env=ENV)
    for name in ("trials", "recipe", "train_data", "valid_data"):
        assert repeated.datasets[name].sha256 == run.datasets[name].sha256, name
