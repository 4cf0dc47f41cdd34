"""Tests of an operator's override, with a real MLflow store and a real release store."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import mlflow
import pytest
from kedro.io import DataCatalog

from mlops_basics.commands import promote as promotion
from mlops_basics.commands.promote import promote, recorded_registration, require_reason
from mlops_basics.commands.releases import releases_table
from mlops_basics.commands.rollback import rollback
from mlops_basics.errors import ConfigurationError, ConflictError, ReleaseError
from mlops_basics.pipelines.model_registry import create_pipeline as registry_pipeline
from mlops_basics.production.history import periods
from mlops_basics.production.publish import publish
from mlops_basics.production.registry import ModelRegistry
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.production.signature import Signatures, make_key_pair
from mlops_basics.schemas import Manifest, Override
from tests.support.challengers import TRUSTED, refused, registered
from tests.support.killed import Killed
from tests.support.terminal import shown

# Real models, files and an MLflow store.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_checks")]

WORD = Override(by="ada", at="2026-02-02T00:00:00.000+00:00", reason="the test rows are wrong")


@pytest.fixture
def released(workshop, store):
    """Version 1 is in production, by its own test."""
    workshop.promote()
    publish(store, workshop.registry, registered(workshop))
    return workshop


def kept(workshop, champion="1", override=WORD, **values):
    """A challenger that was not promoted by its test, and an operator's reason for it."""
    return replace(workshop.challenger(champion, **refused(**values)), override=override)


def in_production(workshop, store):
    """Alias and pointer."""
    return workshop.registry.champion(), store.pointer().version


def recorded(missing: str = "", decided: str = "written", **values) -> Manifest:
    """A run of all that registering needs, but for one data set."""
    names = {*registry_pipeline().inputs(), "model"} - {missing}
    data = {"version": "then", "path": "data", "sha256": "0", "access": "written"}
    datasets = {
        name: data | {"access": decided if name == "decision" else "written"} for name in names
    }
    about = {"run_id": "then", "mlflow_run_id": None, "env": "base", "model_name": "flowers"}
    code = {
        "git_commit": None,
        "git_dirty": None,
        "lock_sha256": None,
        "python": "3",
        "libraries": {},
    }
    run = about | {
        "code": code,
        "parameters": {},
        "datasets": datasets,
        "pipelines": ["__default__"],
    }
    return Manifest.model_validate(run | values)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            recorded("recipe"),
            "was recorded before runs kept 'recipe', which every release holds now",
        ),
        (
            recorded("model", pipelines=["monitoring"]),
            r"\(monitoring\) made no 'model': only a run",
        ),
        (recorded("decision"), "made no 'decision': only a run that trained and evaluated"),
        (recorded(decided="kept"), "made no 'decision': only a run that trained and evaluated"),
    ],
    ids=["before recipes", "no model", "no decision", "decision of another run"],
)
def test_a_run_that_cannot_be_promoted_is_told_why(run, words):
    """A run that is older than what a release holds is not taken for one that made no model."""
    with pytest.raises(ConfigurationError, match=words):
        recorded_registration(DataCatalog(), {"model_registry": registry_pipeline()}, run)


def test_a_kept_challenger_becomes_version_champion_and_release(released, store):
    """The ledger says who, when and why; the decision stays as it was."""
    text = promote(store, released.registry, kept(released))
    assert "Version 2" in text
    assert "in place of 1" in text
    assert "kedro rollback --to 1" in text
    assert "Warning" not in text
    assert in_production(released, store) == ("2", "2")
    entry = store.ledger()[-1]
    assert (entry.action, entry.version, entry.replaced) == ("promoted", "2", "1")
    assert (entry.by, "the test rows are wrong" in entry.reason) == ("ada", True)
    assert "the decision was: kept" in entry.reason
    assert entry.mlflow_run_id == released.registry.run_of("2")
    manifest = store.verify("2")
    assert (manifest.decision.outcome, manifest.decision.promote) == ("kept", False)
    assert "override.json" in manifest.files
    assert released.registry.override("2") == WORD
    assert released.registry.override("1") is None
    version = mlflow.MlflowClient().get_model_version(released.name, "2")
    assert version.tags["outcome"] == "kept"


def test_the_table_of_releases_tells_why_and_which_run(released, store):
    """The periods follow one another as with any other release."""
    promote(store, released.registry, kept(released))
    assert [period.entry.version for period in periods(store.ledger(), store.pointer())] == [
        "1",
        "2",
    ]
    text = shown(releases_table(store))
    line = next(line for line in text.splitlines() if line.strip().startswith("2 "))
    assert "promoted by ada: the test rows are wrong" in line
    run_id = released.registry.run_of("2")
    assert run_id[:8] in line
    assert run_id not in line


