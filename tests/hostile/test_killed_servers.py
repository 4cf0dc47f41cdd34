"""kill -9 of S3, PostgreSQL or MLflow in the middle of a run: nothing is lost, production holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from mlops_basics.errors import ReleaseError, StorageError
from mlops_basics.schemas import Release
from tests.hostile.world import (
    ENV,
    QUICK,
    Trap,
    World,
    objects,
    readable,
    released,
    strong,
)
from tests.support.faulty_proxy import Fault
from tests.support.processes import Command
from tests.support.small_table import production_of, weak

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Moment:
    """A request that the server does not survive.

    Attributes:
        watched: Whose requests are watched.
        method, path: Which of them it is.
        passing: How many such requests come before it.
        lost: Whether that request is done, and only its answer lost.
        holding: What production holds afterwards.
    """

    watched: str
    method: str
    path: str
    passing: int = 0
    lost: bool = False
    holding: str = "1"


#: The moments at which each server is killed, in the order of a run. Each of these runs has to
#: cope with what the previous one has left behind.
MOMENTS = {
    "s3": {
        "collecting": Moment("s3", "PUT", "/bronze/raw_data.parquet"),
        "saving the model": Moment("s3", "PUT", "/models/model/"),
        "logging the model": Moment("mlflow", "PUT", "mlflow-artifacts"),
        "uploading the release": Moment("s3", "PUT", "/releases/2/"),
        "moving the pointer": Moment("s3", "PUT", "/current.json"),
        "having moved the pointer": Moment("s3", "PUT", "/current.json", lost=True, holding="2"),
    },
    "mlflow": {
        "beginning the run": Moment("mlflow", "POST", "/runs/create"),
        "registering": Moment("mlflow", "POST", "/model-versions/create"),
        "having registered": Moment("mlflow", "POST", "/registered-models/alias"),
        "having moved the alias": Moment(
            "mlflow", "POST", "/registered-models/alias", passing=1, lost=True
        ),
    },
    "postgres": {
        "beginning the run": Moment("mlflow", "POST", "/runs/create"),
        "registering": Moment("mlflow", "POST", "/model-versions/create"),
        "in the end": Moment("mlflow", "PUT", "/manifest.json", holding="2"),
    },
}


@pytest.mark.parametrize("server", MOMENTS)
def test_killed_in_the_middle_of_runs(world: World, server: str) -> None:
    """Each run reports the fault and ends; production loads at once; the last run finishes."""
    name = f"killed-{server}"
    world.project.run(env=ENV, model_name=name, **weak(), **QUICK)
    released(world.project, name, "1")
    before = kept(world, name)
    for moment, description in MOMENTS[server].items():
        killed_at(world, server, name, description, f"{server}, {moment}")
        assert before.items() <= kept(world, name).items(), moment
    again = Command(world.project, "run", "--env", ENV, "--params", strong(name)).end()
    assert again.code == 0, str(again)
    released(world.project, name, "1", "2")
    assert before.items() <= kept(world, name).items()


def killed_at(world: World, server: str, name: str, moment: Moment, description: str) -> None:
    """A run whose server is killed at a moment, and started again when the run has ended."""
    spring = partial(world.kill, server)
    trap = Trap(
        "lose", moment.method, moment.path, spring=spring, passing=moment.passing, lost=moment.lost
    )
    proxy = world.s3 if moment.watched == "s3" else world.mlflow
    proxy.faults.append(trap)
    try:
        ended = Command(world.project, "run", "--env", ENV, "--params", strong(name)).end()
    finally:
        proxy.faults.remove(trap)
        world.own.start()
    print(description, ended)
    assert trap.sprung, description
    store, _ = production_of(world.project, ENV, model_name=name)
    assert when_it_is_back(store.load).manifest.version == moment.holding, description
    readable(ended)


def when_it_is_back(load: Callable[[], Release]) -> Release:
    """Load as soon as the server, which answers before it has its volumes, can read again."""
    end = time.monotonic() + 60
    while True:
        try:
            return load()
        except (ReleaseError, StorageError) as error:
            if time.monotonic() > end or "internal error" not in str(error):
                raise
            time.sleep(0.2)


def kept(world: World, name: str) -> dict[str, str]:
    """What must never change: every version of the data, every release, the ledger."""
    prefixes = (f"data/{name}/", f"production/{name}/releases/", f"production/{name}/ledger/")
    found = [objects(world.own.s3, world.own.bucket, prefix) for prefix in prefixes]
    return found[0] | found[1] | found[2]


#: Whose answer is lost, but not what was asked: MLflow's client asks again.
ANSWERS = (
    "/experiments/create",
    "/runs/create",
    "/registered-models/create",
    "/model-versions/create",
    "/alias",
)


def test_lost_answers_of_mlflow_make_no_twins(world: World) -> None:
    """Each of these requests is done twice by MLflow's client; one version comes of it."""
    faults = [Fault("lose", "POST", path, times=1) for path in ANSWERS]
    world.mlflow.faults += faults
    try:
        command = Command(world.project, "run", "--env", ENV, "--params", strong("answers-lost"))
        ended = command.end()
    finally:
        for fault in faults:
            world.mlflow.faults.remove(fault)
    assert ended.code == 0, str(ended)
    assert [fault.hits for fault in faults] == [1] * len(faults)
    released(world.project, "answers-lost", "1")
