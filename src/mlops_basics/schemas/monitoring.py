"""What is watched of a release in production, and what the monitor says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from mlops_basics.stats.data_drift.result import DriftResult

from .base import Artifact, Section
from .policy import Adaptation, PolicyState

#: Losses in [0, 1] that a release can be watched by, those of a classifier first.
WatchedLoss = Literal["error", "brier", "absolute_error"]
#: Of the reference's losses: the code of a row's true class.
CLASS_COLUMN = "class"
EvidenceKind = Literal["concept_drift", "data_drift", "worse_than_constant"]


#: Of a reference's sample whose rows belong together.
SAMPLE_GROUP = "__group__"


class MonitoringReference(Artifact):
    """How the release did on its own test rows.

    ``thinned`` tells how many rows came in time for each reference row: 1 where the reference is a
    whole period, 5 where it is the fifth of the rows that a hash has drawn. ``clip`` is the
    absolute error that counts as 1 (regression). Times are no subject of drift: they only move on.
    ``run`` tells how many of the rows that a hash has drawn of one group (a day) follow each other,
    in the mean over the rows: 1 where rows do not belong together, or that was not known yet. A
    whole period shows by itself how long its bursts are.
    """

    rows: int
    thinned: int
    losses: tuple[WatchedLoss, ...]
    clip: float | None = None
    times: tuple[str, ...] = ()
    run: float = 1.0


@dataclass(frozen=True)
class ReleaseReference:
    """What later batches are compared with.

    Attributes:
        info: How it came about.
        profile: Arrays of ``TableProfile.to_dict`` of the test rows' features.
        losses: A column a watched loss, a row a test row, in time order; of a classification also
            the true class of each (``CLASS_COLUMN``), which older releases have not.
        sample: Features of the test rows, or of some of them; with the group of each
            (``SAMPLE_GROUP``) where there are groups.
    """

    info: MonitoringReference
    profile: dict[str, Any]
    losses: pd.DataFrame
    sample: pd.DataFrame


class LabelCount(Artifact):
    """How many rows of a batch have a label."""

    rows: int
    labelled: int
    conflicting: int = 0

    @property
    def coverage(self) -> float:
        """Share of the rows that have a label."""
        return self.labelled / self.rows if self.rows else 0.0


class WatchedBatch(Artifact):
    """What is remembered of a batch: a file, or the rows that came to a file that had been judged.

    ``used``: judged, and part of the tests. ``duplicate``: its content was there before under
    another name. ``quarantined``: it cannot be used as it is; ``reason`` says why. ``rewritten``:
    it was judged, or trained on, with other content before: what was said of it stands.

    ``first_row`` (the first of a file is 0) and ``rows`` tell which rows of the file these are:
    name and first row tell records apart. ``content`` is a digest of what was predicted from,
    without the labels and whatever the order of the rows; ``number`` counts the used batches of
    the release from 1. ``skip`` tells that a training has to leave the file out as it is now.
    ``entered`` tells whether its losses are part of the concept test; ``error`` is their mean, a
    loss in [0, 1], with a 95 % interval; ``tested`` is a digest of the labels that it was tested
    with. ``class_losses`` tells of each true class how many rows have entered, and the sums of
    their losses and of the squares of these (classification).
    """

    name: str
    sha256: str
    content: str = ""
    first_row: int = 0
    outcome: Literal["used", "duplicate", "quarantined", "rewritten"]
    reason: str = ""
    seen_by: str
    number: int = 0
    rows: int = 0
    drifted: tuple[str, ...] = ()
    effects: dict[str, float] = {}
    labels: LabelCount | None = None
    entered: bool = False
    tested: str = ""
    class_losses: dict[str, tuple[int, float, float]] = {}
    error: float | None = None
    error_low: float | None = None
    error_high: float | None = None
    expected_error: float | None = None
    alarm: bool = False
    skip: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from other records."""
        return self.name, self.first_row

    @property
    def title(self) -> str:
        """What it is called in texts."""
        if not self.first_row:
            return self.name
        return f"{self.name} (rows {self.first_row + 1} to {self.first_row + self.rows})"


class Attempt(Artifact):
    """A retraining: on which evidence, how far the watch had come, and what became of it.

    ``version`` is the release that the evidence speaks against.
    """

    run_id: str
    version: str = ""
    evidence: tuple[str, ...]
    batches: int
    labelled_batches: int
    promoted: bool | None = None
    outcome: str = ""


