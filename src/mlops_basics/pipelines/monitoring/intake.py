"""What to do with each batch: watch it, leave it alone, or quarantine it, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mlops_basics.errors import DataError
from mlops_basics.schemas import (
    Batch,
    Hashes,
    Parts,
    PreprocessingParams,
    Release,
    Watch,
    WatchedBatch,
)
from mlops_basics.table.columns import batch_features
from mlops_basics.table.labels import RowKeys
from mlops_basics.table.row_hash import (
    content_digest,
    digest_of_parts,
    find_run,
    hashes_of_parts,
    joined_digest,
)

from .usable import column_kinds, usable_features, with_target_seen

Incoming = list["IncomingBatch"]


@dataclass(frozen=True)
class IncomingBatch:
    """A part of a file that was looked at: what is remembered of it, and its features.

    ``rows`` are those of the file that it is about. ``features`` is None where they cannot be
    used, ``is_new`` tells whether they are judged now, ``note`` what has changed since they were
    seen before.
    """

    batch: Batch
    record: WatchedBatch
    features: Parts | None = None
    rows: slice = field(default_factory=lambda: slice(None))
    is_new: bool = False
    note: str = ""

    @property
    def raw(self) -> Parts:
        """These rows as delivered."""
        return rows_within(self.batch.parts, self.rows)


@dataclass(frozen=True)
class Intake:
    """All that a look at the source gave.

    ``renamed`` maps the old names of records to their new ones. ``moved`` tells which files hold
    the rows now that are known by another name, at each look anew. ``forgotten`` are the records
    (``WatchedBatch.key``) that no longer hold.
    """

    batches: Incoming = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    moved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    forgotten: set[tuple[str, int]] = field(default_factory=set)


def take_in(
    source: list[Batch], release: Release, watch: Watch, params: PreprocessingParams, run_id: str
) -> Intake:
    """Look at every batch that came after the release's training data, in the order of names.

    Rows are judged once. A file that has grown at its end is watched from its first new row on,
    as a part with a number of its own; so is one that the release was trained on, if the release
    knows what it held. One that was rewritten keeps what was said of it, one that was renamed too;
    one that is as it was is returned only while its labels are awaited,
    or while it stands behind an alarm. What could not be used is
    looked at anew each time: options may have changed, or the batch whose rows it repeats may be
    gone.
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
        self._learned = {record.name: record for record in release.batches if record.learned_from}
        self._present = {batch.name: batch for batch in source}
        self._records: dict[str, list[WatchedBatch]] = {}
        for record in sorted(watch.batches, key=lambda record: record.first_row):
            self._records.setdefault(record.name, []).append(record)
        self._number = watch.newest
        as_trained = [batch for batch in source if watch.trained.get(batch.name) == batch.sha256]
        self._kinds = column_kinds(
            release, [batch.parts for batch in as_trained if not batch.fault]
        )
        self._hashes: dict[str, Hashes] = {}
        self._table = release.table  # with the range that the target has by now

    def at(self, batch: Batch) -> None:
        """Look at the next batch."""
        self._look_into(batch)
        target = self._release.table.target
        if target in batch.parts.columns and any(
            part.number and not part.skip for part in self._parts(batch.name)
        ):
            self._table = with_target_seen(self._table, batch.parts[target])

    def _look_into(self, batch: Batch) -> None:
        before = {record.key: record for record in self._records.get(batch.name, [])}
        if self._trained.get(batch.name) == batch.sha256:
            self.intake.forgotten.update(before)  # it was another file for a while
            return
        same = bool(before) and all(each.sha256 == batch.sha256 for each in before.values())
        parts = self._parts(batch.name)
        if same and parts and not any(part.skip for part in parts):
            self._await_labels(batch, parts)
            return
        if same and all(each.outcome == "rewritten" and not each.skip for each in before.values()):
            return
        found = self._look_at(batch, parts)
        for at, incoming in enumerate(found):
            known = before.get(incoming.record.key)
            if same and known is not None and incoming.record == _seen_by(known, self._run_id):
                found[at] = replace(incoming, record=known)
                continue  # nothing has changed
            if incoming.is_new:
                self._number += 1
                numbered = incoming.record.model_copy(update={"number": self._number})
                found[at] = replace(incoming, record=numbered)
            self.intake.batches.append(found[at])
        self._records[batch.name] = [incoming.record for incoming in found]
        self.intake.forgotten.update(before.keys() - {each.record.key for each in found})

    def _parts(self, name: str) -> list[WatchedBatch]:
        """What is known of a file's rows, in their order."""
        return [record for record in self._records.get(name, []) if record.content]

    def _await_labels(self, batch: Batch, parts: list[WatchedBatch]) -> None:
        # One that raised an alarm is looked at, too: labels of a file of their own may be mended.
        waiting = [part for part in parts if part.number and (part.alarm or not part.entered)]
        if waiting:
            features = batch_features(batch, self._release.table)
            self.intake.batches.extend(_part(batch, part, features, parts) for part in waiting)

    def _look_at(self, batch: Batch, parts: list[WatchedBatch]) -> Incoming:
        """All that is to be remembered of a file from now on."""
        try:
            features = usable_features(batch, self._table, self._kinds, self._params)
        except DataError as error:
            if not parts:
                record = self._record(batch, outcome="quarantined", reason=str(error), skip=True)
                return [IncomingBatch(batch, record)]
            reason = (
                f"It was rewritten after it was judged, and cannot be used as it is now: {error}"
            )
            return [
                IncomingBatch(batch, _rewritten(part, batch, reason, skip=True), note=reason)
                for part in parts
            ]
        hashes = self._hashes[batch.name] = self._hashed(batch)
        if parts:
            return self._seen_again(batch, features, hashes, parts)
        begin = 0
        if batch.name in self._trained:
            known = self._rows_learned(batch)
            if known is None or known == len(features):
                reason = (
                    "The release was trained on this file with other content. It is not watched; "
                    "the next training reads it as it is now. Put new rows into a file of their "
                    "own."
                    if known is None
                    else "The release was trained on these rows, which have other labels or "
                    "another order now. They are not watched; the next training reads them as "
                    "they are now."
                )
                record = self._record(batch, outcome="rewritten", reason=reason)
                return [IncomingBatch(batch, record, note=reason)]
            begin = known
        return self._new_part(batch, features, hashes, begin)

    def _rows_learned(self, batch: Batch) -> int | None:
        """With how many rows the release learned from this file, if these are its first ones."""
        record = self._learned.get(batch.name)
        if record is None or not record.content or record.rows > len(batch.parts):
            return None
        first = rows_within(batch.parts, slice(record.rows))
        return record.rows if self._delivered(first) == record.content else None

    def _delivered(self, table: Parts) -> str:
        """A digest of rows as they were delivered, as ``collect_batches`` writes it down."""
        columns = RowKeys(self._params.target, self._params.exclude).of(table.columns)
        return digest_of_parts(table, columns)

    def _new_part(self, batch: Batch, features: Parts, hashes: Hashes, begin: int) -> Incoming:
        """The rows of a file from ``begin`` on, which were not there before."""
        content = content_digest(hashes[begin:])
        repeated = self._repeated(batch, features, content, begin)
        if repeated is None and not begin:
            repeated = self._divided_or_joined(batch, content)
        if repeated is not None:
            return repeated
        rows = slice(begin, None)
        count = len(features) - begin
        record = self._record(batch, outcome="used", content=content, first_row=begin, rows=count)
        note = f"{count} rows have come to the {begin} that were known." if begin else ""
        new = rows_within(features, rows)
        return [IncomingBatch(batch, record, new, rows, is_new=True, note=note)]

    def _seen_again(
        self, batch: Batch, features: Parts, hashes: Hashes, parts: list[WatchedBatch]
    ) -> Incoming:
        """A file that was judged and has another content, or other labels, or more rows now."""
        end = parts[-1].first_row + parts[-1].rows
        begins_as_before = (
            batch.name not in self._trained or self._rows_learned(batch) == parts[0].first_row
        )
        if not begins_as_before or any(_content(hashes, part) != part.content for part in parts):
            reason = (
                "It was rewritten after it was judged: what was said of it stands, and the next "
                "training reads it as it is now."
            )
            return [
                _part(batch, _rewritten(part, batch, reason), features, parts, reason)
                for part in parts
            ]
        has_grown = end < len(features)
        found: Incoming = []
        for part in parts:
            update: dict[str, object] = {"sha256": batch.sha256, "skip": False}
            note = "" if has_grown else "Its labels, or the order of its rows, have changed."
            if part.outcome == "rewritten":
                note = "It holds what was judged again."
                update |= {"outcome": "used" if part.number else "duplicate", "reason": ""}
            known = rows_within(features, slice(end))
            found.append(_part(batch, part.model_copy(update=update), known, parts, note))
        return found + (self._new_part(batch, features, hashes, end) if has_grown else [])

    def _repeated(self, batch: Batch, features: Parts, content: str, begin: int) -> Incoming | None:
        """What to do with rows that were counted under another name; None if they were not."""
        count = len(features) - begin
        for name in self._present:
            if (
                name != batch.name
                and self._counts(name)
                and self._content_of(name, count) == content
            ):
                return self._twice(batch, content, begin, name)
        for name in list(self._records):
            parts = self._parts(name)
            if name in self._present or not parts or not all(part.number for part in parts):
                continue
            if not begin and joined_digest([part.content for part in parts]) == content:
                return self._move(parts, batch, features)
        for record in [each for records in self._records.values() for each in records]:
            if not record.number or record.name == batch.name or record.content != content:
                continue
            if (
                record.name in self._present
                and _content(self._hashes_of(record.name), record) == content
            ):
                return self._twice(batch, content, begin, record.title)
            gone = "holds others now" if record.name in self._present else "is gone"
            reason = (
                f"{_these(begin, count)} were judged as '{record.title}', which {gone}: they "
                "count once, and the next training reads all files that there are."
            )
            self._note_move(record.name, batch.name)
            return [self._duplicate(batch, content, begin, count, reason)]
        for name, sha256 in self._trained.items():
            learned = self._learned.get(name)
            as_learned = (
                learned is not None
                and learned.rows == count
                and learned.content != ""
                and self._delivered(rows_within(batch.parts, slice(begin, None))) == learned.content
            )
            if name != batch.name and (sha256 == batch.sha256 or as_learned):
                reason = (
                    "The release was trained on "
                    f"{_these(begin, count).lower()}, which were in '{name}'. They are not "
                    "watched; the next training reads them here."
                )
                self._note_move(name, batch.name)
                return [self._duplicate(batch, content, begin, count, reason)]
        return None

    def _divided_or_joined(self, batch: Batch, content: str) -> Incoming | None:
        """What to do with rows of several files, or some of one; None if they are new."""
        before = self._regrouped.get(batch.name)
        if before is None:
            return None
        for name in before:
            self._note_move(name, batch.name)
        names = ", ".join(f"'{name}'" for name in before)
        reason = (
            f"Its rows were in {names} when they were judged or learned from: they count once, and "
            "the next training reads them here."
        )
        return [self._duplicate(batch, content, 0, len(batch.parts), reason)]

    @cached_property
    def _regrouped(self) -> dict[str, tuple[str, ...]]:
        """Files that others were divided or put together into, and which those were."""
        free = {
            name: batch
            for name, batch in self._present.items()
            if not batch.fault and not self._counts(name)
        }
        watched = {
            name: joined_digest([part.content for part in parts])
            for name in self._records
            if (parts := self._parts(name))
            and name not in self._present
            and all(part.number and part.entered for part in parts)
        }
        learned = {
            name: record.content
            for name, record in self._learned.items()
            if record.content and name not in self._present and name not in self._records
        }
        found: dict[str, tuple[str, ...]] = {}
        for gone, is_watched in ((watched, True), (learned, False)):
            now = {
                name: content_digest(self._hashes_of(name))
                if is_watched
                else self._delivered(batch.parts)
                for name, batch in (free if gone else {}).items()
            }
            for name, whole in gone.items():  # divided
                if (run := find_run(list(now.values()), whole)) is not None:
                    found |= dict.fromkeys(list(now)[run], (name,))
            for name, whole in now.items():  # put together
                if (run := find_run(list(gone.values()), whole)) is not None:
                    found[name] = tuple(list(gone)[run])
        return found

    def _note_move(self, before: str, now: str) -> None:
        """Rows that were learned from under one name are in a file of another."""
        stays = (before,) if before in self._present else ()
        names = (*self.intake.moved.get(before, stays), now)
        self.intake.moved[before] = tuple(dict.fromkeys(names))

    def _twice(self, batch: Batch, content: str, begin: int, other: str) -> Incoming:
        """Rows that two files hold now; a file that holds nothing else is left out."""
        count = len(batch.parts) - begin
        if begin:
            reason = (
                f"{_these(begin, count)} are those of '{other}', which count once. Remove them "
                "from one of the two files: the next training reads both."
            )
            return [self._duplicate(batch, content, begin, count, reason)]
        reason = f"It holds the same rows as '{other}', which count once. Remove one of them."
        record = self._record(batch, outcome="duplicate", reason=reason, skip=True)
        return [IncomingBatch(batch, record)]

    def _duplicate(
        self, batch: Batch, content: str, begin: int, count: int, reason: str
    ) -> IncomingBatch:
        """Rows that are not left out; a part's content is kept, to know rows that come after."""
        record = self._record(
            batch,
            outcome="duplicate",
            reason=reason,
            first_row=begin,
            rows=count,
            content=content if begin else "",
        )
        return IncomingBatch(batch, record, note=reason)

    def _move(self, parts: list[WatchedBatch], batch: Batch, features: Parts) -> Incoming:
        """A file that has another name now keeps what was said of it."""
        name = parts[0].name
        self.intake.renamed[name] = batch.name
        del self._records[name]
        update = {"name": batch.name, "sha256": batch.sha256, "outcome": "used", "reason": ""}
        note = (
            f"It was '{name}' before. Labels by prediction_id that were made for the old "
            "name no longer find its rows."
        )
        moved = [part.model_copy(update={**update, "skip": False}) for part in parts]
        return [_part(batch, part, features, moved, note) for part in moved]

    def _counts(self, name: str) -> bool:
        return name in self._trained or any(part.number for part in self._parts(name))

    def _content_of(self, name: str, rows: int) -> str:
        """What a file holds now; empty if it has another number of rows, or cannot be read."""
        batch, parts = self._present[name], self._parts(name)
        if len(batch.parts) != rows:
            return ""
        if len(parts) == 1 and parts[0].outcome == "used" and parts[0].sha256 == batch.sha256:
            return parts[0].content if parts[0].rows == rows else ""
        return content_digest(self._hashes_of(name))

    def _hashes_of(self, name: str) -> Hashes:
        """Of a present file's rows; none if it cannot be read."""
        if name not in self._hashes:
            try:
                batch_features(self._present[name], self._release.table)
                self._hashes[name] = self._hashed(self._present[name])
            except DataError:
                self._hashes[name] = np.empty(0, dtype=np.uint64)
        return self._hashes[name]

    def _hashed(self, batch: Batch) -> Hashes:
        """Of what is predicted from, whatever the labels; as delivered, for a model rounds."""
        return hashes_of_parts(batch.parts, self._release.table.features)

    def _record(self, batch: Batch, **values: object) -> WatchedBatch:
        common = {
            "name": batch.name,
            "sha256": batch.sha256,
            "seen_by": self._run_id,
            "rows": len(batch.parts),
        }
        return WatchedBatch.model_validate(common | values)


