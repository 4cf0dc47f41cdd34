"""A search that the rows do not allow ends neither the call nor those to come."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kedro.io import DataCatalog, MemoryDataset

from mlops_basics.commands.ct import ExitCode, _pinned, _search, _since, verdict_text
from mlops_basics.errors import DataError
from mlops_basics.schemas import MonitoringState, Verdict, Watch, WatchedBatch
from mlops_basics.schemas.policy import Adaptation
from mlops_basics.stats.concept_drift.sequential import start_monitor
from tests.support.monitored import make_monitored
from tests.support.releases import make_entry


class NothingToLearn:
    """A project in which no recipe can be searched for."""

    def __init__(self, state: MonitoringState) -> None:
        self.state = MemoryDataset(state, copy_mode="assign")
        self.asked: list[str] = []

    def catalog(self, **_more: Any) -> Any:
        """One file behind two entries."""
        given = {"skip": (), "target": None, "exclude": (), "key_columns": ()}
        return DataCatalog(
            {
                "monitoring_state": self.state,
                "monitoring_state_next": self.state,
                "params:collection": MemoryDataset(
                    given | {"num_instances": None, "seed": 0}, copy_mode="assign"
                ),
            }
        )

    bare_catalog = catalog

    def run(self, pipeline: str, **_more: Any) -> str:
        """Fails as too few rows do."""
        self.asked.append(pipeline)
        raise DataError("A search needs 20 rows before the newest labelled batches.")


def verdict_of(watch: Watch) -> Verdict:
    """An alarm under policies."""
    return make_monitored().verdict.model_copy(
        update={
            "version": watch.version,
            "retrain": True,
            "evidence": ("concept_drift",),
            "adaptation": Adaptation(action="none", policy="all"),
        }
    )


def test_what_is_said_of_a_file_keeps_its_name() -> None:
    """Sentences begin with a capital; names of files are as they are."""
    warned = make_monitored().verdict.model_copy(update={"warnings": ("b.csv: it is empty.",)})
    assert verdict_text(warned).splitlines()[-1] == "b.csv: it is empty."


def test_a_release_that_somebody_went_back_to_is_told_as_pinned() -> None:
    """By whom, when and why, until another release is in production."""
    back = make_entry("1", "2", action="rollback", by="ann", reason="it is unfair")
    moves = {"1": back, "2": make_entry("2", "1"), "3": None}

    def told(version: str | None) -> list[str]:
        pointer = version and SimpleNamespace(version=version)
        return _pinned(SimpleNamespace(pointer=lambda: pointer, last_move=moves.get))

    [line] = told("1")
    assert line.startswith("Release 1 is pinned: ann went back to it on 2026-01-01: it is unfair.")
    assert line.endswith("until another model is shown to be better, or is promoted by hand.")
    assert [told(version) for version in ("2", "3", None)] == [[], [], []]


def test_a_search_that_is_not_possible_is_told_and_not_repeated() -> None:
    """The reason is named, the exit code is that of a kept release, the evidence has ended."""
    record = WatchedBatch(
        name="c.csv", sha256="0", outcome="used", seen_by="run", number=1, rows=9, entered=True
    )
    watch = Watch(
        version="3",
        loss="error",
        sequential=start_monitor([0.0, 1.0] * 50).to_dict(),
        batches=(record,),
        pending=("concept_drift",),
    )
    place: Any = NothingToLearn(MonitoringState(watches={"3": watch}))
    outcome = _search(place, verdict_of(watch))
    assert outcome.code == ExitCode.KEPT
    assert "no recipe could be searched for. A search needs 20 rows" in outcome.text
    assert place.asked == ["recipe_search"]
    after = place.state.load().watches["3"]
    assert after.pending == ()
    assert [attempt.outcome for attempt in after.attempts] == ["search_not_possible"]


def test_what_a_search_answers_is_told_in_words() -> None:
    """Each kind of evidence once, whatever names a column, in one sentence."""
    verdict = make_monitored().verdict
    told = {
        ("concept_drift",): "the error has risen",
        ("data_drift:hour", "data_drift:load"): "columns have drifted",
        ("worse_than_constant",): "production does worse than a constant prediction",
        (
            "data_drift:hour",
            "label_shift",
        ): "the shares of the classes have moved, and the error with them and columns have drifted",
    }
    for evidence, words in told.items():
        assert _since(verdict.model_copy(update={"evidence": evidence})) == words
