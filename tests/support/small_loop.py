"""The whole loop on small data without Kedro's sessions: real nodes, catalog and manifests, but a
stump instead of a search.

``SmallPlace`` stands in for ``runs.session.Place``: it has the same methods.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from mlops_basics.pipeline_registry import register_pipelines
from mlops_basics.runs import versions
from mlops_basics.schemas import (
    BATCH_COLUMN,
    Code,
    CollectionParams,
    DecisionParams,
    EvaluationParams,
    FittedModel,
    Manifest,
    MonitoringParams,
    OverfitCheck,
    PreprocessingParams,
    Recipe,
    RefitReport,
    RunContext,
    SearchReport,
    TrainingParams,
)
from mlops_basics.settings import CONFIG_LOADER_ARGS
from mlops_basics.table.labels import RowKeys
from tests.support.artifacts import make_overfit_check, make_recipe
from tests.support.memory_mlflow import Killer, MemoryServer
from tests.support.parameters import configured

CONF = Path(__file__).resolve().parents[2] / "conf"
NAME = "small"
TARGET = "y"
FEATURES = ["x", "z"]
KEYS = RowKeys(TARGET)
#: How y depends on x: where it changes, and in which direction.
REGIMES = [(0.0, 1), (0.0, -1), (0.8, 1), (0.8, -1)]
STEEPNESS = 1.5
MLMODEL = b"""flavors:
  python_function:
    loader_module: mlflow.sklearn
    model_path: model.skops
  sklearn:
    pickled_model: model.skops
    serialization_format: skops
"""
PARAMS = {
    "collection": configured(CollectionParams, target=TARGET),
    "preprocessing": configured(
        PreprocessingParams,
        target=TARGET,
        split={"valid_fraction": 0.1, "test_fraction": 0.4, "min_rows": 2},
    ),
    "evaluation": configured(EvaluationParams, resamples=100),
    "decision": configured(
        DecisionParams, alpha=0.4, min_rows=20, min_fresh_rows=20, guards=("accuracy",)
    ),
    "training": configured(TrainingParams),
    "monitoring": configured(
        MonitoringParams,
        adapt="release",
        classifier_rows=0,
        tolerance=0.05,
        concept_alpha=0.05,
        patience=2,
        min_rows=40,
        cool_down=2,
    ),
}
CODE = Code(git_commit=None, git_dirty=None, lock_sha256=None, python="3", libraries={})
#: What only people look at, and what is replaced below.
LEFT_OUT = {
    "explain_model",
    "measure_in_order",
    "plot_evaluation",
    "write_report",
    "draw_monitoring",
    "write_monitoring_report",
    "search_model",
    "measure_fit",
    "refit_model",
}


@dataclass
class Clock:
    """Time that advances by a second with each call."""

    seconds: int = 0

    def now(self) -> str:
        """ISO time."""
        return self._at().isoformat(timespec="milliseconds")

    def version(self) -> str:
        """Time as Kedro names versions by it."""
        return self._at().strftime("%Y-%m-%dT%H.%M.%S.000Z")

    def _at(self) -> pd.Timestamp:
        self.seconds += 1
        return pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(seconds=self.seconds)


@cache
def stump_files(regime: int) -> dict[str, bytes]:
    """A release's model folder: of a model that knows one regime."""
    import skops.io

    return {"MLmodel": MLMODEL, "model.skops": skops.io.dumps(stump(regime))}


def model_files(model: int | FittedModel) -> dict[str, bytes]:
    """A release's model folder: of a stump, by its regime, or of what a policy has fitted."""
    import skops.io

    if isinstance(model, int):
        return stump_files(model)
    return {"MLmodel": MLMODEL, "model.skops": skops.io.dumps(model.pipeline)}


def stump(regime: int) -> Any:
    """A model that knows one regime."""
    from sklearn.linear_model import LogisticRegression

    cut, sign = REGIMES[regime]
    model = LogisticRegression()
    model.classes_ = np.array(["no", "yes"])
    model.coef_ = np.array([[sign * STEEPNESS, 0.0]])
    model.intercept_ = np.array([-sign * STEEPNESS * cut])
    model.n_features_in_, model.n_iter_ = 2, np.array([1])
    model.feature_names_in_ = np.array(FEATURES, dtype=object)
    return model


def labels_of(x: np.ndarray, regime: int) -> np.ndarray:
    """The true labels of these rows."""
    cut, sign = REGIMES[regime]
    return np.where(sign * (x - cut) > 0, "yes", "no")


