"""``kedro ct`` follows falling prices: policies, their releases, an operator's word, kills."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_basics.commands.rollback import rollback
from tests.support.prices import (
    ENV,
    PARAMETERS,
    arrive,
    begin,
    ct,
    month,
    state_file,
    state_of,
)
from tests.support.project import Project, moved
from tests.support.small_table import history_of, production_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def begun(shared_project) -> Project:
    """A policy follows the prices of six months."""
    return begin(shared_project)


@pytest.fixture
def project(begun, tmp_path) -> Project:
    """A copy of it."""
    return moved(begun, tmp_path / "project")


def test_production_follows_falling_prices(project: Project) -> None:
    """Each month is tested on, then learned from; a short window takes over and stays ahead."""
    errors = []
    for number in range(6, 10):
        arrive(project, number)
        would, told = ct(project, "--dry-run")
        code, text = ct(project)
        assert (would == 5) == (code == 3), (told, text)
        errors.append(state_of(project).policy.tested[-1].losses)
    policy = state_of(project).policy
    assert policy.policy.startswith("last ")
    assert errors[-1]["production"] < 0.5 * errors[-1].get("all", np.inf)
    assert ct(project)[1].startswith("Nothing to do")
    store, registry = production_of(project, ENV)
    actions = {action for action, _, _ in history_of(store)[1:]}
    assert actions <= {"refresh", "switch"}
    newest = store.ledger()[-1]
    assert newest.policy == policy.policy
    assert "Fitted again with m09.csv" in newest.reason
    assert registry.champion() == store.pointer().version == policy.version
    assert policy.learned[-1] == "m09.csv"
    shown = project.command("releases", "--env", ENV).stdout
    assert "refresh" in shown


def test_a_rollback_holds_until_the_evidence_speaks_against_it(project: Project) -> None:
    """What an operator took back is not brought back by a refresh; the pin is told when it ends."""
    for number in (6, 7):
        arrive(project, number)
        ct(project)
    store, registry = production_of(project, ENV)
    rollback(store, registry, None, "it is unfair", "ann", "2026-11-27T12:00:00.000+00:00")
    back = store.pointer().version
    arrive(project, 8, month(7, 6))  # six rows of a month in which prices did not fall
    code, _ = ct(project)
    policy = state_of(project).policy
    assert (code, store.pointer().version, policy.policy) == (0, back, "keep")
    assert policy.pin == "ann went back to it on 2026-11-27: it is unfair"
    for number in range(9, 14):
        arrive(project, number)
        code, text = ct(project)
        if code == 3:
            break
    assert f"release {back}, which was pinned (ann went back to it on 2026-11-27" in text
    assert store.ledger()[-1].action == "switch"


def test_a_killed_refresh_is_finished_and_counted_once(project: Project) -> None:
    """Killed before its release, or before it is remembered: the next call ends with one."""
    arrive(project, 6)
    assert project.command("run", "--env", ENV, "--pipeline", "monitoring").exit_code == 0
    looked = state_file(project).read_bytes()  # as of a call that was killed after its look
    plan = state_of(project).policy.plan
    assert plan is not None
    assert ct(project, "--dry-run")[0] == 5
    assert ct(project)[0] == 3
    store, registry = production_of(project, ENV)
    ledger = store.ledger()
    assert store.verify(store.pointer().version).decision.challenge.challenge_id == plan.plan_id
    state_file(project).write_bytes(looked)  # killed after publishing
    arrive(project, 7)
    code, text = ct(project)
    assert code in (0, 3), text
    assert [entry.version for entry in store.ledger()][: len(ledger)] == [e.version for e in ledger]
    assert len(store.ledger()) - len(ledger) == (code == 3)
    assert registry.champion() == store.pointer().version
    policy = state_of(project).policy
    assert policy.plan is None
    assert [batch.name for batch in policy.tested] == ["m06.csv", "m07.csv"]


def test_labels_that_come_late_are_tested_before_they_are_learned(project: Project) -> None:
    """A month without labels waits; with them it is tested once, and then learned from."""
    arrive(project, 6, month(6).drop(columns="price"))
    code, _ = ct(project)
    assert code == 0
    arrive(project, 7)
    ct(project)
    assert [batch.name for batch in state_of(project).policy.tested] == ["m07.csv"]
    labels = project.path / "data" / "source" / f"{ENV}-labels" / "l06.csv"
    month(6)[["size", "grade", "price"]].to_csv(labels, index=False)
    ct(project)
    assert [batch.name for batch in state_of(project).policy.tested] == ["m07.csv", "m06.csv"]
    assert ct(project)[1].startswith("Nothing to do")


def test_a_batch_of_cents_does_no_lasting_harm(project: Project) -> None:
    """Quarantined, named at every call until it is mended, then used."""
    arrive(project, 6, month(6).assign(price=lambda table: table["price"] * 100))
    code, text = ct(project)
    assert code == 0
    assert "m06.csv" in text
    code, text = ct(project)
    assert (code, "m06.csv" in text) == (0, True)
    arrive(project, 6)
    ct(project)
    assert [batch.name for batch in state_of(project).policy.tested] == ["m06.csv"]


def test_a_changed_parameter_is_noticed_by_both(project: Project) -> None:
    """With other parameters the look is made again, as --dry-run does."""
    arrive(project, 6)
    ct(project)
    ct(project)
    assert ct(project)[1].startswith("Nothing to do")
    file = project.path / "conf" / ENV / "parameters.yml"
    file.write_text(PARAMETERS.replace("classifier_rows: 0", "classifier_rows: 200"), "utf-8")
    dry, told = ct(project, "--dry-run")
    code, text = ct(project)
    assert "Nothing to do" not in text
    assert "Nothing to do" not in told
    assert (dry == 5) == (code in (3, 4))


def test_watch_only_never_trains(project: Project) -> None:
    """``adapt: off`` looks and tells; nothing new comes into production."""
    file = project.path / "conf" / ENV / "parameters.yml"
    file.write_text(
        PARAMETERS.replace("retrain_on: []", "adapt: off, tolerance: 0"), encoding="utf-8"
    )
    store, _ = production_of(project, ENV)
    before = store.pointer()
    for number in range(6, 9):
        arrive(project, number)
        code, _ = ct(project)
        assert code == 0
    assert store.pointer() == before
