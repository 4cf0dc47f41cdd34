"""What a Dask cluster costs: CPU of client, scheduler and two workers beside joblib's processes.

python benchmarks/dask_cost.py --rows 20000000

The same functions go over the parts of one table on disk, each a file of a million rows: what
splits the rows, what profiles them, what scores them and writes the predictions. joblib works with
two processes, the cluster with two workers of a thread, over TLS as docs/how-to/dask.md says; they
take turns, since another load would weigh on one of them. What collects and preprocesses a table of
CSV files is run by one process, and with the cluster.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from fsspec.implementations.local import LocalFileSystem
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.support.dask_cluster import DaskCluster  # noqa: E402
from tests.support.project import Project  # noqa: E402

from benchmarks.bars import Measured, tell  # noqa: E402
from benchmarks.measure import cpu_of_all  # noqa: E402
from benchmarks.scale import ENV, FILE_ROWS, OF_ALL_ROWS, generated, make_source  # noqa: E402
from mlops_basics.datasets.parts import PartsDataset, _write  # noqa: E402
from mlops_basics.pipelines.batch_inference.nodes import score_batches  # noqa: E402
from mlops_basics.runs.cluster import open_cluster  # noqa: E402
from mlops_basics.schemas import (  # noqa: E402
    Batch,
    Part,
    Parts,
    PreprocessingParams,
    Release,
    TableInfo,
)
from mlops_basics.stats.data_drift.table_drift import TableProfile  # noqa: E402
from mlops_basics.table.columns import features_of  # noqa: E402
from mlops_basics.table.engine import map_parts  # noqa: E402
from mlops_basics.table.profile import feature_profile  # noqa: E402
from mlops_basics.table.row_hash import row_hashes, salted_fractions  # noqa: E402

TRAINED_ON, COLLECTED = 50_000, 2_000_000  # rows
TURN = 4  # parts
MOST = 1.5
DOLLARS_AN_HOUR = 0.05  # of a core: a machine of two for 0.10
#: Calls a function with each part, and drops what it returns.
Engine = Callable[[Callable[[Any], Any], Iterable[Any]], None]


@dataclass(frozen=True)
class Given:
    """What the functions work on.

    Attributes:
        table: Rows with their target, in parts.
        release: A model of it.
        params: What the table means.
        folder: Where predictions are written.
    """

    table: Parts
    release: Release
    params: PreprocessingParams
    folder: Path


def split(features: list[str], part: Part) -> npt.NDArray[np.int64]:
    """The side of each row, by the hash of its features."""
    hashes = row_hashes(part.read(features), features)
    return np.digitize(salted_fractions(hashes, "salt"), [0.6, 0.8])


def profile(table: TableInfo, part: Part) -> TableProfile:
    """What drift is judged by."""
    return feature_profile(features_of(part.read(None), table))


def split_all(given: Given, over: Engine) -> None:
    """Divide all rows."""
    over(partial(split, list(given.release.table.features)), given.table.parts)


def profile_all(given: Given, over: Engine) -> None:
    """Profile all parts."""
    over(partial(profile, given.release.table), given.table.parts)


def score_all(given: Given, over: Engine) -> None:
    """Write a prediction for each row, as batch_inference does."""
    scored = score_batches([Batch("table", "", given.table)], given.release, given.params)
    files = [str(given.folder / f"{number}.parquet") for number in range(len(scored.parts))]
    over(partial(_write, LocalFileSystem()), list(zip(files, scored.parts, strict=True)))


FUNCTIONS: dict[str, Callable[[Given, Engine], None]] = {
    "split": split_all,
    "profile": profile_all,
    "scoring": score_all,
}


def by_dask(function: Callable[[Any], Any], parts: Iterable[Any]) -> None:
    """As a run does, on the cluster that is open."""
    for _ in map_parts(function, parts):
        pass


def by_joblib(function: Callable[[Any], Any], parts: Iterable[Any]) -> None:
    """In two processes."""
    for _ in Parallel(n_jobs=2, return_as="generator")(delayed(function)(part) for part in parts):
        pass


ENGINES: dict[str, Engine] = {"joblib": by_joblib, "Dask": by_dask}


def costs_in_turns(given: Given, cluster: DaskCluster) -> dict[str, dict[str, float]]:
    """CPU seconds of each function by engine; they take turns, so that noise hits them alike.

    Each is called with two parts before, which import modules.
    """
    parts = given.table.parts
    found = {engine: dict.fromkeys(FUNCTIONS, 0.0) for engine in ENGINES}
    for name, function in FUNCTIONS.items():
        for engine in ENGINES.values():
            function(_of_parts(given, parts[:2]), engine)
        for number, begin in enumerate(range(0, len(parts), TURN)):
            some = _of_parts(given, parts[begin : begin + TURN])
            for engine in sorted(ENGINES, reverse=bool(number % 2)):
                before = _cpu_of(engine, cluster)
                function(some, ENGINES[engine])
                found[engine][name] += _cpu_of(engine, cluster) - before
    return found


def _of_parts(given: Given, parts: tuple[Part, ...]) -> Given:
    return replace(given, table=Parts(given.table.columns, parts))


def _cpu_of(engine: str, cluster: DaskCluster) -> float:
    """Of an engine's processes and this one: a cluster that waits is none of joblib's cost."""
    of_cluster = sum(cpu_of_all(process.pid) for process in cluster.processes.values())
    return cpu_of_all() - (of_cluster if engine == "joblib" else 0.0)


def cost_of_stages(project: Project) -> float:
    """CPU seconds of the stages that see all rows."""
    before = cpu_of_all()
    for pipeline in OF_ALL_ROWS:
        project.run(pipeline, env=ENV)
    return cpu_of_all() - before


def make_given(rows: int, scratch: Path) -> Given:
    """A table on disk, and a release that a run on some of its rows has made."""
    project = Project(make_source(TRAINED_ON, scratch))
    project.run(env=ENV, training__n_trials=3)
    release = project.load("production", env=ENV)
    params = PreprocessingParams.model_validate(project.load("params:preprocessing", env=ENV))
    dataset = PartsDataset(filepath=str(scratch / "table.parquet"))
    counts = [min(FILE_ROWS, rows - begin) for begin in range(0, rows, FILE_ROWS)]
    parts = tuple(Part(count, partial(_generated, count, at)) for at, count in enumerate(counts))
    dataset.save(Parts(tuple(generated(1, 0).columns), parts))
    table = dataset.load()
    assert isinstance(table, Parts)
    folder = scratch / "predictions"
    folder.mkdir()
    return Given(table, release, params, folder)


def _generated(rows: int, seed: int, columns: list[str] | None) -> pd.DataFrame:
    table = generated(rows, seed)
    return table if columns is None else table[columns]


def measure(rows: int) -> Measured:
    """The costs of a table of so many rows, printed; and the bars."""
    with tempfile.TemporaryDirectory() as scratch:
        given = make_given(rows, Path(scratch))
        (Path(scratch) / "stages").mkdir()
        project = Project(make_source(COLLECTED, Path(scratch) / "stages"))
        alone = cost_of_stages(project)
        cluster = DaskCluster(project.path)
        try:
            cluster.start()
            with open_cluster(cluster.configuration, cluster.folder):
                costs = costs_in_turns(given, cluster)
            get_reusable_executor().shutdown()
            shutil.copy(cluster.file, project.path / "conf" / ENV)
            together = cost_of_stages(project)
        finally:
            cluster.stop()
    show("collect", "process", alone / COLLECTED)
    show("collect", "Dask", together / COLLECTED)
    return bars_of(rows, costs)


def show(what: str, engine: str, seconds: float) -> None:
    """Print what a row costs, for a million of them."""
    dollars = seconds * 1e6 / 3600 * DOLLARS_AN_HOUR
    print(f"{what:8} {engine:7} of a million rows {seconds * 1e6:6.2f} s CPU, ${dollars:.6f}")


def bars_of(rows: int, costs: dict[str, dict[str, float]]) -> Measured:
    """Print what a million rows cost, and set the engines against each other."""
    for engine, of_engine in costs.items():
        for name, seconds in of_engine.items():
            show(name, engine, seconds / rows)
    return [
        (
            f"{name} of {rows:,} rows, CPU on a Dask cluster / joblib",
            costs["Dask"][name] / costs["joblib"][name],
            MOST,
        )
        for name in FUNCTIONS
    ]


def main() -> None:
    """Measure, and exit non-zero where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    sys.exit(tell(measure(parser.parse_args().rows)))


if __name__ == "__main__":
    main()
