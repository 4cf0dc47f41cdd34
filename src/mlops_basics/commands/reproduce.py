"""Runs a recorded run again, from its data versions and parameters, and compares."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_basics.errors import ConfigurationError, LineageError
from mlops_basics.runs.dvc import fetch
from mlops_basics.runs.find import artifact_of, find_run, manifest_of
from mlops_basics.runs.session import load_context, run_session
from mlops_basics.runs.versions import REPRODUCTION
from mlops_basics.schemas import Manifest, SearchReport

#: What a reproduction makes anew, and compares with what was recorded.
RESULTS = ("train_data", "valid_data", "test_data", "trials", "test_metrics", "scores")
_INLETS = ("source", "labels")
#: Of these, what has to be equal for the run to count as reproduced.
DECISIVE = ("test_metrics", "scores")


@dataclass(frozen=True)
class Reproduction:
    """What came of running a run again.

    Attributes:
        recorded, repeated: Manifests of both runs.
        different: Names of the data sets whose content differs.
        causes: What differs between both runs and may explain it.
    """

    recorded: Manifest
    repeated: Manifest
    different: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether metrics and predictions are the same to the last bit."""
        return not set(self.different) & set(DECISIVE)

    def in_words(self) -> str:
        """The outcome in words."""
        run = f"Run {self.recorded.run_id} (repeated as {self.repeated.run_id})"
        if self.identical:
            lines = [f"{run}: metrics and predictions are identical."]
            lines += [f"  although {cause}" for cause in self.causes]
            return "\n".join(lines)
        lines = [f"{run}: these differ: {', '.join(self.different)}."]
        if self.causes:
            lines += [f"  {cause}" for cause in self.causes]
        else:
            lines.append("  Code, libraries, data and parameters are the same: report this.")
        return "\n".join(lines)


def reproduce_run(project_path: Path, run_id: str, env: str | None = None) -> Reproduction:
    """Run a recorded run again; it checks out nothing and writes an MLflow run of its own.

    Args:
        project_path: Root of the project.
        run_id: Id of the MLflow run, or version of the run (its time).
        env: The environment that names the model, as in ``kedro run``.

    Raises:
        ConfigurationError: If there is no such run.
        LineageError: If the data it was made from are gone.
    """
    context = load_context(project_path, env, {})  # points MLflow at the project's server
    run = find_run(str(context.params["model_name"]), run_id)
    recorded = manifest_of(run)
    raw = recorded.datasets.get("raw_data")
    if raw is None or not (set(DECISIVE) <= set(recorded.datasets)):
        raise ConfigurationError(
            f"The run {run_id} ({', '.join(recorded.pipelines)}) has no metrics of its own that "
            "could be reproduced. Name a run that trained and evaluated."
        )
    params = {name: value for name, value in recorded.parameters.items() if value is not None}
    params["training"] = {
        "refit": "none",  # where the run is older than the parameter
        **params["training"],
        "n_trials": _trials_run(run.info.run_id, recorded),
    }
    params["reproduces"] = recorded.run_id
    if "://" in raw.path or (project_path / raw.path).exists():
        _run(project_path, recorded, params, ["raw_data"], {"raw_data": raw.version})
    else:
        with tempfile.TemporaryDirectory(prefix="mlops-basics-data-") as scratch:
            fetched = _fetch_sources(project_path, recorded, Path(scratch))
            _run(project_path, recorded, params | fetched, list(_INLETS), {})
    repeated: Manifest = load_context(project_path, recorded.env, params).catalog.load(REPRODUCTION)
    return compare_runs(recorded, repeated)


def compare_runs(recorded: Manifest, repeated: Manifest) -> Reproduction:
    """Compare what two runs made, and what they were made with."""
    different = tuple(
        name
        for name in RESULTS
        if name in recorded.datasets
        and (
            name not in repeated.datasets
            or recorded.datasets[name].sha256 != repeated.datasets[name].sha256
        )
    )
    return Reproduction(recorded, repeated, different, tuple(_causes(recorded, repeated)))


def _run(
    project_path: Path,
    recorded: Manifest,
    params: dict[str, Any],
    inputs: list[str],
    versions: dict[str, str],
) -> None:
    """Run the part of the loop that makes the results again."""
    run_session(
        project_path,
        recorded.env,
        params,
        pipeline_names=["__default__"],
        from_inputs=inputs,
        to_outputs=list(RESULTS),
        load_versions=versions,
    )


def _fetch_sources(project_path: Path, recorded: Manifest, scratch: Path) -> dict[str, str]:
    """Bring the raw data of a run from DVC; their paths, as runtime parameters.

    Raises:
        LineageError: If it is unknown which version of the raw data the run has read.
    """
    gone = (
        f"The data of the run {recorded.run_id} are gone: {recorded.datasets['raw_data'].path} "
        "does not exist"
    )
    if "source" not in recorded.sources:
        raise LineageError(f"{gone}, and its source was not versioned with DVC. Restore them.")
    changed = [name for name, version in recorded.sources.items() if not version.unchanged]
    if changed:
        raise LineageError(
            f"{gone}, and its {changed[0]} had been changed since its version was taken with DVC: "
            "no version holds what the run read. Restore them."
        )
    return {
        name: str(fetch(project_path, version, scratch / name))
        for name, version in recorded.sources.items()
    }


def _causes(recorded: Manifest, repeated: Manifest) -> list[str]:
    was, now = recorded.code, repeated.code
    causes = []
    if recorded.datasets["raw_data"].sha256 != repeated.datasets["raw_data"].sha256:
        causes.append("the raw data were changed since (their SHA-256 differs)")
    if was.git_commit != now.git_commit:
        commits = [_short(code.git_commit) for code in (was, now)]
        causes.append(f"the code was at commit {commits[0]}, now {commits[1]}")
    if was.git_dirty:
        causes.append("the working tree held uncommitted changes then")
    if now.git_dirty:
        causes.append("the working tree holds uncommitted changes now")
    if was.lock_sha256 != now.lock_sha256:
        causes.append("requirements.txt is another now")
    if was.python != now.python:
        causes.append(f"Python was {was.python}, now {now.python}")
    gone = "not installed"
    causes += [
        f"{name} was {was.libraries.get(name, gone)}, now {now.libraries.get(name, gone)}"
        for name in sorted({*was.libraries, *now.libraries})
        if was.libraries.get(name) != now.libraries.get(name)
    ]
    return causes


def _short(commit: str | None) -> str:
    return commit[:10] if commit else "none"


def _trials_run(mlflow_run_id: str, recorded: Manifest) -> int:
    """How many trials the search made; a time limit may have stopped it early."""
    search = artifact_of(mlflow_run_id, "search_report.json", SearchReport)
    return search.trials_run if search else int(recorded.parameters["training"]["n_trials"])
