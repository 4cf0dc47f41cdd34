"""All columns of a batch at once: one count of each, one level for all."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops_basics.stats import _check
from mlops_basics.stats.data_drift.alike import NOTHING_ALIKE, Likeness, evenly_spaced
from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.columns import judge_categorical, judge_missing, judge_numeric
from mlops_basics.stats.data_drift.joint import (
    MAX_COLUMNS,
    MAX_ROWS,
    JointMoments,
    judge_classifier,
    judge_correlations,
)
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.result import DriftResult, DriftThresholds, drift_result
from mlops_basics.stats.data_drift.spending import drift_alpha_at

_TOLD = 1.1  # design effect from which a result tells what its rows were counted as
JOINT_ENTRIES = 2  # correlations and classifier count as columns, whether they are run or not


@dataclass(frozen=True, eq=False, kw_only=True)
class TableProfile:
    """Profiles of all columns of a table: what a release stores of its reference. Mergeable.

    Attributes:
        columns: One for each column.
        joint: Of the numeric columns.
        alike: How alike rows of one group are; of a batch its sizes alone count.
    """

    columns: dict[str, NumericProfile | CategoricalProfile]
    joint: JointMoments
    alike: Likeness = NOTHING_ALIKE

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, ArrayLike] | Iterator[tuple[str, ArrayLike]],
        categorical: Collection[str] = (),
    ) -> Self:
        """Summarise a table.

        Args:
            columns: The columns of the same rows; a pandas DataFrame is one, and the fastest. Name
                and values of each, where memory is to hold one at a time. Shape (n,).
            categorical: Which of them are categorical; all others are numeric.

        Raises:
            ValueError: If a column is not one-dimensional or the lengths differ.
        """
        pairs = columns if isinstance(columns, Iterator) else columns.items()
        found: dict[str, NumericProfile | CategoricalProfile] = {}
        thinned: dict[str, NDArray[Any]] = {}  # the joint moments are those of so many rows
        rows: int | None = None
        for name, values in pairs:
            if name in categorical:
                found[name] = CategoricalProfile.from_values(values)
                continue
            numbers = np.asarray(values)
            found[name] = NumericProfile.from_values(numbers)
            rows = len(numbers) if rows is None else rows
            _check.same_length(name, len(numbers), rows)
            if len(thinned) < MAX_COLUMNS:
                thinned[name] = numbers[evenly_spaced(rows, MAX_ROWS)]
        return cls(columns=found, joint=JointMoments.from_columns(thinned))

    def merge(self, other: "TableProfile") -> Self:
        """The profile of the rows of both.

        Args:
            other: Profile of other rows of the same table.

        Raises:
            ValueError: If the columns or their kinds differ.
        """
        if set(self.columns) != set(other.columns):
            raise ValueError(f"columns must be {[*self.columns]!r}, got {[*other.columns]!r}")
        merged: dict[str, NumericProfile | CategoricalProfile] = {}
        for name, mine in self.columns.items():
            theirs = other.columns[name]
            # one branch a type
            if isinstance(mine, NumericProfile) and isinstance(theirs, NumericProfile):  # noqa: SIM114
                merged[name] = mine.merge(theirs)
            elif isinstance(mine, CategoricalProfile) and isinstance(theirs, CategoricalProfile):
                merged[name] = mine.merge(theirs)
            else:
                raise ValueError(
                    f"{name} must be of kind {type(mine).__name__}, got {type(theirs).__name__!r}"
                )
        joint, alike = self.joint.merge(other.joint), self.alike.merge(other.alike)
        return type(self)(columns=merged, joint=joint, alike=alike)

    def to_dict(self) -> dict[str, Any]:
        """One flat dictionary of arrays and numbers, for ``numpy.savez``.

        The keys are ``"<kind>/<position>/<field>"``; column names are an array of their own. A
        field of all numeric columns is one array, ``"numeric/<field>"``, with the columns'
        ``lengths`` in it: an array of its own for each would take more bytes than a short column.
        """
        state: dict[str, Any] = {"names": list(self.columns)}
        numeric: dict[int, dict[str, Any]] = {}
        for at, profile in enumerate(self.columns.values()):
            fields = profile.to_dict()
            if isinstance(profile, NumericProfile):
                numeric[at] = fields
            else:
                state |= {f"categorical/{at}/{key}": value for key, value in fields.items()}
        state |= {f"numeric/{key}": value for key, value in _packed(numeric).items()}
        if self.alike.values:
            state |= {f"alike/{key}": value for key, value in self.alike.to_dict().items()}
        return state | {f"joint/{key}": value for key, value in self.joint.to_dict().items()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """The profile that ``to_dict`` described.

        Args:
            state: What ``to_dict`` returned, or what ``numpy.load`` gives back.
        """
        parts: dict[str, dict[str, Any]] = {}
        for key in state:
            prefix, _, field = key.rpartition("/")
            parts.setdefault(prefix, {})[field] = state[key]
        numeric = _unpacked(parts.get("numeric", {}))
        columns: dict[str, NumericProfile | CategoricalProfile] = {}
        for at, name in enumerate(state["names"]):
            # Profiles of older releases have arrays of their own for each numeric column.
            fields = numeric.get(at) or parts.get(f"numeric/{at}")
            columns[str(name)] = (
                NumericProfile.from_dict(fields)
                if fields
                else CategoricalProfile.from_dict(parts[f"categorical/{at}"])
            )
        alike = Likeness.from_dict(list(columns), parts.get("alike", {}))
        return cls(columns=columns, joint=JointMoments.from_dict(parts["joint"]), alike=alike)


#: Fields of a numeric profile: arrays, of which a column may lack some, and numbers.
_ARRAYS, _NUMBERS = ("points", "low", "high", "below"), ("n", "missing", "exact", "max_points")


def _packed(fields: Mapping[int, Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """The fields of many numeric profiles, by position of the column, in one array each."""
    if not fields:
        return {}
    rows = fields.values()
    state: dict[str, NDArray[Any]] = {
        "positions": np.array(list(fields), dtype=np.int64),
        "numbers": np.array([[one[key] for key in _NUMBERS] for one in rows], dtype=np.int64),
        "lengths": np.array([[len(one.get(key, ())) for key in _ARRAYS] for one in rows]),
    }
    return state | {
        key: np.concatenate([np.asarray(one.get(key, ()), dtype=_kind(key)) for one in rows])
        for key in _ARRAYS
    }


def _unpacked(state: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """What ``_packed`` was given."""
    if not state:
        return {}
    lengths = np.asarray(state["lengths"], dtype=np.int64)
    found: dict[int, dict[str, Any]] = {}
    for at, numbers in zip(state["positions"], state["numbers"], strict=True):
        found[int(at)] = dict(zip(_NUMBERS, numbers, strict=True))
    for column, key in enumerate(_ARRAYS):
        ends = lengths[:, column].cumsum()
        values = np.asarray(state[key], dtype=_kind(key))
        for fields, end, length in zip(found.values(), ends, lengths[:, column], strict=True):
            if length or key not in ("high", "below"):
                fields[key] = values[end - length : end]
    return found


def _kind(key: str) -> type[np.generic]:
    return np.float64 if key == "points" else np.int64


def judge_table(
    reference: TableProfile,
    current: TableProfile,
    j: int,
    *,
    alpha: float = 0.05,
    thresholds: DriftThresholds | None = None,
    classifier: tuple[ArrayLike, ArrayLike] | None = None,
    classifier_groups: ArrayLike | None = None,
) -> list[DriftResult]:
    """Results about every column of the j-th batch of a release, and about joint changes.

    Args:
        reference, current: The release's reference and the batch.
        j: Number of the batch in the release's life, at least 1.
        alpha: Probability of any false alarm in the release's whole life, in (0, 0.5).
        thresholds: What does not matter.
        classifier: Labels and held-out scores for ``judge_classifier``.
        classifier_groups: The group of each of these rows, where rows of one group are alike.

    Returns:
        For each column of the reference: one result (categorical), or two (the values and the
        missing values of a numeric one); then one about the correlations, and one about the
        classifier when its scores are given. Columns that the batch lacks, or that changed their
        kind, are named as not judged: they are changes of the schema.

    Raises:
        ValueError: If j, alpha or the scores are out of range.

    Note:
        The batch's level, ``drift_alpha_at``, is divided by the number of reference columns plus
        two (the joint entries); a numeric column's share is halved between values and missing
        values. By the union bound the probability of a false alarm, in all batches together, is at
        most alpha. The number of entries does not depend on what the batch looks like.

        Rows of one group (a day) may be alike. How alike, the reference tells (``alike``); on each
        side as many rows count as independent ones would tell as much: their number over the design
        effect of the side's own groups. With as many rows the bounds are no longer exact, but
        approximate: what the rows of seven days tell is what seven days tell.

    Example:
        >>> import numpy as np
        >>> from mlops_basics.stats.data_drift.table_drift import TableProfile, judge_table
        >>> rng = np.random.default_rng(0)
        >>> def table(shift):
        ...     x, y = rng.normal(0, 1, 5000), rng.normal(shift, 1, 5000)
        ...     return TableProfile.from_columns({"x": x, "y": y})
        >>> results = judge_table(table(0.0), table(0.5), 1)
        >>> [result.column for result in results if result.drifted]
        ['y']

        Of five results one is drift: y has moved.
    """
    thresholds = thresholds or DriftThresholds()
    level = drift_alpha_at(j, _check.level(alpha)) / (len(reference.columns) + JOINT_ENTRIES)
    results: list[DriftResult] = []
    alike = reference.alike
    for name, before in reference.columns.items():
        now = current.columns.get(name)
        of_values, of_gaps = (
            (alike.design_effect(rho), current.alike.design_effect(rho))
            for rho in (alike.values.get(name, 0.0), alike.missing.get(name, 0.0))
        )
        if isinstance(before, NumericProfile) and isinstance(now, NumericProfile):
            values = judge_numeric(name, before, now, level / 2, thresholds.numeric, of_values)
            gaps = judge_missing(name, before, now, level / 2, thresholds.share, of_gaps)
            results += [_told(values, of_values), _told(gaps, of_gaps)]
        elif isinstance(before, CategoricalProfile) and isinstance(now, CategoricalProfile):
            levels = judge_categorical(name, before, now, level, thresholds.share, of_values)
            results.append(_told(levels, of_values))
        else:
            results.append(_not_judged(name, before, now, level, thresholds))
    results.append(
        judge_correlations(
            reference.joint,
            current.joint,
            level,
            thresholds.correlation,
            (reference.alike, current.alike),
        )
    )
    if classifier is not None:
        results.append(judge_classifier(*classifier, level, thresholds.auc, classifier_groups))
    return results


def _told(result: DriftResult, design: tuple[float, float]) -> DriftResult:
    """The result, with a word of what its rows were counted as."""
    if max(design) < _TOLD or result.effect is None:
        return result
    before, now = (
        round(rows / each)
        for rows, each in zip((result.n_reference, result.n_current), design, strict=True)
    )
    reason = (
        f"{result.reason}; rows of one group are alike: the {result.n_current:,} count as "
        f"{max(now, 1):,}, the {result.n_reference:,} of the reference as {max(before, 1):,}"
    )
    return replace(result, reason=reason)


def _not_judged(
    name: str,
    before: NumericProfile | CategoricalProfile,
    now: NumericProfile | CategoricalProfile | None,
    level: float,
    thresholds: DriftThresholds,
) -> DriftResult:
    numeric = isinstance(before, NumericProfile)
    what = "is absent from the batch" if now is None else "is of another kind in the batch"
    return drift_result(
        "numeric" if numeric else "categorical",
        name,
        level,
        thresholds.numeric if numeric else thresholds.share,
        (before.rows, 0 if now is None else now.rows),
        f"{name}: not judged, it {what}: a change of the schema",
    )
