"""Tests of the registry against a real MLflow store."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from mlops_basics.errors import ConflictError, ReleaseError
from mlops_basics.production.registry import ModelRegistry, require_unchanged
from mlops_basics.reporting.decision_text import decision_markdown
from mlops_basics.schemas import Decision, TableInfo
from tests.support.challengers import INFO, Workshop

pytestmark = pytest.mark.slow  # real models, files and an MLflow store


def test_an_unknown_model_has_no_champion(workshop):
    """An unknown model has no versions or aliases, and reading does not create it."""
    registry = workshop.registry
    assert (registry.champion(), registry.previous(), registry.versions()) == (None, None, [])
    assert MlflowClient().search_registered_models(f"name = '{workshop.name}'") == []


def test_a_run_is_registered_once(workshop):
    """A run is registered once, also if another challenge decides on it again."""
    challenger = workshop.challenger()
    run_id = challenger.record.mlflow_run_id
    first = workshop.registry.register(challenger)
    again = workshop.registry.register(challenger)
    other = workshop.registry.register(workshop.challenger(run_id=run_id, challenge_id="another"))
    assert first == again == other == "1"
    assert workshop.registry.versions() == ["1"]
    assert workshop.registry.run_of("1") == run_id
    assert workshop.registry.champion() is None


def test_a_challenge_is_registered_once(workshop):
    """A run that was killed and made again fits the same model: the same rows, the same
    predictions, the same challenge."""
    first, again = (workshop.challenger(challenge_id="same") for _ in range(2))
    assert workshop.registry.find(first) is None
    assert workshop.registry.register(first) == "1"
    assert workshop.registry.find(again) == "1"
    assert workshop.registry.register(again) == "1"
    assert workshop.registry.register(workshop.challenger()) == "2"


def test_versions_come_in_the_order_of_numbers(workshop):
    """Version 10 comes after version 9."""
    run_id, client = workshop.train(), MlflowClient()
    client.create_registered_model(workshop.name)
    for _ in range(11):
        client.create_model_version(workshop.name, source=f"runs:/{run_id}/x", run_id=run_id)
    assert workshop.registry.versions() == [str(n) for n in range(1, 12)]


def test_a_version_made_by_hand_is_not_taken_for_ours(workshop):
    """It has no decision, so that the challenger gets a version of its own."""
    challenger = workshop.challenger()
    run_id, client = challenger.record.mlflow_run_id, MlflowClient()
    client.create_registered_model(workshop.name)
    client.create_model_version(workshop.name, source=f"runs:/{run_id}/x", run_id=run_id)
    assert workshop.registry.register(challenger) == "2"


def test_the_tags_explain_the_version(workshop):
    """The decision is read from the version alone."""
    challenger = workshop.challenger(champion="7")
    version = workshop.registry.register(challenger)
    found = MlflowClient().get_model_version(workshop.name, version)
    expected = {
        "challenge_id": challenger.decision.challenge.challenge_id,
        "challenge_number": "4",
        "champion_version": "7",
        "outcome": "promoted",
        "metric": "log_loss",
        "rows": "120",
        "gain": "0.25",
        "low": "0.125",
        "high": "0.375",
        "p_value": "0.001",
        "alpha": "0.0058",
    }
    assert expected.items() <= found.tags.items()
    assert json.loads(found.tags["reasons"]) == list(challenger.decision.reasons)
    assert found.description == decision_markdown(challenger.decision)


def test_the_registered_model_says_what_it_is_and_how_its_champion_was_chosen(workshop):
    """MLflow's list of models shows the name's own text and tags, and those of no version."""
    workshop.promote(outcome="first_release")
    model = MlflowClient().get_registered_model(workshop.name)
    assert model.description.startswith("Predicts answer (binary) from 2 columns. The version with")
    own = {"task": "binary", "target": "answer"}
    assert model.tags == own | {"metric": "log_loss", "decision": "first_release"}
    workshop.promote(metric="brier")
    tags = MlflowClient().get_registered_model(workshop.name).tags
    assert tags == own | {"metric": "brier", "decision": "promoted"}
    workshop.registry.move_champion("1", "2")
    tags = MlflowClient().get_registered_model(workshop.name).tags
    assert tags == own | {"metric": "log_loss", "decision": "first_release"}


def test_very_long_reasons_are_shortened(workshop):
    """MLflow takes 5,000 characters of a tag."""
    challenger = workshop.challenger(reasons=("x" * 9000,))
    version = workshop.registry.register(challenger)
    assert len(MlflowClient().get_model_version(workshop.name, version).tags["reasons"]) == 5000


def test_the_champion_becomes_the_previous_one(workshop):
    """Step by step; the same again changes nothing."""
    registry = workshop.registry
    assert workshop.promote() == "1"
    assert (registry.champion(), registry.previous()) == ("1", None)
    assert workshop.promote() == "2"
    assert (registry.champion(), registry.previous()) == ("2", "1")
    registry.move_champion("2", "1")
    assert (registry.champion(), registry.previous()) == ("2", "1")
    registry.move_champion("1", "2")
    assert (registry.champion(), registry.previous()) == ("1", "2")


def test_a_champion_that_changed_is_not_overwritten(workshop):
    """The error says which one is there, and what to do."""
    workshop.promote()
    workshop.promote()
    third = workshop.registry.register(workshop.challenger("1"))
    with pytest.raises(ConflictError, match=r"version 2 now, no longer 1, .*Run again"):
        workshop.registry.move_champion(third, "1")
    with pytest.raises(ConflictError, match="version 2 now, no longer none"):
        workshop.registry.move_champion(third, None)
    assert (workshop.registry.champion(), workshop.registry.previous()) == ("2", "1")


def test_an_unchanged_champion_is_no_conflict():
    """An unchanged champion, also None, is no conflict."""
    require_unchanged(None, None)
    require_unchanged("3", "3")
    with pytest.raises(ConflictError, match="version none now, no longer 3"):
        require_unchanged(None, "3")


def test_a_move_that_was_killed_between_its_aliases_is_finished(workshop):
    """Then both aliases are at the old champion for a while, which stays valid."""
    workshop.promote()
    second = workshop.registry.register(workshop.challenger("1"))
    MlflowClient().set_registered_model_alias(workshop.name, "previous", "1")
    assert workshop.registry.champion() == "1"
    workshop.registry.move_champion(second, "1")
    assert (workshop.registry.champion(), workshop.registry.previous()) == ("2", "1")


def test_a_registration_that_was_killed_before_the_version_is_made_once(workshop, monkeypatch):
    """What a release needs is stored before the version; the second attempt makes one version."""

    def killed(*_args, **_kwargs):
        raise KeyboardInterrupt

    challenger = workshop.challenger()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", killed)
        with pytest.raises(KeyboardInterrupt):
            workshop.registry.register(challenger)
    assert workshop.registry.versions() == []
    assert workshop.registry.register(challenger) == "1"
    assert workshop.registry.versions() == ["1"]


def test_a_version_is_downloaded_whole(workshop, tmp_path):
    """The model as MLflow saved it, and everything that was staged beside it."""
    challenger = workshop.challenger()
    version = workshop.registry.register(challenger)
    workshop.registry.download(version, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "model",
        "decision.json",
        "model_record.json",
        "table_info.json",
        "collection_report.json",
        "fitted_rows.parquet",
        "reference.parquet",
    }
    assert (tmp_path / "model" / "MLmodel").exists()
    text = {name: (tmp_path / f"{name}.json").read_text() for name in ("decision", "table_info")}
    assert Decision.model_validate_json(text["decision"]) == challenger.decision
    assert TableInfo.model_validate_json(text["table_info"]) == INFO


@pytest.mark.parametrize(
    "source", ["file:///etc", "http://127.0.0.1:9/latest", "models:/m-1/../x", "s3://bucket/model"]
)
def test_a_version_that_names_another_place_is_not_fetched(workshop, tmp_path, monkeypatch, source):
    """Whoever may write into MLflow chooses no address and no folder that is read here."""
    registry = workshop.registry
    version = registry.register(workshop.challenger())
    found = registry._named(version)
    forged = SimpleNamespace(run_id=found.run_id, source=source, tags={}, version=found.version)
    monkeypatch.setattr(registry, "_named", lambda _: forged)
    with pytest.raises(ReleaseError, match="which is no logged model of MLflow's"):
        registry.download(version, tmp_path)
    assert not (tmp_path / "model").exists()


def test_an_override_that_is_none_is_named(workshop):
    """A tag that somebody has written by hand ends in words, with what to do."""
    version = workshop.registry.register(workshop.challenger())
    MlflowClient().set_model_version_tag(workshop.name, version, "override", "{")
    with pytest.raises(ReleaseError, match=r"The tag 'override' of version 1.*kedro promote"):
        workshop.registry.override(version)


def test_a_run_without_a_model_is_refused(workshop):
    """The error names the run; no version and no name is made."""
    run_id = workshop.run()
    with pytest.raises(ReleaseError, match=f"{run_id} has no logged model"):
        workshop.registry.register(workshop.challenger(run_id=run_id))
    assert workshop.registry.versions() == []


def test_a_run_without_tracking_is_refused(workshop):
    """A run without tracking is refused, and the error says where tracking was switched off."""
    with pytest.raises(ReleaseError, match=r"without MLflow tracking.*mlflow\.yml"):
        workshop.registry.register(workshop.challenger(run_id=""))


@pytest.mark.parametrize("name", ["it's", 'a "b"', "größe 2", "a-b_c.d"])
def test_names_that_are_folders_are_names_of_models(workshop, name):
    """Quotes and umlauts included: what the production store accepts, the registry does too."""
    named = Workshop(name, workshop.folder, workshop.production)
    assert named.promote() == "1"
    assert named.registry.versions() == ["1"]
    assert ModelRegistry(name).champion() == "1"
