"""Random sequences of what users and schedulers do, killed anywhere: invariants hold.

A step is one action of a user or a scheduler. Real nodes, catalog, store, ledger, monitoring state
and commands; MLflow's server is in memory, the clock is fake, and a stump replaces the search.

A longer soak, which draws new sequences until the time is over (``-s`` shows the counts):
``STATE_MACHINE_SECONDS=300 pytest -n 0 -s tests/integration/test_state_machine.py``
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mlops_basics.commands import ct
from mlops_basics.commands.ct import ExitCode, Outcome, look_and_train
from mlops_basics.commands.promote import promote_recorded
from mlops_basics.commands.prune.command import prune
from mlops_basics.commands.rollback import rollback
from mlops_basics.errors import (
    ConfigurationError,
    LineageError,
    MlopsError,
    ReleaseError,
)
from mlops_basics.production.history import periods
from mlops_basics.schemas import MonitoringState, Override, Watch
from mlops_basics.schemas.policy import REMEMBERED
from mlops_basics.stats.concept_drift.sequential import SequentialState
from mlops_basics.storage import store_files
from mlops_basics.storage.store_files import StoreFiles
from tests.support.killed import Killed
from tests.support.labels import prediction_ids
from tests.support.memory_mlflow import Killer, MemoryServer
from tests.support.small_loop import (
    FEATURES,
    KEYS,
    REGIMES,
    TARGET,
    Clock,
    SmallPlace,
    make_rows,
    small_pipelines,
)

pytestmark = pytest.mark.slow

Kill = tuple[str, int] | None
#: How often each rule ran, and how it ended.
outcomes: Counter[str] = Counter()
#: Calls that change something, before and after each of which an operation may be killed.
MOVING = ["set_model_version_tag", "set_registered_model_alias", "create", "replace_if"]
PUBLISHING = [*MOVING, "log_artifacts", "create_model_version", "upload", "write"]
TRAINING = [*PUBLISHING, "log_model", "log_text", "create_run", "save", "remove"]
PRUNING = ["remove_folder", "remove"]
#: Outcomes of decisions for a release, whichever way production follows the data.
SHOWN = ("first_release", "promoted", "refreshed", "switched")


def kills(changes: list[str]) -> st.SearchStrategy[Kill]:
    """Where to kill: at which of these calls, and the index of the moment among them; often not."""
    kinds = st.sampled_from(changes) | st.sampled_from(changes[:7])
    few = st.tuples(kinds, st.integers(1, 2))
    return st.none() | few | few | st.tuples(kinds, st.integers(1, 50))


BAD = {
    "empty": lambda _table: "",
    "no rows": lambda table: table.head(0).to_csv(index=False),
    "lacks a column": lambda table: table.drop(columns="x").to_csv(index=False),
    "adds a column": lambda table: table.assign(w=1.0).to_csv(index=False),
    "text": lambda table: table.assign(x="many").to_csv(index=False),
    "infinite": lambda table: table.assign(z=np.inf).to_csv(index=False),
    "other classes": lambda table: table.assign(**{TARGET: "maybe"}).to_csv(index=False),
    "ragged": lambda table: table.to_csv(index=False) + "1\n",
}


@dataclass
class File:
    """What the test knows of a file: "good" has to be used, "bad" left out, "other" may be both."""

    kind: str
    text: str


class Loop(RuleBasedStateMachine):
    """The project as its users see it, and what they are promised."""

    adapt = "release"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="loop-")
        self.killer, self.clock = Killer(), Clock()
        self.server = MemoryServer(self.killer)
        root = Path(self.folder.name)
        self.place = SmallPlace(root, self.server, self.clock, self.killer, self.adapt)
        for name in ("source", "labels"):
            (self.place.root / name).mkdir()
        self.patch = pytest.MonkeyPatch()
        self._let_it_be_killed()
        self.files: dict[str, File] = {}
        self.bad_labels: set[str] = set()
        self.contents: list[str] = []  # of all batches that ever were good
        self.history: list[str] = []  # what was in production, as seen from outside
        self.unfinished = False  # something was killed, and nothing has mended it since
        self.revision, self.state_text = 0, ""
        self.seed, self.regime = 0, 0
        self.due = False  # a retraining that was killed

    def _let_it_be_killed(self) -> None:
        patch = self.patch.setattr
        patch(ct, "pipelines", small_pipelines())
        patch(store_files.os, "fsync", lambda _handle: None)  # no power is cut here
        for name in ("write", "upload", "create", "replace_if", "remove", "remove_folder"):
            patch(StoreFiles, name, self.killer.around(getattr(StoreFiles, name)))

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.patch.undo()
        self.folder.cleanup()

    # -- what happens to the files ---------------------------------------------------------------

    @initialize(regime=st.integers(0, len(REGIMES) - 1), releases=st.integers(0, 3))
    def begin(self, regime: int, releases: int) -> None:
        """There is something to learn from, and perhaps a history already."""
        self.regime = regime
        self._write("b000.csv", self._rows(120).to_csv(index=False), "good")
        for _ in range(releases):
            self.place.run("__default__")
            if len(self.server.versions) == len(self.history):  # its test said no
                newest = max(model.run_id for model in self.server.models.values())
                override = Override(by="me", at=self.clock.now(), reason="To begin with.")
                self._promote(newest, override)
            self._see_production()
            self.new_batch(change=True, moved=False, late=False, early_name=False)

    @rule(
        change=st.booleans(),
        moved=st.sampled_from([False, False, True]),
        late=st.booleans(),
        early_name=st.booleans(),
    )
    def new_batch(self, change: bool, moved: bool, late: bool, early_name: bool) -> None:
        """A good batch; perhaps the world has changed, or its labels come later."""
        if change:
            self.regime = (self.regime + 1) % len(REGIMES)
        table = self._rows(60, 3.0 if moved else 0.0)
        table = table.drop(columns=TARGET) if late else table
        self._write(self._name("a" if early_name else "b"), table.to_csv(index=False), "good")

    @precondition(lambda self: self.history)
    @rule(how=st.sampled_from(sorted(BAD)))
    def bad_batch(self, how: str) -> None:
        """A batch that cannot be used."""
        self._write(self._name("b"), BAD[how](self._rows(30)), "bad")

    @rule(data=st.data(), unlabelled=st.booleans(), early_name=st.booleans())
    def copy(self, data: st.DataObject, unlabelled: bool, early_name: bool) -> None:
        """The same rows again under another name."""
        name = data.draw(st.sampled_from(self._usable()))
        text = self.files[name].text
        if unlabelled:
            text = self._table(name)[FEATURES].to_csv(index=False)
        self.files[name].kind = "other"
        self._write(self._name("a" if early_name else "b"), text, "other")

    @precondition(lambda self: self.history)
    @rule(data=st.data(), how=st.sampled_from(["other rows", "old rows", "bad", "labels"]))
    def rewrite(self, data: st.DataObject, how: str) -> None:
        """A file holds something else now; perhaps what another one held before."""
        name = data.draw(st.sampled_from(self._usable()))
        assume(name != "b000.csv")  # there is always something to learn from
        if how == "bad":
            bad = data.draw(st.sampled_from(sorted(BAD)))
            self._write(name, BAD[bad](self._rows(30)), "bad")
        elif how == "labels":
            table = self._table(name)
            assume(TARGET in table)
            table.loc[:5, TARGET] = table.loc[:5, TARGET].map({"yes": "no", "no": "yes"})
            self._write(name, table.to_csv(index=False), "other")
        elif how == "old rows":
            self._write(name, data.draw(st.sampled_from(self.contents)), "other")
            for file in self.files.values():
                file.kind = "bad" if file.kind == "bad" else "other"
        else:
            self._write(name, self._rows(60).to_csv(index=False), "other")

    @rule(data=st.data(), away=st.booleans())
    def rename(self, data: st.DataObject, away: bool) -> None:
        """A file has another name, or is gone."""
        name = data.draw(st.sampled_from(self._usable()))
        assume(name != "b000.csv")
        file = self.files.pop(name)
        (self.place.root / "source" / name).unlink()
        if not away:
            self._write(self._name("b"), file.text, "other")
        for other in self.files.values():  # its copies may be used now
            other.kind = "bad" if other.kind == "bad" else "other"

    @rule(data=st.data(), cut=st.integers(1, 59), gone=st.booleans())
    def divide(self, data: st.DataObject, cut: int, gone: bool) -> None:
        """The rows of a file are in two others now, or one of them was lost."""
        name = data.draw(st.sampled_from(self._usable()))
        assume(name != "b000.csv")
        del self.files[name]
        table = self._table(name)
        (self.place.root / "source" / name).unlink()
        for part in (table.iloc[:cut], table.iloc[cut:])[: 1 if gone else 2]:
            if len(part):
                self._write(self._name("b"), part.to_csv(index=False), "other")
        for other in self.files.values():
            other.kind = "bad" if other.kind == "bad" else "other"

    @rule(
        data=st.data(),
        part=st.sampled_from(["first half", "second half", "all"]),
        wrong=st.booleans(),
        early_name=st.booleans(),
        twice=st.booleans(),
    )
    def late_labels(
        self, data: st.DataObject, part: str, wrong: bool, early_name: bool, twice: bool
    ) -> None:
        """Labels of a batch: in part, twice, out of order, corrected."""
        name = data.draw(st.sampled_from(self._usable()))
        batches = {batch.name: batch for batch in self.place.catalog().load("source")}
        ids, x = prediction_ids(batches[name], KEYS), batches[name].table["x"].to_numpy()
        cut, sign = REGIMES[self.regime]
        y = np.where((sign * (x - cut) > 0) != wrong, "yes", "no")
        table = pd.DataFrame({"prediction_id": ids, TARGET: y})
        half = len(table) // 2
        table = {"first half": table[:half], "second half": table[half:], "all": table}[part]
        for _ in range(1 + twice):
            label_file = self._name("k" if early_name else "l")
            table.to_csv(self.place.root / "labels" / label_file, index=False)

    @precondition(lambda self: self.history)
    @rule(
        text=st.sampled_from(
            ["", "prediction_id,z\na,b\n", "y\nyes\n", "prediction_id,y\na,maybe\n"]
        )
    )
    def bad_label_file(self, text: str) -> None:
        """Labels that cannot be used."""
        name = self._name("l")
        (self.place.root / "labels" / name).write_text(text)
        self.bad_labels.add(name)

    # -- what people and schedulers do -----------------------------------------------------------

    @rule(kill=kills(TRAINING), again=st.booleans())
    def train(self, kill: Kill, again: bool) -> None:
        """``kedro run``, without what the operator knows to be bad."""
        bad = [name for name, file in self.files.items() if file.kind == "bad"]
        skip = {"skip": (*bad, *self.bad_labels)}
        ended = self._operate(
            "train", kill, again, lambda: self.place.run("__default__", collection=skip)
        )
        assert not isinstance(ended, MlopsError), ended

    @rule(kill=kills(TRAINING), again=st.booleans())
    def ct(self, kill: Kill, again: bool) -> None:
        """``kedro ct``."""
        had_release, before = bool(self.history), self._watch()
        attempts = len(before.attempts) if before else 0
        self.due = False
        ended = self._operate("ct", kill, again, self._ct)
        if isinstance(ended, MlopsError):
            assert not had_release, ended
        elif ended is not None:
            trained = ended.code in (ExitCode.PROMOTED, ExitCode.KEPT)
            if ended.text.startswith("What was interrupted is finished"):
                return  # it did no more than that
            assert trained or not self.due  # a retraining that was killed is not forgotten
            watch = self._watch()
            if ended.code == ExitCode.KEPT and had_release and watch is not None:
                assert len(watch.attempts) == attempts + 1
            self._check_look(ended)

    def _ct(self) -> Outcome:
        return look_and_train(self.place)

    def _promote(self, run_id: str, override: Override) -> str:
        catalog = self.place.catalog()
        now = self.clock.now
        return promote_recorded(catalog, small_pipelines(), run_id, override, self.server, now)

    @precondition(lambda self: self.server.versions)
    @rule(data=st.data(), named=st.booleans(), kill=kills(MOVING), again=st.booleans())
    def go_back(self, data: st.DataObject, named: bool, kill: Kill, again: bool) -> None:
        """``kedro rollback``."""
        known = [*sorted(self.server.versions), "77"]
        to = data.draw(st.sampled_from(known)) if named else None

        def act() -> str:
            entry = self.place.catalog().get("release")
            return rollback(entry.store, entry.registry, to, "complaints", "me", self.clock.now())

        ended = self._operate("rollback", kill, again, act)
        if isinstance(ended, MlopsError):
            assert isinstance(ended, ReleaseError), ended
        elif ended is not None and to is not None:
            assert self._present() == to

    @precondition(lambda self: self.server.models)
    @rule(data=st.data(), kill=kills(PUBLISHING), again=st.booleans())
    def promote(self, data: st.DataObject, kill: Kill, again: bool) -> None:
        """``kedro promote``: of a recorded run with any decision."""
        runs = sorted({model.run_id for model in self.server.models.values()})
        run_id = data.draw(st.sampled_from(runs))
        override = Override(by="me", at=self.clock.now(), reason="I know better")

        def act() -> str:
            return self._promote(run_id, override)

        ended = self._operate("promote", kill, again, act)
        if isinstance(ended, MlopsError):
            assert isinstance(ended, (ConfigurationError, LineageError, ReleaseError)), ended
        elif ended is not None:
            assert self.server.versions[str(self._present())].run_id == run_id

    @precondition(lambda self: self.server.models)
    @rule(keep=st.integers(1, 3), kill=kills(PRUNING), again=st.booleans())
    def prune(self, keep: int, kill: Kill, again: bool) -> None:
        """``kedro prune``: what is referred to stays, also when it is killed."""
        before = self._referred_to()
        ended = self._operate(
            "prune", kill, again, lambda: prune(self.place.catalog(), small_pipelines(), keep)
        )
        assert not isinstance(ended, MlopsError), ended
        assert [path for path, content in before.items() if _content(path) != content] == []

    def _operate(self, name: str, kill: Kill, again: bool, act: Callable[[], Any]) -> Any:
        """Do something, perhaps killed on the way; perhaps again then.

        Returns:
            Its result, the error that it ended with, or None if it was killed and not repeated.
        """
        begun = len(self.history)
        ended = self._attempt(name, kill, act)
        self._see_production()
        if ended is None and again:
            self.due = name == "ct" and len(self.history) == begun > 0 and self._retraining_is_due()
            ended = self._attempt(f"{name} again", None, act)
            self._see_production()
        assert len(self.history) <= begun + 1
        return ended

    def _retraining_is_due(self) -> bool:
        """Whether the last look said so, was remembered, and nothing came of it yet."""
        catalog, state = self.place.catalog(), self._state()
        if state.revision == self.revision or not catalog.exists("verdict"):
            return False  # the killed call has not looked, or its look was not remembered
        verdict, watch = catalog.load("verdict"), self._watch()
        tried = [attempt.evidence for attempt in watch.attempts[-1:]] if watch else []
        return bool(verdict.retrain and verdict.evidence not in tried)

    def _attempt(self, name: str, kill: Kill, act: Callable[[], Any]) -> Any:
        try:
            with self.killer.armed(kill):
                ended = act() or "done"
        except Killed:
            self.unfinished |= name != "prune"  # which moves nothing
            outcomes[f"{name}: killed"] += 1
            return None
        except MlopsError as error:
            outcomes[f"{name}: {type(error).__name__}"] += 1
            return error
        if name.split()[0] in ("train", "ct", "rollback", "promote"):
            self.unfinished = False
        outcomes[f"{name}: {ended.code.name if hasattr(ended, 'code') else 'done'}"] += 1
        return ended

    def _see_production(self) -> None:
        present = self._present()
        if present is not None and self.history[-1:] != [present]:
            self.history.append(present)

    # -- what holds after each step --------------------------------------------------------------

    @invariant()
    def production_is_valid(self) -> None:
        """Once there was a release, there is one, and it loads and verifies."""
        outcomes["steps"] += 1
        present = self._present()
        assert (present is None) == (not self.history)
        if present is not None:
            loaded = self._store().load(reference=True)
            assert loaded.manifest.version == present
            assert loaded.reference is not None
            assert list(loaded.model.classes_) == ["no", "yes"]

    @invariant()
    def history_is_consistent(self) -> None:
        """Pointer, alias and ledger agree; after a kill the ledger still has the history."""
        store, pointer = self._store(), self._store().pointer()
        ledger = store.ledger()
        if pointer is not None:  # without one, the ledger is believed
            assert [period.entry.version for period in periods(ledger, pointer)] == self.history
        moves = [(e.action, e.version, e.replaced) for e in ledger]
        again = [
            one for one, two in itertools.pairwise(moves) if one == two and one[0] != "refused"
        ]
        assert again == []  # no entry is written twice
        for version in self.history:
            entries = [e for e in ledger if e.version == version and e.action != "refused"]
            assert any(e.reason and e.by and e.run_id for e in entries)
        if self.unfinished:
            return
        champion = self.server.aliases.get("champion")
        assert champion == (pointer.version if pointer else None)
        by_the_ledger = periods(ledger)
        assert [period.entry.version for period in by_the_ledger] == self.history
        if pointer is not None:
            assert by_the_ledger[-1].entry.at == pointer.at

    @invariant()
    def versions_are_explained(self) -> None:
        """No gaps or twins, each with its decision or the name of the operator."""
        versions = list(self.server.versions.values())
        assert [v.version for v in versions] == [str(n + 1) for n in range(len(versions))]
        assert len({v.run_id for v in versions}) == len(versions)
        tested = [v.tags["challenge_id"] for v in versions if "override" not in v.tags]
        assert len(set(tested)) == len(tested)
        for version in versions:
            assert json.loads(version.tags["reasons"])
            by_test = version.tags["outcome"] in SHOWN
            assert by_test or json.loads(version.tags["override"])["by"] == "me"
        assert set(self._store().versions()) <= set(self.server.versions)

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        """Of the batches of each release; and the state only grows."""
        state = self._state()
        text = state.model_dump_json()
        assert state.revision >= self.revision
        assert state.revision > self.revision or text == self.state_text or not self.state_text
        self.revision, self.state_text = state.revision, text
        for watch in state.watches.values():
            numbered = [batch for batch in watch.batches if batch.number]
            numbers = sorted(batch.number for batch in numbered)
            assert numbers == list(range(1, len(numbers) + 1))
            assert len({batch.content for batch in numbered}) == len(numbered)
            assert len({batch.name for batch in watch.batches}) == len(watch.batches)
            entered = [batch for batch in watch.batches if batch.entered]
            assert all(batch.number for batch in entered)
            losses = sum(batch.labels.labelled for batch in entered if batch.labels)
            tested = SequentialState.from_dict(watch.sequential).rows + watch.passed_rows
            assert tested == losses

    def _check_look(self, ended: Outcome) -> None:
        """After a look each file has a record, and a second look finds nothing new."""
        state = self._state()
        watch = state.watches.get(str(self._present()))
        if watch is None:
            assert ended.code in (ExitCode.PROMOTED, ExitCode.KEPT)
            return
        records = {record.name: record for record in watch.batches}
        for name, sha in self.place.catalog().get("source").fingerprints().items():
            if watch.trained.get(name) == sha:
                continue
            record, kind = records[name], self.files[name].kind
            assert record.sha256 == sha
            assert record.outcome == "used" or record.reason
            if kind == "good":
                assert record.outcome == "used"
                assert record.number
            if kind == "bad":
                assert record.outcome in ("quarantined", "rewritten")
                assert record.skip
        used = [r.name for r in records.values() if r.number and r.outcome == "used"]
        rows = [self._table(name)[FEATURES].to_csv() for name in used if name in self.files]
        assert len(set(rows)) == len(rows)  # what the monitor takes for the same batch
        if ended.code in (ExitCode.NOTHING_TO_DO, ExitCode.KEPT):
            assert self._ct().code == ExitCode.NOTHING_TO_DO
            assert self._state() == state

    # -- tools -----------------------------------------------------------------------------------

    def _store(self) -> Any:
        return self.place.bare_catalog().get("release").store

    def _present(self) -> str | None:
        pointer = self._store().pointer()
        return pointer.version if pointer else None

    def _state(self) -> MonitoringState:
        found: MonitoringState = self.place.bare_catalog().load("monitoring_state")
        return found

    def _watch(self) -> Watch | None:
        return self._state().watches.get(str(self._present()))

    def _rows(self, rows: int, shift: float = 0.0) -> pd.DataFrame:
        self.seed += 1
        return make_rows(self.regime, self.seed, rows, shift)

    def _name(self, prefix: str) -> str:
        self.seed += 1
        return f"{prefix}{self.seed:03d}.csv"

    def _usable(self) -> list[str]:
        return sorted(name for name, file in self.files.items() if file.kind != "bad")

    def _table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.place.root / "source" / name)

    def _write(self, name: str, text: str, kind: str) -> None:
        (self.place.root / "source" / name).write_text(text, encoding="utf-8")
        self.files[name] = File(kind, text)
        if kind == "good":
            self.contents.append(text)

    def _referred_to(self) -> dict[Path, bytes]:
        """Content of every file of a run that production, registry or monitor refers to."""
        runs: set[str] = set()
        for version in self.server.versions.values():
            record = json.loads(self.server.artifacts[version.run_id]["release/model_record.json"])
            runs |= {record["run_id"], *record["data_versions"].values()}
        for entry in self._store().ledger():
            runs |= {str(entry.run_id), *entry.data_versions.values()}
        for watch in self._state().watches.values():
            runs |= {attempt.run_id for attempt in watch.attempts}
            runs |= {batch.seen_by for batch in watch.batches}
        data = self.place.root / "data"
        newest = max((path.name for path in data.glob("*/manifests/manifest.json/*")), default="")
        files = [path for path in data.rglob("*") if path.is_file()]
        kept = [path for path in files if {newest, *runs} & set(path.parts)]
        state = [path for path in files if path.parent.name == "monitoring"]
        production = [
            path for path in (self.place.root / "production").rglob("*") if path.is_file()
        ]
        locks = (".lock", ".run-lock", ".ct-lock")
        return {
            path: path.read_bytes()
            for path in (*kept, *state, *production)
            if path.name not in locks and "running" not in path.parts
        }


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


class PolicyLoop(Loop):
    """The same, with production that follows the newest labelled batches by a policy."""

    adapt = "policy"

    @rule(change=st.booleans(), late=st.sampled_from([False, False, True]), kill=kills(TRAINING))
    def batch_and_look(self, change: bool, late: bool, kill: Kill) -> None:
        """A scheduler looks after each batch: most of the time nothing else happens."""
        self.new_batch(change=change, moved=False, late=late, early_name=False)
        self.ct(kill=kill, again=True)

    @invariant()
    def no_batch_is_tested_twice(self) -> None:
        """Of the state of the policies, which is that of a release that was or is in production."""
        policy = self._state().policy
        if policy is None:
            return
        assert policy.version in self.history
        tested = [batch.name for batch in policy.tested]
        assert policy.batches_tested <= len(tested) or len(tested) == REMEMBERED
        assert len(set(policy.entered)) == len(policy.entered)
        assert sum(batch.rows for batch in policy.tested) >= policy.tested_rows

    def _check_look(self, ended: Outcome) -> None:
        """What the state says of production is so once a call has ended well."""
        super()._check_look(ended)
        policy = self._state().policy
        if policy is not None:
            assert policy.version == self._present()
            assert policy.plan is None


@pytest.mark.parametrize(("loop", "examples"), [(Loop, 4), (PolicyLoop, 3)])
def test_the_promises_hold_in_any_sequence(loop: type[Loop], examples: int) -> None:
    """Sequences that are the same every time; or, on request, new ones until the time is over."""
    seconds = float(os.environ.get("STATE_MACHINE_SECONDS", "0"))
    outcomes.clear()
    # A sequence that fails is short enough to be read; making it shorter takes many minutes.
    how: dict[str, Any] = {"phases": [Phase.generate], "stateful_step_count": 30}
    if not seconds:
        run_state_machine_as_test(loop, settings=settings(max_examples=examples, **how))
        assert outcomes["steps"] >= 22 * examples
        assert outcomes["ct: PROMOTED"] + outcomes["ct again: PROMOTED"] >= 1
        return
    how |= {"derandomize": False, "database": None, "suppress_health_check": list(HealthCheck)}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run_state_machine_as_test(loop, settings=settings(max_examples=10, **how))
    for what, count in sorted(outcomes.items()):
        print(f"{what}: {count}")
