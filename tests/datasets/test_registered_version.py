"""Tests of registering what a decision promoted, against a real MLflow store."""

from __future__ import annotations

import pytest

from mlops_basics.datasets.registered_version import RegisteredVersionDataset
from mlops_basics.production.registry import ModelRegistry
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import RegisteredVersion
from tests.support.challengers import refused

pytestmark = pytest.mark.slow  # real models, files and an MLflow store


@pytest.fixture
def register(workshop, tmp_path):
    """Saves a registration and reads back what came of it."""
    dataset = RegisteredVersionDataset(
        production=str(tmp_path / "production"),
        models=str(tmp_path / "model"),
        model_name=workshop.name,
        filepath=str(tmp_path / "registered_version.json"),
    )

    def register_(registration):
        workshop.save_model(registration, tmp_path / "model")
        dataset.save(registration)
        return dataset.load()

    return register_


def test_the_first_one_becomes_the_champion(workshop, register):
    """The first version becomes the champion, without a previous one."""
    found = register(workshop.challenger())
    assert found == RegisteredVersion(
        model_name=workshop.name,
        version="1",
        previous=None,
        promoted=True,
        reason="Version 1 is the champion.",
    )
    assert workshop.registry.champion() == "1"


def test_the_same_again_changes_nothing(workshop, register):
    """The node may run again after a later step was killed."""
    challenger = workshop.challenger()
    assert register(challenger) == register(challenger)
    assert workshop.registry.versions() == ["1"]


def test_a_better_one_takes_over(workshop, register):
    """The old champion is kept as the previous one."""
    register(workshop.challenger())
    found = register(workshop.challenger("1"))
    assert (found.version, found.previous, found.promoted) == ("2", "1", True)


def test_what_was_taken_back_is_not_promoted_again_by_the_same_test(workshop, register):
    """A run after a rollback, on the same data, must not undo the rollback in silence."""
    register(workshop.challenger())
    second = workshop.challenger("1")
    register(second)
    workshop.registry.move_champion("1", "2")
    found = register(second)
    assert (found.version, found.promoted) == ("1", False)
    assert "kedro rollback --to 2" in found.reason
    assert workshop.registry.versions() == ["1", "2"]


def test_a_rejected_challenger_is_not_registered(workshop, register):
    """A rejected challenger is not registered, before or after the first release."""
    found = register(workshop.challenger(run_id=workshop.run(), **refused()))
    assert (found.version, found.previous, found.promoted) == (None, None, False)
    assert found.reason == "Version 1 stays in production."
    assert workshop.registry.versions() == []
    register(workshop.challenger())
    found = register(workshop.challenger("1", **refused()))
    assert (found.version, found.promoted) == ("1", False)
    assert workshop.registry.versions() == ["1"]


def test_a_rejected_challenger_needs_no_mlflow_run(workshop, register):
    """A challenger of a run without tracking may be rejected."""
    found = register(workshop.challenger(run_id="", **refused(outcome="too_few_rows")))
    assert not found.promoted


@pytest.mark.parametrize("expected", [None, "1"])
def test_the_slower_run_registers_nothing(workshop, register, expected):
    """If the champion has changed since the comparison, nothing is made, with a reason."""
    challenger = workshop.challenger(expected)
    workshop.promote()
    workshop.promote()
    found = register(challenger)
    assert (found.version, found.previous, found.promoted) == ("2", "1", False)
    assert f"version 2 now, no longer {expected or 'none'}" in found.reason
    assert "somebody else was faster" in found.reason
    assert workshop.registry.versions() == ["1", "2"]


def test_a_run_overtaken_between_version_and_alias_is_reported(workshop, register, monkeypatch):
    """The version exists, and the champion is the other run's."""
    challenger = workshop.challenger()
    move = ModelRegistry.move_champion

    def overtaken(self, to, expected, still_held):
        with monkeypatch.context() as patch:
            patch.setattr(ModelRegistry, "move_champion", move)
            workshop.promote()
        move(self, to, expected, still_held)

    with monkeypatch.context() as patch:
        patch.setattr(ModelRegistry, "move_champion", overtaken)
        found = register(challenger)
    assert (found.version, found.promoted) == ("2", False)
    assert "version 2 now, no longer none" in found.reason
    again = register(challenger)
    assert (again.version, again.promoted) == ("2", False)


def test_a_killed_registration_is_finished_by_the_next_run(workshop, register, monkeypatch):
    """Killed between the version and its alias: the same version becomes the champion."""

    def killed(*_args):
        raise KeyboardInterrupt

    challenger = workshop.challenger(challenge_id="same")
    with monkeypatch.context() as patch:
        patch.setattr(ModelRegistry, "move_champion", killed)
        with pytest.raises(KeyboardInterrupt):
            register(challenger)
    assert workshop.registry.champion() is None
    found = register(workshop.challenger(challenge_id="same"))
    assert (found.version, found.promoted) == ("1", True)
    assert workshop.registry.versions() == ["1"]


def test_a_move_is_marked_before_the_alias_changes(workshop, register, tmp_path, monkeypatch):
    """A run that is killed after it leaves the mark; a run that registers nothing leaves none."""
    store = ReleaseStore(str(tmp_path / "production"), workshop.name, [])
    move, seen = ModelRegistry.move_champion, []

    def looking(*arguments):
        seen.append(store.is_moving())
        move(*arguments)

    monkeypatch.setattr(ModelRegistry, "move_champion", looking)
    register(workshop.challenger(promote=False))
    assert (seen, store.is_moving()) == ([], False)
    register(workshop.challenger())
    assert (seen, store.is_moving()) == ([True], True)
