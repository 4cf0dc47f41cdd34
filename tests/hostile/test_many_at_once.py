"""Eight `kedro run` and four `kedro ct` at once: one champion, and every step accounted for."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import fsspec
import pytest
import yaml

from mlops_basics.commands.ct import ExitCode
from mlops_basics.commands.services import Instance
from mlops_basics.commands.services.mlflow_server import MlflowServer
from tests.support.processes import Command, Ended
from tests.support.project import ROOT, Project
from tests.support.services import use_environment
from tests.support.small_table import challenges_of, production_of

pytestmark = pytest.mark.slow

RUNS, WATCHES = 8, 4
PATIENCE = 900.0  # seconds; a command waits for the others for ten minutes at most
FREEDOM = "training__candidates__multiclass__linear__space__C"
#: Models with little freedom, unless the command line says more; `kedro ct` takes none from there.
QUICK = {
    "training": {
        "n_trials": 1,
        "candidates": {"multiclass": {"linear": {"space": {"C": {"low": 0.001, "high": 0.002}}}}},
    },
    "evaluation": {"resamples": 100, "importance_repeats": 1},
}
#: What may end a run beside success: it waited for the others for ten minutes, or one of them
#: moved production between its comparison and its own step.
CONFLICTS = ("Another run works on the same production", "somebody else was faster")


@dataclass(frozen=True)
class Crowd:
    """A project that many use at once.

    Attributes:
        project: Where all of them run.
        env: Their environment.
        model_name: The one model.
        storage: Folder of its data sets.
        production: Folder of its releases.
    """

    project: Project
    env: str
    model_name: str
    storage: str
    production: str

    def start(self, action: str, **params: Any) -> Command:
        """A command in a separate process."""
        words = [f"{name.replace('__', '.')}={value}" for name, value in params.items()]
        more = ["--params", ",".join(words)] if words else []
        return Command(self.project, action, "--env", self.env, *more)

    def documents(self, pattern: str) -> list[Any]:
        """Every JSON file below the data sets' folder of this pattern."""
        fs, base = fsspec.url_to_fs(self.storage)
        fs.invalidate_cache()
        return [json.loads(fs.cat_file(path)) for path in fs.glob(f"{base}/{pattern}")]


@pytest.fixture
def on_shared_storage(
    project: Project, services: Instance, mlflow_server: MlflowServer
) -> Iterator[Crowd]:
    """S3, and an MLflow server on PostgreSQL."""
    name, bucket = f"crowd-{secrets.token_hex(4)}", services.bucket
    services.s3.client().upload_file(str(ROOT / "data/source/iris.csv"), bucket, f"{name}/iris.csv")
    path = project.path / "conf" / "s3" / "globals.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values |= {"model_name": name, "source": f"${{_bucket}}/{name}/iris.csv"}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    hasten(project, "s3")
    root = f"s3://{bucket}"
    crowd = Crowd(project, "s3", name, f"{root}/data/{name}", f"{root}/production/{name}")
    with pytest.MonkeyPatch.context() as patch:
        yield from use_environment(patch, services.environment(), crowd)


@pytest.fixture
def on_one_disk(project: Project) -> Crowd:
    """A folder of this machine, and SQLite."""
    project.configure("crowd", model_name="crowd", source="data/source/iris.csv", target="species")
    hasten(project, "crowd")
    data = project.path / "data"
    return Crowd(project, "crowd", "crowd", f"{data}/crowd", f"{data}/production/crowd")


def hasten(project: Project, env: str) -> None:
    """Parameters of quick runs, for `kedro ct` as well, which takes none on its command line."""
    path = project.path / "conf" / env / "parameters.yml"
    path.write_text(yaml.safe_dump(QUICK), encoding="utf-8")


@pytest.fixture(params=["on_shared_storage", "on_one_disk"])
def crowd(request: pytest.FixtureRequest) -> Crowd:
    """The same on both kinds of storage."""
    found: Crowd = request.getfixturevalue(request.param)
    return found


def test_all_at_once(crowd: Crowd) -> None:
    """Each succeeds or names the faster run; versions, pointer, alias and ledger agree.

    First twelve commands try to make the first release, then four try to replace it.
    """
    ran = all_of(
        crowd,
        *(("run", {f"{FREEDOM}__high": 0.002 + 0.001 * number}) for number in range(RUNS)),
        *(("ct", {}) for _ in range(WATCHES)),
    )
    is_one_story(crowd)
    every_challenge_was_written_down(crowd, ran)
    nothing_is_left_over(crowd)

    better = [{f"{FREEDOM}__low": 2.0**number, f"{FREEDOM}__high": 16.0} for number in range(3)]
    all_of(crowd, *(("run", params) for params in better), ("ct", {}))
    assert len(is_one_story(crowd)) > 1
    nothing_is_left_over(crowd)