class Watch(Artifact):
    """The state of one release: its batches, its concept test, its retrainings.

    ``trained`` are the batches that it was trained on, by name and SHA-256; ``pending`` is the
    evidence of a retraining that has not taken place yet. ``gone`` are the files of these and of
    the batches that were no longer in the source at the last look. ``recent`` are the newest losses
    that have entered the test. After a search the watch compares with the newest batches, too: the
    error is tolerated up to theirs, ``own`` being the test against the release's reference
    meanwhile (None: it counts), and a column has drifted only if it also differs from
    ``compared_with``, which are keys of records. ``passed_rows`` had been tested when the test
    began anew. ``bursts`` is what the batches show of rows that err together, where the reference
    hides it, since a hash has drawn it (None: it hides nothing).
    """

    version: str
    trained: dict[str, str] = {}
    gone: tuple[str, ...] = ()
    loss: WatchedLoss
    sequential: dict[str, Any]
    own: dict[str, Any] | None = None
    bursts: dict[str, Any] | None = None
    passed_rows: int = 0
    recent: tuple[float, ...] = ()
    compared_with: tuple[tuple[str, int], ...] = ()
    batches: tuple[WatchedBatch, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def newest(self) -> int:
        """Number of the newest batch that was used, 0 before the first."""
        return max((batch.number for batch in self.batches), default=0)

    @property
    def quarantined(self) -> tuple[WatchedBatch, ...]:
        """A record of each file that a training has to leave out as it is, with its reason.

        Files that are gone from the source since, or that are skipped by configuration, are among
        them: the watch does not know.
        """
        first: dict[str, WatchedBatch] = {}
        for batch in self.batches:
            if batch.skip:
                first.setdefault(batch.name, batch)
        return tuple(first.values())

    @property
    def labelled_batches(self) -> int:
        """Batches whose labels have entered the concept test."""
        return sum(batch.entered for batch in self.batches)


class MonitoringState(Artifact):
    """What the monitor remembers, by release; ``revision`` counts the times it was written.

    ``settings`` is a digest of the parameters that the last look was made with: with others it is
    made again. ``unreleased`` is one of the data that the last run found, where nothing could be
    released yet: the same data are not tried again.
    """

    revision: int = 0
    watches: dict[str, Watch] = {}
    label_files: dict[str, str] = {}
    policy: PolicyState | None = None
    settings: str = ""
    unreleased: str = ""


def settings_digest(*sections: Section) -> str:
    """Tells whether a look would be made with the same parameters as the last one."""
    content = "".join(section.model_dump_json() for section in sections)
    return hashlib.sha256(content.encode()).hexdigest()


class ConceptResult(Artifact):
    """Whether the error has risen by more than what is tolerated.

    Errors are losses in [0, 1]; ``scale`` is what a loss of 1 is in the target's own unit, for
    whoever reads them: the largest absolute error that counts in a regression, otherwise 1.
    ``wealth`` is the log of the test's wealth as a share of what raises the alarm: 1 or more at its
    peak is an alarm. ``smallest`` is the smallest error that would be found within ``horizon``
    rows. ``newest`` is the mean error of the ``newest_rows`` newest labelled rows.
    ``cause`` tells where a rise that is shown comes from, as far as labels say: other shares of the
    classes (``label_shift``), more errors within the classes (``concept_drift``), ``both``, or not
    known yet; ``cause_reason`` says so in words, with what fits. ``own_tolerated`` is what the
    release's own reference allows, where a search has answered an alarm and the error is tolerated
    up to ``tolerated`` since.
    """

    status: Literal["drift", "no_drift", "not_enough_labels", "no_labels"]
    loss: WatchedLoss
    rows: int
    reference_rows: int
    reference: float
    reference_upper: float
    tolerated: float
    tolerance: float
    observed: float | None
    wealth: float
    block: int
    alpha: float
    alarm_row: int | None = None
    smallest: float | None = None
    horizon: int = 0
    scale: float = 1.0
    newest: float | None = None
    newest_rows: int = 0
    own_tolerated: float | None = None
    cause: Literal["label_shift", "concept_drift", "both", "unknown", ""] = ""
    cause_reason: str = ""
    reason: str

    @property
    def is_above(self) -> bool:
        """Whether the newest errors lie above what the release's own reference allows."""
        limit = self.tolerated if self.own_tolerated is None else self.own_tolerated
        return self.newest is not None and self.newest > limit


class BatchResult(Artifact):
    """What was found about one batch in this run."""

    batch: WatchedBatch
    columns: tuple[DriftResult, ...] = ()
    notes: tuple[str, ...] = ()


class Verdict(Artifact):
    """What the monitor says: whether to retrain, why, and what it could have seen.

    ``skip`` names the batches and label files that a training has to leave out.
    """

    model_name: str
    version: str
    run_id: str
    retrain: bool
    outcome: Literal["nothing_new", "no_drift", "waiting", "cooling_down", "retrain", "watch_only"]
    evidence: tuple[str, ...]
    reasons: tuple[str, ...]
    concept: ConceptResult
    batches: tuple[BatchResult, ...] = ()
    labelled_rows: int = 0
    skip: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    adaptation: Adaptation | None = None

    @property
    def follows_policies(self) -> bool:
        """Whether production follows policies, so that an alarm leads to a search."""
        return self.adaptation is not None and bool(self.adaptation.policy)


@dataclass(frozen=True)
class Findings:
    """All that one look at the batches gave: the verdict, the next state, profiles to draw.

    ``profiles`` holds the ``TableProfile`` of each batch that was judged in this run, ``reference``
    that of the release. ``entered`` names the batches whose labels suffice since this look, each
    with the first of its rows that counts. ``renamed`` gives batches that had another name until
    this look their new one; ``moved`` tells which files hold the rows of a batch whose name stays.
    """

    verdict: Verdict
    state: MonitoringState
    profiles: dict[str, Any]
    reference: Any
    entered: tuple[tuple[str, int], ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