def rows_of_part(part: WatchedBatch, records: Iterable[WatchedBatch]) -> slice:
    """Which rows of its file a part is about: up to the next part, or to the end.

    A part that is the last one of a file that was rewritten is about whatever stands there now.
    """
    later = [
        each.first_row
        for each in records
        if each.name == part.name and each.first_row > part.first_row
    ]
    return slice(part.first_row, min(later) if later else None)


def rows_within(table: Parts, rows: slice) -> Parts:
    """Neighbouring rows of a table."""
    kept = np.zeros(len(table), dtype=bool)
    kept[rows] = True
    return table.where(kept).held()


def _part(
    batch: Batch,
    part: WatchedBatch,
    features: Parts,
    parts: list[WatchedBatch],
    note: str = "",
) -> IncomingBatch:
    """A part with its features; without any where it does not count, or its rows are gone."""
    rows = rows_of_part(part, parts)
    if rows.stop is None:  # the file may have grown
        rows = slice(rows.start, len(features))
    known = rows_within(features, rows) if part.number else None
    if known is not None and not len(known):
        known = None
    return IncomingBatch(batch, part, known, rows, note=note)


def _content(hashes: Hashes, part: WatchedBatch) -> str:
    """What a file holds now where a part was."""
    begin = part.first_row
    return content_digest(hashes[begin : begin + part.rows])


def _these(begin: int, count: int) -> str:
    return f"Its rows {begin + 1} to {begin + count}" if begin else "Its rows"


def _seen_by(record: WatchedBatch, run_id: str) -> WatchedBatch:
    """The record as a new one would be; what was judged keeps who judged it."""
    return record if record.number else record.model_copy(update={"seen_by": run_id})


def _rewritten(
    before: WatchedBatch, batch: Batch, reason: str, *, skip: bool = False
) -> WatchedBatch:
    update = {"outcome": "rewritten", "reason": reason, "sha256": batch.sha256, "skip": skip}
    return before.model_copy(update=update)
