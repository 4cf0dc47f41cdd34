"""Records each run: pins its inputs, writes its manifest, logs it to MLflow, sums it up."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines as registered
from kedro.io import MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from mlops_basics.config.checks import (
    check_artifact_location,
    check_environment,
    check_globals,
    check_mlflow_variables,
    check_parameters,
    check_runner,
)
from mlops_basics.config.credentials import export_credentials
from mlops_basics.config.places import require_database, require_writable
from mlops_basics.production.publish import require_own
from mlops_basics.runs import mlflow_state, versions
from mlops_basics.runs.claim import RunClaim
from mlops_basics.runs.code_version import describe_code
from mlops_basics.runs.dvc import source_version
from mlops_basics.runs.mlflow_faults import is_made_already
from mlops_basics.runs.mlflow_log import MODEL, log_model, log_run
from mlops_basics.runs.moved import follow_move
from mlops_basics.runs.progress import Heartbeat
from mlops_basics.runs.run_text import WHOLE_LOOP, run_name
from mlops_basics.runs.versions import Catalog
from mlops_basics.runs.withheld import shown_artifacts, withheld
from mlops_basics.safe_text import DEFAULT_ENVIRONMENT
from mlops_basics.schemas import (
    Artifact,
    CollectionReport,
    DataVersion,
    Decision,
    Inlet,
    Manifest,
    Metrics,
    OrderCheck,
    OverfitCheck,
    Parts,
    Recipe,
    ReleaseState,
    RunContext,
    SearchReport,
    Section,
    SourceVersion,
    SplitReport,
    TableInfo,
    Verdict,
)
from mlops_basics.table.freed_memory import give_back_freed, keep_no_freed

A = TypeVar("A", bound=Artifact)

RUN_CONTEXT, PREDICTIONS = "run_context", "predictions"
#: Of what Kedro knows of a run: paths and objects of this machine, and what is logged otherwise.
TAGS_LEFT_OUT = ("project_path", "env", "run_id", "runner", "runtime_params")
#: Layers whose data sets are uploaded to MLflow; tables of the others are named by their hash.
UPLOADED_FOLDERS = ("models", "reporting", "production", "monitoring")


class RunRecordHooks:
    """What happens around every run, by whichever door it came in."""

    def __init__(self) -> None:
        self._heartbeat = Heartbeat()

    # First, so that a wrong name is an error before kedro-mlflow opens a database.
    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Refuse an unknown environment or parameter before anything is read or written."""
        self._project_path = context.project_path
        self._env = context.env or DEFAULT_ENVIRONMENT
        export_credentials(context.project_path)
        check_environment(self._env, context.config_loader)
        check_globals(self._env, context.config_loader)
        # Read once: Kedro and kedro-mlflow take from the loader what was put into it.
        for name in ("mlflow", "parameters"):
            context.config_loader[name] = context.config_loader[name]
        check_artifact_location(self._env, context.config_loader)
        check_mlflow_variables(context.config_loader)
        self._mlflow = context.config_loader["mlflow"]
        uri = str(self._mlflow["server"]["mlflow_tracking_uri"])
        require_database(uri, written=False)
        made = self._mlflow["tracking"]["experiment"].get("create_experiment_kwargs") or {}
        follow_move(uri, made.get("artifact_location"), context.project_path)
        # As configured: Kedro makes sections of its own, and what it says of them is hard to read.
        self._parameters = copy.deepcopy(context.config_loader["parameters"])
        check_parameters(self._parameters)
        keep_no_freed()

    # First, so that versions that do not fit are an error before an MLflow run begins.
    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog
    ) -> None:
        """Make all inputs come from one run, and all outputs belong to this one."""
        check_runner(str(run_params.get("runner")))
        self._rows: dict[str, int] = {}
        self._artifacts: dict[str, Artifact] = {}
        self._trials: pd.DataFrame | None = None
        self._pages: dict[str, str] = {}
        self._mlflow_run_id: str | None = None
        self._claim: RunClaim | None = None
        self._catalog, self._pipeline = catalog, pipeline
        self._require_places(pipelines_of(run_params))
        self._code = describe_code(self._project_path)
        reproduces = self._parameters.get("reproduces")
        self._parent, self._highest = (None, None) if reproduces else versions.runs_before(catalog)
        self._sources = self._parent.sources if self._parent else {}
        if "source" in pipeline.inputs():
            self._sources = describe_sources(catalog, self._project_path)
        versions.pin_inputs(
            catalog,
            pipeline,
            self._parent,
            run_params.get("load_versions") or {},
            registered[WHOLE_LOOP],
        )
        versions.pin_outputs(catalog, pipeline, run_params.get("load_versions") or {})
        if "champion" in pipeline.inputs() and not reproduces:  # before minutes of searching
            release: Any = catalog.get("release")
            require_own(release.store, release.registry)
        name = versions.REPRODUCTION if reproduces else versions.MANIFEST
        self._claim = versions.claim_run(catalog, name)
        if not sys.stderr.isatty():  # there a bar tells how far a search is
            self._heartbeat.begin(len(pipeline.nodes))

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note which step is under way, and let it begin without what earlier ones have freed."""
        give_back_freed()
        self._heartbeat.step(node.short_name)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Let go of the version of a failed run."""
        self._heartbeat.end()
        self._drop_claim()

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Note what was read."""
        self._note(dataset_name, data)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Note what was written; a model goes to MLflow at once, since the registry needs it."""
        self._note(dataset_name, data)
        if self._mlflow_run_id:
            self._draw(dataset_name, data)
        if dataset_name == MODEL and self._mlflow_run_id:
            dataset = versions.versioned(self._catalog, MODEL)
            if dataset is not None:
                path = versions.content_path(dataset, "written")
                log_model(self._mlflow_run_id, getattr(dataset, "_fs", None), path)

    @property
    def model_name(self) -> str:
        """Whose run it is."""
        return str(self._parameters["model_name"])

    def begin(self, run_id: str, mlflow_run_id: str | None, *, rename: bool) -> RunContext:
        """Note the MLflow run that has begun; returns what the run knows of itself.

        Args:
            run_id: The run's version.
            mlflow_run_id: The MLflow run, if there is one.
            rename: Whether its name shall say which model it has made.
        """
        self._mlflow_run_id, self._rename = mlflow_run_id, rename
        if self._claim is not None:
            self._claim.note(mlflow_run_id)
        return RunContext(
            run_id=run_id,
            mlflow_run_id=mlflow_run_id,
            env=self._env,
            model_name=self.model_name,
            code=self._code,
            data_versions=versions.planned_versions(
                self._catalog, self._pipeline, run_id, self._parent
            ),
        )

    # First, since kedro-mlflow's own hook ends the MLflow run.
    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog
    ) -> None:
        """Write the manifest, log the run, print its summary."""
        self._heartbeat.end()
        manifest = Manifest(
            run_id=run_params["run_id"],
            mlflow_run_id=self._mlflow_run_id,
            env=self._env,
            model_name=self.model_name,
            pipelines=tuple(pipelines_of(run_params)),
            code=self._code,
            parameters=plain_parameters(self._parameters),
            datasets=versions.describe_versions(
                catalog,
                pipeline,
                self._rows,
                self._parent,
                registered[WHOLE_LOOP],
                self._project_path,
            ),
            sources=self._sources,
            highest_before=self._highest,
        )
        reproduces = self._parameters.get("reproduces")
        catalog.save(versions.REPRODUCTION if reproduces else versions.MANIFEST, manifest)
        if "decision" in pipeline.all_outputs() and not reproduces:  # it can be promoted by hand
            release: Any = catalog.get("release")
            release.store.runs.note_manifest(manifest)
        try:  # the claim keeps others from removing what is still being sent
            if self._mlflow_run_id:
                files = self._uploads(catalog, manifest)
                log_run(
                    self._mlflow_run_id,
                    manifest,
                    shown_artifacts(self._artifacts),
                    self._trials,
                    files,
                    sections=sections_of(pipeline),
                    rename=self._rename,
                    pages={
                        f"{name}.html": self._pages[name] for name in files if name in self._pages
                    },
                )
        finally:
            self._drop_claim()
        self._print_summary(manifest)

    def _require_places(self, names: list[str]) -> None:
        """Refuse a run whose results could not be written, before it does anything."""
        silent = self._mlflow["tracking"]["disable_tracking"]["pipelines"]
        if not set(names) <= set(silent):
            uri = str(self._mlflow["server"]["mlflow_tracking_uri"])
            require_database(uri, written=True)
        for name in sorted(self._pipeline.all_outputs() | {versions.MANIFEST}):
            dataset = versions.versioned(self._catalog, name)
            if dataset is not None and getattr(dataset, "_protocol", "file") == "file":
                folder = self._project_path / dataset._filepath
                require_writable(folder, f"'{name}'", "`storage` in globals.yml")
        if (
            "registered_version" in self._pipeline.outputs()
            or "release" in self._pipeline.outputs()
        ):
            release: Any = self._catalog.get("release")
            folder = release.store.local_folder
            if folder is not None:
                require_writable(folder, "A release", "`production` in globals.yml")

    def _drop_claim(self) -> None:
        if self._claim is not None:
            self._claim.drop()
            self._claim = None

    def _note(self, name: str, data: Any) -> None:
        if isinstance(data, (pd.DataFrame, Parts)):
            self._rows[name] = len(data)
            if name == "trials" and isinstance(data, pd.DataFrame):
                self._trials = data
        elif isinstance(data, Artifact):
            self._artifacts[name] = data

    def _draw(self, name: str, data: Any) -> None:
        """Keep a plot as a page, which MLflow shows where it shows JSON as text."""
        if hasattr(data, "to_plotly_json"):
            from mlops_basics.reporting.pages.plot import plot_page

            self._pages[name] = plot_page(name, data)

    def _uploads(self, catalog: Catalog, manifest: Manifest) -> dict[str, tuple[Any, str]]:
        files, hidden = {}, withheld(self._artifacts)
        for name, version in manifest.datasets.items():
            dataset = versions.versioned(catalog, name)
            if name not in hidden and version.access == "written" and dataset is not None:
                path = versions.content_path(dataset, version.access)
                if name != MODEL and path.split("/")[-4] in UPLOADED_FOLDERS:
                    files[name] = (getattr(dataset, "_fs", None), path)
        return files

    def _release_state(self) -> ReleaseState | None:
        """What publishing came to, if this run published."""
        if "release" not in self._pipeline.outputs():
            return None
        state: ReleaseState = self._catalog.load("release")
        path = shown_address(state.path, self._project_path)
        return state.model_copy(update={"path": path})

    def _print_summary(self, manifest: Manifest) -> None:
        from mlops_basics.reporting.terminal import monitoring_summary, run_summary, show

        artifacts = shown_artifacts(self._artifacts)
        verdict = _of_type(artifacts, Verdict)
        if verdict is not None:
            path = manifest.datasets["monitoring_report"].path
            show(monitoring_summary(verdict, path, manifest.env), soft_wrap=True)
            return
        sides = {name.removesuffix("_metrics"): a for name, a in artifacts.items()}
        report = _written(manifest, "report")
        summary = run_summary(
            model_name=manifest.model_name,
            table=_of_type(artifacts, TableInfo),
            search=_of_type(artifacts, SearchReport),
            overfit=_of_type(artifacts, OverfitCheck),
            metrics={side: a for side, a in sides.items() if isinstance(a, Metrics)},
            versions={
                name: version.version
                for name, version in manifest.datasets.items()
                if version.access != "kept"
            },
            decision=_of_type(artifacts, Decision),
            in_order=_of_type(artifacts, OrderCheck),
            release=self._release_state(),
            report_path=report.path if report else "",
            mlflow_uri=shown_address(mlflow_state.tracking_uri(), self._project_path),
            run_id=manifest.mlflow_run_id or "",
            warnings=[
                text
                for kind in (CollectionReport, SplitReport)
                for text in getattr(_of_type(artifacts, kind), "warnings", ())
            ],
            env=manifest.env,
            recipe=_of_type(artifacts, Recipe),
            predictions=_written(manifest, PREDICTIONS),
        )
        show(summary, soft_wrap=True)


