"""Shared storage against local: a whole run on S3 and the MLflow server, and a large release."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tests.conftest import Project

from benchmarks.loop import FLOOR, KEDRO, show
from benchmarks.measure import compare, cost_of
from mlops_basics.commands.services import Instance
from mlops_basics.commands.services.s3 import free_ports

RELEASE_SIZE = 200 * 2**20  # bytes


@contextmanager
def servers() -> Iterator[Instance]:
    """S3, PostgreSQL and MLflow in a folder of their own, with the variables that name them."""
    with tempfile.TemporaryDirectory(prefix="mlops-") as scratch:
        instance = Instance(Path(scratch), *free_ports(2))
        before = dict(os.environ)
        try:
            instance.start()
            os.environ.update({**instance.environment(), "MLOPS_BUCKET": instance.bucket})
            yield instance
        finally:
            os.environ.clear()
            os.environ.update(before)
            instance.stop()


def measure(
    project: Project, runs: int
) -> tuple[list[tuple[str, float, float]], list[tuple[str, float, float]]]:
    """CPU of a run on S3 over a local one; rate of a release's upload over boto3's; doctor."""
    with servers() as instance:
        instance.s3.client().upload_file(
            str(project.path / "data/source/iris.csv"), instance.bucket, "source/iris.csv"
        )
        on_s3 = [*KEDRO, "--env", "s3"]
        doctor = [KEDRO[0], "doctor"]
        cost_of(KEDRO, project.path)
        cost_of(on_s3, project.path)
        costs = compare(
            {
                "imports": [sys.executable, "-c", FLOOR],
                "kedro run": KEDRO,
                "kedro run --env s3": on_s3,
                "kedro doctor": doctor,
            },
            project.path,
            runs,
            warm_up=False,
        )
        show("storage", costs)
        rate = upload_rate(instance, runs)
    at_most = [
        (
            "iris: kedro run on S3 and an MLflow server / local, CPU",
            costs["kedro run --env s3"].cpu / costs["kedro run"].cpu,
            1.5,
        ),
        (
            "iris: kedro doctor / imports, CPU",
            costs["kedro doctor"].cpu / costs["imports"].cpu,
            1.5,
        ),
    ]
    return at_most, [("a release's upload of 200 MB to S3 / boto3, rate", rate, 0.7)]


def upload_rate(instance: Instance, turns: int) -> float:
    """Median rate of ``StoreFiles.upload`` over that of a plain boto3 upload, in turns."""
    from mlops_basics.storage.store_files import StoreFiles

    client = instance.s3.client()
    files = StoreFiles(f"s3://{instance.bucket}/bench")
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.skops"
        file.write_bytes(np.random.default_rng(0).bytes(RELEASE_SIZE))
        for turn in range(-1, turns):
            begun = time.perf_counter()
            client.upload_file(str(file), instance.bucket, "bench/plain")
            plain = time.perf_counter() - begun
            begun = time.perf_counter()
            files.upload(file, "ours")
            ours = time.perf_counter() - begun
            if turn >= 0:
                ratios.append(plain / ours)
            print(f"  200 MB: boto3 {plain:.2f} s, ours {ours:.2f} s", file=sys.stderr, flush=True)
    return statistics.median(ratios)
