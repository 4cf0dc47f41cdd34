"""Has a batch moved away from the release's reference by more than what matters?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.safe_text import plural
from mlops_basics.schemas import MonitoringParams, Parts, ReleaseReference
from mlops_basics.schemas.monitoring import SAMPLE_GROUP
from mlops_basics.stats.data_drift.result import DriftResult
from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table
from mlops_basics.table.profile import batch_profile, copies_of_a_row, feature_profile
from mlops_basics.table.row_groups import NO_GROUPS, RowGroups

MOST_NAMES = 5  # columns that a note names
SINCE_SEARCH = (
    "What differs from the release's reference was compared with the batches that the last search "
    "has learned from, too: only what has changed since them has drifted."
)
LIKENESS_UNKNOWN = (
    "The release was made before references told how alike rows of one group are: its rows are "
    "taken as independent."
)
LEAST_ROWS = 100  # of each side, for a classifier to learn anything from a half of them

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Judged(NamedTuple):
    """What was found about a batch's columns.

    Attributes:
        columns: The verdicts.
        profile: Of the batch.
        notes: What could not be judged, and why.
    """

    columns: tuple[DriftResult, ...]
    profile: TableProfile
    notes: tuple[str, ...]


class TwoSample(NamedTuple):
    """What a classifier made of rows that it has not seen.

    Attributes:
        scored: Labels (0 reference, 1 batch) and scores of these rows; None where there are none.
        groups: The group of each, where rows of one group are alike; None where they are not.
        notes: What it could not see, and why.
    """

    scored: tuple[Ints, Floats] | None = None
    groups: Ints | None = None
    notes: tuple[str, ...] = ()


def ignored_columns(reference: ReleaseReference, params: MonitoringParams) -> set[str]:
    """Columns that are no subject of drift."""
    return {*reference.info.times, *params.ignore_columns}


def reference_profile(reference: ReleaseReference, params: MonitoringParams) -> TableProfile:
    """The reference's profile, without the columns that are no subject of drift."""
    whole = TableProfile.from_dict(reference.profile)
    ignored = ignored_columns(reference, params)
    if not ignored & set(whole.columns):
        return whole
    columns = {name: part for name, part in whole.columns.items() if name not in ignored}
    return TableProfile(
        columns=columns,
        joint=whole.joint.select([name for name in whole.joint.names if name in columns]),
        alike=whole.alike.select(list(columns)),
    )


def judge_batch(
    features: Parts,
    number: int,
    reference: ReleaseReference,
    profile: TableProfile,
    params: MonitoringParams,
    also: Parts | None = None,
    groups: RowGroups = NO_GROUPS,
) -> Judged:
    """Verdicts about every column of the release's ``number``-th batch, and about joint changes.

    Where a search has learned from later batches, what has changed since them counts: a column has
    drifted if it differs from the reference and from these.

    Args:
        features: Of the batch, shape (rows, columns).
        number: From 1.
        reference: The release's; a sample of it is what a classifier learns to tell apart.
        profile: What ``reference_profile`` gave.
        params: Level, thresholds, and how many rows the classifier may use.
        also: Features of the batches that the last search has learned from; None without any.
        groups: Of the batch's rows. How alike rows of one group are, the reference tells.
    """
    ignored = ignored_columns(reference, params)
    names = list(features.columns)
    current = batch_profile(features, ignored, groups)
    sample = Parts.of(reference.sample[names])
    if current.alike.copies > 1 and copies_of_a_row(sample) > 1:
        # Of a table whose rows are repeated by nature: they are no copies.
        current = replace(current, alike=replace(current.alike, copies=1.0))
    notes: tuple[str, ...] = ()
    if groups.codes is not None and not profile.alike.known:
        notes = (LIKENESS_UNKNOWN,)
    codes: tuple[Ints, Ints] | None = None
    is_alike = SAMPLE_GROUP in reference.sample and any(profile.alike.values.values())
    if is_alike and groups.codes is not None:
        codes = (reference.sample[SAMPLE_GROUP].to_numpy(dtype=np.int64), groups.codes)

    def judged(before: Parts, of_before: TableProfile, codes: tuple[Ints, Ints] | None) -> Judged:
        two_sample = two_sample_scores(before, features, ignored, params, number, codes)
        results = judge_table(
            of_before,
            current,
            number,
            alpha=params.data_alpha,
            thresholds=params.thresholds,
            classifier=two_sample.scored,
            classifier_groups=two_sample.groups,
        )
        return Judged(tuple(results), current, (*notes, *two_sample.notes))

    found = judged(sample, profile, codes)
    if also is None or not any(result.drifted for result in found.columns):
        return found
    # Of the same kind of rows: what is known of the reference's likeness holds for them, too.
    of_also = replace(
        feature_profile(also, ignored), alike=replace(profile.alike, size=current.alike.size)
    )
    since = judged(also, of_also, None)
    of_since = {(result.column, result.kind): result for result in since.columns}
    columns = []
    for result in found.columns:
        newer = of_since.get((result.column, result.kind), result)
        columns.append(newer if result.drifted and not newer.drifted else result)
    return Judged(tuple(columns), current, (*found.notes, SINCE_SEARCH))