def make_rows(regime: int, seed: int, rows: int = 60, shift: float = 0.0) -> pd.DataFrame:
    """Rows of a regime, one in twenty with a wrong label."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, 2)).round(6), columns=FEATURES)
    table[TARGET] = labels_of(table["x"].to_numpy(), regime)
    wrong = rng.random(rows) < 0.05
    table.loc[wrong, TARGET] = labels_of(
        -table["x"].to_numpy()[wrong] + 2 * REGIMES[regime][0], regime
    )
    table["x"] += shift
    return table


def learn(train: pd.DataFrame) -> int:
    """The search: which regime fits the newest batch best."""
    newest = train[train[BATCH_COLUMN] == train[BATCH_COLUMN].max()]
    x, y = newest["x"].to_numpy(), newest[TARGET].to_numpy()
    return int(np.argmax([(labels_of(x, regime) == y).mean() for regime in range(len(REGIMES))]))


def search_stump(train_data: pd.DataFrame) -> tuple[int, SearchReport, Recipe, RefitReport]:
    """Stands for search_model and refit_model; the model is the number of its regime."""
    regime = learn(train_data)
    report = SearchReport(
        best_candidate="stump",
        best_params={"regime": regime},
        best_valid_loss=0.1,
        loss="log_loss",
        trials_requested=1,
        trials_run=1,
    )
    return regime, report, make_recipe(), RefitReport(rule="none", rows=len(train_data))


def search_recipe(train_data: pd.DataFrame) -> tuple[Recipe, SearchReport]:
    """Stands for the search after an alarm: another recipe for rows of another number."""
    strength = 0.5 if len(train_data) % 2 else 0.1
    report = SearchReport(
        best_candidate="linear",
        best_params={"C": strength},
        best_valid_loss=0.1,
        loss="log_loss",
        trials_requested=1,
        trials_run=1,
    )
    return make_recipe(parameters={"C": strength, "random_state": 0}), report


def check_stump(train_data: pd.DataFrame) -> OverfitCheck:
    """A stump does not overfit."""
    return make_overfit_check()


@cache
def small_pipelines() -> dict[str, Pipeline]:
    """The project's pipelines with a stump instead of a search, and without pictures."""
    training = [
        Node(
            search_stump,
            "train_data",
            ["model", "search_report", "recipe", "refit_report"],
            name="search_stump",
        ),
        Node(check_stump, "train_data", "overfit_check", name="check_stump"),
    ]
    instead = {
        "__default__": training,
        "recipe_search": [
            Node(search_recipe, "train_data", ["recipe", "search_report"], name="search_recipe")
        ],
    }
    found = {}
    for name, pipeline in register_pipelines().items():
        nodes = [node for node in pipeline.nodes if node.func.__name__ not in LEFT_OUT]
        found[name] = Pipeline(nodes + instead.get(name, []))
    return found


@cache
def _catalog_entries() -> str:
    """The project's own catalog as JSON, with ROOT where its folder will be."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(CONF / "base", Path(scratch) / "base")
        (Path(scratch) / "small").mkdir()
        places = {"storage": "/ROOT/data", "production": "/ROOT/production"}
        files = {"source": "/ROOT/source", "labels": "/ROOT/labels"}
        settings = {"model_name": NAME, "target": TARGET, **places, **files}
        text = yaml.safe_dump(settings)
        (Path(scratch) / "small" / "globals.yml").write_text(text, encoding="utf-8")
        loader = OmegaConfigLoader(scratch, env="small", **CONFIG_LOADER_ARGS)
        return json.dumps(loader["catalog"])


@dataclass
class SmallPlace:
    """A project's folder, seen by one process at a time; nothing is remembered but on disk.

    ``adapt`` is how production follows the data (``monitoring.adapt``).
    """

    root: Path
    server: MemoryServer
    clock: Clock
    killer: Killer
    adapt: str = "release"

    def catalog(self, version: str | None = None, **more: Any) -> Any:
        """A fresh catalog, which sees what other processes have written."""
        entries = json.loads(_catalog_entries().replace("/ROOT", self.root.as_posix()))
        # A function, of which Kedro makes no copy as it does of other configuration.
        for name in ("champion", "challenge", "registered_version", "release"):
            entries[name]["server"] = self.server
        entries["release"]["now"] = lambda: self.clock.now()
        catalog = DataCatalog.from_config(entries, save_version=version or self.clock.version())
        for name, section in PARAMS.items():
            own = {"adapt": self.adapt} if name == "monitoring" else {}
            given = section.model_copy(update=own | more.get(name, {}))
            catalog[f"params:{name}"] = MemoryDataset(given, copy_mode="assign")
        catalog["params:plan"] = MemoryDataset(more.get("plan"))
        return catalog

    bare_catalog = catalog  # there are no hooks here

    def run(self, pipeline: str, **more: Any) -> str:
        """Run a pipeline as a separate process would, between the steps of the hooks."""
        version, whole = self.clock.version(), small_pipelines()["__default__"]
        catalog, chosen = self.catalog(version, **more), small_pipelines()[pipeline]
        catalog["monitoring_report"] = MemoryDataset("")  # not written here
        parent = versions.latest_manifest(catalog)
        versions.pin_inputs(catalog, chosen, parent, {}, whole)
        versions.pin_outputs(catalog, chosen, {})
        claim = versions.claim_run(catalog, versions.MANIFEST)
        assert claim is not None
        client = self.server.client()
        mlflow_run = client.create_run(client.create_experiment(NAME)).info.run_id
        context = RunContext(
            run_id=version,
            mlflow_run_id=mlflow_run,
            env="local",
            model_name=NAME,
            code=CODE,
            data_versions=versions.planned_versions(catalog, chosen, version, parent),
        )
        catalog["run_context"] = MemoryDataset(context)
        try:
            for node in chosen.nodes:
                self._run_node(node, catalog, mlflow_run)
        except Exception:
            claim.drop()
            raise
        found = versions.describe_versions(catalog, chosen, {}, parent, whole, self.root)
        about = context.model_dump(exclude={"data_versions"})
        manifest = Manifest(**about, pipelines=(pipeline,), parameters={}, datasets=found)
        self.killer.around(catalog.save)("manifest", manifest)
        claim.drop()
        self.server.log_text(mlflow_run, "manifest.json", manifest.model_dump_json())
        return version

    def _run_node(self, node: Node, catalog: Any, mlflow_run: str) -> None:
        outputs = node.run({name: catalog.load(name) for name in node.inputs})
        for name, value in outputs.items():
            self.killer.step("save")
            if name == "model":
                folder = Path(versions.content_path(catalog.get(name), "written"))
                folder.mkdir(parents=True)
                files = model_files(value)
                for file, content in files.items():
                    (folder / file).write_bytes(content)
                    self.killer.step("save")
                self.server.log_model(mlflow_run, files)
            elif name in catalog:
                catalog.save(name, value)
            else:
                catalog[name] = MemoryDataset(value, copy_mode="assign")
            self.killer.step("save")
