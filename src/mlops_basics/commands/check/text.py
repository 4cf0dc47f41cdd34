"""The findings as text: the result first, then what it rests on."""

from __future__ import annotations

import math
import textwrap

from mlops_basics.reporting.text import plain, share_text

from .findings import ColumnFinding, Findings, TargetFindings
from .judgement import DISAGREEMENT, STRONG, left_out, suspects

WIDTH = 80
_LABEL = 13
MOST_COLUMNS = 40


def in_words(findings: Findings, seconds: tuple[float, float], said: list[str], csv: str) -> str:
    """All of it, at most 80 columns wide.

    Args:
        findings: What was found.
        seconds: How long a run takes, from and to.
        said: Lines of globals.yml; none without a target.
        csv: How the file is written, where that was found out.
    """
    target = findings.target
    parts = [_headline(findings)]
    if csv:
        parts.append(_item("Written", f"{csv}: found out from the file"))
    if target is None:
        parts += _suggested(findings)
    else:
        parts += _of_target(findings, target, seconds)
    parts += [_item("Warning", plain(text, 400)) for text in findings.warnings]
    parts += ["", *_columns(findings)]
    if said:
        parts += ["", *said]
    return "\n".join(parts)


def _headline(findings: Findings) -> str:
    target = findings.target
    what = f"{target.table.task} model of {plain(target.table.target)}" if target else "a table"
    rows = f"{findings.rows:,} rows"
    if not findings.whole:
        rows = f"about {findings.rows:,} rows ({findings.read:,} of all over it were read)"
    files = f" in {findings.files:,} files" if findings.files > 1 else ""
    text = f"{plain(findings.source, 60)}: {what}; {rows}{files}, {len(findings.columns)} columns"
    return textwrap.fill(text, WIDTH)


def _item(label: str, text: str) -> str:
    filled = textwrap.fill(
        text, WIDTH - _LABEL, break_long_words=False, break_on_hyphens=False
    ).split("\n")
    return "\n".join(
        f"{label if at == 0 else '':<{_LABEL}}{line}" for at, line in enumerate(filled)
    )


def _of_target(
    findings: Findings, target: TargetFindings, seconds: tuple[float, float]
) -> list[str]:
    parts = [_item("Target", _target_text(target))]
    leaks = suspects(findings)
    strong = [name for name in suspects(findings, STRONG) if name not in leaks]
    if leaks:
        named = ", ".join(
            f"{plain(each)} ({share_text(target.telling[each])})" for each in leaks[:5]
        )
        parts.append(
            _item(
                "Leak?",
                f"tells the target nearly alone: {named}. If it is not known yet when a "
                "prediction is made, exclude it.",
            )
        )
    if strong:
        named = ", ".join(
            f"{plain(each)} ({share_text(target.telling[each])})" for each in strong[:5]
        )
        parts.append(_item("Strong", f"known when a prediction is made? {named}"))
    for name, reason in left_out(findings).items():
        parts.append(_item("Left out", f"{plain(name)}: {reason}"))
    for name, reason in target.table.dropped_columns.items():
        parts.append(_item("Dropped", f"{plain(name)}: {reason}"))
    parts += _times(findings)
    for warning in (*target.table.warnings, *target.split.warnings):
        if not any(f"'{name}'" in warning for name in target.table.dropped_columns):
            parts.append(_item("Note", plain(warning, 400)))
    rows = target.split.rows
    how = "by time" if target.split.method == "time" else "by row"
    parts.append(
        _item(
            "Split",
            f"train {rows['train']:,}, valid {rows['valid']:,}, test {rows['test']:,} rows, {how}",
        )
    )
    parts.append(_item("Can show", _gain_text(target)))
    parts.append(_item("A run takes", _duration(seconds)))
    return parts


