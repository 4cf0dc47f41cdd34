"""Tests of loading the champion from a real MLflow store."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from kedro.io import DatasetError
from mlflow import MlflowClient

from mlops_basics.datasets import champion as champion_module
from mlops_basics.datasets.champion import ChampionDataset
from mlops_basics.production.publish import publish
from mlops_basics.schemas import NO_CHAMPION
from tests.support.challengers import FITTED_ROWS, INFO, ROWS, TRUSTED, registered

pytestmark = pytest.mark.slow  # real models, files and an MLflow store


def load(workshop, trusted=TRUSTED):
    """The champion as a node gets it."""
    return ChampionDataset(
        production=workshop.production, model_name=workshop.name, trusted_types=trusted
    ).load()


def file_of(workshop, name):
    """The file of a champion's artifacts, in MLflow's own folder."""
    (found,) = Path(workshop.folder).rglob(name)
    return found


def test_no_champion_is_a_value(workshop):
    """No champion is a value of its own; a version without the alias is no champion."""
    assert load(workshop).version == NO_CHAMPION
    workshop.registry.register(workshop.challenger())
    found = load(workshop)
    assert (found.version, found.model, found.unusable) == (NO_CHAMPION, None, "")


def test_a_champion_comes_with_its_training(workshop):
    """Model, table, the hashes of its rows to the last bit, and its batches."""
    version = workshop.promote()
    found = load(workshop)
    assert (found.version, found.unusable) == (version, "")
    assert found.table == INFO
    assert found.fitted_rows.dtype == FITTED_ROWS.dtype
    assert found.fitted_rows.tolist() == FITTED_ROWS.tolist()
    assert found.batches == ("old.csv",)
    assert found.model.predict_proba(ROWS).shape == (6, 2)


def test_the_champion_is_the_alias(workshop):
    """The champion is the version with the alias, not the newest one."""
    workshop.promote()
    workshop.promote()
    workshop.registry.move_champion("1", "2")
    assert load(workshop).version == "1"


def test_a_model_of_untrusted_types_is_unusable(workshop):
    """The reason names the type and what to do; nothing is loaded."""
    workshop.promote()
    found = load(workshop, trusted=[])
    assert (found.version, found.model) == ("1", None)
    assert "not trusted: sklearn." in found.unusable


def damage_archive(workshop):
    """The model's file is cut off."""
    archive = file_of(workshop, "model.skops")
    archive.write_bytes(archive.read_bytes()[:200])


def empty_archive(workshop):
    """The model's file is an archive of something else."""
    with zipfile.ZipFile(file_of(workshop, "model.skops"), "w") as archive:
        archive.writestr("readme.txt", "nothing")


def remove_model(workshop):
    """Somebody deleted the model from MLflow."""
    client = MlflowClient()
    source = client.get_model_version(workshop.name, "1").source
    client.delete_logged_model(source.removeprefix("models:/"))


def remove_artifacts(workshop):
    """Somebody deleted MLflow's folder."""
    shutil.rmtree(workshop.folder)


def remove_rows(workshop):
    """A file of the release folder is missing."""
    file_of(workshop, "fitted_rows.parquet").unlink()


def damage_rows(workshop):
    """A file of the release folder is no Parquet."""
    file_of(workshop, "fitted_rows.parquet").write_text("nothing", encoding="utf-8")


def age_table(workshop):
    """An artifact was written by another release of this project."""
    file_of(workshop, "table_info.json").write_text('{"old": 1}', encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        damage_archive,
        empty_archive,
        remove_model,
        remove_artifacts,
        remove_rows,
        damage_rows,
        age_table,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_champion_that_cannot_be_loaded_says_why(workshop, damage):
    """Its version is known, so that no challenger is taken for a first release."""
    workshop.promote()
    damage(workshop)
    found = load(workshop)
    assert (found.version, found.model, found.table) == ("1", None, None)
    assert found.unusable.startswith("it cannot be loaded (")


def test_the_champion_is_what_production_holds(workshop, store):
    """A model that was swapped in MLflow later wins nothing: MLflow's copy is not even read."""
    workshop.promote()
    publish(store, workshop.registry, registered(workshop))
    workshop.swap("1", "same")
    shutil.rmtree(workshop.folder)
    found = load(workshop)
    assert (found.version, found.unusable) == ("1", "")
    assert found.model.predict_proba(ROWS).shape == (6, 2)


def test_a_release_that_was_changed_is_no_champion(workshop, store):
    """It is unusable, with the reason, although MLflow's copy is whole."""
    workshop.promote()
    publish(store, workshop.registry, registered(workshop))
    file = Path(store.path("1")) / "table_info.json"
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    found = load(workshop)
    assert (found.version, found.model) == ("1", None)
    assert "table_info.json" in found.unusable


def test_a_champion_that_waits_to_be_published_is_what_its_run_made(workshop, store):
    """A run was killed before it published: MLflow's copy counts, unless it was swapped."""
    workshop.promote()
    publish(store, workshop.registry, registered(workshop))
    workshop.promote()
    assert (load(workshop).version, load(workshop).unusable) == ("2", "")
    workshop.swap("2", "same")
    found = load(workshop)
    assert (found.version, found.model) == ("2", None)
    assert "is not what its run made" in found.unusable


def test_a_champion_whose_library_is_gone_is_unusable(workshop, monkeypatch):
    """An estimator of a package that was removed since."""
    workshop.promote()

    def gone(*_args):
        raise ModuleNotFoundError("No module named 'lightgbm'")

    monkeypatch.setattr(champion_module, "load_model", gone)
    assert "No module named 'lightgbm'" in load(workshop).unusable


@pytest.mark.parametrize("has_run", [True, False])
def test_a_version_made_by_hand_is_no_champion(workshop, has_run, caplog):
    """Production knows nothing of it, and holds nothing: the next model is the first one."""
    run_id, client = workshop.train(), MlflowClient()
    client.create_registered_model(workshop.name)
    client.create_model_version(
        workshop.name, source=f"runs:/{run_id}/model", run_id=run_id if has_run else None
    )
    client.set_registered_model_alias(workshop.name, "champion", "1")
    assert load(workshop).version == NO_CHAMPION
    assert "not registered by a run of this project" in caplog.text


def test_the_champion_is_read_only(workshop):
    """Saving a champion is refused."""
    dataset = ChampionDataset(production="nowhere", model_name=workshop.name, trusted_types=[])
    with pytest.raises(DatasetError, match="read only"):
        dataset.save("a model")