class MlflowRunHooks:
    """Lets kedro-mlflow begin and end the MLflow run, and keeps out of it what it would say twice.

    kedro-mlflow logs a typed section of parameters as one string, and everything that Kedro knows
    of a run as tags; ``log_run`` writes each parameter by its dotted name, and what identifies a
    run. kedro-mlflow's own hook is therefore called from here alone (``settings.py`` disables it).

    It also begins the run once for the pipeline and once more for the nodes' thread, but ends it
    once: the next run in the same process would be logged into it.
    """

    def __init__(self, record: RunRecordHooks) -> None:
        self._record = record

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Point MLflow at the project's server, and make the model's experiment.

        Another run may make it at the same moment, or MLflow's answer was lost: the second time it
        is there. A run that was active before is remembered: it is not ours to end.
        """
        from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook  # imports MLflow

        mlflow_state.keep_quiet()
        self._outer_run_id = mlflow_state.active_run_id()
        self._kedro_mlflow: Any = MlflowHook()  # it remembers its run
        try:
            self._kedro_mlflow.after_context_created(context=context)
        except Exception as error:
            if not is_made_already(error):
                raise
            self._kedro_mlflow.after_context_created(context=context)

    @hook_impl
    def after_catalog_created(
        self,
        catalog: Catalog,
        conf_catalog: dict[str, Any],
        conf_creds: dict[str, Any],
        parameters: dict[str, Any],
        save_version: str,
        load_versions: dict[str, str],
    ) -> None:
        """Let kedro-mlflow name the metrics of its own data sets."""
        self._kedro_mlflow.after_catalog_created(
            catalog, conf_catalog, conf_creds, parameters, save_version, load_versions
        )

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog
    ) -> None:
        """Begin the MLflow run, and hand the run's identity to the nodes that need it."""
        run = self._kedro_mlflow.mlflow_config.tracking.run
        ours = run.name is None and self._outer_run_id is None  # else the user has named it
        if ours:
            run.name = run_name(self._record.model_name, pipelines_of(run_params))
        kept = {**run_params, **dict.fromkeys(TAGS_LEFT_OUT)}
        self._kedro_mlflow.before_pipeline_run(kept, pipeline, catalog)
        context = self._record.begin(
            run_params["run_id"], mlflow_state.active_run_id(), rename=ours
        )
        catalog[RUN_CONTEXT] = MemoryDataset(context)

    @hook_impl
    def before_node_run(self, node: Node, catalog: Catalog, is_async: bool) -> None:
        """Let what a node logs go to this run, whichever thread it works in."""
        self._kedro_mlflow.before_node_run(node, catalog, inputs={}, is_async=is_async)

    @hook_impl(trylast=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog
    ) -> None:
        """End the MLflow run, and what is left."""
        self._kedro_mlflow.after_pipeline_run(run_params, pipeline, catalog)
        mlflow_state.end_runs("FINISHED", self._outer_run_id)

    @hook_impl(trylast=True)
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog
    ) -> None:
        """End a failed MLflow run, and what is left."""
        self._kedro_mlflow.on_pipeline_error(error, run_params, pipeline, catalog)
        mlflow_state.end_runs("FAILED", self._outer_run_id)