def test_a_second_call_changes_nothing(released, store):
    """A second call only reports since when the release is in production."""
    challenger = kept(released)
    promote(store, released.registry, challenger)
    before = store.ledger()
    assert "Nothing to do" in promote(store, released.registry, challenger)
    assert store.ledger() == before
    assert released.registry.versions() == ["1", "2"]


def test_challengers_without_a_comparison_are_told_apart(released, store):
    """They share a challenge, since nothing was compared: each is its own run's version."""
    unusable = {"outcome": "champion_unusable", "challenge_id": "nothing compared"}
    promote(store, released.registry, kept(released, **unusable))
    promote(store, released.registry, kept(released, **unusable))
    assert in_production(released, store) == ("3", "3")
    assert "the decision was: champion unusable" in store.ledger()[-1].reason


def test_the_first_release_can_be_an_override(workshop, store):
    """A challenger can be promoted by hand where no release exists."""
    first = kept(workshop, None, outcome="below_floor")
    assert "in place of nothing" in promote(store, workshop.registry, first)
    assert in_production(workshop, store) == ("1", "1")
    assert store.ledger()[-1].replaced is None


def test_an_overfitted_challenger_is_allowed_with_a_warning(released, store):
    """Terminal and ledger record that the operator overruled the overfitting check."""
    text = promote(store, released.registry, kept(released, outcome="overfitted"))
    assert "Warning: its decision was 'overfitted'" in text
    assert "the decision was: overfitted" in store.ledger()[-1].reason


def test_a_rollback_that_a_run_has_finished_stays_the_operators(released, store, monkeypatch):
    """The ledger has the operator's name and reason, and repeating the call changes nothing."""
    promote(store, released.registry, kept(released))

    def go_back():
        return rollback(store, released.registry, None, "complaints", "eve", "2026-03-03")

    def kill(*_arguments):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(store, "record", kill)
        with pytest.raises(Killed):
            go_back()
    assert in_production(released, store) == ("1", "2")
    assert publish(store, released.registry, registered(released)).changed
    entry = store.ledger()[-1]
    assert (entry.action, entry.version, entry.replaced) == ("rollback", "1", "2")
    assert (entry.by, entry.reason) == ("eve", "complaints")
    assert "Nothing to do" in go_back()
    assert in_production(released, store) == ("1", "1")


def test_a_promotion_that_lost_the_lock_moves_no_alias(released, store, monkeypatch):
    """With an expired lease the challenger becomes a version, and the champion stays."""

    @contextmanager
    def lost():
        def still_held():
            raise ConflictError("Another run has taken the lease.")

        yield still_held

    monkeypatch.setattr(store, "one_run_at_a_time", lost)
    with pytest.raises(ConflictError, match="taken the lease"):
        promote(store, released.registry, kept(released))
    assert in_production(released, store) == ("1", "1")


def test_a_champion_that_was_never_published_is_in_the_ledger(released, store):
    """A champion that was replaced before it was published is recorded as refused."""
    for version in ("2", "3"):
        released.register(released.challenger(str(int(version) - 1)))
        released.move(version, str(int(version) - 1))
    publish(store, released.registry, registered(released))
    moves = [(entry.action, entry.version) for entry in store.ledger()]
    assert moves == [("release", "1"), ("refused", "2"), ("release", "3")]
    assert [p.entry.version for p in periods(store.ledger(), store.pointer())] == ["1", "3"]


def test_an_unsigned_release_is_signed_when_it_is_promoted_again(released, store, tmp_path):
    """It is rebuilt from MLflow and signed; without the private key it stays refused."""
    promote(store, released.registry, kept(released))
    private, _, public = make_key_pair(tmp_path)

    def go_back(**keys):
        signing = ReleaseStore(
            str(tmp_path / "production"), released.name, TRUSTED, signatures=Signatures(**keys)
        )
        return rollback(signing, released.registry, "1", "a test", "me", "2026-01-10")

    with pytest.raises(ReleaseError, match="is not signed"):
        go_back(verify_key=public)
    assert in_production(released, store) == ("2", "2")
    text = go_back(signing_key=str(private), verify_key=public)
    assert "written anew from MLflow, since it was refused: 'manifest.json' is not signed" in text
    assert in_production(released, store) == ("1", "1")


def test_promoting_a_former_champion_is_a_rollback(released, store):
    """No second version is made of a run that was the champion before."""
    challenger = kept(released)
    promote(store, released.registry, challenger)
    rollback(store, released.registry, None, "bad", "me", "2026-03-01T00:00:00.000+00:00")
    with pytest.raises(ReleaseError, match=r"version 2 .*kedro rollback --to 2"):
        promote(store, released.registry, challenger)
    assert in_production(released, store) == ("1", "1")
    rollback(store, released.registry, "2", "good", "me", "2026-03-02T00:00:00.000+00:00")
    assert [e.action for e in store.ledger()] == ["release", "promoted", "rollback", "rollback"]


