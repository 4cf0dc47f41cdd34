"""Nodes of the monitoring pipeline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mlops_basics.errors import ConfigurationError, DataError, ReleaseError
from mlops_basics.reporting.figures.monitoring import error_figure, history_figure
from mlops_basics.reporting.pages.monitoring import write_monitoring_page
from mlops_basics.schemas import (
    Batch,
    BatchResult,
    CollectionParams,
    Findings,
    LabelCount,
    MonitoringParams,
    MonitoringState,
    Part,
    Parts,
    PreprocessingParams,
    Release,
    ReleaseReference,
    RunContext,
    Verdict,
    Watch,
    WatchedBatch,
)
from mlops_basics.schemas.monitoring import settings_digest
from mlops_basics.stats.concept_drift.sequential import SequentialState
from mlops_basics.stats.data_drift.result import DriftResult
from mlops_basics.table.columns import batch_features
from mlops_basics.table.guesses import guess_warnings
from mlops_basics.table.labels import LabelBook, RowKeys
from mlops_basics.table.row_groups import raw_groups
from mlops_basics.table.row_hash import digest_of_parts
from mlops_basics.table.times import read_times

from . import concept_drift, data_drift
from .follow import caught_up
from .gone import gone_files, gone_warnings
from .intake import IncomingBatch, Intake, rows_of_part, rows_within, take_in
from .policy import conclude_policy
from .rebase import without_alarm
from .unfound import unfound_classes
from .usable import checked_labels

LABEL_COLUMN = "__label__"
MENDED = "It holds other rows or labels than those that raised an alarm: the alarm is withdrawn."


def read_once(
    source: list[Batch], labels: list[Batch], production: Release
) -> tuple[list[Batch], list[Batch], Release]:
    """Hand on what several steps of a look need: it is read, and verified, once a look."""
    return source, labels, production


def watch_batches(
    source: list[Batch],
    labels: list[Batch],
    production: Release,
    monitoring_state: MonitoringState,
    run_context: RunContext,
    params: MonitoringParams,
    preprocessing: PreprocessingParams,
    collection: CollectionParams,
) -> Findings:
    """Look at every batch that came after the release's training data.

    Each is judged for data drift once, and enters the concept test once, when its labels are
    there; what cannot be used is named and stops no other. Files that the collection skips are not
    looked at.

    Returns:
        The verdict, the state to be remembered, and the profiles of the batches judged now.

    Raises:
        ReleaseError: If the release holds no reference to compare with.
        ConfigurationError: If it predicts another target than the one that is configured.
    """
    reference = reference_of(production)
    _require_same_target(production, preprocessing)
    names = {batch.name for batch in source}
    source = [batch for batch in source if batch.name not in collection.skip]
    labels = [file for file in labels if file.name not in collection.skip]
    labels = checked_labels(labels, production.table)
    version = production.manifest.version
    monitoring_state = caught_up(monitoring_state, production)
    watch = monitoring_state.watches.get(version)
    if watch is None:
        watch = concept_drift.begin_watch(production, reference, params)
    profile = data_drift.reference_profile(reference, params)
    keys = RowKeys(preprocessing.target, preprocessing.exclude, preprocessing.key_columns)
    book = LabelBook(labels, keys)
    intake = take_in(source, production, watch, preprocessing, run_context.run_id)
    newest = max([watch.newest, *(incoming.record.number for incoming in intake.batches)])
    also = _also_compared_with(watch, source, production)
    results, profiles = [], {}
    before = {record.key: record for record in watch.batches}
    for incoming in intake.batches:
        record, notes = incoming.record, [incoming.note] if incoming.note else []
        if record.alarm and record.outcome == "rewritten":
            watch, record = _mended(watch, record)
            notes.append(MENDED)
        columns: tuple[DriftResult, ...] = ()
        if incoming.is_new and incoming.features is not None:
            columns, profiles[record.title], not_judged = data_drift.judge_batch(
                incoming.features,
                record.number,
                reference,
                profile,
                params,
                also,
                raw_groups(incoming.raw, production.table, preprocessing),
            )
            notes += not_judged
            record = record.model_copy(
                update={
                    "drifted": tuple(
                        dict.fromkeys(column.column for column in columns if column.drifted)
                    ),
                    "effects": data_drift.effects(columns),
                }
            )
        if incoming.features is not None:
            watch, record, label_notes = _add_labels(
                incoming, record, book, production, watch, newest, params, preprocessing
            )
            notes += label_notes
        if record != before.get(record.key) or columns or incoming.note:
            results.append(BatchResult(batch=record, columns=columns, notes=tuple(notes)))
    watch = watch.model_copy(update={"batches": _merged(watch.batches, results, intake)})
    rows = _labelled_rows(watch, source, book)
    present = {batch.name for batch in source}
    classes = production.table.classes
    verdict = _verdict(watch, reference, classes, results, book, run_context, params, rows, present)
    new = {each.batch.name for each in intake.batches if each.is_new}
    guessed = _guessed(source, labels, book, new, monitoring_state, version, collection)
    gone = gone_files(watch, names, intake)
    lost = gone_warnings(gone, watch.gone, intake, version)
    told = (*_contradicted(results, before), *lost, *verdict.warnings, *guessed)
    verdict = verdict.model_copy(update={"warnings": told})
    pending = verdict.evidence if verdict.retrain else ()
    watches = {
        **monitoring_state.watches,
        version: watch.model_copy(update={"pending": pending, "gone": gone}),
    }
    update = {
        "revision": monitoring_state.revision + 1,
        "watches": watches,
        "label_files": _labels_seen(monitoring_state.label_files, version, labels),
        "settings": settings_digest(params, preprocessing, collection),
    }
    had_entered = {
        (intake.renamed.get(record.name, record.name), record.first_row)
        for record in before.values()
        if record.entered
    }
    entered = [
        result.batch.key
        for result in results
        if result.batch.entered and result.batch.key not in had_entered
    ]
    return Findings(
        verdict=verdict,
        state=monitoring_state.model_copy(update=update),
        profiles=profiles,
        reference=profile,
        entered=tuple(entered),
        renamed=intake.renamed,
        moved=intake.moved,
    )


def tell_verdict(findings: Findings) -> Verdict:
    """What the monitor says."""
    return findings.verdict


def remember(findings: Findings, verdict: Verdict, report: str) -> MonitoringState:  # noqa: ARG001
    """What the next look has to know, once verdict and report are written: not before."""
    return findings.state


def draw_monitoring(findings: Findings) -> tuple[go.Figure, go.Figure]:
    """Draw the error over time with its bound, and the drift of the columns over the batches."""
    watch = findings.state.watches[findings.verdict.version]
    return error_figure(watch, findings.verdict.concept), history_figure(watch)


def write_monitoring_report(findings: Findings) -> str:
    """One HTML page that opens without a network."""
    return write_monitoring_page(
        findings.verdict, findings.state, findings.profiles, findings.reference
    )


def reference_of(release: Release) -> ReleaseReference:
    """What the release's batches are compared with.

    Raises:
        ReleaseError: If it holds none.
    """
    if release.reference is None:
        raise ReleaseError(
            f"The release {release.manifest.version} holds no reference to compare batches with: "
            "it was made before monitoring was. Train and publish a new one: kedro run"
        )
    return release.reference


def _add_labels(
    incoming: IncomingBatch,
    record: WatchedBatch,
    book: LabelBook,
    release: Release,
    watch: Watch,
    newest: int,
    params: MonitoringParams,
    preprocessing: PreprocessingParams,
) -> tuple[Watch, WatchedBatch, list[str]]:
    """Count a batch's labels, and let it enter the concept test when they suffice."""
    if record.entered and not record.alarm:  # what it was tested with stands
        return watch, record, []
    features, notes = incoming.features, []
    assert features is not None  # noqa: S101 (the caller has looked)
    target, count = book.fill(incoming.batch, incoming.rows)
    target = target.reset_index(drop=True)
    tested = _labels_digest(features, target)
    if record.entered:  # further labels change nothing; others do
        known = record.labels.labelled if record.labels else 0
        if tested == record.tested or count.labelled != known:
            return watch, record, []
        return *_mended(watch, record), [MENDED]
    time_column, order = preprocessing.split.time_column, None
    if time_column:  # bursts are seen in the order of time
        times = incoming.raw[time_column]
        written = (release.table.times or {}).get(time_column)
        order = read_times(times, written)[0].argsort().to_numpy().astype(np.intp)
    try:
        losses, expected, by_class = concept_drift.batch_losses(
            features, target, release, watch, params.strict, order
        )
    except DataError as error:  # one batch must not end the look at all others
        return watch, record, [str(error)]
    record = record.model_copy(
        update={
            "labels": count,
            "expected_error": expected,
            "tested": tested,
            "class_losses": by_class,
        }
    )
    if count.conflicting:
        notes.append(_conflicts(count))
    if concept_drift.may_enter(record, newest, params):
        watch, record = concept_drift.enter(watch, record, losses)
    return watch, record, notes