def _target_text(target: TargetFindings) -> str:
    missing = target.table.missing_target_rows
    gone = f"; {missing:,} rows without one are left out" if missing else ""
    name = plain(target.table.target)
    if target.spread is not None:
        low, middle, high = target.spread
        return f"{name}, a quantity: median {middle:.4g}, 98 % from {low:.4g} to {high:.4g}{gone}"
    shares = [f"{plain(each)} {share_text(share)}" for each, share in target.balance.items()]
    more = f" and {len(shares) - 6} more" if len(shares) > 6 else ""
    largest = max(target.balance.values())
    constant = f". Always saying the most frequent one is right in {share_text(largest)}"
    return f"{name}: {', '.join(shares[:6])}{more}{constant}{gone}"


def _gain_text(target: TargetFindings) -> str:
    units = f"{target.units:,} {'test rows' if target.split.method == 'hash' else 'test units'}"
    if target.smallest_gain is None:
        return f"no improvement at all: {units} are too few to compare two models. Collect more."
    if target.gain_unit == "accuracy":
        most = 1 - max(target.balance.values())
        if target.smallest_gain > most:
            return (
                f"no gain in accuracy: always saying the most frequent one leaves {100 * most:.2g} "
                f"points to gain, and {100 * target.smallest_gain:.2g} would be needed ({units}). "
                "The test goes by log loss unless told otherwise, and may see a gain there. "
                "Collect more rows, of the rare ones above all."
            )
        gain = f"{100 * target.smallest_gain:.2g} points of accuracy"
        few = target.smallest_gain <= DISAGREEMENT
        assumed = ", where two models differ on one row in ten" if few else ""
    else:
        gain = f"{target.smallest_gain:.3g} of mean absolute error"
        assumed = ", where their errors differ by a quarter of the target's spread"
    return f"a later model that is better by {gain} or more{assumed} ({units})"


def _times(findings: Findings) -> list[str]:
    parts = []
    for time in findings.times[:3]:
        use = "too short for a split by time"
        if time.period:
            option = f"time_column: {plain(time.name)}, period: {time.period}"
            use = f"{option} would test on the newest rows"
        parts.append(_item("Time", f"{plain(time.name)}, {time.first} to {time.last}: {use}"))
    return parts


def _duration(seconds: tuple[float, float]) -> str:
    low, high = seconds
    if high <= 60:
        return "less than a minute"
    told = "of one core (an estimate; the run tells it after its first fit)"
    if high < 5400:
        shortest = f"{round(low / 60)} to" if low >= 30 else "up to"
        return f"{shortest} {math.ceil(high / 60)} minutes {told}"
    return (
        f"{low / 3600:.1f} to {high / 3600:.1f} hours {told}; "
        "a sample is faster: num_instances: 100000"
    )


def _suggested(findings: Findings) -> list[str]:
    if not findings.suggestions:
        return [_item("Target", "none found: no column has a few classes, or is a quantity")]
    parts = ["Which column is to be predicted? Name it: --target COLUMN"]
    for each in findings.suggestions:
        parts.append(f"  {plain(each.name):<24} {each.task:<11} {plain(each.values, 40)}")
    return parts


def _columns(findings: Findings) -> list[str]:
    shown = findings.columns[:MOST_COLUMNS]
    width = min(28, max([6, *(len(plain(each.name)) for each in shown)]))
    parts = [f"{'Column':<{width}}  read as   values  missing  example"]
    parts += [_column(each, width) for each in shown]
    if len(findings.columns) > len(shown):
        parts.append(f"and {len(findings.columns) - len(shown):,} more columns")
    for each in findings.columns:
        if each.fault:
            parts.append(textwrap.fill(each.fault, WIDTH, subsequent_indent="  "))
    return parts


def _column(each: ColumnFinding, width: int) -> str:
    missing = "" if each.missing == 0 else share_text(each.missing).replace("below ", "<")
    line = f"{plain(each.name, width):<{width}}  {each.read_as:<8}{each.values:>8,}{missing:>9}  "
    return f"{line}{plain(each.example, WIDTH - len(line))}".rstrip()
