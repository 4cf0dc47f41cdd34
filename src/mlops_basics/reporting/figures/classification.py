"""Figures of a classifier: its mistakes, how well it ranks, how far to trust its probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mlops_basics.reporting.text import label, number
from mlops_basics.stats.intervals.metrics import share

from .style import (
    BLUE,
    BLUES,
    GREY,
    RED,
    Floats,
    Indices,
    empty_figure,
    figure,
    line_style,
    thin_curve,
)

RANKING_READING = (
    "The closer a curve comes to the upper left corner (ROC) or the upper right corner (precision "
    "and recall), the better the model tells that class from the rest; AUC is the area under the "
    "first, AP (average precision) that under the second."
)
CALIBRATION_READING = (
    "On the diagonal, what is predicted with 80 % comes true in 80 % of the rows. Each dot is a "
    "group of rows with its 95 % interval, orange where that misses the diagonal (one in twenty "
    "does so by chance). Below: how many rows got which probability."
)
COUNTS_UP_TO = 30  # classes; beyond, the cells are too small for text and the colours speak
MAX_LABELS = 20  # below the matrix: more would overlap on a phone
MAX_CLASSES = 10
MAX_BINS, ROWS_PER_BIN, HISTOGRAM_BINS = 10, 15, 20


@dataclass(frozen=True)
class ReliabilityBins:
    """Rows grouped by predicted probability, about equally many a bin; arrays of shape (bins,).

    Attributes:
        predicted: Mean predicted probability.
        observed: Share of rows in which the event happened.
        low, high: Its Wilson interval.
        rows: Number of rows.
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    rows: Indices