def two_sample_scores(
    before: Parts,
    now: Parts,
    ignored: Collection[str],
    params: MonitoringParams,
    number: int,
    codes: tuple[Ints, Ints] | None = None,
) -> TwoSample:
    """Teach a classifier to tell both tables apart, and let it score rows it has not seen.

    Half of the rows teach it, the others are scored. Nothing is scored where a side has too few
    rows, no column is left, or the classifier is switched off. Where rows of one group are alike
    (``codes`` are those of both sides), half of the groups teach it: it would know the others'.
    """
    columns = [name for name in now.columns if name not in ignored]
    if not params.classifier_rows or not columns:
        return TwoSample()
    fewest = min(len(before), len(now), params.classifier_rows)
    if fewest < LEAST_ROWS:
        return _not_asked(f"a side has {plural(fewest, 'row')}, and {LEAST_ROWS} are needed")
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng([params.seed, number])
    drawn = [_draw(len(table), params.classifier_rows, rng) for table in (before, now)]
    rows = [table.take(at)[columns] for table, at in zip((before, now), drawn, strict=True)]
    sides = np.repeat([0, 1], [len(of_side) for of_side in rows])
    coded = _coded(pd.concat(rows, ignore_index=True))
    learns = rng.permutation(len(sides)) < len(sides) // 2
    groups: Ints | None = None
    if codes is not None:
        one, other = (pd.factorize(of[at])[0] for of, at in zip(codes, drawn, strict=True))
        groups = np.concatenate([one, other + one.max() + 1]).astype(np.int64)
        learns = _halves(groups, sides, rng)
    seen, hidden = _learnable(coded, learns)
    if not seen.shape[1]:
        return _not_asked("no column has two different values in the half that it learns from")
    notes: tuple[str, ...] = ()
    if hidden:
        names = ", ".join(f"'{columns[at]}'" for at in hidden[:MOST_NAMES])
        more = f" and {len(hidden) - MOST_NAMES} more" if len(hidden) > MOST_NAMES else ""
        notes = (
            f"The classifier did not see the values of {names}{more}: too rare to learn from. "
            "Each column is judged by itself.",
        )
    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=params.seed
    )
    try:
        model.fit(seen[learns], sides[learns])
        scores = model.predict_proba(seen[~learns])[:, 1]
    except ValueError as error:  # what another package refuses must not end a look
        return _not_asked(f"it cannot learn from these rows ({error})")
    return TwoSample((sides[~learns], scores), None if groups is None else groups[~learns], notes)


def _halves(groups: Ints, sides: Ints, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which rows teach: those of half of the groups of each side."""
    learns = np.zeros(len(groups), dtype=bool)
    for side in (0, 1):
        names = rng.permutation(np.unique(groups[sides == side]))
        learns |= np.isin(groups, names[: (len(names) + 1) // 2])
    return learns


def _not_asked(reason: str) -> TwoSample:
    return TwoSample(notes=(f"No classifier was asked about joint changes: {reason}.",))


def _learnable(coded: Floats, learns: npt.NDArray[np.bool_]) -> tuple[Floats, list[int]]:
    """The columns as a classifier can take them, and which of them have lost values by that.

    Histogram-based boosting needs two different values in the rows that it learns from. A column
    with fewer still tells by its gaps; without these, nothing.
    """
    kept, hidden = [], []
    for at, column in enumerate(coded.T):
        known = column[~np.isnan(column)]
        learned = column[learns & ~np.isnan(column)]
        if learned.size and learned.min() < learned.max():
            kept.append(column)
            continue
        if known.size and (not learned.size or known.min() < known.max()):
            hidden.append(at)
        gaps = np.isnan(column).astype(np.float64)
        if gaps[learns].min() < gaps[learns].max():
            kept.append(gaps)
    return np.column_stack(kept) if kept else np.empty((len(coded), 0)), hidden


def effects(columns: Collection[DriftResult]) -> dict[str, float]:
    """By column, the surely exceeded share of the threshold: above 1 is drift."""
    shares: dict[str, float] = {}
    for column in columns:
        nothing = 0.5 if column.kind == "classifier" else 0.0
        room = column.threshold - nothing
        share = (column.lower - nothing) / room if room > 0 else float(column.drifted) * 2
        shares[column.column] = round(max(shares.get(column.column, 0.0), share), 4)
    return shares


def _draw(rows: int, most: int, rng: np.random.Generator) -> Ints:
    if rows <= most:
        return np.arange(rows)
    return np.sort(rng.choice(rows, most, replace=False))


def _coded(table: pd.DataFrame) -> Floats:
    """Numbers as they are, levels as numbers, missing values as NaN."""
    columns = []
    for name in table:
        values = table[name]
        if values.dtype == np.float64:
            columns.append(values.to_numpy())
        else:
            # In their own order: numbered by first appearance, a level that only one side drew
            # would tell that side by its number alone.
            codes, _ = pd.factorize(values.astype(object), sort=True)
            columns.append(np.where(codes < 0, np.nan, codes.astype(np.float64)))
    return np.column_stack(columns)
