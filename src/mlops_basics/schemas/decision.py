"""Champion against challenger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from mlops_basics.stats.paired.guards import Guard
from mlops_basics.stats.paired.sums import PairedSums

from .base import Artifact
from .metrics import METRICS
from .model import Model
from .table import Hashes, TableInfo

NO_CHAMPION = "none"
#: Said of a refused challenger from a champion's second challenge on.
WITHHELD = (
    "Its figures on the test rows are not shown: who tunes challengers by what is shown of these "
    "rows, again and again, comes to fit them, and not the next ones."
)
ON_DEMAND = (
    "`kedro releases --show-test RUN_ID` shows them, and is written down as a use of these rows."
)


class Look(Artifact):
    """What one challenge adds to the evidence about a recipe: rows that had not spoken before.

    ``number`` is that of the challenge, ``after`` of the one that it adds to (0: it is the first).
    ``rows_digest`` is of all rows that have spoken by then, in the order of the table; ``sums`` are
    of the new ones, as they were judged then. ``alpha`` is what the challenges share, or the part
    of it that evidence of this kind may spend.
    """

    number: int = 0
    after: int = 0
    recipe: str
    test: str
    alpha: float
    huber_delta: float | None = None
    rows_digest: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    sums: PairedSums


@dataclass(frozen=True)
class Champion:
    """The model in production, and what is known of its training.

    ``model`` is None where there is no champion yet (``version`` is ``NO_CHAMPION``), or where it
    cannot be used; then ``unusable`` says why. ``looks`` are what challenges have said against it.
    """

    version: str
    model: Model | None = None
    table: TableInfo | None = None
    fitted_rows: Hashes | None = None
    batches: tuple[str, ...] = ()
    unusable: str = ""
    looks: tuple[Look, ...] = ()


class ChallengeRequest(Artifact):
    """A comparison that is about to be made: on which rows, and whether it can be.

    ``groups`` counts the groups of rows that may err together (``grouped_by`` says what they are);
    None where each row stands for itself. ``in_order``: they are days in the order of time, which
    may persist, and a champion is there to be replaced. ``fold_rows`` are those that the challenger
    learns from; each was predicted by one of ``folds`` further fits of its recipe, made without it.
    ``look`` is what the challenge adds to those of ``looks``; None where evidence of this kind does
    not add up.
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
    in_order: bool = False
    fold_rows: int = 0
    folds: int = 0
    look: Look | None = None
    looks: tuple[Look, ...] = ()


class Challenge(Artifact):
    """A challenge as it was written down: the ``number``-th of the champion's life (0: none).

    Figures of a refused challenger that were shown on demand are numbered among them: both are uses
    of the rows that the champion has not seen.

    ``note`` tells where the books in MLflow and in production do not agree.
    """

    champion_version: str
    number: int
    challenge_id: str
    repeated: bool
    mlflow_run_id: str | None
    note: str = ""


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
        "not_better_than_constant",
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
    fold_rows: int = 0
    folds: int = 0
    looks: tuple[int, ...] = ()
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

    @field_validator("outcome", mode="before")
    @classmethod
    def _in_words_of_today(cls, outcome: object) -> object:
        """Runs have called a constant prediction a baseline, too."""
        return "not_better_than_constant" if outcome == "not_better_than_baseline" else outcome

    @property
    def withheld(self) -> bool:
        """Whether a run keeps what the test rows say of a challenger to itself.

        It does of one that is refused, unless it is the first that is tested against its champion,
        or predicts the same: any figure of the same rows, seen often enough, is something to be
        fitted to. Yes or no is not: whatever follows from refusals is covered by the levels.
        """
        is_first = self.champion_version == NO_CHAMPION or self.challenge.number == 1
        return not (self.promote or is_first or self.outcome == "identical")

    def shown(self) -> Self:
        """The decision as a run tells it: without figures of the test rows if these are withheld.

        What was not tested keeps its reasons, which say nothing of the test rows.
        """
        if not self.withheld or WITHHELD in self.reasons:
            return self
        reasons = list(self.reasons[:-1])
        if self.gain is not None:
            known = METRICS.get(self.metric)
            metric = known.title if known else self.metric.replace("_", " ")
            found = "Shown to be better overall, but worse in one respect"
            if self.outcome != "guard_veto":
                found = "Not shown to be better"
            reasons = [
                f"{found}, by {metric} on {self.rows:,} rows; these have been used "
                f"{self.challenge.number} times against version {self.champion_version}."
            ]
        nothing = dict.fromkeys(
            ("champion_value", "challenger_value", "gain", "low", "high", "p_value", "alpha")
        )
        update = {
            **nothing,
            "reasons": (*reasons, WITHHELD, ON_DEMAND, *self.reasons[-1:]),
            "smallest_gain": None,
            "level_note": "",
            "guards": (),
        }
        return self.model_copy(update=update)
