"""The metrics of a model on one set of rows."""

from __future__ import annotations

from typing import Any

from kedro_datasets._typing import TablePreview

from mlops_basics.datasets.artifact import ArtifactDataset
from mlops_basics.reporting.metric_text import metric_name
from mlops_basics.reporting.text import number


class MetricsDataset(ArtifactDataset):
    """``MetricsDataset`` saves metrics as JSON; kedro-viz shows them as a table.

    Example of a catalog entry::

        test_metrics:
          type: mlops_basics.datasets.MetricsDataset
          filepath: data/reporting/test_metrics.json
          versioned: true

    >>> from mlops_basics.schemas import Estimate, Metrics
    >>> dataset = MetricsDataset(filepath="memory://metrics.json")
    >>> accuracy = Estimate(value=0.9, low=0.8, high=0.95, greater_is_better=True)
    >>> dataset.save(Metrics(rows=50, confidence=0.95, metrics={"accuracy": accuracy}))
    >>> dataset.preview()["data"]
    [['Accuracy', '0.900', '0.800', '0.950', 'higher', 50]]
    """

    def __init__(self, **kwargs: Any) -> None:
        """
        Args:
            kwargs: Arguments of ``kedro_datasets.json.JSONDataset``.
        """
        super().__init__(model="mlops_basics.schemas.Metrics", **kwargs)

    def preview(self) -> TablePreview:  # kedro-viz reads the annotation
        """Each metric with its interval, as kedro-viz shows it beside the node."""
        found: Any = self.load.__wrapped__(self)  # type: ignore[attr-defined]
        share = f"{100 * found.confidence:g} %"
        rows = [
            [
                metric_name(name),
                number(estimate.value),
                "" if estimate.low is None else number(estimate.low),
                "" if estimate.high is None else number(estimate.high),
                "higher" if estimate.greater_is_better else "lower",
                found.rows,
            ]
            for name, estimate in found.metrics.items()
        ]
        columns = ["metric", "value", f"low ({share})", f"high ({share})", "better", "rows"]
        return TablePreview({"index": list(range(len(rows))), "columns": columns, "data": rows})