def confusion_figure(matrix: pd.DataFrame) -> go.Figure:
    """Draw how the rows of each true class were predicted.

    Args:
        matrix: First column ``actual``: the true classes; the others: counts of predictions.
    """
    counts = matrix.iloc[:, 1:].to_numpy(dtype=np.float64)
    rows, columns = counts.shape
    if rows == 0 or columns == 0:
        return empty_figure("Confusion matrix", "There are no classes to confuse.")
    limit = 18 if rows <= 12 else 14
    actual = [label(name, limit) for name in matrix.iloc[:, 0]]
    predicted = [label(name, limit) for name in matrix.columns[1:]]
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    text = np.array([[f"{count:,.0f}" for count in line] for line in counts], dtype=object)
    if rows > 10:
        text[counts == 0] = ""
    hover = np.empty((rows, columns, 2), dtype=object)
    hover[..., 0], hover[..., 1] = np.array(actual)[:, None], np.array(predicted)[None, :]
    fig = figure(
        _confusion_title(counts, actual, predicted),
        "Each row is a true class, each column a prediction: right answers lie on the diagonal, "
        "and the darker a cell, the larger its share of the true class.",
        height=int(min(860, 260 + max(34 * min(rows, 8), 16 * rows))),
        wide=rows > 15,
        margin_t=76,
    )
    fig.add_heatmap(
        z=shares,
        zmin=0,
        zmax=1,
        colorscale=BLUES,
        text=[[f"{count:,.0f}" for count in line] for line in counts],
        customdata=hover,
        hovertemplate="true %{customdata[0]}<br>predicted %{customdata[1]}<br>"
        "%{text} rows, %{z:.1%} of the true class<extra></extra>",
        xgap=1,
        ygap=1,
        showscale=False,
    )
    if rows <= COUNTS_UP_TO:
        fig.update_traces(text=text, texttemplate="%{text}")
    step = -(-columns // MAX_LABELS)  # the columns' order is the rows': a few labels do
    fig.update_xaxes(
        title_text="predicted",
        tickvals=np.arange(columns)[::step],
        ticktext=predicted[::step],
        showgrid=False,
        tickangle=0 if sum(map(len, predicted)) <= 30 else -60,
        tickfont_size=12 if columns <= 20 else 8,
    )
    fig.update_yaxes(
        title_text="true",
        tickvals=np.arange(rows),
        ticktext=actual,
        showgrid=False,
        autorange="reversed",
        tickfont_size=12 if rows <= 20 else 8,
    )
    return fig


def ranking_figure(
    y: npt.ArrayLike, probabilities: npt.ArrayLike, classes: tuple[str, ...]
) -> go.Figure:
    """Draw ROC and precision-recall curves: of the second of two classes, or of each class.

    Args:
        y: Class codes, shape (n,).
        probabilities: Shape (n, K).
        classes: Names of the K classes; at most the 10 most frequent are drawn.
    """
    from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

    codes, scores = _usable_rows(y, probabilities)
    shown, drawable = _classes_to_draw(codes, len(classes))
    if not shown:
        return empty_figure(
            "ROC and precision-recall", "Only one class occurs in these rows: nothing to rank."
        )
    title = f"ROC and precision-recall of {len(shown)} classes"
    if len(classes) == 2:
        title = f"ROC and precision-recall of class {label(classes[1], 24)}"
    elif drawable > len(shown):
        title = f"The {len(shown)} most frequent of {drawable} classes"
    fig = make_subplots(
        rows=2,
        cols=1,
        vertical_spacing=0.14,
        figure=figure(title, RANKING_READING, 840 + 18 * max(0, len(shown) - 4), legend_y=-0.1),
    )
    guessing = {
        "mode": "lines",
        "line": {"color": GREY, "dash": "dot", "width": 1.5},
        "name": "guessing",
        "hoverinfo": "skip",
    }
    fig.add_scatter(x=[0, 1], y=[0, 1], **guessing)
    for index, code in enumerate(shown):
        event = codes == code
        fpr, tpr, _ = roc_curve(event, scores[:, code])
        precision, recall, _ = precision_recall_curve(event, scores[:, code])
        ap = average_precision_score(event, scores[:, code])
        name = label(classes[code], 20)
        style = {
            "mode": "lines",
            "line": {"width": 2, **line_style(index)},
            "legendgroup": str(code),
        }
        kept = thin_curve(fpr, tpr)
        fig.add_scatter(
            x=fpr[kept],
            y=tpr[kept],
            name=f"{name}: AUC {number(auc(fpr, tpr))}, AP {number(ap)}",
            hovertemplate="false alarms %{x:.1%}<br>found %{y:.1%}<extra></extra>",
            **style,
        )
        kept = thin_curve(recall, precision)
        fig.add_scatter(
            x=recall[kept],
            y=precision[kept],
            row=2,
            col=1,
            showlegend=False,
            hovertemplate="found %{x:.1%}<br>of alarms right %{y:.1%}<extra></extra>",
            line_shape="hv",  # the steps whose area is the average precision
            **style,
        )
    if len(classes) == 2:
        share_of_class = float((codes == 1).mean())
        fig.add_scatter(
            x=[0, 1], y=[share_of_class] * 2, row=2, col=1, showlegend=False, **guessing
        )
    fig.update_xaxes(range=[-0.01, 1.01])
    fig.update_yaxes(range=[-0.01, 1.03])
    titles = (("false positive rate", "true positive rate"), ("recall", "precision"))
    for row, (below, beside) in enumerate(titles, start=1):
        fig.update_xaxes(title_text=below, row=row)
        fig.update_yaxes(title_text=beside, row=row)
    return fig


def calibration_figure(
    y: npt.ArrayLike, probabilities: npt.ArrayLike, classes: tuple[str, ...]
) -> go.Figure:
    """Draw how often what was predicted with a probability came true.

    Args:
        y: Class codes, shape (n,).
        probabilities: Shape (n, K). Of two classes the second one's is drawn; of more, that of
            the predicted class.
        classes: Names of the K classes.
    """
    codes, scores = _usable_rows(y, probabilities)
    if len(codes) == 0 or len(classes) == 0:
        return empty_figure("Calibration", "There are no rows.")
    if len(classes) == 2:
        predicted, event = scores[:, 1], codes == 1
        x_title = f"predicted probability of {label(classes[1], 20)}"
        y_title = f"share of {label(classes[1], 20)}"
    else:
        predicted, event = scores.max(axis=1), codes == scores.argmax(axis=1)
        x_title, y_title = "probability of the predicted class", "share of right predictions"
    bins = reliability_bins(predicted, event)
    missed = (bins.predicted < bins.low) | (bins.predicted > bins.high)
    title = f"Predicted and observed, {len(bins.rows)} groups of {len(codes):,} rows"
    fig = make_subplots(
        rows=2,
        cols=1,
        shared_xaxes=True,
        row_heights=[0.76, 0.24],
        vertical_spacing=0.05,
        figure=figure(title, CALIBRATION_READING, 560, showlegend=False),
    )
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": GREY, "dash": "dash", "width": 1},
        hoverinfo="skip",
    )
    fig.add_scatter(
        x=bins.predicted,
        y=bins.observed,
        mode="markers",
        marker={"size": 9, "color": np.where(missed, RED, BLUE)},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": bins.high - bins.observed,
            "arrayminus": bins.observed - bins.low,
            "thickness": 1.4,
            "width": 4,
            "color": GREY,
        },
        customdata=np.column_stack([bins.low, bins.high, bins.rows]),
        hovertemplate="predicted %{x:.1%}, came true %{y:.1%}<br>95 % interval "
        "%{customdata[0]:.1%} to %{customdata[1]:.1%}<br>%{customdata[2]} rows<extra></extra>",
    )
    counts, edges = np.histogram(predicted.clip(0, 1), bins=HISTOGRAM_BINS, range=(0, 1))
    fig.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=0.9 / HISTOGRAM_BINS,
        marker_color="#9bbfda",
        hovertemplate="%{y} rows around %{x:.1%}<extra></extra>",
        row=2,
        col=1,
    )
    fig.update_xaxes(range=[-0.02, 1.02], tickformat=".0%")
    fig.update_yaxes(range=[-0.02, 1.02], tickformat=".0%", title_text=y_title, row=1, col=1)
    fig.update_yaxes(title_text="rows", row=2, col=1)
    fig.update_xaxes(title_text=x_title, row=2, col=1)
    return fig