def test_a_refused_release_leaves_the_champion(released, store, monkeypatch):
    """It is verified before the alias moves; the refusal is recorded, and is no period."""
    checks = "mlops_basics.production.release_check.check_archive"

    def refuse(*_arguments):
        raise ReleaseError("It holds types that are not trusted.")

    challenger = kept(released)
    with monkeypatch.context() as patched:
        patched.setattr(checks, refuse)
        with pytest.raises(ReleaseError, match="not trusted"):
            promote(store, released.registry, challenger)
    assert in_production(released, store) == ("1", "1")
    entry = store.ledger()[-1]
    assert (entry.action, entry.version, entry.by) == ("refused", "2", "ada")
    promote(store, released.registry, challenger)
    assert in_production(released, store) == ("2", "2")
    assert [p.entry.version for p in periods(store.ledger(), store.pointer())] == ["1", "2"]


@pytest.mark.parametrize("last", ["promote", "publish"])
def test_a_promotion_killed_at_any_step_is_finished(workshop, store, monkeypatch, last):
    """The same command finishes it; once the alias has moved, so does the next run."""
    workshop.promote()
    publish(store, workshop.registry, registered(workshop))
    challenger = kept(workshop)
    steps = [
        (ModelRegistry, "register"),
        (ModelRegistry, "note_override"),
        (ReleaseStore, "upload"),
        (ModelRegistry, "move_champion"),
        (ReleaseStore, "record"),
        (ReleaseStore, "point"),
    ]
    for owner, name in steps:
        for after in (False, True):
            real = getattr(owner, name)

            def kill(*arguments, real=real, after=after, **named):
                if after:
                    real(*arguments, **named)
                raise Killed

            with monkeypatch.context() as patched:
                patched.setattr(owner, name, kill)
                if name != "point" or not after:
                    with pytest.raises(Killed):
                        promote(store, workshop.registry, challenger)
            assert store.verify(store.pointer().version).version == "1"
            alias, pointer = in_production(workshop, store)
            assert alias == pointer or store.is_moving()  # so that `kedro ct` knows
    if last == "promote":
        said = promote(store, workshop.registry, challenger)
        assert said.startswith("Version 2 of ")
        store.begin_move()  # as if it had been killed right before its last step
        said = promote(store, workshop.registry, challenger)
        assert said.startswith("What was interrupted is finished: this run is version 2")
        assert promote(store, workshop.registry, challenger).startswith("Nothing to do")
    else:
        assert publish(store, workshop.registry, registered(workshop)).changed
    assert in_production(workshop, store) == ("2", "2")
    assert workshop.registry.versions() == ["1", "2"]
    assert [e.action for e in store.ledger()] == ["release", "promoted"]
    assert store.ledger()[-1].by == "ada"
    assert not store.is_moving()


def test_a_word_that_no_operator_said_is_not_believed(workshop, store):
    """A tag that somebody writes into MLflow makes no promotion by hand of a decision's release."""
    registry = workshop.registry
    workshop.promote()
    tag = ("override", WORD.model_copy(update={"by": "ceo"}).model_dump_json())
    mlflow.MlflowClient().set_model_version_tag(workshop.name, "1", *tag)
    publish(store, registry, registered(workshop))
    assert [(e.action, e.by == "ceo") for e in store.ledger()] == [("release", False)]
    assert "override.json" not in store.verify("1").files


def test_what_an_operator_said_is_not_changed_in_mlflow(released, store, monkeypatch):
    """The ledger's word is the one that was kept in production, whatever the tag says by then."""
    registry, challenger = released.registry, kept(released)
    tag = ("override", WORD.model_copy(update={"by": "ceo"}).model_dump_json())

    def forge(*_, **__):
        mlflow.MlflowClient().set_model_version_tag(released.name, "2", *tag)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ReleaseStore, "upload", forge)
        with pytest.raises(Killed):
            promote(store, registry, challenger)
    promote(store, registry, challenger)
    assert store.ledger()[-1].by == "ada"
    assert registry.override("2") == WORD


def test_promotion_waits_for_a_run_that_registers_or_publishes(released, store, monkeypatch):
    """The same lock is held from the first read to the last write."""
    held = []
    real = store.one_run_at_a_time
    monkeypatch.setattr(store, "one_run_at_a_time", lambda: held.append(1) or real())
    promote(store, released.registry, kept(released))
    assert held == [1]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_is_required_and_bounded(reason):
    """The reason is required and limited in length, since the ledger keeps it for ever."""
    with pytest.raises(ConfigurationError, match="reason"):
        require_reason(reason)
    require_reason("x" * promotion.LONGEST_REASON)
