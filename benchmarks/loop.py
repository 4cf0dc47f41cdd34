"""The whole loop against its import floor and against the same search without the project."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

from tests.conftest import Project

from benchmarks.measure import Cost, compare, cost_of
from mlops_basics.commands.samples.flights import by_month, shipped, with_known_before
from mlops_basics.schemas import ROW_HASH_COLUMN

FLOOR = "import kedro.framework.session, mlflow, sklearn, skrub"
KEDRO = [str(Path(sys.executable).parent / "kedro"), "run"]


def iris(project: Project, runs: int) -> list[tuple[str, float, float]]:
    """CPU of `kedro run` over that of the imports plus a bare search of 20 trials."""
    cost_of(KEDRO, project.path)
    settings = plain_settings(project, "base")
    costs = compare(
        {
            "imports": [sys.executable, "-c", FLOOR],
            "plain search": plain_command(project, settings),
            "kedro run": KEDRO,
        },
        project.path,
        runs,
    )
    show("iris", costs)
    # The plain script imports scikit-learn and skrub too: counted once, as part of the floor.
    imports_alone = cost_of(
        [sys.executable, "-c", "import pandas, skops.io, sklearn, skrub"], project.path
    )
    base = costs["imports"].cpu + max(0.0, costs["plain search"].cpu - imports_alone.cpu)
    return [
        (
            "iris: kedro run / (imports + bare search of 20 trials), CPU",
            costs["kedro run"].cpu / base,
            2.0,
        )
    ]


def idle(project: Project, runs: int) -> list[tuple[str, float, float]]:
    """CPU of commands with nothing to do over what Kedro and its plugins cost by themselves.

    Of `kedro ct` over the imports that any such command makes; of `kedro releases` over `kedro
    --help` in an empty Kedro project.
    """
    cost_of(KEDRO, project.path)
    command = [KEDRO[0], "ct"]
    cost_of(command, project.path)  # the first look begins the watch
    new = [KEDRO[0], "new", "--name", "empty", "--tools", "none", "--example", "n"]
    cost_of(new, project.path, {"DO_NOT_TRACK": "1"})
    shutil.copy(project.path / ".telemetry", project.path / "empty")  # else it asks a network
    costs = compare(
        {
            "imports": [sys.executable, "-c", FLOOR],
            "kedro ct": command,
            "kedro releases": [KEDRO[0], "releases"],
            "kedro --help": ["sh", "-c", f"cd empty && exec {shlex.quote(KEDRO[0])} --help"],
        },
        project.path,
        runs,
    )
    show("idle", costs)
    return [
        (
            "iris: kedro ct with nothing to do / imports, CPU",
            costs["kedro ct"].cpu / costs["imports"].cpu,
            1.3,
        ),
        (
            "iris: kedro releases / kedro --help of an empty project, CPU",
            costs["kedro releases"].cpu / costs["kedro --help"].cpu,
            1.0,
        ),
    ]


def flights(project: Project, runs: int, trials: int) -> list[tuple[str, float, float]]:
    """CPU and memory of the whole loop over those of a plain script, on all 336,776 flights."""
    table = with_known_before(shipped("flights.csv.zip"), shipped("weather.csv"))
    source = project.path / "data" / "source" / "flights"
    source.mkdir()
    for name, month in by_month(table).items():
        month.to_csv(source / f"{name}.csv", index=False)
    command = [*KEDRO, "--env", "flights", "--params", f"training.n_trials={trials}"]
    cost_of(command, project.path)
    settings = plain_settings(project, "flights")
    costs = compare(
        {"plain search": plain_command(project, settings), "kedro run": command},
        project.path,
        runs,
        warm_up=False,
    )
    show("flights", costs)
    plain, loop = costs["plain search"], costs["kedro run"]
    return [
        (f"flights: kedro run / plain script, {trials} trials, CPU", loop.cpu / plain.cpu, 1.5),
        ("flights: kedro run / plain script, peak memory", loop.memory / plain.memory, 1.5),
    ]


def plain_settings(project: Project, env: str) -> dict:
    """The rows and trials of the newest run, for the plain script."""
    manifest = project.load("manifest", env=env)
    info, trials = project.load("table_info", env=env), project.load("trials", env=env)
    labelled = project.load("labelled_data", env=env)
    parameters = manifest.parameters
    candidates = parameters["training"]["candidates"][info.task]
    sides = {}
    for side in ("train", "valid", "test"):
        sides |= dict.fromkeys(project.load(f"{side}_data", env=env)[ROW_HASH_COLUMN], side)
    with project.session(env) as session:
        source = session.load_context().config_loader["globals"]["source"]
    return {
        "source": str(project.path / source),
        "target": info.target,
        "positive_above": parameters["preprocessing"]["positive_above"],
        "features": list(info.features),
        "side": labelled[ROW_HASH_COLUMN].map(sides).tolist(),
        "trials": [
            {
                "class": candidates[row.candidate]["class"],
                "dense": candidates[row.candidate]["dense"],
                "params": {**candidates[row.candidate]["fixed"], **_parsed(row.params)},
            }
            for row in trials.itertuples()
        ],
        "output": str(project.path / "plain.skops"),
    }


def _parsed(text: str) -> dict:
    pairs = (part.split("=", 1) for part in text.split(", "))
    return {key: json.loads(value) for key, value in pairs}


def plain_command(project: Project, settings: dict) -> list[str]:
    """The command that runs the plain script with these settings."""
    path = project.path / "plain.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    return [sys.executable, str(Path(__file__).parent / "plain_search.py"), str(path)]


def show(title: str, costs: dict[str, Cost]) -> None:
    """Print the medians."""
    for name, cost in costs.items():
        print(f"{title:10} {name:15} {cost.cpu:8.1f} s CPU {cost.memory:8.0f} MB")
