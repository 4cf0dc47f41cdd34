"""What the findings come to: columns to leave out, columns to ask about, how long a run takes."""

from __future__ import annotations

from .findings import Findings

LEAK = 0.9  # share of the target that a column explains alone: more is too good, as a rule
STRONG = 0.5  # more is worth the question, too
DISAGREEMENT = 0.1  # share of rows on which exactly one of two models is right: often so
TEXT_COMPONENTS = 30  # columns that a text of many values becomes
#: Seconds of a core for a row, a column and a trial; what else a run takes. Measured: 17 seconds
#: for tables of a few hundred rows; 4.1 to 7.6e-7 a cell for 36,000 to 600,000 rows of 12 to 102
#: columns (two and six classes, a quantity; numbers, categories, times, texts of many values).
_CELL, _ELSE = 5.5e-7, 17.0
_OFF = 2.0  # factor by which it may be off, either way: machines differ, and searches


def excluded(findings: Findings) -> dict[str, str]:
    """Columns that the lines leave out, with the reason."""
    out = {each.name: "a run would refuse it" for each in findings.columns if each.fault}
    target = findings.target
    if target is None:
        return out
    out.pop(target.table.target, None)
    return out | dict.fromkeys(target.identifiers, "another value in every row")


def left_out(findings: Findings) -> dict[str, str]:
    """Columns that a run by the lines has none of, those that `exclude` names already, too."""
    target = findings.target
    named = dict.fromkeys(target.excluded, "named by `exclude`") if target else {}
    return named | excluded(findings)


def suspects(findings: Findings, least: float = LEAK) -> list[str]:
    """Columns that tell the target nearly alone, the most telling first."""
    telling = findings.target.telling if findings.target else {}
    return [name for name, share in telling.items() if share >= least]


def seconds_of_a_run(
    findings: Findings, trials: int, cardinality_threshold: int
) -> tuple[float, float]:
    """From and to: a rough estimate for one core, by the cells that the models see."""
    target = findings.target
    if target is None:
        return _ELSE / _OFF, _ELSE * _OFF
    kinds = {each.name: each for each in findings.columns}
    columns = 0
    for name in target.table.features:
        wide = kinds[name].read_as == "text" and kinds[name].values > cardinality_threshold
        columns += TEXT_COMPONENTS if wide else 3 if kinds[name].read_as == "time" else 1
    classes = len(target.table.classes)
    trees = classes if classes > 2 else 1  # boosting fits one a class
    cells = target.split.rows["train"] * max(1, columns) * (1 + trees) / 2
    seconds = _ELSE + _CELL * cells * trials
    return seconds / _OFF, seconds * _OFF
