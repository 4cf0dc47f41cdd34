"""What to do with each batch: watch it, leave it alone, or quarantine it, and why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.schemas import Batch, PreprocessingParams, Release, Watch, WatchedBatch
from mlops_basics.table.columns import batch_features
from mlops_basics.table.row_hash import row_hashes

from .usable import column_kinds, usable_features


@dataclass(frozen=True)
class IncomingBatch:
    """A batch that was looked at: what is remembered of it from now on, and its features.

    ``features`` is None where the batch cannot be used, ``is_new`` tells whether its features are
    judged now, ``note`` what has changed since it was seen before.
    """

    batch: Batch
    record: WatchedBatch
    features: pd.DataFrame | None = None
    is_new: bool = False
    note: str = ""


@dataclass(frozen=True)
class Intake:
    """All that a look at the source gave.

    ``renamed`` maps the old names of batches to their new ones; what is known of the batches in
    ``forgotten`` no longer holds.
    """

    batches: list[IncomingBatch] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)


def take_in(
    source: list[Batch], release: Release, watch: Watch, params: PreprocessingParams, run_id: str
) -> Intake:
    """Look at every batch that came after the release's training data, in the order of names.

    A batch is judged once. One that was rewritten keeps what was said of it, one that was renamed
    too; one that is as it was is returned only while its labels are awaited. What could not be
    used is looked at anew each time: options may have changed, or the batch whose rows it repeats
    may be gone.
    """
    look = _Look(source, release, watch, params, run_id)
    for batch in source:
        look.at(batch)
    return look.intake


class _Look:
    """One look at a source; knows which rows have been counted under which name."""

    def __init__(
        self,
        source: list[Batch],
        release: Release,
        watch: Watch,
        params: PreprocessingParams,
        run_id: str,
    ) -> None:
        self.intake = Intake()
        self._release, self._params, self._run_id = release, params, run_id
        self._trained = watch.trained
        self._present = {batch.name: batch for batch in source}
        self._records = {record.name: record for record in watch.batches}
        self._number = watch.newest
        as_trained = [batch for batch in source if watch.trained.get(batch.name) == batch.sha256]
        self._kinds = column_kinds(
            release, [batch.table for batch in as_trained if not batch.fault]
        )
        self._contents: dict[str, str] = {}

    def at(self, batch: Batch) -> None:
        """Look at the next batch."""
        before = self._records.get(batch.name)
        if self._trained.get(batch.name) == batch.sha256:
            if before is not None:  # it was another file for a while
                self.intake.forgotten.add(batch.name)
            return
        same = before is not None and before.sha256 == batch.sha256
        if before is not None and same and not before.skip:
            if before.number and not before.entered:
                features = batch_features(batch, self._release.table)
                self.intake.batches.append(IncomingBatch(batch, before, features))
            if before.outcome in ("used", "rewritten"):
                return
        incoming = self._look_at(batch, before)
        if before is not None and same and incoming.record == _seen_by(before, self._run_id):
            return  # nothing has changed
        if incoming.is_new:
            self._number += 1
            numbered = incoming.record.model_copy(update={"number": self._number})
            incoming = replace(incoming, record=numbered)
        self._records[batch.name] = incoming.record
        self.intake.batches.append(incoming)

    def _look_at(self, batch: Batch, before: WatchedBatch | None) -> IncomingBatch:
        judged = before is not None and before.number > 0
        try:
            features = usable_features(batch, self._release.table, self._kinds, self._params)
        except DataError as error:
            reason = str(error)
            if before is None or not judged:
                record = self._record(batch, outcome="quarantined", reason=reason, skip=True)
                return IncomingBatch(batch, record)
            reason = (
                f"It was rewritten after it was judged, and cannot be used as it is now: {reason}"
            )
            return IncomingBatch(batch, _rewritten(before, batch, reason, skip=True), note=reason)
        content = content_digest(features)
        self._contents[batch.name] = content
        if before is not None and judged:
            return _seen_again(before, batch, features, content)
        if batch.name in self._trained:
            reason = (
                "The release was trained on this file with other content. It is not watched; the "
                "next training reads it as it is now. Put new rows into a file of their own."
            )
            return IncomingBatch(
                batch, self._record(batch, outcome="rewritten", reason=reason), note=reason
            )
        return self._repeated(batch, features, content) or IncomingBatch(
            batch, self._record(batch, outcome="used", content=content), features, is_new=True
        )

    def _repeated(self, batch: Batch, features: pd.DataFrame, content: str) -> IncomingBatch | None:
        """What to do with rows that were counted under another name; None if they were not."""
        for name in self._present:
            if (
                name != batch.name
                and self._counts(name)
                and self._content_of(name, batch) == content
            ):
                reason = (
                    f"It holds the same rows as '{name}', which count once. Remove one of them."
                )
                record = self._record(batch, outcome="duplicate", reason=reason, skip=True)
                return IncomingBatch(batch, record)
        for record in self._records.values():
            if not record.number or record.name == batch.name or record.content != content:
                continue
            if record.name not in self._present:
                return self._move(record, batch, features)
            reason = (
                f"Its rows were judged as '{record.name}', which holds others now: they count "
                "once, and the next training reads both files."
            )
            return IncomingBatch(
                batch, self._record(batch, outcome="duplicate", reason=reason), note=reason
            )
        for name, sha256 in self._trained.items():
            if name != batch.name and sha256 == batch.sha256:
                reason = (
                    f"The release was trained on these rows, which were in '{name}'. They are not "
                    "watched; the next training reads them here."
                )
                again = self._record(batch, outcome="duplicate", reason=reason)
                return IncomingBatch(batch, again, note=reason)
        return None

    def _move(self, record: WatchedBatch, batch: Batch, features: pd.DataFrame) -> IncomingBatch:
        """A batch that has another name now keeps what was said of it."""
        self.intake.renamed[record.name] = batch.name
        del self._records[record.name]
        update = {"name": batch.name, "sha256": batch.sha256, "outcome": "used", "reason": ""}
        note = (
            f"It was '{record.name}' before. Labels by prediction_id that were made for the old "
            "name no longer find its rows."
        )
        moved = record.model_copy(update={**update, "skip": False})
        return IncomingBatch(batch, moved, features, note=note)

    def _counts(self, name: str) -> bool:
        record = self._records.get(name)
        return name in self._trained or (record is not None and record.number > 0)

    def _content_of(self, name: str, like: Batch) -> str:
        """What a batch holds now; empty if it has another number of rows, or cannot be read."""
        batch, record = self._present[name], self._records.get(name)
        if len(batch.table) != len(like.table):
            return ""
        if record is not None and record.outcome == "used" and record.sha256 == batch.sha256:
            return record.content
        if name not in self._contents:
            try:
                features = batch_features(batch, self._release.table)
                self._contents[name] = content_digest(features)
            except DataError:
                self._contents[name] = ""
        return self._contents[name]

    def _record(self, batch: Batch, **values: object) -> WatchedBatch:
        common = {
            "name": batch.name,
            "sha256": batch.sha256,
            "seen_by": self._run_id,
            "rows": len(batch.table),
        }
        return WatchedBatch.model_validate(common | values)


def _seen_by(record: WatchedBatch, run_id: str) -> WatchedBatch:
    """The record as a new one would be; what was judged keeps who judged it."""
    return record if record.number else record.model_copy(update={"seen_by": run_id})


def _seen_again(
    before: WatchedBatch, batch: Batch, features: pd.DataFrame, content: str
) -> IncomingBatch:
    if before.content == content:
        update = {"outcome": "used", "reason": "", "sha256": batch.sha256, "skip": False}
        as_before = before.outcome == "used" and not before.skip
        note = "Its labels have changed." if as_before else "It holds what was judged again."
        return IncomingBatch(batch, before.model_copy(update=update), features, note=note)
    reason = (
        "It was rewritten after it was judged: what was said of it stands, and the next training "
        "reads it as it is now."
    )
    return IncomingBatch(batch, _rewritten(before, batch, reason), features, note=reason)


def _rewritten(
    before: WatchedBatch, batch: Batch, reason: str, *, skip: bool = False
) -> WatchedBatch:
    update = {"outcome": "rewritten", "reason": reason, "sha256": batch.sha256, "skip": skip}
    return before.model_copy(update=update)


def content_digest(features: pd.DataFrame) -> str:
    """A digest of what is predicted from, whatever the labels and the file's type."""
    hashes = row_hashes(features, [str(name) for name in features.columns])
    return hashlib.sha256(hashes.tobytes()).hexdigest()
