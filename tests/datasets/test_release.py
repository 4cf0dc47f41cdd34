"""Tests of publishing: production becomes what the registry's champion is, wherever it was killed.

With a real MLflow store and a real release store.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kedro.io import DatasetError

from mlops_basics.commands.rollback import rollback
from mlops_basics.datasets.champion import ChampionDataset
from mlops_basics.datasets.registered_version import RegisteredVersionDataset
from mlops_basics.datasets.release import ProductionDataset, ReleaseDataset
from mlops_basics.errors import ConflictError, ReleaseError
from mlops_basics.production.history import periods
from mlops_basics.production.publish import publish
from mlops_basics.production.release_check import sha256
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import ReleaseState
from tests.support.challengers import INFO, ROWS, TRUSTED, registered
from tests.support.small_table import history_of

pytestmark = pytest.mark.slow  # real models, files and an MLflow store


def run_publish(workshop, store):
    """Make production equal to the registry."""
    return publish(store, workshop.registry, registered(workshop))


def test_without_a_champion_nothing_is_published(workshop, store):
    """Nothing is published, with the decision's reason."""
    state = run_publish(workshop, store)
    assert state == ReleaseState(
        version=None, changed=False, reason="as the registry has it", path=""
    )
    assert (store.pointer(), store.ledger()) == (None, [])


def test_a_release_is_published_whole(workshop, store):
    """The pointer, the ledger's entry with what it came from, and a model that predicts."""
    workshop.promote()
    state = run_publish(workshop, store)
    assert (state.version, state.changed) == ("1", True)
    assert state.path == store.path("1")
    assert store.pointer().version == "1"
    (entry,) = store.ledger()
    assert (entry.action, entry.version, entry.replaced) == ("release", "1", None)
    assert entry.at == store.pointer().at
    assert "0.001" in entry.reason
    assert (entry.metric, entry.value, entry.low, entry.high) == ("log_loss", 0.25, 0.125, 0.375)
    assert entry.data_versions == {"raw_data": "2026-01-01T00.00.00.000Z"}
    assert entry.mlflow_run_id == workshop.registry.run_of("1")
    release = store.load()
    assert release.table == INFO
    assert release.model.predict_proba(ROWS).shape == (6, 2)
    files = set(release.manifest.files)
    assert {"fitted_rows.parquet", "reference.parquet", "decision.json"} <= files
    assert release.manifest.decision.outcome == "first_release"


def test_what_was_interrupted_is_finished(workshop, tmp_path):
    """The registry is ahead: production follows, and the mark goes; then nothing is left to do."""
    dataset = ReleaseDataset(
        production=str(tmp_path / "production"), model_name=workshop.name,
        trusted_types=TRUSTED, filepath=str(tmp_path / "release.json"),
    )  # fmt: skip
    workshop.promote()
    dataset.store.begin_move()
    state = dataset.finish()
    assert (state.version, state.changed) == ("1", True)
    assert not dataset.store.is_moving()
    assert dataset.store.pointer().version == "1"
    dataset.store.begin_move()  # of a run that was killed right after it
    assert not dataset.finish().changed
    assert not dataset.store.is_moving()
    assert history_of(dataset.store) == [("release", "1", None)]


def test_publishing_again_changes_nothing(workshop, store):
    """Publishing again changes neither pointer nor ledger."""
    workshop.promote()
    first = run_publish(workshop, store)
    pointer = store.pointer()
    again = run_publish(workshop, store)
    assert (first.changed, again.changed) == (True, False)
    assert again.version == first.version
    assert again.path == first.path
    assert store.pointer() == pointer
    assert len(store.ledger()) == 1


def test_a_pointer_that_lags_behind_is_healed(workshop, store):
    """Two promotions whose publishing was killed: production goes to the champion at once."""
    workshop.promote()
    run_publish(workshop, store)
    workshop.promote()
    workshop.promote()
    state = run_publish(workshop, store)
    assert (state.version, state.changed) == ("3", True)
    moves = [("release", "1", None), ("refused", "2", "1"), ("release", "3", "1")]
    assert history_of(store) == moves
    assert store.load().manifest.version == "3"


