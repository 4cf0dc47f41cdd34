"""The project's commands on a project with two releases."""

from __future__ import annotations

import getpass
import re
import shutil

import pytest

from tests.support.project import lines_of_error
from tests.support.small_table import ENV, STRONG, history_of, production_of, set_up, weak

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(shared_project):
    """A project with releases 1 and 2, the second one in production."""
    set_up(shared_project)
    shared_project.run(env=ENV, **weak())
    shared_project.run(env=ENV, **STRONG)
    return shared_project


@pytest.fixture
def on_two(project):
    """The project with release 2 in production."""
    store, _ = production_of(project)
    if store.pointer().version != "2":
        assert project.command("rollback", "--env", ENV, "--to", "2").exit_code == 0
    return project


def is_a_short_error(result, *words: str) -> None:
    """Assert exit code 1 and few readable lines with these words."""
    assert result.exit_code == 1, result.output
    assert len(lines_of_error(result.stderr)) <= 5, result.stderr
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr, result.stderr


def test_releases_shows_what_was_in_production(on_two, monkeypatch):
    """A row a release: version, when, gain with interval, why, data."""
    monkeypatch.setenv("COLUMNS", "200")
    result = on_two.command("releases", "--env", ENV)
    assert result.exit_code == 0, result.output
    assert "Releases of mine" in result.output
    rows = re.split(r"\n +(?=[12] )", result.output)[1:]
    assert [row.split()[0] for row in rows] == ["1", "2"]
    store, _ = production_of(on_two)
    for entry, row in zip(store.ledger(), rows, strict=False):
        assert f"release by {getpass.getuser()}" in row
        assert f"{entry.value:.3f}" in row
        assert entry.data_versions["raw_data"][:10] in row
        assert entry.at[:10] in row
    assert " now" in result.output


def test_releases_of_a_model_without_any(project):
    """Nothing in production is no error."""
    result = project.command("releases", "--env", ENV, "--model-name", "other")
    assert result.exit_code == 0, result.output
    assert "Nothing is in production" in result.output


def test_rollback_moves_alias_and_pointer_together(on_two):
    """The previous champion is back, and the ledger records user and reason."""
    before = history_of(production_of(on_two)[0])
    result = on_two.command("rollback", "--env", ENV, "--reason", "it drifts")
    assert result.exit_code == 0, result.output
    assert "Release 1" in result.output
    store, registry = production_of(on_two)
    assert store.pointer().version == registry.champion() == "1"
    assert registry.previous() == "2"
    assert store.load().manifest.version == "1"
    assert history_of(store) == [*before, ("rollback", "1", "2")]
    entry = store.ledger()[-1]
    assert (entry.by, entry.reason) == (getpass.getuser(), "it drifts")
    shown = on_two.command("releases", "--env", ENV).output
    assert re.search(r"it\s+drifts", shown)  # where the line breaks depends on the user's name


def test_rollback_to_a_named_release(on_two):
    """After a rollback to 1 and one to 2 registry and production agree."""
    for version in ("1", "2"):
        result = on_two.command("rollback", "--env", ENV, "--to", version)
        assert result.exit_code == 0, result.output
        store, registry = production_of(on_two)
        assert store.pointer().version == registry.champion() == version


def test_rollback_to_what_is_there_already_changes_nothing(on_two):
    """The message says that nothing changed, and the ledger has no new entry."""
    before = history_of(production_of(on_two)[0])
    result = on_two.command("rollback", "--env", ENV, "--to", "2")
    assert result.exit_code == 0, result.output
    assert "Nothing to do" in result.output
    assert history_of(production_of(on_two)[0]) == before


def test_rollback_to_an_unknown_release_is_an_error(on_two):
    """The error names those there are; nothing moved."""
    before = history_of(production_of(on_two)[0])
    result = on_two.command("rollback", "--env", ENV, "--to", "9")
    is_a_short_error(result, "no release '9'", "There are: 1, 2")
    store, registry = production_of(on_two)
    assert store.pointer().version == registry.champion() == "2"
    assert history_of(store) == before


def test_rollback_without_any_release_is_an_error(project):
    """Nothing was published yet."""
    result = project.command("rollback", "--env", ENV, "--model-name", "other")
    is_a_short_error(result, "no earlier release of 'other'", "nothing was published")


def test_a_run_after_a_rollback_challenges_what_was_rolled_back_to(on_two):
    """The challenger is compared with release 1 again."""
    assert on_two.command("rollback", "--env", ENV, "--to", "1").exit_code == 0
    on_two.run("model_evaluation", env=ENV)
    assert on_two.load("decision", env=ENV).champion_version == "1"


@pytest.mark.parametrize("command", ["releases", "rollback", "reproduce"])
def test_an_unknown_environment_is_an_error(project, command):
    """Every command fails with a few lines."""
    arguments = ["nothing"] if command == "reproduce" else []
    is_a_short_error(project.command(command, *arguments, "--env", "nope"), "conf/nope")


def test_sample_writes_a_table_or_lists_those_there_are(project):
    """With a name it writes a file and says how to use it; without, it lists the names."""
    result = project.command("sample", "breast_cancer")
    assert result.exit_code == 0, result.output
    assert "kedro run --env breast_cancer" in result.output
    assert (project.path / "data" / "source" / "breast_cancer.csv").exists()
    is_a_short_error(project.command("sample"), "breast_cancer, diabetes, flights")
    is_a_short_error(project.command("sample", "none"), "'none'", "flights")


@pytest.mark.parametrize(
    ("name", "value"),
    [("MLFLOW_RUN_ID", "0" * 32), ("MLFLOW_REGISTRY_URI", "http://user:word@elsewhere:5000")],
)
def test_a_variable_of_somebodys_shell_does_not_redirect_a_run(project, monkeypatch, name, value):
    """It would log into another run, or register elsewhere, without a word: it is refused."""
    monkeypatch.setenv(name, value)
    for words in (("run", "--pipeline", "data_collection"), ("rollback",)):
        result = project.command(*words)
        is_a_short_error(result, name, "unset")
        assert "word" not in result.stderr


def test_an_emptied_production_begins_anew(on_two):
    """What is lost is told; the same training again is a first release; promote brings one back."""
    store, registry = production_of(on_two)
    lost = registry.run_of("1")
    folder = on_two.path / "data" / "production" / ENV
    shutil.rmtree(folder)
    told = on_two.command("doctor", "--env", ENV)
    assert "it was emptied" in " ".join(told.output.split())
    on_two.run(env=ENV, **STRONG)
    assert on_two.load("decision", env=ENV).outcome == "first_release"
    assert store.pointer().version == registry.champion() == "3"
    assert history_of(store) == [("release", "3", None)]
    on_two.run("batch_inference", env=ENV)

    shutil.rmtree(folder)
    back = on_two.command("promote", lost, "--env", ENV, "--reason", "production was lost")
    assert back.exit_code == 0, back.output
    assert store.pointer().version == registry.champion() == "1"
