"""Champion against challenger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_basics.stats.paired.guards import Guard

from .base import Artifact
from .model import Model
from .table import Hashes, TableInfo

NO_CHAMPION = "none"


@dataclass(frozen=True)
class Champion:
    """The model in production, and what is known of its training.

    ``model`` is None where there is no champion yet (``version`` is ``NO_CHAMPION``), or where it
    cannot be used; then ``unusable`` says why.
    """

    version: str
    model: Model | None = None
    table: TableInfo | None = None
    fitted_rows: Hashes | None = None
    batches: tuple[str, ...] = ()
    unusable: str = ""


class ChallengeRequest(Artifact):
    """A comparison that is about to be made: on which rows, and whether it can be.

    ``groups`` counts the groups of rows that may err together (``grouped_by`` says what they are);
    None where each row stands for itself.
    """

    champion_version: str
    status: Literal["comparable", "identical", "overfitted", "too_few_rows", "champion_unusable"]
    rows: int
    rows_hash: str
    predictions_hash: str
    which_rows: str
    classes: tuple[str, ...]
    huber_delta: float | None = None
    test: str = ""
    reason: str = ""
    groups: int | None = None
    grouped_by: str = ""


class Challenge(Artifact):
    """A challenge as it was written down: the ``number``-th of the champion's life (0: none)."""

    champion_version: str
    number: int
    challenge_id: str
    repeated: bool
    mlflow_run_id: str | None


class Decision(Artifact):
    """Whether the challenger becomes the champion, and everything that speaks for or against."""

    promote: bool
    outcome: Literal[
        "first_release",
        "promoted",
        "kept",
        "identical",
        "overfitted",
        "guard_veto",
        "below_floor",
        "not_better_than_baseline",
        "too_few_rows",
        "champion_unusable",
        "refreshed",
        "switched",
    ]
    reasons: tuple[str, ...]
    champion_version: str
    challenge: Challenge
    metric: str
    unit: str
    rows: int
    which_rows: str
    groups: int | None = None
    grouped_by: str = ""
    champion_value: float | None = None
    challenger_value: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    alpha: float | None = None
    total_alpha: float
    rule: str
    min_gain: float
    smallest_gain: float | None = None
    level_note: str = ""
    guards: tuple[Guard, ...] = ()
    policy: str = ""