def test_the_registrys_champion_is_published(workshop, store):
    """The registry's champion is published, also if it has changed since the decision."""
    workshop.promote()
    stale = registered(workshop)
    workshop.promote()
    assert publish(store, workshop.registry, stale).version == "2"


@pytest.mark.parametrize("step", ["upload", "record", "point"])
def test_killed_before_any_step_the_next_run_finishes(workshop, store, monkeypatch, step):
    """Until then production is the old one; then there is one entry, not two."""
    workshop.promote()
    run_publish(workshop, store)
    workshop.promote()

    def killed(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ReleaseStore, step, killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run_publish(workshop, store)
    assert store.load().manifest.version == "1"
    assert run_publish(workshop, store).changed
    assert history_of(store) == [("release", "1", None), ("release", "2", "1")]
    assert store.load().manifest.version == "2"
    assert not run_publish(workshop, store).changed


def test_a_pointer_that_moved_meanwhile_is_not_overwritten(workshop, store, monkeypatch):
    """The ledger records the announced release as refused."""
    workshop.promote()
    run_publish(workshop, store)
    workshop.promote()
    point = ReleaseStore.point

    def overtaken(self, version, expected, now):
        with monkeypatch.context() as patch:
            patch.setattr(ReleaseStore, "point", point)
            workshop.promote()
            run_publish(workshop, store)
        return point(self, version, expected, now)

    with monkeypatch.context() as patch:
        patch.setattr(ReleaseStore, "point", overtaken)
        with pytest.raises(ConflictError, match="Somebody else was faster"):
            run_publish(workshop, store)
    assert store.pointer().version == "3"
    assert history_of(store)[-1][:2] == ("refused", "2")
    lives = [period.entry.version for period in periods(store.ledger(), store.pointer())]
    assert lives == ["1", "3"]


def test_a_rollback_is_not_undone_by_publishing(workshop, store):
    """Publishing keeps the rolled back release, and a later promotion is published."""
    workshop.promote()
    run_publish(workshop, store)
    workshop.promote()
    run_publish(workshop, store)
    rollback(store, workshop.registry, None, "it errs", "tests", "2026-01-03T00:00:00.000+00:00")
    assert not run_publish(workshop, store).changed
    assert store.pointer().version == "1"
    workshop.move("2", "1")
    assert run_publish(workshop, store).changed
    assert [entry.version for entry in store.ledger()] == ["1", "2", "1", "2"]


def test_a_version_whose_files_are_gone_is_not_published(workshop, store):
    """A clear error; production stays."""
    workshop.promote()
    run_publish(workshop, store)
    workshop.promote()
    shutil.rmtree(workshop.folder)
    with pytest.raises(ReleaseError, match="of version 2"):
        run_publish(workshop, store)
    assert store.load().manifest.version == "1"


def test_the_data_sets_publish_and_load(workshop, tmp_path):
    """What the catalog calls: a state comes back, and a verified release."""
    workshop.promote()
    arguments = {
        "production": str(tmp_path / "production"),
        "model_name": workshop.name,
        "trusted_types": TRUSTED,
    }
    dataset = ReleaseDataset(filepath=str(tmp_path / "release.json"), **arguments)
    dataset.save(registered(workshop))
    assert isinstance(dataset.load(), ReleaseState)
    assert (dataset.load().version, dataset.load().changed) == ("1", True)
    production = ProductionDataset(**arguments)
    assert production.load().manifest.version == "1"
    with pytest.raises(DatasetError, match="read only"):
        production.save("a release")


def test_before_the_first_release_there_is_nothing_to_score_with(workshop, tmp_path):
    """The error says how to publish."""
    production = ProductionDataset(
        production=str(tmp_path), model_name=workshop.name, trusted_types=TRUSTED
    )
    with pytest.raises(DatasetError, match=r"No release of .* is in production yet"):
        production.load()


def test_a_model_of_untrusted_types_is_not_published(workshop):
    """Production stays empty, and so does its history."""
    workshop.promote()
    store = ReleaseStore(workshop.production, workshop.name, [])
    with pytest.raises(ReleaseError, match=r"numpy\.dtype"):
        run_publish(workshop, store)
    assert (store.pointer(), store.ledger()) == (None, [])


def test_an_alias_that_was_moved_in_mlflow_moves_nothing(workshop, store, tmp_path):
    """Else an earlier champion would be compared with, and published, by whoever writes there."""
    for _ in range(3):
        workshop.promote()
        run_publish(workshop, store)
    workshop.registry.move_champion("1", "3")
    champion = ChampionDataset(
        production=workshop.production, model_name=workshop.name, trusted_types=TRUSTED
    )
    registering = RegisteredVersionDataset(
        production=workshop.production,
        models=str(tmp_path / "model"),
        model_name=workshop.name,
        filepath=str(tmp_path / "registered_version.json"),
    )
    for act in (
        champion.load,
        lambda: registering.save(workshop.challenger("1")),
        lambda: run_publish(workshop, store),
    ):
        with pytest.raises((DatasetError, ReleaseError), match="somebody moved the alias"):
            act()
    assert store.pointer().version == "3"
    # Nor does it choose where an operator goes back to, and the command of the message mends it.
    assert "2" in rollback(store, workshop.registry, None, "worse", "me", "2026-02-02")
    assert store.pointer().version == "2"
    workshop.registry.move_champion("3", "2")
    rollback(store, workshop.registry, "2", "the alias was moved", "me", "2026-02-03")
    assert (workshop.registry.champion(), champion.load().unusable) == ("2", "")


@pytest.mark.parametrize("what", ["same", "decision.json", "fitted_rows.parquet", "more.json"])
def test_what_was_swapped_in_mlflow_is_not_published(workshop, store, what):
    """Between registering and publishing, or after a kill: what is published is what was judged."""
    workshop.promote()
    run_publish(workshop, store)
    workshop.promote()
    workshop.swap("2", what)
    with pytest.raises(ReleaseError, match=r"in MLflow is not what its run made.*kedro rollback"):
        run_publish(workshop, store)
    assert store.pointer().version == "1"
    assert store.verify("1")
    assert "2" not in store.versions()
    rollback(store, workshop.registry, None, "swapped", "me", "2026-02-02")
    assert workshop.registry.champion() == "1"


def test_a_second_model_of_the_run_is_not_taken(workshop, store):
    """Whoever may write into the experiment can log another model for a run that is judged."""
    challenger = workshop.challenger()
    workshop.log_another(challenger)
    version = workshop.register(challenger)
    workshop.registry.move_champion(version, None)
    run_publish(workshop, store)
    assert store.load().model.predict_proba(ROWS).shape == (6, 2)


def test_a_version_of_which_nothing_is_known_is_not_published(workshop, store):
    """Made by hand in MLflow, with the champion's alias: nothing says what it should hold."""
    workshop.promote()
    run_publish(workshop, store)
    workshop.registry.register(workshop.challenger("1"))
    workshop.move("2", "1")
    with pytest.raises(ReleaseError, match="It is not known what the run"):
        run_publish(workshop, store)
    assert store.pointer().version == "1"


def test_an_older_release_that_was_changed_and_resealed_is_not_gone_back_to(workshop, store):
    """The ledger holds the SHA-256 of each manifest; what MLflow has is the published release."""
    for _ in range(2):
        workshop.promote()
        run_publish(workshop, store)
    file = Path(store.path("1")) / "table_info.json"
    manifest = Path(store.path("1")) / "manifest.json"
    content = manifest.read_bytes()
    changed = file.read_bytes().replace(b"answer", b"secret")
    file.write_bytes(changed)
    old, new = (sha256(each) for each in (changed.replace(b"secret", b"answer"), changed))
    manifest.write_bytes(content.replace(old.encode(), new.encode()))
    assert manifest.read_bytes() != content
    with pytest.raises(ReleaseError, match="its SHA-256 is not the one that was published"):
        store.verify("1")
    text = rollback(store, workshop.registry, "1", "back", "me", "2026-02-02")
    assert "written anew from MLflow, since it was refused: 'manifest.json' was changed" in text
    assert store.load().table == INFO
    assert manifest.read_bytes() == content
    workshop.swap("2", "same")
    (Path(store.path("2")) / "table_info.json").unlink()
    with pytest.raises(ReleaseError, match="is missing"):
        rollback(store, workshop.registry, "2", "again", "me", "2026-02-03")
    assert (store.pointer().version, workshop.registry.champion()) == ("1", "1")
