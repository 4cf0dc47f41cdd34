"""Tests of the book of challenges against a real MLflow store."""

from __future__ import annotations

import errno
import os
import shutil

import mlflow
import pytest
from kedro.io import DatasetError
from mlflow import MlflowClient

from mlops_basics.datasets import challenge as challenge_module
from mlops_basics.datasets.challenge import ChallengeDataset
from mlops_basics.production.challenge_book import ChallengeBook
from mlops_basics.runs.challenges import record_shown
from mlops_basics.schemas import Challenge, ChallengeRequest, Look
from mlops_basics.stats.paired.sums import PairedSums
from mlops_basics.storage.store_files import StoreFiles

pytestmark = pytest.mark.slow  # real models, files and an MLflow store


@pytest.fixture
def ask(database, request, tmp_path):
    """Writes a request down, and reads the challenge back from the catalog's file."""
    mlflow.set_tracking_uri(f"sqlite:///{database / 'mlflow.db'}")
    dataset = ChallengeDataset(
        production=str(tmp_path / "production"),
        model_name=request.node.name,
        filepath=str(tmp_path / "challenge.json"),
    )

    def ask_(**values):
        dataset.save(request_of(**values))
        return dataset.load()

    return ask_


def request_of(**values):
    """A testable request, of version 3 by default."""
    defaults = {
        "champion_version": "3",
        "status": "comparable",
        "rows": 120,
        "rows_hash": "rows",
        "predictions_hash": "predictions",
        "which_rows": "test rows",
        "classes": ("no", "yes"),
    }
    return ChallengeRequest.model_validate(defaults | values)


def written(name):
    """The runs of a model's book, in no order."""
    client = MlflowClient()
    experiment = client.get_experiment_by_name(f"{name}-challenges")
    return client.search_runs([experiment.experiment_id]) if experiment else []


def test_a_challenge_is_written_down_with_what_it_is_about(ask, request):
    """One MLflow run, finished, with champion and rows as tags."""
    challenge = ask()
    assert isinstance(challenge, Challenge)
    assert (challenge.champion_version, challenge.number, challenge.repeated) == ("3", 1, False)
    (run,) = written(request.node.name)
    assert run.info.run_id == challenge.mlflow_run_id
    assert run.info.status == "FINISHED"
    tags = {name: tag for name, tag in run.data.tags.items() if name.startswith("challenge.")}
    assert tags == {
        "challenge.id": challenge.challenge_id,
        "challenge.champion": "3",
        "challenge.rows": "120",
        "challenge.rows_hash": "rows",
        "challenge.test": "",
        "challenge.number": "1",
    }


def test_what_a_challenge_has_said_is_kept_in_production_alone(ask, request, tmp_path):
    """By champion and number, for the next challenge of its recipe; nothing of it is in MLflow."""
    look = Look(
        recipe="abc", test="log_loss", alpha=0.05, rows_digest="0" * 32, sums=PairedSums(n=3)
    )
    kept = ChallengeBook(StoreFiles(str(tmp_path / "production" / request.node.name)))
    assert kept.looks("3") == ()
    ask(look=look)
    ask(rows_hash="other")
    ask(rows_hash="more", look=look.model_copy(update={"after": 1}))
    ask(rows_hash="more", look=look.model_copy(update={"recipe": "other"}))  # the same challenge
    ask(champion_version="4", look=look)
    found = kept.looks("3")
    assert [(each.number, each.after, each.recipe) for each in found] == [
        (1, 0, "abc"),
        (3, 1, "abc"),
    ]
    assert found[0].sums == PairedSums(n=3)
    assert not any("look" in tag for run in written(request.node.name) for tag in run.data.tags)


def test_another_metric_on_the_same_rows_spends_again(ask):
    """A second look at the same predictions by another test is a challenge of its own."""
    first, other = ask(test="log_loss superiority"), ask(test="brier superiority")
    assert (first.number, other.number) == (1, 2)
    assert other.challenge_id == first.challenge_id
    assert ask(test="log_loss superiority").number == 1