class ClusterHooks:
    """Opens the Dask cluster of a run, where the environment has a ``dask.yml``."""

    def __init__(self) -> None:
        self._opened = ExitStack()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read what the environment says of a cluster."""
        self._project_path = context.project_path
        try:
            self._configuration: dict[str, Any] = context.config_loader["dask"]
        except MissingConfigException:
            self._configuration = {}

    # Around all others: without its cluster a run is none, and no other hook may leave it open.
    @hook_impl(wrapper=True)
    def before_pipeline_run(self) -> Generator[None, Any, Any]:
        """Open the cluster."""
        self._opened.close()  # of a run that was interrupted
        if self._configuration:
            from mlops_basics.runs.cluster import open_cluster

            self._opened.enter_context(open_cluster(self._configuration, self._project_path))
        try:
            return (yield)
        except BaseException:
            self._opened.close()
            raise

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self) -> None:
        """Close it."""
        self._opened.close()

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self) -> None:
        """Close it."""
        self._opened.close()


_record = RunRecordHooks()
#: All of them, as ``settings.py`` hands them to Kedro: the last one is the first to be called.
HOOKS = (MlflowRunHooks(_record), _record, ClusterHooks())


def pipelines_of(run_params: dict[str, Any]) -> list[str]:
    """Names of the pipelines that are run."""
    return list(run_params.get("pipeline_names") or [WHOLE_LOOP])


def sections_of(pipeline: Pipeline) -> set[str]:
    """Names of the parameter sections that a pipeline's nodes take."""
    inputs = pipeline.inputs()
    names = {name.removeprefix("params:") for name in inputs if name.startswith("params:")}
    return {name.split(".")[0] for name in names}


