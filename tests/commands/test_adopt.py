"""Tests of a registry that does not know what production holds, with a real MLflow store."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from kedro.io import DatasetError
from mlflow import MlflowClient

from mlops_basics.commands.adopt import adopt
from mlops_basics.commands.rollback import rollback
from mlops_basics.datasets.champion import ChampionDataset
from mlops_basics.datasets.registered_version import RegisteredVersionDataset
from mlops_basics.errors import ReleaseError
from mlops_basics.production.publish import publish
from tests.support.challengers import ROWS, TRUSTED, refused, registered
from tests.support.small_table import history_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_checks")]


@pytest.fixture
def two(workshop, store):
    """Releases 1 and 2, of which the second is in production."""
    for _ in range(2):
        workshop.promote()
        publish(store, workshop.registry, registered(workshop))
    return workshop


@pytest.fixture
def another_database(mlflow_store, tmp_path):
    """A function that points MLflow at another, empty database, as in another clone."""

    def use(workshop, name="other"):
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            shutil.copy(mlflow_store, folder / "mlflow.db")
        mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        return replace(workshop, folder=folder)

    return use


def load_champion(workshop):
    """The champion as a run compares with it."""
    dataset = ChampionDataset(
        production=workshop.production, model_name=workshop.name, trusted_types=TRUSTED
    )
    return dataset.load()


def save_decision(workshop, registration, tmp_path):
    """What a run does with a decision."""
    models = tmp_path / "model"
    workshop.save_model(registration, models)
    dataset = RegisteredVersionDataset(
        production=workshop.production,
        models=str(models),
        model_name=workshop.name,
        filepath=str(tmp_path / "registered_version.json"),
    )
    dataset.save(registration)


def is_refused(workshop, store, tmp_path):
    """No run compares, registers or publishes; production stays; each names the command."""
    before = store.pointer(), store.ledger()
    for act in (
        lambda: load_champion(workshop),
        lambda: save_decision(workshop, workshop.challenger(), tmp_path),
        lambda: publish(store, workshop.registry, registered(workshop)),
    ):
        with pytest.raises((ReleaseError, DatasetError), match="kedro adopt"):
            act()
    assert (store.pointer(), store.ledger()) == before


def goes_on(workshop, store):
    """The next challenger is compared with production's release, and becomes the next one."""
    found = load_champion(workshop)
    assert (found.version, found.unusable) == ("2", "")
    assert found.model.predict_proba(ROWS).shape == (6, 2)
    assert not publish(store, workshop.registry, registered(workshop)).changed
    assert workshop.promote() == "3"
    assert publish(store, workshop.registry, registered(workshop)).version == "3"
    assert history_of(store)[-1] == ("release", "3", "2")
    rollback(store, workshop.registry, None, "bad", "me", "2026-03-01")
    assert (store.pointer().version, workshop.registry.champion()) == ("2", "2")
    rollback(store, workshop.registry, "1", "worse", "me", "2026-03-02")
    assert (store.pointer().version, workshop.registry.champion()) == ("1", "1")


def delete_version(workshop):
    """Somebody clicks on the version, in MLflow's page."""
    client = MlflowClient()
    client.delete_registered_model_alias(workshop.name, "champion")
    client.delete_model_version(workshop.name, "2")


def delete_model(workshop):
    """Somebody deletes the registered model."""
    MlflowClient().delete_registered_model(workshop.name)


@pytest.mark.parametrize("delete", [delete_version, delete_model])
def test_what_was_deleted_in_mlflow_is_taken_from_production(two, store, tmp_path, delete):
    """No first release replaces production without a comparison; one command mends it."""
    delete(two)
    is_refused(two, store, tmp_path)
    text = adopt(store, two.registry)
    assert "Release 2 of" in text
    assert "is the registry's champion now, taken from production" in text
    assert two.registry.champion() == "2"
    goes_on(two, store)


def test_an_emptied_database_is_filled_from_production(two, store, tmp_path, another_database):
    """Its numbers begin at 1 again; the releases keep theirs."""
    clone = another_database(two)
    is_refused(clone, store, tmp_path)
    assert "and release 1 to go back to" in adopt(store, clone.registry)
    assert (clone.registry.champion(), clone.registry.previous()) == ("2", "1")
    goes_on(clone, store)


def test_an_alias_that_was_removed_is_set_again(two, store, tmp_path):
    """The version is there; nothing is registered twice."""
    MlflowClient().delete_registered_model_alias(two.name, "champion")
    is_refused(two, store, tmp_path)
    adopt(store, two.registry)
    assert two.registry.versions() == ["1", "2"]
    assert "Nothing to do" in adopt(store, two.registry)
    goes_on(two, store)


def test_two_clones_do_not_replace_each_other(workshop, store, tmp_path, another_database):
    """Production is compared by model and run: equal numbers are not the same release."""
    here = mlflow.get_tracking_uri()
    workshop.promote()
    publish(store, workshop.registry, registered(workshop))
    clone = another_database(workshop)
    theirs = clone.registry.register(clone.challenger())
    clone.registry.move_champion(theirs, None)
    is_refused(clone, store, tmp_path)
    adopt(store, clone.registry)
    assert clone.registry.champion() == "1"
    assert len(clone.registry.versions()) == 2
    save_decision(clone, clone.challenger("1", **refused()), tmp_path)
    assert not publish(store, clone.registry, registered(clone)).changed
    assert clone.promote() == "2"
    publish(store, clone.registry, registered(clone))
    assert store.pointer().version == "2"
    mlflow.set_tracking_uri(here)
    workshop.promote()  # of the same number, from another run
    is_refused(workshop, store, tmp_path)
    adopt(store, workshop.registry)
    assert workshop.registry.champion() == store.pointer().version == "2"


def test_a_release_that_is_refused_is_not_adopted(two, store):
    """What production holds is verified before it becomes the champion of anything."""
    delete_model(two)
    file = Path(store.path("2")) / "table_info.json"
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(ReleaseError, match="is refused"):
        adopt(store, two.registry)
    assert two.registry.champion() is None


def test_a_publishing_that_was_interrupted_is_not_undone(two, store):
    """The champion is ahead of production: the next run publishes it."""
    two.promote()
    assert "Nothing to do" in adopt(store, two.registry)
    assert two.registry.champion() == "3"
    assert publish(store, two.registry, registered(two)).version == "3"


def test_without_production_there_is_nothing_to_adopt(workshop, store):
    """The message says how to get a release."""
    with pytest.raises(ReleaseError, match="kedro run"):
        adopt(store, workshop.registry)