def test_the_same_again_is_the_same_challenge(ask, request):
    """Same number, said to be repeated, nothing written; also after others came between."""
    first = ask()
    again = ask()
    ask(predictions_hash="others")
    later = ask()
    assert not first.repeated
    for challenge in (again, later):
        assert challenge.model_copy(update={"repeated": False}) == first
        assert challenge.repeated
    assert len(written(request.node.name)) == 2


def test_words_do_not_make_another_challenge(ask):
    """The rows' description and the loss's scale are not part of a challenge's identity."""
    first = ask()
    assert ask(which_rows="called otherwise", huber_delta=2.0).number == first.number


def test_other_rows_or_predictions_are_the_next_challenge(ask):
    """Challenges are numbered in the order in which they came."""
    numbers = [
        ask(**values).number
        for values in (
            {},
            {"rows_hash": "other rows"},
            {"predictions_hash": "other predictions"},
            {"rows_hash": "other rows", "predictions_hash": "other predictions"},
            {"rows_hash": "other rows"},
            {},
        )
    ]
    assert numbers == [1, 2, 3, 4, 2, 1]


def test_another_champion_starts_at_one(ask):
    """A new champion's count starts at 1, and the first one's count continues."""
    assert [ask(predictions_hash=p).number for p in "abc"] == [1, 2, 3]
    assert [ask(champion_version="4", predictions_hash=p).number for p in "abc"] == [1, 2, 3]
    assert ask(champion_version="none").number == 1
    assert ask(predictions_hash="d").number == 4
    same = [ask(champion_version=v, predictions_hash="a").challenge_id for v in ("3", "4")]
    assert len(set(same)) == 2


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "99", "²"])
def test_a_number_that_cannot_be_is_counted_anew(ask, request, number):
    """Whoever may write into MLflow can spoil a number, but neither a run nor its level."""
    ask()
    spoilt = ask(predictions_hash="b")
    MlflowClient().set_tag(spoilt.mlflow_run_id, "challenge.number", number)
    assert ask(predictions_hash="b").number == 2


def test_a_run_that_is_no_challenge_is_not_counted(ask, request):
    """One with a champion's tag alone, made by hand."""
    ask()
    client = MlflowClient()
    experiment = client.get_experiment_by_name(f"{request.node.name}-challenges")
    client.create_run(experiment.experiment_id, tags={"challenge.champion": "3"})
    assert ask(predictions_hash="b").number == 2


@pytest.mark.parametrize("status", ["identical", "overfitted", "too_few_rows", "champion_unusable"])
def test_what_cannot_be_tested_costs_nothing(ask, request, status):
    """It has the number 0, and neither run nor experiment is made."""
    challenge = ask(status=status)
    assert (challenge.number, challenge.repeated, challenge.mlflow_run_id) == (0, False, None)
    assert challenge.challenge_id
    assert MlflowClient().get_experiment_by_name(f"{request.node.name}-challenges") is None


def test_nothing_is_written_for_them_between_challenges(ask, request):
    """The next one that is tested has the next number."""
    assert ask().number == 1
    assert ask(status="identical", predictions_hash="x").number == 0
    assert ask(predictions_hash="y").number == 2
    assert len(written(request.node.name)) == 2


def test_many_challenges_are_all_counted(ask, monkeypatch):
    """MLflow gives its runs page by page; here two a page."""
    search = MlflowClient.search_runs
    pages = []

    def small_pages(self, *args, **kwargs):
        page = search(self, *args, **{**kwargs, "max_results": 2})
        pages.append(len(page))
        return page

    monkeypatch.setattr(MlflowClient, "search_runs", small_pages)
    assert [ask(predictions_hash=str(n)).number for n in range(5)] == [1, 2, 3, 4, 5]
    pages.clear()
    assert ask(predictions_hash="0").number == 1
    assert pages == [2, 2, 1]


