"""Tests of what the commands do with production."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from kedro.io import DatasetError

from mlops_basics.commands import rollback as rolling
from mlops_basics.commands import serve as serving
from mlops_basics.commands.releases import releases_table, remembered
from mlops_basics.commands.rollback import rollback
from mlops_basics.commands.serve import serve
from mlops_basics.errors import ConfigurationError, ConflictError, ReleaseError, StorageError
from mlops_basics.production.history import periods
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import Attempt, MonitoringState, Pointer, Watch
from tests.support.killed import Killed
from tests.support.project import ROOT
from tests.support.releases import (
    NAME,
    TRUSTED,
    MemoryRegistry,
    make_entry,
    make_manifest,
    publish,
)
from tests.support.terminal import shown

# Real models, files and an MLflow store.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_checks")]

NOW = "2026-01-09"


def released(small, *versions):
    """A store and a registry after these versions were published one after the other."""
    store = ReleaseStore(f"memory://{uuid.uuid4().hex}", NAME, TRUSTED)
    registry = MemoryRegistry()
    for version in versions:
        registry.known.append(version)
        registry.move_champion(version, registry.champion())
        publish(store, small, version)
    return store, registry


def state(store, registry):
    """Pointer and alias, which must agree."""
    return store.pointer().version, registry.champion()


def at(version):
    """A pointer at a version."""
    return Pointer(version=version, manifest_sha256="0", at="x")


def spans(ledger, pointer=None):
    """The production periods as tuples."""
    return [(p.entry.version, p.entry.at, p.until) for p in periods(ledger, pointer)]


def test_the_production_periods_follow_from_the_ledger():
    """The periods have begin and end, also after a rollback and a second release of a version."""
    ledger = [
        make_entry("1"),
        make_entry("2", "1"),
        make_entry("1", "2", action="rollback", at="2026-01-03"),
        make_entry("4", "1"),
    ]
    assert spans(ledger) == [
        ("1", "2026-01-01", "2026-01-02"),
        ("2", "2026-01-02", "2026-01-03"),
        ("1", "2026-01-03", "2026-01-04"),
        ("4", "2026-01-04", None),
    ]


def test_moves_that_did_not_take_place_are_no_periods():
    """Refused, overtaken and interrupted moves are recognised from the later entries."""
    one, two, three = make_entry("1"), make_entry("2", "1"), make_entry("3", "1")
    refused = make_entry("3", "1", action="refused", at="2026-01-04")
    expected = [("1", "2026-01-01", "2026-01-02"), ("2", "2026-01-02", None)]
    assert spans([one, two, three, refused]) == expected
    assert spans([one, three, two]) == expected
    assert spans([one, two, make_entry("3", "2")], at("2")) == expected
    late = make_entry("1", "3", action="refused", at="2026-01-05")
    assert spans([one, three, make_entry("1", "3", at="2026-01-04"), late]) == [
        ("1", "2026-01-01", "2026-01-03"),
        ("3", "2026-01-03", None),
    ]


def test_a_refusal_does_not_deny_a_release_that_took_place():
    """The same move, made once and refused once, was made once."""
    ledger = [
        make_entry("1"),
        make_entry("2", "1"),
        make_entry("1", "2", action="rollback", at="2026-01-03"),
        make_entry("2", "1", action="refused", at="2026-01-04"),
    ]
    assert [version for version, *_ in spans(ledger)] == ["1", "2", "1"]


def test_a_gap_in_the_ledger_hides_nothing():
    """An entry that was lost shortens the history by itself alone."""
    assert [
        v for v, *_ in spans([make_entry("1"), make_entry("3", "2"), make_entry("4", "3")])
    ] == [
        "1",
        "3",
        "4",
    ]
    assert spans([]) == spans([], at("1")) == []


def test_rollback_moves_alias_pointer_and_leaves_a_trace(small):
    """Without a name it goes to the previous release, and says how to undo it."""
    store, registry = released(small, "1", "2")
    text = rollback(store, registry, None, "complaints", "me", NOW)
    assert text == (
        "Release 1 of 'flowers' is in production, in place of 2. Undo with: kedro rollback --to 2"
    )
    assert state(store, registry) == ("1", "1")
    entry = store.ledger()[-1]
    assert (entry.action, entry.version, entry.replaced) == ("rollback", "1", "2")
    assert (entry.by, entry.reason, entry.at) == ("me", "complaints", NOW)
    assert (entry.run_id, entry.metric, entry.value) == ("run-1", "log_loss", 0.25)
    assert store.pointer().at == NOW


def test_rollback_again_changes_nothing(small):
    """A second call does not bring back the rolled back release; naming it does."""
    store, registry = released(small, "1", "2")
    rollback(store, registry, None, "complaints", "me", NOW)
    for to in (None, "1"):
        assert "Nothing to do: release 1" in rollback(store, registry, to, "", "me", NOW)
    assert len(store.ledger()) == 3
    rollback(store, registry, "2", "mended", "me", NOW)
    assert state(store, registry) == ("2", "2")


def test_rollback_by_name_reaches_every_release(small):
    """Any release can be named, also one that is not the alias ``previous``."""
    store, registry = released(small, "1", "2", "3")
    rollback(store, registry, "1", "complaints", "me", NOW)
    assert state(store, registry) == ("1", "1")
    assert spans(store.ledger())[-1][0] == "1"


def test_a_release_that_never_was_in_production_is_reported(small):
    """A release whose publishing was overtaken can be named; the message says what it is."""
    store, registry = released(small, "1", "2")
    registry.known.append("3")
    store.upload(small, make_manifest("3"))
    store.record(make_entry("3", "2").model_copy(update={"action": "refused"}))
    text = rollback(store, registry, "3", "it is good all the same", "me", NOW)
    assert "Release 3 of 'flowers' is in production, in place of 2. It has not been" in text
    assert state(store, registry) == ("3", "3")
    back = rollback(store, registry, "2", "it was not", "me", NOW)
    assert "has not been in production before" not in back


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("7", r"no release '7' of 'flowers' in the production store\. There are: 1, 2"),
        ("../1", r"no release '\.\./1'"),
        ("3", "no release '3' of 'flowers' in MLflow's registry"),
    ],
)
def test_rollback_to_an_unknown_release_is_refused(small, to, message):
    """The message lists what there is; nothing changes."""
    store, registry = released(small, "1", "2")
    store.upload(small, make_manifest("3"))
    with pytest.raises(ReleaseError, match=message):
        rollback(store, registry, to, "", "me", NOW)
    assert (state(store, registry), len(store.ledger())) == (("2", "2"), 2)


def test_without_an_earlier_release_there_is_no_way_back(small):
    """Neither the first release nor an empty store can be rolled back."""
    store, registry = released(small, "1")
    with pytest.raises(ReleaseError, match=r"no earlier release .*: 1 is the first one"):
        rollback(store, registry, None, "", "me", NOW)
    store, registry = released(small)
    with pytest.raises(ReleaseError, match=r"no earlier release .*: nothing was published yet"):
        rollback(store, registry, None, "", "me", NOW)


def test_rollback_to_a_damaged_release_is_refused_and_written_down(small):
    """If MLflow lacks it, production and alias stay; the ledger names the damaged file."""
    store, registry = released(small, "1", "2")
    store._files.write("releases/1/table_info.json", b"{}")
    with pytest.raises(ReleaseError, match=r"release 1 .*refused: 'table_info\.json'"):
        rollback(store, registry, None, "complaints", "me", NOW)
    assert state(store, registry) == ("2", "2")
    entry = store.ledger()[-1]
    assert (entry.action, entry.version, "table_info.json" in entry.reason) == (
        "refused",
        "1",
        True,
    )
    assert spans(store.ledger())[-1][0] == "2"


def test_the_release_in_production_is_written_anew_by_its_own_number(small, monkeypatch):
    """Only by that word is a changed file replaced; a second call finds nothing to do."""
    store, registry = released(small, "1", "2")
    before = (store.pointer(), store.ledger())
    manifest = store.verify("2")
    store._files.write("releases/2/table_info.json", b"{}")

    def prepare(store, _registry, version, *, mend):
        assert version == "2"
        return store.upload(small, manifest.model_copy(update={"files": {}}), mend=mend), None

    monkeypatch.setattr(rolling, "prepare", prepare)
    text = rollback(store, registry, "2", "damaged", "me", NOW)
    assert "Release 2 of 'flowers' stays in production. It was written anew from MLflow" in text
    assert "'table_info.json' has 2 bytes" in text
    assert store.load().table.target == "answer"
    assert (store.pointer(), store.ledger()) == before
    assert "Nothing to do" in rollback(store, registry, "2", "damaged", "me", NOW)


def test_rollback_away_from_a_damaged_release_works(small):
    """A damaged release in production can be left by a rollback."""
    store, registry = released(small, "1", "2")
    store._files.write("releases/2/table_info.json", b"{}")
    rollback(store, registry, None, "damaged", "me", NOW)
    assert state(store, registry) == ("1", "1")


def test_rollback_drops_a_champion_that_never_was_in_production(small):
    """An interrupted publishing is taken back, and the ledger says so."""
    store, registry = released(small, "1", "2")
    registry.known.append("3")
    store.begin_move()
    registry.move_champion("3", "2")
    store.upload(small, make_manifest("3"))
    store.record(make_entry("3", "2"))
    text = rollback(store, registry, None, "not this one", "me", NOW)
    assert "Release 2 of 'flowers' stays in production" in text
    assert state(store, registry) == ("2", "2")
    assert spans(store.ledger())[-1][0] == "2"
    rollback(store, registry, None, "nor this one", "me", NOW)
    assert state(store, registry) == ("1", "1")


def test_the_slower_of_two_commands_gets_an_error(small, monkeypatch):
    """Alias and pointer stay as the faster command left them."""
    store, registry = released(small, "1", "2", "3")
    real = store.verify

    def overtaken(version, *arguments):
        registry.move_champion("1", "3")
        return real(version, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(store, "verify", overtaken)
        with pytest.raises(ConflictError, match="champion is version 1"):
            rollback(store, registry, "2", "", "me", NOW)
    registry.move_champion("3", "1")

    def faster(entry):
        monkeypatch.undo()
        store.point("1", store.pointer(), "now")
        return store.record(entry)

    monkeypatch.setattr(store, "record", faster)
    with pytest.raises(ConflictError, match="production of 'flowers' is release 1"):
        rollback(store, registry, "2", "", "me", NOW)
    assert store.pointer().version == "1"
    assert store.ledger()[-1].action == "refused"


def test_a_store_that_cannot_be_written_leaves_the_alias(small, monkeypatch):
    """Alias and pointer stay together also when the rollback fails."""
    store, registry = released(small, "1", "2")

    def full(*_arguments):
        raise StorageError("The disk is full.")

    monkeypatch.setattr(store, "record", full)
    with pytest.raises(StorageError, match="disk is full"):
        rollback(store, registry, None, "", "me", NOW)
    assert state(store, registry) == ("2", "2")


def test_a_rollback_killed_at_any_step_is_finished_by_the_same_call(small, monkeypatch):
    """A rollback killed before any change, or after the last, is finished by the same call."""
    calls = [
        (MemoryRegistry, "set_alias"),
        (ReleaseStore, "record"),
        (ReleaseStore, "point"),
        (ReleaseStore, "end_move"),  # killed before it is killed after the pointer has moved
    ]
    left, step, went_on = [0], 0, True

    def counted(real):
        def call(*arguments):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real(*arguments)

        return call

    for owner, name in calls:
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    while went_on:
        step += 1
        store, registry = released(small, "1", "2", "3")
        left[0] = step
        try:
            rollback(store, registry, None, "complaints", "me", NOW)
            went_on = False
        except Killed:
            pass
        left[0] = 0
        assert store.verify(store.pointer().version).version in ("2", "3")
        pointer, alias = state(store, registry)
        assert pointer == alias or store.is_moving()  # so that `kedro ct` knows
        unfinished, moved = store.is_moving(), (pointer, alias) == ("2", "2")
        said = rollback(store, registry, None, "complaints", "me", "2026-01-10")
        assert state(store, registry) == ("2", "2")
        if unfinished and moved:
            assert said.startswith("What was interrupted is finished: release 2 of 'flowers' is")
        assert ("Nothing to do" in said) == (moved and not unfinished)
        ledger = store.ledger()
        assert [e.version for e in ledger if e.action == "rollback"] == ["2"]
        assert [v for v, *_ in spans(ledger)] == ["1", "2", "3", "2"]
        assert not store.is_moving()
    assert step == 6


def test_the_table_of_releases(small):
    """Each entry has a line: version, time, gain with interval, reason, data; notes stand below."""
    store, registry = released(small, "1", "2")
    rollback(store, registry, None, "complaints", "me", NOW)
    store.record(make_entry("2", "1", action="refused", at="2026-01-10", reason="damaged"))
    text = shown(releases_table(store))
    rows = re.split(r"\n +(?=[12] )", text)[1:]
    assert [row.split()[0] for row in rows] == ["1", "2", "1", "2"]
    for part in ("2026-01-01", "to 2026-01-02"):
        assert part in rows[0]
    for part in (
        "2026-01-09",
        "to now",
        "Log loss: gain 0.250 [0.125, 0.500]",
        "rollback by me: complaints",
        "run-1",
        "2026-01-01 00.00",  # below the run's id
    ):
        assert part in rows[2]
    assert "(refused)" in rows[3]
    assert "interrupted" not in text


def test_the_table_tells_what_was_kept_and_the_drift_behind_it(small):
    """Searches and refused retrainings stand between the releases; a promoted one is explained."""
    store, _ = released(small, "1", "2")
    store.record(make_entry("3", "2", run_id="the run", at="2026-01-15"))
    attempts = (
        Attempt(
            run_id="2026-01-01T05.00.00.000Z", version="1", batches=3, labelled_batches=3,
            evidence=("concept_drift", "data_drift: size"), promoted=False, outcome="guard_veto",
        ),
        Attempt(
            run_id="the run", version="1", batches=4, labelled_batches=4,
            evidence=("data_drift: age",), promoted=True, outcome="promoted",
        ),
        Attempt(
            run_id="2026-02-01T05.00.00.000Z", version="2", batches=9, labelled_batches=9,
            evidence=("worse_than_constant",), promoted=False, outcome="searched",
        ),
    )  # fmt: skip
    watch = Watch(version="2", loss="error", sequential={}, attempts=attempts)
    text = shown(releases_table(store, MonitoringState(watches={"2": watch})))
    words = " ".join(text.split())
    assert "retraining after concept drift, drift of size: version 1 was kept (guard veto)" in words
    assert "search after doing worse than a constant: version 2 was kept" in words
    at = [text.index(part) for part in ("2026-01-01 05:00", "2026-02-01 05:00")]
    assert text.count("(kept)") == 2
    assert at[0] < text.index("after drift of age") < at[1]
    assert "(kept)" not in shown(releases_table(store))


def test_a_state_that_cannot_be_read_hides_no_release():
    """What was kept is then not told; releases are."""

    class Unreadable:
        def load(self):
            """As of a damaged file."""
            raise DatasetError("not readable")

    class Readable:
        def load(self):
            """As of a good one."""
            return MonitoringState()

    assert remembered(Unreadable()) is None
    assert remembered(Readable()) == MonitoringState()


def test_the_table_reports_what_does_not_agree(small):
    """It reports a move that has not ended, an unrecorded pointer, and an empty store."""
    store, _ = released(small, "1")
    store.begin_move()
    store.record(make_entry("2", "1"))
    text = " ".join(shown(releases_table(store)).split())
    assert "is under way, or was interrupted: kedro doctor tells which" in text
    assert "(not finished)" in text
    store, _ = released(small)
    assert "Nothing is in production." in shown(releases_table(store))
    store.upload(small, make_manifest("1"))
    store.point("1", None, NOW)
    assert "no entry for release 1" in " ".join(shown(releases_table(store)).split())


def test_a_ledger_that_lacks_what_is_in_production_is_told(small):
    """Entries removed at its end leave no gap: the newest one is missed by the pointer."""
    store, _ = released(small, "1", "2")
    assert store.ledger_faults() == []
    store._files.remove("ledger/000002.json")
    (fault,) = store.ledger_faults()
    assert "no entry for release 2" in fault
    assert "no entry for release 2" in " ".join(shown(releases_table(store)).split())


def test_hostile_words_in_the_ledger_are_shown_harmlessly(small):
    """No markup, no control characters, no endless line."""
    store, _ = released(small, "1")
    hostile = "[bold red]\x1b[2J" + "x" * 10_000
    store.record(make_entry("1", "1", by=hostile, reason=hostile, metric=hostile, value=1.0))
    text = shown(releases_table(store))
    assert "\x1b" not in text
    assert "[bold red]" in text
    assert len(text) < 5_000


def test_serve_starts_a_server_on_a_verified_copy(small):
    """The copy is there while the server runs, and gone afterwards."""
    store, _ = released(small, "1")
    seen = []

    def run(command, environment):
        copy = Path(environment["MLOPS_SERVED_MODEL"])
        seen.append((copy, (copy / "MLmodel").read_bytes()))
        assert command[:3] == [sys.executable, "-m", "uvicorn"]
        assert command[5:9] == ["--host", "127.0.0.1", "--port", "5001"]
        assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT / "src")
        return 7

    assert serve(store, "127.0.0.1", 5001, run) == 7
    [(copy, content)] = seen
    assert content == (small / "model" / "MLmodel").read_bytes()
    assert not copy.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "model.example.org"])  # noqa: S104
@pytest.mark.parametrize("token", [None, "", "short", "ü" * 20])
def test_other_machines_need_a_token(host, token, small, monkeypatch):
    """Whoever reaches the port may ask: the message says what must stand before it."""
    store, _ = released(small, "1")
    monkeypatch.delenv("MLOPS_SERVE_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("MLOPS_SERVE_TOKEN", token)
    with pytest.raises(ConfigurationError, match=r"MLOPS_SERVE_TOKEN .* at least 16 .* TLS"):
        serve(store, host, 5001, lambda *_: pytest.fail("a server was started"))
    monkeypatch.setenv("MLOPS_SERVE_TOKEN", "a secret of our own")
    assert serve(store, host, 5001, lambda *_: 0) == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_this_machine_needs_no_token(host, small, monkeypatch):
    """Addresses that no other machine reaches."""
    monkeypatch.delenv("MLOPS_SERVE_TOKEN", raising=False)
    assert serve(released(small, "1")[0], host, 5001, lambda *_: 0) == 0


def test_serve_refuses_a_tampered_release(small):
    """No server is started."""
    store, _ = released(small, "1")
    store._files.write("releases/1/model/evil.py", b"1")
    with pytest.raises(ReleaseError, match=r"'model/evil\.py' is not in the manifest"):
        serve(store, "127.0.0.1", 5001, lambda *_: pytest.fail("a server was started"))
    with pytest.raises(ReleaseError, match="is in production yet"):
        serve(released(small)[0], "127.0.0.1", 5001)


CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").close()
{last}
"""


@pytest.mark.parametrize(("last", "code"), [("time.sleep(60)", 143), ("sys.exit(3)", 3)])
def test_a_server_is_stopped_with_all_it_started(last, code, small, tmp_path, monkeypatch):
    """After a signal or its own end no process is left, and signal handlers are as before."""
    started, groups = tmp_path / "started", []
    real = serving._end
    monkeypatch.setattr(serving, "_end", lambda server: (groups.append(server), real(server)))

    def stop():
        while not started.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    if code == 143:
        threading.Thread(target=stop, daemon=True).start()
    command = [sys.executable, "-c", CHILD.format(last=last), str(started)]
    assert serving._run_until_stopped(command, os.environ) == code
    assert signal.getsignal(signal.SIGTERM) is before
    assert shutil.which(command[0])
    with pytest.raises(ProcessLookupError, match="No such process"):
        os.killpg(groups[0].pid, 0)
