"""The command: look at everything that refers to data, then remove the rest, run by run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from kedro.framework.project import pipelines as project_pipelines
from kedro.io.core import get_filepath_str
from kedro.pipeline import Pipeline
from pydantic import ValidationError

from mlops_basics.commands.prune import references
from mlops_basics.commands.prune.plan import (
    VERSION,
    Plan,
    Reference,
    Stored,
    in_words,
    kept_runs,
    make_plan,
)
from mlops_basics.errors import LineageError
from mlops_basics.runs import versions
from mlops_basics.runs.claim import FOLDER as CLAIMS
from mlops_basics.runs.claim import MOST_BYTES, works_here
from mlops_basics.runs.session import Place
from mlops_basics.schemas import Manifest
from mlops_basics.storage.store_files import StoreFiles

_RUNS = (versions.MANIFEST, versions.REPRODUCTION)
_MOST_MANIFEST_BYTES = 16 * 2**20


def prune_runs(place: Place, keep: int, *, dry_run: bool = False) -> str:
    """Remove the data of all runs but the newest ones and those that something refers to.

    MLflow's runs and the releases stay. Interrupted anywhere, the same call goes on.

    Args:
        place: Which model, in which project.
        keep: How many of the newest runs to keep, at least 1.
        dry_run: Tell what would go, but remove nothing.

    Returns:
        A message that says what went and why the rest was kept.

    Raises:
        LineageError: If it is unknown what is needed; nothing is removed then.
        ConflictError: If another process works on the same production for long.
    """
    return prune(place.catalog(), project_pipelines, keep, dry_run=dry_run)


def prune(
    catalog: versions.Catalog,
    pipelines: Mapping[str, Pipeline],
    keep: int,
    *,
    dry_run: bool = False,
) -> str:
    """Remove what a catalog's data sets hold beside the newest runs and what is referred to."""
    storage = _ModelStorage(catalog, pipelines)
    if dry_run:
        plan, stored = look(catalog, storage, keep)
        return in_words(plan, stored.recorded(), dry_run=True)
    # A run that is registered or promoted meanwhile would refer to what is about to go.
    release: Any = catalog.get("release")
    with release.store.one_run_at_a_time():
        plan, stored = look(catalog, storage, keep)
        for name, version, _ in plan.removed:
            storage.remove(name, version)
        for version in {version for _, version, _ in plan.removed} & set(stored.claimed):
            storage.drop_claim(version)
    return in_words(plan, stored.recorded(), dry_run=False)


def look(catalog: versions.Catalog, storage: _ModelStorage, keep: int) -> tuple[Plan, Stored]:
    """Decide what goes, and say what there is; nothing is removed."""
    stored, now = storage.stored(), datetime.now(UTC)
    release: Any = catalog.get("release")
    needed: list[Reference] = [
        references.of_run(why, storage.manifest(run))
        for run, why in kept_runs(stored, keep, now).items()
    ]
    needed += references.releases(release.store)
    needed += references.registered(release.registry, release.store.ledger())
    needed += references.monitored(catalog.load("monitoring_state"))
    return make_plan(stored, needed, now), stored


class _ModelStorage:
    """The versioned data sets below the model's folder, wherever that is."""

    def __init__(self, catalog: versions.Catalog, pipelines: Mapping[str, Pipeline]) -> None:
        """
        Args:
            catalog: The model's data sets.
            pipelines: What makes them: the catalog does not list what it knows by a pattern.
        """
        manifest = versions.versioned(catalog, versions.MANIFEST)
        if manifest is None:
            raise LineageError("The catalog has no versioned 'manifest': nothing tells runs apart.")
        protocol = getattr(manifest, "_protocol", "file")
        root = manifest._filepath.parent.parent
        shown = versions.shown_path(protocol, get_filepath_str(root, protocol))
        self._files = StoreFiles(shown, fs=getattr(manifest, "_fs", None))
        self._folders: dict[str, str] = {}
        made = (name for pipeline in pipelines.values() for name in pipeline.datasets())
        for name in sorted({*catalog.keys(), *made}):
            dataset = versions.versioned(catalog, name)
            if dataset is None or getattr(dataset, "_protocol", "file") != protocol:
                continue
            if dataset._filepath.is_relative_to(root):  # others are not this model's
                self._folders[name] = dataset._filepath.relative_to(root).as_posix()
        self._claims = f"{PurePosixPath(self._folders[versions.MANIFEST]).parent}/{CLAIMS}"

    def stored(self) -> Stored:
        """What there is now."""
        claims = [name.removesuffix(".json") for name in self._files.names(self._claims)]
        folders = {name: self._bytes(folder) for name, folder in self._folders.items()}
        runs = {name: self._recorded(self._folders[name]) for name in _RUNS if name in folders}
        working = [claim for claim in claims if self._works(claim)]
        return Stored(folders, runs, claims, working)

    def manifest(self, run: str) -> Manifest:
        """The manifest of a run or of a reproduction."""
        for name in _RUNS:
            if name in self._folders:
                folder = self._folders[name]
                path = f"{folder}/{run}/{PurePosixPath(folder).name}"
                content = self._files.read(path, _MOST_MANIFEST_BYTES)
                if content is None:
                    continue
                try:
                    return Manifest.model_validate_json(content)
                except ValidationError as error:
                    raise LineageError(
                        f"{self._files.shown(path)} is not readable as a manifest, so that it "
                        "cannot be told what its run needs. Restore it, or remove its folder if "
                        "the run is not needed, then prune again."
                    ) from error
        raise LineageError(f"The manifest of the run {run} is gone; prune again.")

    def remove(self, name: str, version: str) -> None:
        """Remove one version of a data set."""
        self._files.remove_folder(f"{self._folders[name]}/{version}")

    def drop_claim(self, version: str) -> None:
        """Remove what a killed run left to say that it works."""
        self._files.remove(f"{self._claims}/{version}.json")

    def _works(self, version: str) -> bool:
        return works_here(self._files.read(f"{self._claims}/{version}.json", MOST_BYTES))

    def _recorded(self, folder: str) -> list[str]:
        """The runs that have a manifest; a killed one may have left no more than its folder."""
        name = PurePosixPath(folder).name
        paths = [path.split("/") for path in self._files.sizes(folder)]
        return [path[0] for path in paths if path[1:] == [name] and VERSION.fullmatch(path[0])]

    def _bytes(self, folder: str) -> dict[str, int]:
        """Size of each version."""
        # By names, too: a killed removal may have left emptied folders.
        found = dict.fromkeys(self._files.names(folder), 0)
        for path, size in self._files.sizes(folder).items():
            version = path.split("/")[0]
            found[version] = found.get(version, 0) + max(size, 0)
        return found