def all_of(crowd: Crowd, *actions: tuple[str, dict[str, Any]]) -> int:
    """Start all of these at once and wait for their ends; how many runs ended well."""
    with ExitStack() as last:
        started = []
        for action, params in actions:
            started.append((action, crowd.start(action, **params)))
            last.callback(started[-1][1].kill)
        ended = [(action, command.end(PATIENCE)) for action, command in started]
    for action, end in ended:
        print(action, end)
    fine = {"run": (0,), "ct": (ExitCode.NOTHING_TO_DO, ExitCode.PROMOTED, ExitCode.KEPT)}
    assert all(end.code in fine[action] or overtaken(end) for action, end in ended)
    return sum(action == "run" and end.code == 0 for action, end in ended)


def overtaken(ended: Ended) -> bool:
    """Whether a command ended with one readable conflict; else the whole output is shown."""
    reported = ended.code == 1 and "Traceback" not in ended.err
    assert reported, str(ended)
    assert any(text.lower() in ended.err.lower() for text in CONFLICTS), str(ended)
    return True


def is_one_story(crowd: Crowd) -> list[str]:
    """Versions without gaps or twins, one champion, and a ledger that leads to it; the versions."""
    from mlflow import MlflowClient

    store, registry = production_of(crowd.project, crowd.env)
    versions = registry.versions()
    assert versions == [str(number + 1) for number in range(len(versions))]
    known = MlflowClient().search_model_versions(f"name='{crowd.model_name}'")
    assert len({version.run_id for version in known}) == len(versions)
    challenges = [version.tags["challenge_id"] for version in known]
    assert len(set(challenges)) == len(versions)

    assert registry.champion() == store.pointer().version == versions[-1]
    assert store.load().manifest.version == versions[-1]
    steps = [entry for entry in store.ledger() if entry.action == "release"]
    assert [step.replaced for step in steps] == [None, *(step.version for step in steps[:-1])]
    assert steps[-1].version == versions[-1]
    # A run overtaken between alias and pointer publishes the newer champion, not its own.
    published = [step.version for step in steps]
    assert len(set(published)) == len(published)
    assert {entry.version for entry in store.ledger()} == set(versions)  # the others as refused
    assert store.versions() == sorted(published, key=int)
    for version in published:
        store.verify(version)
    return published


def every_challenge_was_written_down(crowd: Crowd, runs: int) -> None:
    """Each decision has its challenge in MLflow, and no two challenges share a part of alpha."""
    decisions = crowd.documents("reporting/decision.json/*/decision.json")
    assert len(decisions) >= runs
    challenges = [decision["challenge"] for decision in decisions]
    recorded = {
        run.data.tags["challenge.id"]: run.data.tags["challenge.champion"]
        for run in challenges_of(crowd.model_name)
    }
    numbers: dict[str, set[tuple[str, int]]] = {}
    for challenge in challenges:
        if challenge["number"] == 0:
            continue
        assert recorded[challenge["challenge_id"]] == challenge["champion_version"]
        own = (challenge["challenge_id"], challenge["number"])
        numbers.setdefault(challenge["champion_version"], set()).add(own)
    print({champion: sorted(number for _, number in own) for champion, own in numbers.items()})
    assert {challenge_id for own in numbers.values() for challenge_id, _ in own} == set(recorded)
    for champion, own in numbers.items():
        # The same challenge, counted by several commands at once, may have spent more than once.
        assert len({number for _, number in own}) == len(own), (champion, own)
        # Two that count at the same moment both leave a number out, and none is spent before its
        # turn: all of them together spend at most what the same number in a row would.
        late = zip(sorted(number for _, number in own), range(1, len(own) + 1), strict=True)
        assert all(number >= turn for number, turn in late), (champion, own)


def nothing_is_left_over(crowd: Crowd) -> None:
    """No claim, no temporary file, and locks that are free."""
    fs, base = fsspec.url_to_fs(crowd.production)
    fs.invalidate_cache()
    found = [path.removeprefix(f"{base}/") for path in fs.find(base)]
    assert not [path for path in found if ".tmp-" in path]
    assert not crowd.documents("manifests/running/*.json")
    if not crowd.production.startswith("s3://"):
        return  # the system releases the locks of a process that has ended
    for path in (f"{base}/.run-lock", f"{fs._strip_protocol(crowd.storage)}/monitoring/.ct-lock"):
        bucket, key, _ = fs.split_path(path)
        assert fs.call_s3("head_object", Bucket=bucket, Key=key)["Metadata"]["state"] == "free"
