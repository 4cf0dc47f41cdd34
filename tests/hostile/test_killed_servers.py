"""kill -9 of S3, PostgreSQL or MLflow in the middle of a run: nothing is lost, production holds."""

from __future__ import annotations

import pytest

from tests.faulty_proxy import Fault
from tests.hostile.world import (
    ENV,
    QUICK,
    Command,
    Trap,
    World,
    objects,
    readable,
    released,
    strong,
)
from tests.integration.helpers import production_of, weak

pytestmark = pytest.mark.slow

#: Server, whose requests are watched, method and path of the request that it does not survive,
#: whether only that request's answer is lost, and what production holds afterwards.
MOMENTS = {
    "s3 collecting": ("s3", "s3", "PUT", "/bronze/raw_data.parquet", False, "1"),
    "s3 saving the model": ("s3", "s3", "PUT", "/models/model/", False, "1"),
    "s3 logging the model": ("s3", "mlflow", "PUT", "mlflow-artifacts", False, "1"),
    "s3 uploading the release": ("s3", "s3", "PUT", "/releases/2/", False, "1"),
    "s3 moving the pointer": ("s3", "s3", "PUT", "/current.json", False, "1"),
    "s3 having moved the pointer": ("s3", "s3", "PUT", "/current.json", True, "2"),
    "mlflow beginning the run": ("mlflow", "mlflow", "POST", "/runs/create", False, "1"),
    "mlflow registering": ("mlflow", "mlflow", "POST", "/model-versions/create", False, "1"),
    "mlflow having registered": ("mlflow", "mlflow", "POST", "/model-versions/create", True, "1"),
    "mlflow moving the alias": ("mlflow", "mlflow", "POST", "/registered-models/alias", True, "1"),
    "postgres beginning the run": ("postgres", "mlflow", "POST", "/runs/create", False, "1"),
    "postgres registering": ("postgres", "mlflow", "POST", "/model-versions/create", False, "1"),
    "postgres in the end": ("postgres", "mlflow", "POST", "/runs/log-batch", False, "2"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_the_middle_of_a_run(world: World, moment: str) -> None:
    """The run says so and ends; production loads at once; the same run again does the rest."""
    server, watched, method, path, lost, holding = MOMENTS[moment]
    name = "-".join(moment.split())
    world.project.run(env=ENV, model_name=name, **weak(), **QUICK)
    released(world.project, name, "1")
    before = kept(world, name)

    trap = Trap("lose", method, path, spring=lambda: world.kill(server), lost=lost)
    proxy = world.s3 if watched == "s3" else world.mlflow
    proxy.faults.append(trap)
    try:
        ended = Command(world.project, "run", "--env", ENV, "--params", strong(name)).end()
    finally:
        proxy.faults.remove(trap)
        world.own.start()
    assert trap.sprung, str(ended)
    print(moment, ended)

    store, _ = production_of(world.project, ENV, model_name=name)
    assert store.load().manifest.version == holding
    readable(ended)
    again = Command(world.project, "run", "--env", ENV, "--params", strong(name)).end()
    assert again.code == 0, str(again)
    released(world.project, name, "1", "2")
    assert before.items() <= kept(world, name).items()


def kept(world: World, name: str) -> dict[str, str]:
    """What must never change: every version of the data, every release, the ledger."""
    prefixes = (f"data/{name}/", f"production/{name}/releases/", f"production/{name}/ledger/")
    found = [objects(world.own.s3, world.own.bucket, prefix) for prefix in prefixes]
    return found[0] | found[1] | found[2]


#: Whose answer is lost, but not what was asked: MLflow's client asks again.
ANSWERS = ("/runs/create", "/registered-models/create", "/model-versions/create", "/alias")


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
