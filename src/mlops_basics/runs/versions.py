"""Keeps the versions that a run reads and writes together.

Kedro alone would load the latest version of each data set by itself, and could so mix a model
with test rows of another split. Every run writes a manifest of one coherent set of versions; a
pipeline that runs alone loads all of its inputs from the newest manifest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kedro.io import CatalogProtocol, DatasetError
from kedro.io.core import AbstractVersionedDataset, Version, get_filepath_str
from kedro.pipeline import Pipeline

from mlops_basics.errors import LineageError, VersionTakenError
from mlops_basics.runs.claim import RunClaim, taken
from mlops_basics.runs.ending import ended_as_it_was
from mlops_basics.schemas import DataVersion, Manifest
from mlops_basics.storage.store_files import StoreFiles

Catalog = CatalogProtocol[str, Any]
T = TypeVar("T")
MANIFEST = "manifest"
REPRODUCTION = "reproduction"  # a manifest that no later run continues from
_MOST_ATTEMPTS = 3  # to get a version; the same millisecond twice is rare enough

log = logging.getLogger(__name__)


def latest_manifest(catalog: Catalog) -> Manifest | None:
    """The newest run's manifest, or None before the first run."""
    return runs_before(catalog)[0]


def runs_before(catalog: Catalog) -> tuple[Manifest | None, str | None]:
    """The newest run's manifest and the highest version of a run, None before the first run.

    Versions are times. One that lies in the future is of a clock that was ahead, and is told. A
    run that began when it was there already is newer, although its version is lower, also when
    that time has come.
    """
    if MANIFEST not in catalog or not catalog.exists(MANIFEST):
        return None, None
    highest: Manifest = catalog.load(MANIFEST)
    dataset = versioned(catalog, MANIFEST)
    if dataset is None:
        return highest, highest.run_id
    own = str(dataset.resolve_save_version())
    below = _next_below(dataset, highest.run_id, own)
    newest = below if below and below.highest_before == highest.run_id else highest
    if highest.run_id > own:
        log.warning(
            "The run %s lies in the future: the clock of the machine that made it was ahead, or "
            "that of this one is behind. %s",
            highest.run_id,
            f"The newest run is {newest.run_id}, which began after it."
            if newest is below
            else "No run has begun after it: it is the newest one.",
        )
    return newest, highest.run_id


def versioned(catalog: Catalog, name: str) -> AbstractVersionedDataset[Any, Any] | None:
    """The data set of this name if it keeps versions, else None."""
    dataset = catalog.get(name)
    if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None:
        return dataset
    return None


def pin_inputs(
    catalog: Catalog,
    pipeline: Pipeline,
    parent: Manifest | None,
    chosen: Mapping[str, str],
    whole: Pipeline,
) -> None:
    """Make a pipeline's inputs load the versions of one run.

    Args:
        catalog: The run's catalog; its data sets are pinned in place.
        pipeline: What is about to run.
        parent: The newest manifest.
        chosen: Versions that the user asked for; they are left alone.
        whole: The pipeline that makes every data set, for the remedy in the message.

    Raises:
        LineageError: If an input does not belong to the newest run.
    """
    for name in sorted(pipeline.inputs()):
        dataset = None if name.startswith("params:") else versioned(catalog, name)
        if dataset is None or name in chosen:
            continue
        if parent is None or name not in parent.datasets:
            raise LineageError(_no_version(name, parent, whole))
        _pin(dataset, parent.datasets[name].version)
        if not dataset.exists():
            raise LineageError(
                f"'{name}' of the run {parent.run_id} is gone: {parent.datasets[name].path} does "
                f"not exist. Run again what makes it: {_remedy(name, whole)}"
            )


def load_of(catalog: Catalog, name: str, run_id: str) -> Any:
    """Load what a run has written, also if others wrote later."""
    dataset = versioned(catalog, name)
    assert dataset is not None  # noqa: S101 (the caller names one of ours)
    _pin(dataset, run_id)
    return dataset.load()