def _of_type(artifacts: Mapping[str, Artifact], kind: type[A]) -> A | None:
    return next((artifact for artifact in artifacts.values() if isinstance(artifact, kind)), None)


def _written(manifest: Manifest, name: str) -> DataVersion | None:
    """A data set that this run wrote itself; None where it has that of an earlier one."""
    version = manifest.datasets.get(name)
    return version if version is not None and version.access == "written" else None


def describe_sources(catalog: Catalog, project_path: Path) -> dict[Inlet, SourceVersion]:
    """The version by DVC of what a run reads, where DVC tracks it."""
    sources: dict[Inlet, SourceVersion] = {}
    inlets: tuple[Inlet, ...] = ("source", "labels")
    for name in inlets:
        path: Path | None = getattr(catalog.get(name), "local_path", None)
        version = source_version(project_path / path) if path else None
        if version is not None:
            sources[name] = version
    return sources


def shown_address(uri: str, project_path: Path) -> str:
    """An address without user and password, relative to the project where it lies inside."""
    return re.sub(r"//[^/@]*@", "//", uri).replace(f"{project_path}/", "")


def plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters as JSON holds them."""
    return {
        name: value.model_dump(mode="json", by_alias=True) if isinstance(value, Section) else value
        for name, value in parameters.items()
    }