def _labels_digest(features: Parts, target: pd.Series) -> str:
    """Tells whether a batch has the labels that it was tested with, whatever their order."""
    columns = (*features.columns, LABEL_COLUMN)
    of_each = [target.iloc[rows] for rows in features.slices]
    return digest_of_parts(features.changed(_with_label, of_each, columns=columns), columns)


def _with_label(part: Part, columns: list[str], target: pd.Series) -> pd.DataFrame:
    features = part.read([name for name in columns if name != LABEL_COLUMN])
    return features.assign(**{LABEL_COLUMN: target.to_numpy()})[columns]


def _mended(watch: Watch, record: WatchedBatch) -> tuple[Watch, WatchedBatch]:
    """Withdraw the alarm that a batch has raised, as it holds other rows or labels now."""
    state = SequentialState.from_dict(watch.sequential)
    if state.alarm_row is not None:
        watch = without_alarm(watch)
    return watch, record.model_copy(update={"alarm": False})


def _also_compared_with(watch: Watch, source: Sequence[Batch], release: Release) -> Parts | None:
    """The features of the batches that the last search has learned from; None without any."""
    present = {batch.name: batch for batch in source}
    parts: list[Part] = []
    for record in watch.batches:
        if record.key in watch.compared_with and record.name in present:
            try:
                features = batch_features(present[record.name], release.table)
            except DataError:  # it was rewritten, and is named as such
                continue
            rows = rows_of_part(record, watch.batches)
            parts += rows_within(features, rows).parts
    return Parts(release.table.features, tuple(parts)).held() if parts else None