def pin_outputs(catalog: Catalog, pipeline: Pipeline, chosen: Mapping[str, str]) -> None:
    """Make a run read back what it wrote itself.

    Kedro looks for the latest version after each save and before each load: another run that
    began later may have written it, and on S3 the look-up costs two requests for every version.

    Args:
        catalog: The run's catalog; its data sets are pinned in place.
        pipeline: What is about to run.
        chosen: Versions that the user asked for; they are left alone.
    """
    for name in (pipeline.all_outputs() | {MANIFEST, REPRODUCTION}) - set(chosen):
        dataset = versioned(catalog, name)
        if dataset is not None:
            _pin(dataset, dataset.resolve_save_version())


def claim_run(catalog: Catalog, name: str) -> RunClaim | None:
    """Make sure that no other run uses, or has used, this run's version.

    Args:
        catalog: The run's catalog.
        name: The manifest that the run is going to write.

    Returns:
        The claim, to be dropped in the end; None without a versioned manifest.

    Raises:
        VersionTakenError: If another run has the version; nothing was written yet.
    """
    dataset = versioned(catalog, name)
    if dataset is None:
        return None
    fs, protocol = getattr(dataset, "_fs", None), getattr(dataset, "_protocol", "file")
    run_id = str(dataset.resolve_save_version())
    folder = get_filepath_str(dataset._filepath.parent, protocol)
    claim = RunClaim(StoreFiles(shown_path(protocol, folder), fs=fs), run_id)
    claim.take()
    if dataset.exists():  # pinned to its own version: the other run has ended
        claim.drop()
        raise taken(run_id, shown_path(protocol, str(dataset._get_versioned_path(run_id))))
    return claim


def with_free_version(run: Callable[[], T]) -> T:
    """Run, and again under a new version where another run of the same millisecond has it.

    Args:
        run: Makes a session, and so a version, of its own each time, and runs it.

    Returns:
        What the run returns.

    Raises:
        VersionTakenError: If the version was taken each time.
    """
    with ended_as_it_was():
        for _ in range(_MOST_ATTEMPTS - 1):
            try:
                return run()
            except VersionTakenError as error:
                log.debug("%s", error)
        return run()


def shown_path(protocol: str, path: str) -> str:
    """A readable path, with its protocol unless it is on this machine."""
    return path if protocol == "file" else f"{protocol}://{path.split('://')[-1]}"


def planned_versions(
    catalog: Catalog, pipeline: Pipeline, run_id: str, parent: Manifest | None
) -> dict[str, str]:
    """Version of each data set that belongs to a run that begins: read, kept, or to be written."""
    kept = {name: version.version for name, version in parent.datasets.items()} if parent else {}
    written = pipeline.all_outputs()
    own = {name: run_id for name in written if versioned(catalog, name) is not None}
    read = {
        name: str(dataset.resolve_load_version())
        for name in pipeline.inputs()
        if not name.startswith("params:") and (dataset := versioned(catalog, name)) is not None
    }
    return dict(sorted((kept | read | own).items()))


def describe_versions(
    catalog: Catalog,
    pipeline: Pipeline,
    rows: Mapping[str, int],
    parent: Manifest | None,
    whole: Pipeline,
    root: Path,
) -> dict[str, DataVersion]:
    """The coherent set of versions after a run: read, written, and kept from the run before.

    What was made from something that this run wrote anew is not kept: it is out of date.
    """
    written, read = pipeline.all_outputs(), pipeline.inputs()
    versions = {}
    for name in sorted(written | read):
        dataset = None if name.startswith("params:") else versioned(catalog, name)
        if dataset is not None:
            access = "written" if name in written else "read"
            versions[name] = _describe(dataset, rows.get(name), access, root)
    stale = _descendants(written, whole)
    for name, version in (parent.datasets if parent else {}).items():
        if name not in versions and name not in stale:
            versions[name] = version.model_copy(update={"access": "kept"})
    return versions


def content_path(dataset: AbstractVersionedDataset[Any, Any], access: str) -> str:
    """Where the version that was read or written lies, in its file system."""
    path = dataset._get_versioned_path(_version(dataset, access))
    return get_filepath_str(path, getattr(dataset, "_protocol", "file"))


def content_hash(filesystem: Any, path: str) -> str:
    """SHA-256 of a file, or of the names and hashes of a folder's files."""
    if filesystem.isfile(path):
        return hashlib.sha256(filesystem.cat_file(path)).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(filesystem.find(path)):
        inside = file[len(path.rstrip("/")) :] if file.startswith(path) else file.split(path)[-1]
        content = hashlib.sha256(filesystem.cat_file(file)).hexdigest()
        digest.update(f"{inside.lstrip('/')}\0{content}\n".encode())
    return digest.hexdigest()