def test_a_challenge_that_somebody_wrote_at_the_same_time_is_counted(
    ask, request, tmp_path, monkeypatch
):
    """A challenge that another process wrote meanwhile is counted."""
    ask()
    create = MlflowClient.create_run

    def faster(self, *args, **kwargs):
        monkeypatch.setattr(MlflowClient, "create_run", create)
        other = ChallengeDataset(
            production=str(tmp_path / "production"),
            model_name=request.node.name,
            filepath="memory://other.json",
        )
        other.save(request_of(predictions_hash="somebody else's"))
        return create(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "create_run", faster)
    mine = ask(predictions_hash="mine")
    theirs = ask(predictions_hash="somebody else's")
    assert theirs.repeated
    assert {mine.number, theirs.number} == {2, 3}


def test_of_two_at_once_none_takes_the_place_of_the_other(ask, monkeypatch):
    """Each is written before the other is counted: no level is spent twice, one may be left out."""
    get, runs = MlflowClient.search_runs, []

    def later(self, *args, **kwargs):
        found = get(self, *args, **kwargs)
        if not runs:  # between the check whether it is known and the write
            runs.append(None)
            monkeypatch.setattr(MlflowClient, "set_tag", lambda *_: None)
            runs.append(ask(predictions_hash="theirs, not yet numbered"))
            monkeypatch.undo()
        return found

    monkeypatch.setattr(MlflowClient, "search_runs", later)
    mine = ask(predictions_hash="mine")
    theirs = ask(predictions_hash="theirs, not yet numbered")
    assert (mine.number, theirs.number) == (2, 2)
    assert theirs.repeated
    assert ask(predictions_hash="next").number == 3
    assert ask(predictions_hash="mine").number == 2


def test_the_same_challenge_counted_twice_at_once_is_one(ask, request, monkeypatch):
    """The database refuses the slower first write of the number; what the faster one wrote counts.

    Any other refusal is an error.
    """
    from mlflow.exceptions import MlflowException

    set_tag = MlflowClient.set_tag
    violated = MlflowException("(psycopg2.errors.UniqueViolation) tag_pk")

    def slower(self, run_id, key, value, *args):
        set_tag(self, run_id, key, value, *args)
        raise violated

    def refused(*_):
        raise violated

    monkeypatch.setattr(MlflowClient, "set_tag", slower)
    assert ask().number == 1
    monkeypatch.setattr(MlflowClient, "set_tag", refused)
    with pytest.raises(DatasetError, match="tag_pk"):
        ask(predictions_hash="other")
    monkeypatch.undo()
    assert (ask().number, ask(predictions_hash="other").number) == (1, 2)
    assert len(written(request.node.name)) == 2


