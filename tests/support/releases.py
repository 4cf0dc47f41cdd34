"""A small real release, and a registry in memory, for the tests of production."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_basics.errors import ConflictError, ReleaseError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import (
    FittedModel,
    LedgerEntry,
    ReleaseManifest,
    TableInfo,
)
from tests.support.artifacts import make_decision
from tests.support.fitted import TRUSTED

NAME = "flowers"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a real release holds; making one takes a second, and no test changes it."""
    return make_folder(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def small(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same release with the fewest files."""
    return small_copy(folder, tmp_path_factory.mktemp("small"))


@pytest.fixture(params=["file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be, on disk or in memory."""
    return str(tmp_path / "store") if request.param == "file" else f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def quick_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out looking into model files, which takes long and is tested with the store."""
    monkeypatch.setattr("mlops_basics.production.release_check.check_archive", lambda *_: None)


def make_rows(rows: int = 40) -> pd.DataFrame:
    """A number with gaps, a number without, and a category with gaps."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "length": rng.normal(size=rows),
            "count": rng.integers(1, 9, rows).astype(float),
            "colour": pd.Series(rng.choice(["red", "blue"], rows), dtype="str"),
        }
    )
    table.loc[3, "length"] = np.nan
    table.loc[4, "colour"] = None
    return table


def make_folder(folder: Path, slope: int = 1) -> Path:
    """What a release holds but its manifest: a model folder as MLflow saves it, the table."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from skrub import TableVectorizer

    from mlops_basics.datasets.model import SklearnModelDataset

    table = make_rows()
    target = np.where(slope * table["length"].fillna(0) > 0, "yes", "no")
    steps = [
        ("vectorizer", TableVectorizer()),
        ("imputer", SimpleImputer()),
        ("estimator", LogisticRegression()),
    ]
    fitted = Pipeline(steps).set_output(transform="pandas").fit(table, target)
    dataset = SklearnModelDataset(filepath=str(folder / "model"), trusted_types=TRUSTED)
    dataset.save(FittedModel(pipeline=fitted, example=table.head(5)))
    info = TableInfo(
        task="binary",
        target="answer",
        classes=("no", "yes"),
        features=tuple(table.columns),
        numeric=("length", "count"),
        key_columns=(),
        rows=len(table),
        duplicate_rows=0,
        missing_target_rows=0,
        dropped_columns={},
    )
    (folder / "table_info.json").write_text(info.model_dump_json(), encoding="utf-8")
    return folder


def small_copy(folder: Path, target: Path) -> Path:
    """The fewest files that make a release, for tests that write one very often."""
    for name in ("model/MLmodel", "model/model.skops", "table_info.json"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, target / name)
    return target


def make_manifest(version: str = "1", model_name: str = NAME) -> ReleaseManifest:
    """A manifest before its files are known."""
    decision = make_decision(
        reasons=("Better than a constant prediction.",), rows=30, gain=0.25, low=0.125, high=0.5
    )
    return ReleaseManifest(
        model_name=model_name,
        version=version,
        run_id=f"run-{version}",
        mlflow_run_id=None,
        data_versions={"raw_data": "2026-01-01T00.00.00.000Z"},
        git_commit=None,
        git_dirty=None,
        decision=decision,
        files={},
    )


def make_entry(version: str = "1", replaced: str | None = None, **values) -> LedgerEntry:
    """A line of the ledger: by default a release, at a time of its version."""
    defaults = {"action": "release", "at": f"2026-01-0{version}", "by": "tests", "reason": "better"}
    return LedgerEntry.model_validate(
        {**defaults, "version": version, "replaced": replaced, **values}
    )


def publish(store: ReleaseStore, folder: Path, version: str) -> None:
    """What publishing does, in its order."""
    pointer = store.pointer()
    replaced = pointer.version if pointer else None
    if replaced == version:
        return
    store.upload(folder, make_manifest(version))
    store.record(make_entry(version, replaced))
    store.point(version, pointer, f"2026-01-0{version}")


@dataclass
class MemoryRegistry:
    """Aliases as MLflow keeps them: two, each set by a separate call."""

    known: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    model_name: str = NAME

    def download(self, version: str, target: Path) -> None:
        """Its artifacts are gone."""
        raise ReleaseError(f"MLflow has version {version} no longer: {target} stays empty.")

    def run_of(self, version: str) -> str:
        """The run that made a version."""
        return f"run-of-{version}"

    def champion(self) -> str | None:
        """The version with the alias ``champion``."""
        return self.aliases.get("champion")

    def previous(self) -> str | None:
        """The version that was champion before."""
        return self.aliases.get("previous")

    def versions(self) -> list[str]:
        """All versions."""
        return list(self.known)

    def set_alias(self, alias: str, version: str) -> None:
        """One call of MLflow's client."""
        self.aliases[alias] = version

    def move_champion(
        self, to: str, expected: str | None, still_held: Callable[[], None] = lambda: None
    ) -> None:
        """As ``ModelRegistry.move_champion``."""
        now = self.champion()
        if now == to:
            return
        if now != expected:
            raise ConflictError(f"The champion is version {now}, no longer {expected}.")
        if now is not None:
            self.set_alias("previous", now)
        still_held()
        self.set_alias("champion", to)