def pin(catalog: Catalog, name: str, version: str) -> None:
    """Let a data set of the catalog load one version."""
    dataset = versioned(catalog, name)
    assert dataset is not None  # noqa: S101 (the caller names one of ours)
    _pin(dataset, version)


def folder_hashes(catalog: Catalog, name: str) -> dict[str, str]:
    """SHA-256 of each file of the folder that a data set loads, by its path in it."""
    dataset = versioned(catalog, name)
    assert dataset is not None  # noqa: S101 (as above)
    path = content_path(dataset, "read")
    return StoreFiles(path, fs=getattr(dataset, "_fs", None)).hashes()


def file_hash(catalog: Catalog, name: str, version: str, file: str) -> str | None:
    """SHA-256 of a file in a version's folder, None where it is gone.

    Args:
        catalog: Its data set is pinned in place.
        name: Of a data set whose versions are folders.
        version: Which of them.
        file: Name of the file in it.
    """
    dataset = versioned(catalog, name)
    assert dataset is not None  # noqa: S101 (the caller names one of ours)
    _pin(dataset, version)
    path = f"{content_path(dataset, 'read')}/{file}"
    fs: Any = getattr(dataset, "_fs", None)
    return content_hash(fs, path) if fs.isfile(path) else None


def _next_below(
    dataset: AbstractVersionedDataset[Any, Any], version: str, now: str
) -> Manifest | None:
    """The manifest of the highest version below another one and not in the future."""
    protocol = getattr(dataset, "_protocol", "file")
    folder = shown_path(protocol, get_filepath_str(dataset._filepath, protocol))
    names = StoreFiles(folder, fs=getattr(dataset, "_fs", None)).names("")
    try:
        for name in sorted((name for name in names if name < version), reverse=True):
            _pin(dataset, name)
            if name <= now and dataset.exists():  # a killed run may have left no more than a folder
                manifest: Manifest = dataset.load()
                return manifest
        return None
    except DatasetError:  # damaged: who needs it says so
        return None
    finally:
        _pin(dataset, None)


def _pin(dataset: AbstractVersionedDataset[Any, Any], version: str | None) -> None:
    """Let a data set load one version.

    Kedro has no public way to set a load version once the catalog exists, and only then is the
    pipeline known, by whichever door the run came in.
    """
    dataset._version = Version(version, dataset.resolve_save_version())


def _describe(
    dataset: AbstractVersionedDataset[Any, Any], rows: int | None, access: str, root: Path
) -> DataVersion:
    path = content_path(dataset, access)
    version = _version(dataset, access)
    shown = path.removeprefix(f"{root.as_posix()}/")
    if (protocol := getattr(dataset, "_protocol", "file")) != "file":
        shown = f"{protocol}://{path}"
    digest = content_hash(getattr(dataset, "_fs", None), path)
    return DataVersion.model_validate(
        {"version": version, "path": shown, "sha256": digest, "rows": rows, "access": access}
    )


def _version(dataset: AbstractVersionedDataset[Any, Any], access: str) -> str:
    written = access == "written"
    return str(dataset.resolve_save_version() if written else dataset.resolve_load_version())


def _descendants(names: Iterable[str], whole: Pipeline) -> set[str]:
    reached = set(names)
    for node in whole.nodes:  # in topological order
        if reached & set(node.inputs):
            reached |= set(node.outputs)
    return reached - set(names)


def _no_version(name: str, parent: Manifest | None, whole: Pipeline) -> str:
    if parent is None:
        return (
            f"There is no version of '{name}' yet. Make the first by: kedro run "
            "(or run the pipelines before this one)."
        )
    return (
        f"The newest run, {parent.run_id} ({', '.join(parent.pipelines)}), has no '{name}': an "
        f"older one would not belong to its data. Make a new one by: {_remedy(name, whole)}"
    )


def _remedy(name: str, whole: Pipeline) -> str:
    makers = [node for node in whole.nodes if name in node.outputs]
    if not makers:
        return "kedro run"
    module = makers[0].func.__module__
    return f"kedro run --pipeline {module.split('.')[-2]}" if "pipelines" in module else "kedro run"
