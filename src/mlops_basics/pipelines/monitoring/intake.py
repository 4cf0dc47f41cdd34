"""What to do with each batch: watch it, leave it alone, or quarantine it, and why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.prediction import batch_features
from mlops_basics.row_hash import row_hashes
from mlops_basics.schemas import (
    RESERVED_COLUMNS,
    Batch,
    PreprocessingParams,
    Release,
    TableInfo,
    Watch,
    WatchedBatch,
)


@dataclass(frozen=True)
class Taken:
    """A batch that was looked at: what is remembered of it from now on, and its features.

    ``features`` is None where the batch cannot be used, ``is_new`` tells whether its features are
    judged now, ``note`` what has changed since it was seen before.
    """

    batch: Batch
    record: WatchedBatch
    features: pd.DataFrame | None = None
    is_new: bool = False
    note: str = ""


def take_in(
    source: list[Batch], release: Release, watch: Watch, params: PreprocessingParams, run_id: str
) -> list[Taken]:
    """Look at every batch that came after the release's training data, in the order of names.

    A batch is judged once. One that was rewritten keeps what was said of it; one that is as it was
    is returned only while its labels are awaited.
    """
    trained = watch.trained
    known = {record.name: record for record in watch.batches}
    owners = {sha: name for name, sha in trained.items()}
    owners |= {
        key: record.name
        for record in watch.batches
        if record.number
        for key in (record.sha256, record.content)
    }
    number = max((record.number for record in watch.batches), default=0)
    taken = []
    for batch in source:
        before = known.get(batch.name)
        if before is not None and before.sha256 == batch.sha256:
            if before.number and not before.entered and not before.skip:
                features = batch_features(batch, release.table)
                taken.append(Taken(batch, before, features))
            continue
        if before is None and trained.get(batch.name) == batch.sha256:
            continue
        found = _look_at(batch, before, release, params, trained, owners, run_id)
        if found.is_new:
            number += 1
            numbered = found.record.model_copy(update={"number": number})
            found = Taken(batch, numbered, found.features, is_new=True)
        owners |= {key: batch.name for key in (batch.sha256, found.record.content) if key}
        taken.append(found)
    return taken


def _look_at(
    batch: Batch,
    before: WatchedBatch | None,
    release: Release,
    params: PreprocessingParams,
    trained: dict[str, str],
    owners: dict[str, str],
    run_id: str,
) -> Taken:
    record = WatchedBatch(
        name=batch.name,
        sha256=batch.sha256,
        outcome="quarantined",
        seen_by=run_id,
        rows=len(batch.table),
        skip=True,
    )
    judged = before is not None and before.number > 0
    try:
        features = _usable_features(batch, release.table, params)
    except DataError as error:
        reason = str(error)
        if before is None or not judged:
            return Taken(batch, record.model_copy(update={"reason": reason}))
        reason = f"It was rewritten after it was judged, and cannot be used as it is now: {reason}"
        return Taken(batch, _again(before, batch, reason, skip=True), note=reason)
    content = content_digest(features)
    if before is not None and judged:
        return _seen_again(before, batch, features, content)
    if batch.name in trained:
        reason = (
            "The release was trained on this file with other content. It is not watched; the next "
            "training reads it as it is now. Put new rows into a file of their own."
        )
        update = {"outcome": "rewritten", "reason": reason, "skip": False}
        return Taken(batch, record.model_copy(update=update), note=reason)
    twin = owners.get(batch.sha256) or owners.get(content)
    if twin is not None and twin != batch.name:
        reason = f"It holds the same rows as '{twin}', which count once. Remove one of them."
        update = {"outcome": "duplicate", "reason": reason}
        return Taken(batch, record.model_copy(update=update))
    update = {"outcome": "used", "content": content, "skip": False}
    return Taken(batch, record.model_copy(update=update), features, is_new=True)


def _seen_again(
    before: WatchedBatch, batch: Batch, features: pd.DataFrame, content: str
) -> Taken:
    if before.content == content:
        again = before.model_copy(update={"sha256": batch.sha256, "skip": False})
        return Taken(batch, again, features, note="Its labels have changed.")
    reason = (
        "It was rewritten after it was judged: what was said of it stands, and the next training "
        "reads it as it is now."
    )
    return Taken(batch, _again(before, batch, reason), features, note=reason)


def _again(before: WatchedBatch, batch: Batch, reason: str, *, skip: bool = False) -> WatchedBatch:
    update = {"outcome": "rewritten", "reason": reason, "sha256": batch.sha256, "skip": skip}
    return before.model_copy(update=update)


def content_digest(features: pd.DataFrame) -> str:
    """A digest of what is predicted from, whatever the labels and the file's type."""
    hashes = row_hashes(features, [str(name) for name in features.columns])
    return hashlib.sha256(hashes.tobytes()).hexdigest()


def _usable_features(batch: Batch, table: TableInfo, params: PreprocessingParams) -> pd.DataFrame:
    """The features of a batch that can be judged now and trained on later.

    Raises:
        DataError: If it cannot; the message says why and what to do.
    """
    features = batch_features(batch, table)
    reserved = [name for name in RESERVED_COLUMNS if name in batch.table.columns]
    if reserved:
        raise DataError(
            f"The file '{batch.name}' has a column '{reserved[0]}', a name that is reserved here. "
            "Rename the column."
        )
    time_column = params.split.time_column
    needed = {*table.features, *table.dropped_columns, *([time_column] if time_column else [])}
    may_lack = {params.target, *params.exclude}
    lacking = sorted(needed - may_lack - set(batch.table.columns))
    added = [str(name) for name in batch.table.columns if name not in needed | may_lack]
    if lacking or added:
        parts = [
            f"{what} {', '.join(repr(name) for name in names[:5])}"
            for what, names in (("lacks", lacking), ("adds", added))
            if names
        ]
        raise DataError(
            f"The file '{batch.name}' does not have the columns that the release was trained on: "
            f"it {' and '.join(parts)}. Mend the file; to make a new column a feature, add it to "
            "all files (empty values are allowed)."
        )
    if features.isna().all(axis=None):
        raise DataError(
            f"The file '{batch.name}' holds no value in any of the model's {len(features.columns)} "
            "columns. Write it again."
        )
    return features
