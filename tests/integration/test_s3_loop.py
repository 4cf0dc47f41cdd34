"""The whole loop on S3, with the MLflow server on PostgreSQL: conf/s3 is all that differs."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
import yaml

from mlops_basics.commands.services import Instance
from mlops_basics.commands.services.mlflow_server import MlflowServer
from mlops_basics.commands.services.postgres import PostgresServer
from mlops_basics.commands.services.s3 import S3Server
from mlops_basics.errors import StorageError
from mlops_basics.storage.store_files import StoreFiles
from tests.support.project import ROOT, Project
from tests.support.services import use_environment
from tests.support.small_table import STRONG, history_of, make_table, production_of, weak

pytestmark = pytest.mark.slow

QUICK = {"evaluation__resamples": 100, "evaluation__importance_repeats": 1}
IRIS = {"training__n_trials": 1, **QUICK}
TABLE = "table"  # an environment like conf/s3, of a table on which a better model is found


@dataclass(frozen=True)
class Shared:
    """A project on shared storage."""

    project: Project
    bucket: str
    s3: S3Server

    def keys(self, prefix: str, bucket: str | None = None) -> list[str]:
        """What the bucket holds below a prefix."""
        pages = self.s3.client().get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=bucket or self.bucket, Prefix=prefix)
        return [item["Key"] for page in found for item in page.get("Contents", [])]


@pytest.fixture(scope="module")
def shared(
    shared_project: Project, services: Instance, mlflow_server: MlflowServer, s3_server: S3Server
) -> Iterator[Shared]:
    """The project, a separate bucket with two sources, and the variables that name both."""
    bucket = f"loop-{secrets.token_hex(4)}"
    s3_server.create_bucket(bucket)
    client = s3_server.client()
    client.upload_file(str(ROOT / "data/source/iris.csv"), bucket, "source/iris.csv")
    client.put_object(
        Bucket=bucket, Key="table/a.csv", Body=make_table().to_csv(index=False).encode()
    )
    conf = shared_project.path / "conf"
    shutil.copytree(conf / "s3", conf / TABLE)
    text = (conf / TABLE / "globals.yml").read_text(encoding="utf-8")
    values = yaml.safe_load(text) | {
        "model_name": f"table-{bucket}",
        "source": "${_bucket}/table",
        "target": "kind",
    }
    (conf / TABLE / "globals.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
    shutil.rmtree(shared_project.path / "data" / "mlflow")  # nothing of it may be needed
    with pytest.MonkeyPatch.context() as patch:
        environment = {**services.environment(), "MLOPS_BUCKET": bucket}
        yield from use_environment(patch, environment, Shared(shared_project, bucket, s3_server))


@pytest.fixture(scope="module")
def iris(shared: Shared) -> Any:
    """The manifest of the first run of conf/s3 as it is."""
    return shared.project.run(env="s3", model_name=shared.bucket, **IRIS)


@pytest.fixture(scope="module")
def two_releases(shared: Shared) -> list[Any]:
    """The manifests of a weak champion, and of the better model that replaced it."""
    settings = [weak(), STRONG]
    return [shared.project.run(env=TABLE, **values, **QUICK) for values in settings]


def test_everything_lies_on_s3_and_nothing_on_this_machine(
    shared: Shared, iris: Any, services: Instance, postgres: PostgresServer
) -> None:
    """Everything lies on S3 and nothing on this machine."""
    assert {item.path.split("/")[0] for item in iris.datasets.values()} == {"s3:"}
    for item in iris.datasets.values():
        assert shared.keys(item.path.removeprefix(f"s3://{shared.bucket}/")), item.path
    assert not shared.project.produced()
    assert not (shared.project.path / "data" / "mlflow").exists()
    artifacts = shared.keys("mlflow/", services.bucket)
    assert any(iris.mlflow_run_id in key for key in artifacts)
    query = f"SELECT status FROM runs WHERE run_uuid = '{iris.mlflow_run_id}'"  # noqa: S608
    assert postgres.query(query, "mlflow") == [("FINISHED",)]


def test_the_first_model_is_published(shared: Shared, iris: Any) -> None:
    """The first model is published."""
    store, registry = production_of(shared.project, env="s3", model_name=shared.bucket)

    assert store.pointer().version == registry.champion() == "1"
    assert store.verify("1").mlflow_run_id == iris.mlflow_run_id
    assert shared.keys(f"production/{shared.bucket}/current.json")


def test_a_later_pipeline_alone_reads_the_run_before(shared: Shared, iris: Any) -> None:
    """A later pipeline alone reads the run before."""
    after = shared.project.run("model_evaluation", env="s3", model_name=shared.bucket, **IRIS)

    assert after.datasets["model"].version == iris.run_id


def test_batch_inference_scores_what_is_on_s3(shared: Shared, iris: Any) -> None:
    """Batch inference scores what is on S3."""
    project = shared.project
    project.run("batch_inference", env="s3", model_name=shared.bucket)

    predictions = project.load("predictions", env="s3", model_name=shared.bucket)
    source = pd.read_csv(ROOT / "data/source/iris.csv")
    assert len(predictions) == len(source)


def test_what_people_and_schedulers_do_works_on_s3(shared: Shared, two_releases: list[Any]) -> None:
    """Monitoring, reproducing and pruning work on S3."""
    project, model = shared.project, f"table-{shared.bucket}"

    def command(*words: str) -> str:
        done = project.command(*words, "--env", TABLE)
        assert done.exit_code == 0, done.output
        return str(done.output)

    assert "nothing new" in command("ct")
    state = shared.keys(f"data/{model}/monitoring/state.json")
    assert len(state) == 1
    assert "Nothing to do" in command("ct")

    again = command("reproduce", two_releases[0].mlflow_run_id)
    assert "identical" in again.lower()

    doomed = project.run("model_evaluation", env=TABLE, **QUICK)
    project.run("model_evaluation", env=TABLE, **QUICK)
    before = shared.keys("")
    command("prune", "--keep", "1")
    gone = set(before) - set(shared.keys(""))
    assert gone
    assert not [key for key in gone if not key.startswith(f"data/{model}/")]
    store, _ = production_of(project, env=TABLE)
    for version in ("1", "2"):
        store.verify(version)
    assert "Nothing to do" in command("ct")
    assert doomed.run_id in " ".join(gone)


def test_a_better_model_replaces_the_champion_and_rollback_brings_it_back(
    shared: Shared, two_releases: list[Any]
) -> None:
    """A better model replaces the champion and rollback brings it back."""
    store, registry = production_of(shared.project, env=TABLE)
    assert (store.pointer().version, registry.champion()) == ("2", "2")
    assert history_of(store) == [("release", "1", None), ("release", "2", "1")]

    result = shared.project.command("releases", "--env", TABLE)
    assert result.exit_code == 0, result.output
    back = shared.project.command("rollback", "--env", TABLE, "--reason", "a test")
    assert back.exit_code == 0, back.output

    store, registry = production_of(shared.project, env=TABLE)
    assert (store.pointer().version, registry.champion()) == ("1", "1")
    assert history_of(store)[-1] == ("rollback", "1", "2")


def test_a_scorer_without_mlflow_and_with_read_rights_alone_can_score(
    shared: Shared,
    iris: Any,
    services: Instance,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scorer without MLflow and with read rights alone can score, by conf/scorer as it is."""
    (project.path / "data/mlflow/mlflow.db").unlink()  # another machine, with a new clone
    scorer = {**services.scorer_environment(), "MLOPS_BUCKET": shared.bucket}
    for _ in use_environment(monkeypatch, scorer, None):
        words = [
            "--pipeline=batch_inference",
            "--env=scorer",
            f"--params=model_name={shared.bucket}",
        ]
        scored = subprocess.run(
            [sys.executable, "-m", "kedro", "run", *words],
            cwd=project.path,
            env={**os.environ, "PYTHONPATH": "src"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert scored.returncode == 0, scored.stdout + scored.stderr
        files = StoreFiles(f"s3://{shared.bucket}/production")
        with pytest.raises(StorageError, match="Cannot write"):
            files.write(f"{shared.bucket}/current.json", b"{}")
        with pytest.raises(StorageError, match="Cannot read"):
            StoreFiles(f"s3://{shared.bucket}/source").read("iris.csv")
        # A scorer has no registry, which is no fault.
        result = project.command("doctor", "--env", "scorer", "--model-name", shared.bucket)
    assert result.exit_code == 0, result.output
    assert re.search(r"^warning +production .*trainer or a scorer", result.output, re.MULTILINE)
    assert re.search(r"^ok +champion +not compared", result.output, re.MULTILINE)
    predictions = project.path / "data" / shared.bucket / "predictions"
    (table,) = (file for file in predictions.rglob("*.parquet") if file.is_file())
    assert len(pd.read_parquet(table)) == len(pd.read_csv(ROOT / "data/source/iris.csv"))


def test_without_the_right_key_the_error_says_so_and_names_no_secret(
    shared: Shared, services: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right key the error says so and names no secret."""
    wrong = {**services.environment(), "AWS_SECRET_ACCESS_KEY": "canary-secret"}
    for _ in use_environment(monkeypatch, {**wrong, "MLOPS_BUCKET": shared.bucket}, None):
        result = shared.project.command("releases", "--env", "s3")
    assert result.exit_code == 1
    assert "canary-secret" not in result.output
    assert shared.bucket in result.output
