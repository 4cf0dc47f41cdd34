"""A run's manifest in MLflow, compared with what was kept of it elsewhere.

It says what the run has made, and what is done again, or promoted by hand, follows from it.
MLflow's copy can be changed by whoever may write into the experiment; beside the data, and as a
hash in production, there is what the run itself has written.
"""

from __future__ import annotations

from kedro.io import DatasetError

from mlops_basics.errors import LineageError
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.runs import versions
from mlops_basics.schemas import Manifest, ModelRecord


def require_kept(
    catalog: versions.Catalog, store: ReleaseStore, manifest: Manifest, *, complete: bool
) -> None:
    """Refuse a manifest that is not the one that its run has written.

    Args:
        catalog: Its ``manifest`` is that beside the data.
        store: Knows the hashes of the runs whose user may write in production.
        manifest: From MLflow.
        complete: Whether the copy beside the data has to be there, too.

    Raises:
        LineageError: If it is another one, or the copy is gone.
    """
    digest, kept = manifest.content_sha256(), None
    try:
        kept = versions.load_of(catalog, versions.MANIFEST, manifest.run_id)
    except DatasetError as error:
        if complete:
            raise LineageError(
                f"What the run {manifest.run_id} has made is gone, or cannot be read: its manifest "
                f"is not beside the data. Make it again: kedro run ({error})"
            ) from error
    places = {
        "beside the data": kept.content_sha256() if kept else None,
        "known to production": store.runs.noted_manifest(manifest.mlflow_run_id),
    }
    for place, sha in places.items():
        if sha not in (None, digest):
            raise LineageError(
                f"The manifest of the run {manifest.run_id} in MLflow is not the one that is "
                f"{place}: one of them was changed since the run wrote it, so that what it names "
                "may be anything. Restore it, or make the run again: kedro run"
            )


def require_same_origin(manifest: Manifest, record: ModelRecord, names: set[str]) -> None:
    """Refuse a model that was made from other data than its run says.

    Args:
        manifest: Of the run.
        record: What the model's own record says.
        names: The data sets that a model comes from.

    Raises:
        LineageError: If both do not agree.
    """
    said = {name: version.version for name, version in manifest.datasets.items()}
    differing = sorted(
        name
        for name in names & set(said) & set(record.data_versions)
        if said[name] != record.data_versions[name]
    )
    if said["model"] != record.run_id:
        differing = ["model", *differing]
    if differing:
        raise LineageError(
            f"The model of the run {manifest.run_id} was made from another version of "
            f"'{differing[0]}' than the run's manifest names: they do not belong together. Restore "
            "both, or make the run again: kedro run"
        )
