"""All columns of a batch at once: one count of each, one level for all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import ArrayLike

from mlops_basics.stats import _check
from mlops_basics.stats.data_drift.categorical_profile import CategoricalProfile
from mlops_basics.stats.data_drift.columns import judge_categorical, judge_missing, judge_numeric
from mlops_basics.stats.data_drift.joint import JointMoments, judge_classifier, judge_correlations
from mlops_basics.stats.data_drift.numeric_profile import NumericProfile
from mlops_basics.stats.data_drift.result import DriftResult, DriftThresholds, drift_result
from mlops_basics.stats.data_drift.spending import drift_alpha_at

JOINT_ENTRIES = 2  # correlations and classifier count as columns, whether they are run or not


@dataclass(frozen=True, eq=False, kw_only=True)
class TableProfile:
    """Profiles of all columns of a table: what a release stores of its reference. Mergeable.

    Attributes:
        columns: One for each column.
        joint: Of the numeric columns.
    """

    columns: dict[str, NumericProfile | CategoricalProfile]
    joint: JointMoments

    @classmethod
    def from_columns(
        cls, columns: Mapping[str, ArrayLike], categorical: Collection[str] = ()
    ) -> Self:
        """Summarise a table.

        Args:
            columns: The columns of the same rows; a pandas DataFrame is one, and the fastest. Shape
                (n,).
            categorical: Which of them are categorical; all others are numeric.

        Raises:
            ValueError: If a column is not one-dimensional or the lengths differ.
        """
        numeric = {name: values for name, values in columns.items() if name not in categorical}
        return cls(
            columns={
                name: NumericProfile.from_values(values)
                if name in numeric
                else CategoricalProfile.from_values(values)
                for name, values in columns.items()
            },
            joint=JointMoments.from_columns(numeric),
        )

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
        return type(self)(columns=merged, joint=self.joint.merge(other.joint))

    def to_dict(self) -> dict[str, Any]:
        """One flat dictionary of arrays and numbers, for ``numpy.savez``.

        The keys are ``"<kind>/<position>/<field>"``; column names are an array of their own.
        """
        state: dict[str, Any] = {"names": list(self.columns)}
        for at, profile in enumerate(self.columns.values()):
            kind = "numeric" if isinstance(profile, NumericProfile) else "categorical"
            state |= {f"{kind}/{at}/{key}": value for key, value in profile.to_dict().items()}
        return state | {f"joint/{key}": value for key, value in self.joint.to_dict().items()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """The profile that ``to_dict`` described.

        Args:
            state: What ``to_dict`` returned, or what ``numpy.load`` gives back.
        """
        keys = list(state)
        names = [str(name) for name in state["names"]]
        columns: dict[str, NumericProfile | CategoricalProfile] = {}
        for at, name in enumerate(names):
            if f"numeric/{at}/n" in keys:
                columns[name] = NumericProfile.from_dict(_part(state, keys, f"numeric/{at}/"))
            else:
                part = _part(state, keys, f"categorical/{at}/")
                columns[name] = CategoricalProfile.from_dict(part)
        joint = JointMoments.from_dict(_part(state, keys, "joint/"))
        return cls(columns=columns, joint=joint)


def _part(state: Mapping[str, Any], keys: list[str], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): state[key] for key in keys if key.startswith(prefix)}


def judge_table(
    reference: TableProfile,
    current: TableProfile,
    j: int,
    *,
    alpha: float = 0.05,
    thresholds: DriftThresholds | None = None,
    classifier: tuple[ArrayLike, ArrayLike] | None = None,
) -> list[DriftResult]:
    """Results about every column of the j-th batch of a release, and about joint changes.

    Args:
        reference, current: The release's reference and the batch.
        j: Number of the batch in the release's life, at least 1.
        alpha: Probability of any false alarm in the release's whole life, in (0, 0.5).
        thresholds: What does not matter.
        classifier: Labels and held-out scores for ``judge_classifier``.

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
    for name, before in reference.columns.items():
        now = current.columns.get(name)
        if isinstance(before, NumericProfile) and isinstance(now, NumericProfile):
            results.append(judge_numeric(name, before, now, level / 2, thresholds.numeric))
            results.append(judge_missing(name, before, now, level / 2, thresholds.share))
        elif isinstance(before, CategoricalProfile) and isinstance(now, CategoricalProfile):
            results.append(judge_categorical(name, before, now, level, thresholds.share))
        else:
            results.append(_not_judged(name, before, now, level, thresholds))
    results.append(
        judge_correlations(reference.joint, current.joint, level, thresholds.correlation)
    )
    if classifier is not None:
        results.append(judge_classifier(*classifier, level, thresholds.auc))
    return results


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
