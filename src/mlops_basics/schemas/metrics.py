"""The metrics, one entry each: reports, tests, guards and titles all follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from mlops_basics.stats.paired import confusion_metrics as confusion
from mlops_basics.stats.paired import losses

Floats = npt.NDArray[np.float64]
Kind = Literal["classification", "regression"]
#: Each row's loss, shape (n,), from the targets (n,), the forecast (probabilities (n, K), or the
#: values (n,) of a regression) and the error from which the Huber loss is linear.
RowLoss = Callable[[npt.NDArray[Any], Floats, float], Floats]


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What a metric is.

    Attributes:
        name: In parameters and artifacts.
        title: As shown to users.
        kind: Of the tasks that it fits.
        row_loss: The loss of each row, where the metric is the mean of one.
        of_confusion: The metric of a confusion matrix, where it is one. What is neither has an
            interval of its own in ``scoring.metrics``, and a test in ``scoring.comparison``.
        unit: Of a gain; empty for a share of 1.
        greater_is_better: Which way it is better.
        limits: Smallest and largest possible value; None where there is none.
        reported: Whether reports show it.
        tested: Whether a challenger may be tested by it, or a guard be named.
        guard: Whether it may veto a promotion unless other guards are named.
    """

    name: str
    title: str
    kind: Kind
    row_loss: RowLoss | None = None
    of_confusion: confusion.Metric | None = None
    unit: str = ""
    greater_is_better: bool = False
    limits: tuple[float, float | None] = (0.0, None)
    reported: bool = True
    tested: bool = True
    guard: bool = False


#: By name. Of a kind, the first one is tested unless another one is named.
METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MetricSpec(
            name="log_loss",
            title="Log loss",
            kind="classification",
            row_loss=lambda y, p, _: losses.log_loss_rows(y, p),
            unit="nats",
        ),
        MetricSpec(
            name="brier",
            title="Brier score",
            kind="classification",
            row_loss=lambda y, p, _: losses.brier_rows(y, p),
            limits=(0.0, 2.0),
        ),
        MetricSpec(
            name="huber",
            title="Huber error",
            kind="regression",
            # Over delta: the absolute error less a half of delta, where it is large.
            row_loss=lambda y, values, delta: losses.huber_rows(y, values, delta) / delta,
            unit="units of the target",
            reported=False,
        ),
        MetricSpec(
            name="squared_error",
            title="squared error",
            kind="regression",
            row_loss=lambda y, values, _: losses.squared_rows(y, values),
            unit="squared units of the target",
            reported=False,
            guard=True,
        ),
        MetricSpec(
            name="absolute_error",
            title="absolute error",
            kind="regression",
            row_loss=lambda y, values, _: losses.absolute_rows(y, values),
            unit="units of the target",
            reported=False,
            guard=True,
        ),
        MetricSpec(
            name="accuracy",
            title="Accuracy",
            kind="classification",
            of_confusion=confusion.accuracy,
            greater_is_better=True,
            limits=(0.0, 1.0),
            guard=True,
        ),
        MetricSpec(
            name="balanced_accuracy",
            title="Balanced accuracy",
            kind="classification",
            of_confusion=confusion.balanced_accuracy,
            greater_is_better=True,
            limits=(0.0, 1.0),
        ),
        MetricSpec(
            name="macro_f1",
            title="Macro F1",
            kind="classification",
            of_confusion=confusion.macro_f1,
            greater_is_better=True,
            limits=(0.0, 1.0),
            guard=True,
        ),
        MetricSpec(
            name="mcc",
            title="MCC",
            kind="classification",
            of_confusion=confusion.mcc,
            greater_is_better=True,
            limits=(-1.0, 1.0),
        ),
        MetricSpec(
            name="roc_auc",
            title="ROC AUC",
            kind="classification",
            greater_is_better=True,
            limits=(0.0, 1.0),
            guard=True,
        ),
        MetricSpec(name="r2", title="R²", kind="regression", greater_is_better=True, tested=False),
        MetricSpec(name="rmse", title="RMSE", kind="regression", tested=False),
        MetricSpec(
            name="mae",
            title="MAE",
            kind="regression",
            row_loss=lambda y, values, _: losses.absolute_rows(y, values),
            unit="units of the target",
            tested=False,
        ),
    )
}


_OWN: dict[str, MetricSpec] = {}


def register_metrics(specs: Iterable[MetricSpec]) -> None:
    """Add the user's own metrics after ours, in the place of those that were added before.

    Raises:
        ValueError: If a name is taken, or a metric is neither a loss nor of a confusion matrix.
    """
    for name in _OWN:
        METRICS.pop(name, None)
    _OWN.clear()
    for spec in specs:
        if spec.name in METRICS or spec.name == "auto":
            raise ValueError(f"the name {spec.name!r} is taken")
        if (spec.row_loss is None) == (spec.of_confusion is None):
            raise ValueError(f"{spec.name!r} must have either row_loss or of_confusion")
        _OWN[spec.name] = METRICS[spec.name] = spec


def is_own(name: str) -> bool:
    """Whether a metric is one of the user's own."""
    return name in _OWN


def kind_of_task(task: str) -> Kind:
    """The kind of a task."""
    return "regression" if task == "regression" else "classification"


def reported_metrics(kind: Kind) -> list[MetricSpec]:
    """What reports show: first what should be great, then the losses; the first one leads."""
    specs = [spec for spec in METRICS.values() if spec.kind == kind and spec.reported]
    return sorted(specs, key=lambda spec: not spec.greater_is_better)


def metrics_to_test(kind: Kind) -> list[str]:
    """Names of those that a challenger may be tested by; the first one is "auto"."""
    return [spec.name for spec in METRICS.values() if spec.kind == kind and spec.tested]


def default_guards(kind: Kind) -> list[str]:
    """Names of those that may veto unless others are named."""
    return sorted(spec.name for spec in METRICS.values() if spec.kind == kind and spec.guard)


def _require_tested(name: Any) -> Any:
    names = ["auto", *(spec.name for spec in METRICS.values() if spec.tested)]
    if name not in names:
        *others, last = (repr(other) for other in names)
        raise PydanticCustomError(
            "literal_error", "Input should be {names}", {"names": f"{', '.join(others)} or {last}"}
        )
    return name


#: A metric that a challenger may be tested by, or "auto".
TestedMetric = Annotated[str, PlainValidator(_require_tested)]