def _merged(
    before: Sequence[WatchedBatch], results: Sequence[BatchResult], intake: Intake
) -> tuple[WatchedBatch, ...]:
    """What is remembered of each batch, in the order in which it was first seen."""
    now = {
        (intake.renamed.get(record.name, record.name), record.first_row): record
        for record in before
        if record.key not in intake.forgotten
    }
    now |= {result.batch.key: result.batch for result in results}
    return tuple(now.values())


def _require_same_target(release: Release, preprocessing: PreprocessingParams) -> None:
    if release.table.target != preprocessing.target:
        raise ConfigurationError(
            f"The release {release.manifest.version} predicts '{release.table.target}', but the "
            f"target in globals.yml is '{preprocessing.target}'. Correct it; to predict another "
            "column from now on, train and publish a new release: kedro run"
        )


def _labels_seen(before: Mapping[str, str], version: str, files: Sequence[Batch]) -> dict[str, str]:
    """The label files that the watch of each release has seen; a rollback resumes an older one."""
    others = {key: sha for key, sha in before.items() if not key.startswith(f"{version}/")}
    return others | {f"{version}/{file.name}": file.sha256 for file in files}


def _guessed(
    source: Sequence[Batch],
    labels: Sequence[Batch],
    book: LabelBook,
    new: Collection[str],
    before: MonitoringState,
    version: str,
    collection: CollectionParams,
) -> list[str]:
    """What was guessed of the batches and label files that are new, and which labels match nothing.

    Once each: what is known already is told no more.
    """
    seen = before.label_files
    files = [file for file in labels if seen.get(f"{version}/{file.name}") != file.sha256]
    batches = [batch for batch in source if batch.name in new]
    lines = guess_warnings([*batches, *files], collection.exclude)
    return lines + (book.unmatched(source, [file.name for file in files]) if files else [])


def _contradicted(
    results: Sequence[BatchResult], before: Mapping[tuple[str, int], WatchedBatch]
) -> list[str]:
    """Batches of which labels contradict each other since this look: they may explain an alarm."""
    lines = []
    for batch in (result.batch for result in results):
        known = before.get(batch.key)
        counted = known.labels if known else None
        if batch.labels is not None and batch.labels.conflicting and batch.labels != counted:
            lines.append(
                f"{batch.title}: {_conflicts(batch.labels)} If that file is wrong, mend or remove "
                "it."
            )
    return lines


def _conflicts(labels: LabelCount) -> str:
    return f"{labels.conflicting:,} of its labels were contradicted by a later file, which counts."


def _labelled_rows(watch: Watch, source: Sequence[Batch], book: LabelBook) -> int:
    """Rows with a label that a training would find now, of the batches that are watched.

    Labels that come after a batch was tested count, too; rows that are gone do not.
    """
    present = {batch.name: batch for batch in source}
    rows = 0
    for record in watch.batches:
        if not record.number or record.skip or record.name not in present:
            continue
        whole = record.entered and record.outcome == "used"
        if whole and record.labels and record.labels.coverage == 1:
            rows += record.labels.labelled
        else:
            part = rows_of_part(record, watch.batches)
            rows += book.fill(present[record.name], part)[1].labelled
    return rows


def _verdict(
    watch: Watch,
    reference: ReleaseReference,
    classes: Sequence[str],
    results: Sequence[BatchResult],
    book: LabelBook,
    run_context: RunContext,
    params: MonitoringParams,
    labelled_rows: int,
    present: Collection[str],
) -> Verdict:
    concept = concept_drift.conclude_concept(watch, reference, watch.batches, classes)
    concluded = conclude_policy(
        watch, concept, params, labelled_rows=labelled_rows, anything_new=bool(results)
    )
    out = [record for record in watch.quarantined if record.name in present]
    warnings = [f"{record.name}: {record.reason}" for record in out]
    warnings += [*book.faults.values(), *unfound_classes(watch, reference, classes)]
    return Verdict(
        model_name=run_context.model_name,
        version=watch.version,
        run_id=run_context.run_id,
        retrain=concluded.outcome == "retrain",
        outcome=concluded.outcome,
        evidence=concluded.evidence,
        reasons=concluded.reasons,
        concept=concept,
        batches=tuple(results),
        labelled_rows=labelled_rows,
        skip=(*(record.name for record in out), *book.faults),
        warnings=tuple(warnings),
    )
