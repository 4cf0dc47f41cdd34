"""The figure of a column that changed: shared bins of its values, or the levels that moved most."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from mlops_basics.reporting.text import label, share_text
from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.result import DriftResult

from .style import BLUE, Floats, empty_figure, figure, name_rows

MOST_VALUES = 12  # distinct values of a numeric column that are drawn as bars of their own
BEFORE, NOW = "#b9bec6", BLUE
BINS = 40
TAIL = 0.005  # of the values at each end, which are not drawn
LARGEST = 8e307  # twice of it is still a number
WHOLE_UP_TO = 2.0**52


def column_figure(
    column: DriftResult,
    reference: NumericProfile | CategoricalProfile,
    current: NumericProfile | CategoricalProfile,
) -> go.Figure:
    """Draw a column of the reference against the same of a batch.

    Args:
        column: The result of its test.
        reference, current: Profiles of both sides. Where the missing values have drifted, these
            are drawn; else the distribution of the values, or the levels that changed most.
    """
    name = label(column.column, 24)
    if reference.rows == 0 or current.rows == 0:
        return empty_figure(name, "One side has no rows.")
    missing = [profile.missing / profile.rows for profile in (reference, current)]
    reading = (
        f"Grey: the release's reference, {reference.rows:,} rows; blue: the batch, "
        f"{current.rows:,}. Missing: {share_text(missing[0])} before, {share_text(missing[1])} now."
    )
    if column.kind == "missing":
        shares = np.array([missing, [1 - share for share in missing]])
        return _bars(f"{name}: missing values", reading, ["missing", "present"], shares)
    if isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        return _numeric(name, reading, reference, current)
    if isinstance(reference, CategoricalProfile) and isinstance(current, CategoricalProfile):
        names, shares = largest_changes(reference, current)
        levels = [label(level, 20) for level in names]
        return _bars(f"{name}: share of rows", reading, levels, shares)
    return empty_figure(name, "One side holds numbers, the other text: not comparable.")


def _numeric(
    name: str, reading: str, reference: NumericProfile, current: NumericProfile
) -> go.Figure:
    values = single_values(reference, current, MOST_VALUES)
    if values is not None:
        points, shares = values
        return _bars(
            f"{name}: share of values", reading, [f"{point:.6g}" for point in points], shares
        )
    limits = quantile_range(reference, current)
    if limits is None:
        return empty_figure(name, "There are no finite values on either side.")
    edges, before, now = histogram(reference, current, *limits)
    if min(before.sum(), now.sum()) < 1 - 1e-9:
        reading += " The outermost values of both sides, 0.5 % at each end, are not drawn."
    fig = figure(f"{name}: share of values", reading, height=300)
    for side, shares, style in (
        ("reference", before, {"fill": "tozeroy", "line": {"color": BEFORE, "width": 1}}),
        ("batch", now, {"line": {"color": NOW, "width": 2}}),
    ):
        fig.add_scatter(
            x=edges,
            y=[*shares, shares[-1]],
            mode="lines",
            line_shape="hv",
            name=side,
            hovertemplate=f"{side}: %{{y:.1%}} from %{{x:.4g}} on<extra></extra>",
            **style,
        )
    fig.update_yaxes(rangemode="tozero", tickformat=".0%", title_text="share of the rows")
    return fig


def _bars(title: str, reading: str, names: list[str], shares: Floats) -> go.Figure:
    """Bars of both sides; ``shares`` has the shape (names, 2)."""
    fig = figure(title, reading, height=150 + 34 * max(2, len(names)), barmode="group", bargap=0.25)
    for side, colour, values in zip(("reference", "batch"), (BEFORE, NOW), shares.T, strict=True):
        fig.add_bar(
            x=values,
            y=np.arange(len(names)),
            orientation="h",
            name=side,
            marker_color=colour,
            customdata=names,
            hovertemplate=f"{side}: %{{x:.1%}} %{{customdata}}<extra></extra>",
        )
    fig.update_xaxes(tickformat=".0%", rangemode="tozero", title_text="share of the rows")
    name_rows(fig, names)
    return fig


def quantile_range(
    reference: NumericProfile, current: NumericProfile
) -> tuple[float, float] | None:
    """The range that holds the middle 99 % of both sides; None without a finite value."""
    ranges = [_quantiles(profile) for profile in (reference, current)]
    ends = [end for limits in ranges if limits is not None for end in limits]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    if low == high:  # more than 99 % of the values are the same
        values = np.concatenate([_finite(reference), _finite(current)])
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def histogram(
    reference: NumericProfile, current: NumericProfile, low: float, high: float
) -> tuple[Floats, Floats, Floats]:
    """Shares of each side's values in shared bins.

    Args:
        reference, current: Both sides.
        low, high: Range that the bins cover.

    Returns:
        Edges of shape (bins + 1,), shares of the reference and of the batch of shape (bins,).
        Each bin holds its upper edge; the first one its lower edge as well.
    """
    values = np.concatenate([_finite(reference), _finite(current)])
    within = values[(values >= low) & (values <= high)]
    whole = bool((np.abs(within) < WHOLE_UP_TO).all() and (within == np.round(within)).all())
    if whole and high - low >= 1:
        # Bins of equally many whole numbers: others would show teeth that are not in the data.
        step = max(1.0, np.ceil((high - low + 1) / BINS))
        first = np.ceil(low) - 0.5
        edges = first + step * np.arange(np.ceil((high - first) / step) + 1)
    else:
        edges = np.linspace(low, high, BINS + 1)
    return edges, _shares(reference, edges), _shares(current, edges)


def single_values(
    reference: NumericProfile, current: NumericProfile, most: int
) -> tuple[Floats, Floats] | None:
    """Each distinct value, and its share on both sides, shape (values, 2); None if too many."""
    if not (reference.exact and current.exact):
        return None
    points = np.union1d(reference.points, current.points)
    if not 0 < len(points) <= most:
        return None
    sides = []
    for profile in (reference, current):
        counts = np.diff(profile.bounds(points)[0], prepend=0)
        sides.append(counts / max(profile.n, 1))
    return points, np.column_stack(sides)


def largest_changes(
    reference: CategoricalProfile, current: CategoricalProfile, most: int = 12
) -> tuple[list[str], Floats]:
    """The levels whose share of the rows changed most, all others pooled in a last one.

    Returns:
        Names, largest change first, and the shares on both sides, shape (names, 2).
    """
    rows = np.array([max(reference.rows, 1), max(current.rows, 1)], dtype=np.float64)
    levels = list(reference.counts | current.counts)
    counts = np.array(
        [[reference.counts.get(name, 0), current.counts.get(name, 0)] for name in levels],
        dtype=np.float64,
    ).reshape(-1, 2)
    if reference.missing or current.missing:
        levels.append("(missing)")
        counts = np.vstack([counts, [reference.missing, current.missing]])
    shares = counts / rows
    order = np.argsort(-np.abs(shares[:, 1] - shares[:, 0]), kind="stable")
    kept, rest = order[:most], order[most:]
    other = np.array([reference.other, current.other]) / rows
    names = [levels[at] for at in kept]
    if len(rest) == 0 and not other.any():
        return names, shares[kept]
    return [*names, "(other levels)"], np.vstack([shares[kept], shares[rest].sum(axis=0) + other])


def _quantiles(profile: NumericProfile) -> tuple[float, float] | None:
    points = _finite(profile)
    if len(points) == 0:
        return None
    middle = (profile.low + profile.high) / 2
    ranks = np.array([TAIL, 1 - TAIL]) * profile.n
    at = np.searchsorted(middle, ranks).clip(0, len(profile.points) - 1)
    low, high = np.clip(profile.points[at], max(points[0], -LARGEST), min(points[-1], LARGEST))
    return float(low), float(high)


def _finite(profile: NumericProfile) -> Floats:
    return np.clip(profile.points[np.isfinite(profile.points)], -LARGEST, LARGEST)


def _shares(profile: NumericProfile, edges: Floats) -> Floats:
    starts = edges.copy()
    starts[0] = np.nextafter(edges[0], -np.inf)
    low, high = profile.bounds(starts)
    return np.diff((low + high) / 2) / max(profile.n, 1)
