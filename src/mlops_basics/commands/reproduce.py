"""Runs a recorded run again, from its data versions and parameters, and compares."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext

from mlops_basics.config.checks import check_environment
from mlops_basics.errors import ConfigurationError, LineageError
from mlops_basics.production.recorded_runs import require_kept
from mlops_basics.runs import versions
from mlops_basics.runs.dvc import fetch
from mlops_basics.runs.find import artifact_of, find_run, manifest_of
from mlops_basics.runs.recorded_parameters import recorded_parameters, require_bounded
from mlops_basics.runs.session import load_context, run_session
from mlops_basics.schemas import Manifest, SearchReport
from mlops_basics.storage.skops_archive import MODEL_FILE

_INLETS = ("source", "labels")


@dataclass(frozen=True)
class Kind:
    """What a kind of run makes, and is compared by.

    Attributes:
        results: Data sets that are made anew.
        decisive: Of these, what has to be equal for the run to count as reproduced.
        same: What is said of an equal run.
    """

    results: tuple[str, ...]
    decisive: tuple[str, ...]
    same: str


LOOP = Kind(
    ("train_data", "valid_data", "test_data", "trials", "test_metrics", "scores"),
    ("test_metrics", "scores"),
    "metrics and predictions are identical",
)
#: By the name of the pipeline; any other run counts as one of the whole loop.
KINDS = {
    "__default__": LOOP,
    "refresh": Kind(
        ("recipe", "table_info", "fitted_rows", "reference", "reference_losses", "model"),
        ("fitted_rows", "model"),
        "the model and the rows that it learned from are identical",
    ),
    "recipe_search": Kind(
        ("train_data", "valid_data", "trials", "recipe"), ("recipe",), "the recipe is identical"
    ),
}


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
        """Whether what decides is the same to the last bit."""
        return not set(self.different) & set(kind_of(self.recorded).decisive)

    def in_words(self) -> str:
        """The outcome in words."""
        run = f"Run {self.recorded.run_id} (repeated as {self.repeated.run_id})"
        if self.identical:
            lines = [f"{run}: {kind_of(self.recorded).same}."]
            lines += [f"  although {cause}" for cause in self.causes]
            return "\n".join(lines)
        lines = [f"{run}: these differ: {', '.join(self.different)}."]
        if self.causes:
            lines += [f"  {cause}" for cause in self.causes]
        else:
            lines.append("  Code, libraries, data and parameters are the same: report this.")
        return "\n".join(lines)


def kind_of(recorded: Manifest) -> Kind:
    """What kind of run it was; any that is not one of a single known pipeline is of the loop."""
    return KINDS.get("+".join(recorded.pipelines), LOOP)


def reproduce_run(project_path: Path, run_id: str, env: str | None = None) -> Reproduction:
    """Run a recorded run again; it checks out nothing and writes an MLflow run of its own.

    Args:
        project_path: Root of the project.
        run_id: Id of the MLflow run, or version of the run (its time).
        env: The environment that names the model, as in ``kedro run``.

    Raises:
        ConfigurationError: If there is no such run, or it names an environment or a class that
            this checkout's configuration does not.
        LineageError: If the data it was made from are gone.
    """
    context = load_context(project_path, env, {})  # points MLflow at the project's server
    model_name = str(context.params["model_name"])
    run = find_run(model_name, run_id)
    recorded = manifest_of(run, model_name)
    check_environment(recorded.env, context.config_loader)
    raw, kind = recorded.datasets.get("raw_data"), kind_of(recorded)
    if raw is None or not (set(kind.decisive) <= set(recorded.datasets)):
        raise ConfigurationError(
            f"The run {run_id} ({', '.join(recorded.pipelines)}) has no metrics of its own that "
            "could be reproduced. Name a run that trained and evaluated."
        )
    configured = load_context(project_path, recorded.env, {"model_name": model_name}).params
    params = recorded_parameters(recorded, configured)
    params["training"]["n_trials"] = _trials_run(run.info.run_id, recorded)
    release: Any = context.catalog.get("release")
    require_kept(context.catalog, release.store, recorded, complete=False)
    params["reproduces"] = recorded.run_id
    if "model" in kind.results:  # before anything runs: it may be gone
        recorded = _with_model_content(load_context(project_path, recorded.env, params), recorded)
    if "://" in raw.path or (project_path / raw.path).exists():
        _run(project_path, recorded, params, ["raw_data"], {"raw_data": raw.version})
    else:
        with tempfile.TemporaryDirectory(prefix="mlops-basics-data-") as scratch:
            fetched = _fetch_sources(project_path, recorded, Path(scratch))
            _run(project_path, recorded, params | fetched, list(_INLETS), {})
    context = load_context(project_path, recorded.env, params)
    repeated: Manifest = context.catalog.load(versions.REPRODUCTION)
    if "model" in kind.results:
        repeated = _with_model_content(context, repeated)
    return compare_runs(recorded, repeated)


def compare_runs(recorded: Manifest, repeated: Manifest) -> Reproduction:
    """Compare what two runs made, and what they were made with."""
    different = tuple(
        name
        for name in kind_of(recorded).results
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
    load_versions: dict[str, str],
) -> None:
    """Run the part of the pipeline that makes the results again."""
    kind = kind_of(recorded)
    run_session(
        project_path,
        recorded.env,
        params,
        pipeline_names=[next(name for name, each in KINDS.items() if each is kind)],
        from_inputs=inputs,
        to_outputs=list(kind.results),
        load_versions=load_versions,
    )


def _with_model_content(context: KedroContext, manifest: Manifest) -> Manifest:
    """The manifest with the hash of its model alone: other files of its folder hold time and id.

    Raises:
        LineageError: If the model is gone.
    """
    model = manifest.datasets["model"]
    digest = versions.file_hash(context.catalog, "model", model.version, MODEL_FILE)
    if digest is None:
        raise LineageError(
            f"The model of the run {manifest.run_id} is gone: {model.path} does not exist, and "
            "there is nothing else to compare with. Restore it."
        )
    datasets = {**manifest.datasets, "model": model.model_copy(update={"sha256": digest})}
    return manifest.model_copy(update={"datasets": datasets})


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
    causes += [
        f"your own package src/{name} is {'another' if name in was.own_code else 'new'} now"
        if name in now.own_code
        else f"your own package src/{name} is gone"
        for name in sorted({*was.own_code, *now.own_code})
        if was.own_code.get(name) != now.own_code.get(name)
    ]
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
    asked = int(recorded.parameters["training"]["n_trials"])
    if search is None:
        return asked
    require_bounded(recorded.run_id, "the number of trials it has made", search.trials_run, asked)
    return search.trials_run