def test_a_clock_that_is_behind_takes_no_number_again(ask, monkeypatch):
    """A machine whose clock is an hour behind gets the next number."""
    assert ask(predictions_hash="first").number == 1
    create = MlflowClient.create_run

    def behind(self, *args, **kwargs):
        return create(self, *args, start_time=1_600_000_000_000, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_run", behind)
        assert ask(predictions_hash="behind").number == 2
    assert ask(predictions_hash="first").number == 1
    assert ask(predictions_hash="behind").number == 2


def test_the_same_challenge_written_twice_counts_once(ask, request, monkeypatch):
    """A challenge that two concurrent runs both wrote counts once."""
    create = MlflowClient.create_run

    def twice(self, *args, **kwargs):
        create(self, *args, **kwargs)
        return create(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_run", twice)
        assert ask().number == 1
    assert len(written(request.node.name)) == 2
    assert ask(predictions_hash="next").number == 2


def test_figures_that_were_shown_are_a_use_of_the_rows(ask, request):
    """They take a number, once: the next challenge is tested at a lower level."""
    first, second = ask(), ask(predictions_hash="others")
    experiment = f"{request.node.name}-challenges"
    asked = request_of(predictions_hash="others")
    assert (first.number, second.number) == (1, 2)
    uses = [record_shown(asked, second, experiment).challenge.number for _ in range(2)]
    assert uses == [3, 3]
    assert ask(predictions_hash="third").number == 4
    assert ask(predictions_hash="others").number == 2
    other = ask(champion_version="4")
    shown = record_shown(request_of(champion_version="4"), other, experiment)
    assert shown.challenge.number == 2


def book(tmp_path, name, champion="3"):
    """Numbers of the entries in production."""
    folder = tmp_path / "production" / name / "challenges" / champion
    return sorted(int(file.stem) for file in folder.glob("*.json"))


def test_challenges_that_were_deleted_in_mlflow_count_all_the_same(ask, request, tmp_path):
    """Whoever may write into the experiment gives back no share of alpha, and it is told."""
    first = ask(predictions_hash="a")
    spent = [ask(predictions_hash=p).mlflow_run_id for p in "bc"]
    assert book(tmp_path, request.node.name) == [1, 2, 3]
    store = MlflowClient()._tracking_client.store
    for run_id in spent:
        MlflowClient().delete_run(run_id)
        store._hard_delete_run(run_id)
    later = ask(predictions_hash="d")
    assert (later.number, later.repeated) == (4, False)
    assert "(up to number 3), MLflow lacks 2: deleted there" in later.note
    again = ask(predictions_hash="c")
    assert (again.number, again.repeated) == (3, True)
    assert (first.note, book(tmp_path, request.node.name)) == ("", [1, 2, 3, 4])


def test_a_number_that_was_set_back_in_mlflow_counts_as_it_was(ask):
    """Production has the larger one; MLflow's counts where it is larger."""
    for predictions in "abc":
        challenge = ask(predictions_hash=predictions)
    MlflowClient().set_tag(challenge.mlflow_run_id, "challenge.number", "1")
    assert ask(predictions_hash="c").number == 3
    first = ask(predictions_hash="a")
    MlflowClient().set_tag(first.mlflow_run_id, "challenge.number", "2")
    assert ask(predictions_hash="a").number == 2


def test_a_book_that_begins_late_goes_on_from_mlflows(ask, request, tmp_path):
    """A champion of before the book, or one that trainers have challenged, loses no number."""
    for predictions in "abc":
        ask(predictions_hash=predictions)
    shutil.rmtree(tmp_path / "production")
    later = ask(predictions_hash="d")
    assert (later.number, later.note) == (4, "")
    assert book(tmp_path, request.node.name) == [4]
    assert ask(predictions_hash="e").number == 5


def test_who_may_not_write_in_production_is_told_the_same_number(
    ask, request, tmp_path, monkeypatch
):
    """A trainer's is counted by MLflow alone; another fault of the storage is an error."""
    ask(predictions_hash="a")
    fault = [errno.EACCES]

    def refuse(*_arguments):
        raise OSError(fault[0], "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        assert ask(predictions_hash="b").number == 2
        fault[0] = errno.EIO
        with pytest.raises(DatasetError, match=r"Cannot write .*challenges/3/"):
            ask(predictions_hash="c")
    assert book(tmp_path, request.node.name) == [1]
    assert ask(predictions_hash="b").number == 2


def test_two_publishers_at_once_have_two_numbers(ask, request, tmp_path, monkeypatch):
    """Another one that came between both books is not taken for one that MLflow has lost."""
    ask(predictions_hash="a")
    record, theirs = challenge_module.record_challenge, []

    def later(*arguments):
        counted = record(*arguments)
        if not theirs:
            theirs.append(None)
            theirs[0] = ask(predictions_hash="theirs")
            assert theirs[0].note == ""
        return counted

    monkeypatch.setattr(challenge_module, "record_challenge", later)
    mine = ask(predictions_hash="mine")
    assert (mine.number, theirs[0].number, mine.note) == (2, 3, "")
    assert book(tmp_path, request.node.name) == [1, 2, 3]
