"""A model, and how good it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import pandas as pd
from pydantic import Field, field_validator

from .base import Artifact, UnlessEmpty
from .table import Task

ESTIMATOR_STEP = "estimator"


class Model(Protocol):
    """A fitted scikit-learn pipeline, as nodes see it (importing scikit-learn costs seconds)."""

    def predict(self, features: pd.DataFrame) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class FittedModel:
    """A fitted scikit-learn pipeline and a few rows of features that show its input."""

    pipeline: Model
    example: pd.DataFrame


class Threshold(Artifact):
    """The probability from which on the second of two classes is predicted.

    ``chosen_by``: the metric that was best on validation rows, or the costs of errors that were
    lowest.
    """

    value: Annotated[float, Field(gt=0, lt=1)]
    chosen_by: str


class ThresholdChoice(Threshold):
    """How a threshold was chosen: what it came to on the validation rows, and 0.5 beside it.

    ``positive`` is the second class; ``result`` and ``at_half`` are the metric, or the mean cost of
    a row.
    """

    positive: str
    rows: int
    result: float
    at_half: float


class Recipe(Artifact):
    """All that determines a model beside the rows it is fitted on; it holds no weights.

    ``features``: import paths of the user's own steps, which come before all else.
    ``parameters``: the estimator's arguments, fixed and drawn, with ``random_state`` where it
    takes one. ``vectorizer``: arguments of ``skrub.TableVectorizer``. ``dense``: whether missing
    values are filled and categories become numbers before the estimator gets them. ``threshold``:
    None where the more likely class is predicted.
    """

    task: Task
    candidate: str
    class_path: str
    dense: bool
    parameters: dict[str, Any]
    vectorizer: dict[str, Any]
    seed: int
    features: Annotated[tuple[str, ...], UnlessEmpty] = ()
    threshold: Annotated[Threshold | None, UnlessEmpty] = None

    @field_validator("parameters", "vectorizer")
    @classmethod
    def _as_json_holds_them(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A recipe that was just made equals the one that is read back."""
        try:
            held: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
        except TypeError as error:
            raise ValueError(str(error)) from error
        return held

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of its canonical JSON."""
        canonical = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An ``Interval`` of the statistics, and which way the metric is better.

    Not a subclass: runs are compared by their bytes, and those hold the fields in this order.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    greater_is_better: bool
    note: str = ""


class ClassCount(Artifact):
    """A class: how many rows are of it, for how many it is predicted, and how many both hold of."""

    name: str
    rows: int
    predicted: int
    found: int


class Constant(Artifact):
    """The best constant prediction of the train rows, and its metrics on the same rows.

    ``prediction`` is the most frequent class, as text, or the mean of a regression's target. Where
    a metric is of probabilities, these are the shares of the classes.
    """

    prediction: str | float
    metrics: dict[str, float | None]


class Metrics(Artifact):
    """Metrics of one model on one set of rows.

    ``groups`` counts the groups of rows that may err together (``grouped_by`` says what they are),
    None where each row stands for itself; ``grouping_note`` says what does not suit them. ``rows``
    may be a sample of ``of_rows``. ``constant`` is what the model has to beat, and ``classes`` says
    which ones it finds (empty for a regression); earlier runs tell neither.
    """

    rows: int
    of_rows: Annotated[int | None, UnlessEmpty] = None
    groups: int | None = None
    grouped_by: str = ""
    grouping_note: str = ""
    confidence: float
    metrics: dict[str, Estimate]
    constant: Annotated[Constant | None, UnlessEmpty] = None
    classes: Annotated[tuple[ClassCount, ...], UnlessEmpty] = ()


class SearchReport(Artifact):
    """What the search tried, and why it ended."""

    best_candidate: str
    best_params: dict[str, Any]
    best_valid_loss: float
    loss: str
    trials_requested: int
    trials_run: int
    stopped_early: str = ""
    threshold: Annotated[ThresholdChoice | None, UnlessEmpty] = None


Refit = Literal["train_valid", "all", "none"]


class CurvePoint(Artifact):
    """Mean loss on the valid rows of a fit on so many train rows."""

    rows: int
    loss: float


class RefitReport(Artifact):
    """On how many rows the released model was fitted, and by which rule of ``training.refit``.

    ``curve`` is how the recipe learns from fewer rows, up to all train rows, where a table has more
    than may be used; ``loss`` is its unit.
    """

    rule: Refit
    rows: int
    loss: Annotated[str, UnlessEmpty] = ""
    curve: Annotated[tuple[CurvePoint, ...], UnlessEmpty] = ()


class OverfitCheck(Artifact):
    """Of the search's own fit, on train rows alone, whatever is released.

    Validation loss minus training loss, as a share of the loss of a constant prediction.

    Without limits where the rows of one set are all of one group.
    """

    gap: float
    low: float | None
    high: float | None
    confidence: float
    tolerance: float
    train_loss: float
    valid_loss: float
    baseline_loss: float
    overfitted: bool
    reason: str


class OrderCheck(Artifact):
    """How the recipe did on the newest batches, fitted on the batches before each of them.

    Batches are in the order of their names. Empty where a table has one batch alone, or none could
    be learned from. ``losses`` are means in the unit of ``loss``, one a batch.
    """

    loss: str
    batches: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()

    @property
    def mean(self) -> float | None:
        """Mean loss of all rows; None where no batch was measured."""
        total = sum(self.rows)
        pairs = zip(self.losses, self.rows, strict=True)
        return sum(loss * rows for loss, rows in pairs) / total if total else None