def reliability_bins(
    predicted: Floats, event: npt.NDArray[np.bool_], confidence: float = 0.95
) -> ReliabilityBins:
    """Group rows by predicted probability; equal probabilities stay in one bin.

    Args:
        predicted: Shape (n,), n >= 1.
        event: Whether it came true, shape (n,).
        confidence: Of the intervals.

    Returns:
        At most 10 bins of at least 15 rows, where there are so many, by rising probability.
    """
    wanted = int(np.clip(len(predicted) // ROWS_PER_BIN, 1, MAX_BINS))
    # By middle rank: equal probabilities share one, and no value between two heavy ones is lost.
    _, of_value, tied = np.unique(predicted, return_inverse=True, return_counts=True)
    middle = np.cumsum(tied) - tied / 2
    place = (middle * wanted / len(predicted)).astype(np.int64)[of_value]
    rows = np.bincount(place)
    used = rows > 0
    means = np.bincount(place, weights=predicted)[used] / rows[used]
    hits = np.bincount(place, weights=event)[used].astype(np.int64)
    intervals = [share(int(k), int(n), confidence) for k, n in zip(hits, rows[used], strict=True)]
    limits = np.array([(interval.low, interval.high) for interval in intervals], dtype=np.float64)
    return ReliabilityBins(means, hits / rows[used], limits[:, 0], limits[:, 1], rows[used])


def _confusion_title(counts: Floats, actual: list[str], predicted: list[str]) -> str:
    total = counts.sum()
    if total == 0:
        return "Confusion matrix: no rows"
    title = f"{np.trace(counts):,.0f} of {total:,.0f} rows right"
    mistakes = counts.copy()
    np.fill_diagonal(mistakes, 0)
    if mistakes.max() == 0:
        return title
    row, column = np.unravel_index(int(mistakes.argmax()), mistakes.shape)
    # Three short lines: on a phone a title has room for 45 characters, and plotly wraps none.
    return (
        f"{title}<br>most frequent mistake, {mistakes[row, column]:,.0f} times:<br>"
        f"{actual[row]} taken for {predicted[column]}"
    )


def _usable_rows(y: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Indices, Floats]:
    codes = np.asarray(y, dtype=np.float64)
    scores = np.asarray(probabilities, dtype=np.float64)
    usable = np.isfinite(scores).all(axis=1) & (codes >= 0) & (codes < scores.shape[1])
    return codes[usable].astype(np.int64), scores[usable]


def _classes_to_draw(codes: Indices, classes: int) -> tuple[list[int], int]:
    """The codes to draw, most frequent first, and how many could be drawn."""
    rows = np.bincount(codes, minlength=classes)
    if classes == 2:
        return ([1], 1) if rows.min() > 0 else ([], 0)
    possible = [code for code in range(classes) if 0 < rows[code] < len(codes)]
    ordered = sorted(possible, key=lambda code: (-rows[code], code))
    return ordered[:MAX_CLASSES], len(possible)
