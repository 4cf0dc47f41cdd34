"""Reads the target column: which task it poses, and the values a model learns."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import cast

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.safe_text import plural
from mlops_basics.schemas import TargetRange, Task

FEWEST_LABELS = 5  # of a batch, for its unit to be judged; of a new class, for it to be learned
LEAST_FACTOR = 20  # between the medians of two units
WIDER = 3  # times the known range, which is no other unit
USUAL_FACTORS = (24, 60, 100, 1_000, 3_600, 10_000, 1_000_000, 1_000_000_000)
NEAR = 1.25
_YES_OR_NO = frozenset(("yes", "y", "true", "t", "1", "1.0", "no", "n", "false", "f", "0", "0.0"))
MAX_NUMBERED_CLASSES = 20  # more distinct whole numbers than this are a quantity


def read_target(
    values: pd.Series, task: str = "auto", positive_above: float | None = None
) -> tuple[pd.Series, Task]:
    """The target as a model learns it, and the task it poses.

    Args:
        values: The raw target column, missing values included.
        task: "auto" or the task to pose.
        positive_above: With a number, the target becomes 1 where it lies above, else 0.

    Returns:
        The target, missing values left in: float64 for regression; for classification text,
        or nullable integers where the raw values are whole numbers or booleans. And the task.

    Raises:
        DataError: If the column cannot pose the task; the message says why.
    """
    name = values.name
    if positive_above is not None:
        if not _is_number(values):
            raise DataError(
                f"The target '{name}' is not a number, so `positive_above` cannot divide it. "
                "Set positive_above: null in globals.yml."
            )
        numbers = values.astype("float64")
        values = (numbers > positive_above).astype("Int64").mask(numbers.isna())
    present = values.dropna()
    if present.empty:
        raise DataError(f"The target '{name}' has no value in any of {plural(len(values), 'row')}.")
    distinct = present.nunique()
    example = np.asarray(present.iloc[:1], dtype=object).tolist()[0]
    if distinct == 1:
        where = "" if positive_above is None else f" (is it ever above {positive_above:g}?)"
        raise DataError(
            f"The target '{name}' is {example!r} in every row{where}: there is one class "
            "only and nothing to learn. Check `target` in globals.yml, or collect rows of another."
        )
    posed = _pose(present, distinct, task)
    if posed == "regression":
        if not _is_number(values):
            raise DataError(
                f"The target '{name}' holds text such as {example!r}, which no regression "
                "can learn. Set task: auto in globals.yml."
            )
        return values.astype("float64"), posed
    if distinct > len(present) / 2:
        raise DataError(
            f"The target '{name}' has {distinct} distinct values in {len(present)} rows: it "
            "identifies rows rather than classes. Name another column as `target`, or set "
            "task: regression if it is a quantity."
        )
    if fault := spelling_fault(present):
        raise DataError(fault)
    if posed == "binary" and distinct != 2:
        raise DataError(
            f"The target '{name}' has {distinct} classes, but task: binary needs 2. "
            "Set task: auto in globals.yml."
        )
    if _is_whole(present):
        return values.astype("float64").astype("Int64"), posed
    return values.map(str, na_action="ignore").astype("str"), posed


def target_values(values: pd.Series, task: Task, positive_above: float | None = None) -> pd.Series:
    """Some rows' target as a model that was trained before names it; see ``read_target``.

    Args:
        values: The raw target of any rows, of however few classes; missing values included.
        task: The model's task.
        positive_above: See ``read_target``.

    Returns:
        float64 for a regression, the names of classes as text otherwise; missing where it was.

    Raises:
        DataError: If a value is no number where the model needs one.
    """
    if task == "regression" or positive_above is not None:
        present = values.dropna()
        if not present.empty and not _is_number(values):  # nor digits as text, as in a training
            stray = next(
                (value for value in present if not _is_plain_number(value)), present.iloc[0]
            )
            raise DataError(
                f"The target '{values.name}' must hold numbers, but holds {stray!r}. Mend it."
            )
        numbers = values.astype("float64")
        if positive_above is None:
            return numbers
        values = (numbers > positive_above).astype("Int64").mask(numbers.isna())
    codes, known = pd.factorize(values)  # each value is named once
    names = np.array([*map(_class_name, known), np.nan], dtype=object)
    return pd.Series(names[codes], index=values.index, name=values.name)


def target_range(values: pd.Series) -> TargetRange | None:
    """Where a quantity lies; None where no value is known or one is infinite.

    Args:
        values: Numbers, shape (rows,); missing ones are left out.
    """
    numbers = values.dropna().to_numpy(dtype=np.float64)
    if not numbers.size or not np.isfinite(numbers).all():
        return None
    low, median, high = np.quantile(numbers, [0.01, 0.5, 0.99])
    return TargetRange(low=float(low), median=float(median), high=float(high))


def unit_fault(labels: pd.Series, known: TargetRange | None) -> str:
    """Why a quantity is clearly in another unit than before, empty if it is not.

    Its median has to be 20 times the known one or more, or a 20th or less, and its middle half
    has to lie beyond three times the known range: what a quantity does in years it may do, as long
    as the known range moves with it. Judged for quantities that are not negative alone.

    Args:
        labels: Finite numbers, shape (rows,), no value missing; fewer than 5 show nothing.
        known: Where the quantity lay before, if that is known.
    """
    if known is None or known.low < 0 or known.median <= 0 or len(labels) < FEWEST_LABELS:
        return ""
    first, median, third = np.quantile(labels.to_numpy(dtype=np.float64), [0.25, 0.5, 0.75])
    if median <= 0:
        return ""
    factor = float(median / known.median)
    above = factor >= LEAST_FACTOR and first > WIDER * known.high
    below = factor <= 1 / LEAST_FACTOR and third < known.low / WIDER
    if not above and not below:
        return ""
    times = f"{factor:,.3g} times" if above else f"1/{1 / factor:,.3g} of"
    return (
        f"its target has the median {median:,.6g}, {times} the {known.median:,.6g} of before "
        f"(98 % lay from {known.low:,.6g} to {known.high:,.6g}){_looks_like(factor)}. Mend its "
        "unit, or leave it out (collection.skip); if the target has truly changed, train with it, "
        "which sets a new range: kedro run"
    )


def new_class_fault(labels: pd.Series, known: Sequence[str]) -> str:
    """Why a class that is new may be none, empty if there is none or it has enough rows.

    A file that was cut ends in the middle of a word, and a typing error occurs once: neither is
    to be learned without being asked about.

    Args:
        labels: Names of classes, shape (rows,), no value missing.
        known: The classes of before.
    """
    counts = labels[~labels.isin(known)].value_counts()
    few = counts[counts < FEWEST_LABELS]
    if few.empty:
        return ""
    name, rows = str(few.index[0]), int(few.iloc[0])
    whole = next((each for each in known if name and each.startswith(name)), None)
    last = str(labels.iloc[-1]) == name
    hint = f", as '{whole}' cut off at the end of the file" if whole and last else ""
    return (
        f"its target holds {name[:60]!r} in {rows} row{'s' if rows > 1 else ''}, a class that was "
        f"not there before{hint}. Mend it; to learn a new class from so few rows on purpose: "
        "kedro run"
    )


def _looks_like(factor: float) -> str:
    """The factor between two units, where it is near one that is usual."""
    size = max(factor, 1 / factor)
    near = min(USUAL_FACTORS, key=lambda usual: abs(math.log(size / usual)))
    if not 1 / NEAR <= size / near <= NEAR:
        return ""
    if near == 100:
        cents = "cents instead of whole units" if factor > 1 else "whole units instead of cents"
        return f": it looks like {cents}"
    return f": it looks like a unit that is {near:,} times {'smaller' if factor > 1 else 'larger'}"


def _class_name(value: object) -> str:
    """As ``read_target`` names a class: whole numbers and booleans without a decimal point."""
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        number = float(value)
        return str(int(number)) if number.is_integer() else str(value)
    return str(value)


def spelling_fault(target: pd.Series, known: Collection[str] = ()) -> str:
    """Why a class seems to be another one that is written in another way; empty if none does.

    White space around a name is never meant. Another case alone may be, and counts only against
    the classes of a model.

    Args:
        target: Raw, missing values included.
        known: Classes of a model.
    """
    counts = target.value_counts()
    names = [name for name in counts.index if isinstance(name, str)]
    usual = {name.strip().casefold(): name for name in known or reversed(names)}
    for name in names:
        if name in known or not (known or name != name.strip() or not name):
            continue
        if not name.strip():
            return (
                f"The target '{target.name}' is {name!r} in {plural(int(counts[name]), 'row')}, "
                f"which is no name of a class. If it is not known there: csv: {{na_values: "
                f"[{name!r}]}} in globals.yml; else name the class."
            )
        other = usual.get(name.strip().casefold(), name)
        if other == name:  # the most frequent way of writing it, or the only one
            other = next((each for each in names if each == name.strip()), name)
        if other != name:
            return (
                f"The target '{target.name}' is {name!r} in {plural(int(counts[name]), 'row')}, "
                f"which seems to be {other!r} written in another way. Write it alike in all rows."
            )
    return ""


def alike_classes(names: Sequence[str]) -> list[str]:
    """Warnings of classes that may be one: they differ in case alone, or all say yes or no.

    Args:
        names: Of the classes.
    """
    warnings, alike = [], defaultdict(list)
    for name in names:
        alike[name.casefold()].append(name)
    for same in alike.values():
        if len(same) > 1:
            warnings.append(
                f"Classes {' and '.join(map(repr, same))} differ in case alone; if they are one, "
                "write it alike in all rows."
            )
    if len(alike) > 2 and set(alike) <= _YES_OR_NO:
        warnings.append(
            f"Classes {', '.join(map(repr, names))} all say yes or no; if they are two, write each "
            "alike in all rows."
        )
    return warnings


def class_names(target: pd.Series) -> tuple[str, ...]:
    """The classes as text, in the order in which scikit-learn's ``classes_`` has them."""
    return tuple(str(value) for value in np.unique(target.dropna().to_numpy()))


def _pose(present: pd.Series, distinct: int, task: str) -> Task:
    if task != "auto":
        return cast("Task", task)
    if not _is_number(present):
        return "binary" if distinct == 2 else "multiclass"
    if distinct == 2:
        return "binary"
    whole = _is_whole(present)
    if whole and distinct == len(present) and present.max() - present.min() == len(present) - 1:
        raise DataError(
            f"The target '{present.name}' counts the rows from {present.min()} to {present.max()}: "
            "it is an identifier. Name another column as `target`, or set task: regression if it "
            "is not."
        )
    if whole and distinct <= MAX_NUMBERED_CLASSES and distinct <= len(present) / 5:
        return "multiclass"
    return "regression"


def _is_number(values: pd.Series) -> bool:
    kind = values.dtype
    if pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        return True
    if not pd.api.types.is_object_dtype(kind):
        return False
    return all(_is_plain_number(value) for value in values.dropna())


def _is_plain_number(value: object) -> bool:
    return isinstance(value, (bool, int, float, np.number))


def _is_whole(present: pd.Series) -> bool:
    if not _is_number(present):
        return False
    numbers = present.astype("float64")
    return bool((numbers == numbers.round()).all() and numbers.abs().max() < 2**53)
