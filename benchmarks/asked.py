"""What was asked of decision and monitor in one table: before, now, goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks import bars, many_classes
from benchmarks.bars import Bar
from benchmarks.proof_page import Paragraph, Part, Table

#: Seconds that a decision about many classes may take.
MOST_SECONDS = 1.0


@dataclass(frozen=True)
class Found:
    """All figures that have a bar.

    Attributes:
        copied, hung, fitted, folded: Of the benchmarks of copies, of days that hang together, of
            fitted reports and of out-of-fold rows.
        seconds: That a decision about many classes takes.
    """

    copied: Sequence[Bar]
    hung: Sequence[Bar]
    fitted: Sequence[Bar]
    folded: Sequence[Bar]
    seconds: float

    @property
    def bars(self) -> list[Bar]:
        """All of them but the seconds."""
        return [*self.copied, *self.hung, *self.fitted, *self.folded]

    def worst(self, case: str, before: str, *words: str) -> Bar:
        """The worst of the cases in which all of these words occur, under another name."""
        chosen = [
            bar
            for bar in self.bars
            if bar.goal is not None and all(word in bar.case for word in words)
        ]
        pick = min if chosen[0].least else max
        return replace(pick(chosen, key=lambda bar: bar.now.value), case=case, before=before)


def summary(found: Found) -> list[Bar]:
    """One line a promise; what was before is what releases before these changes did."""
    worst = found.worst
    lines = [
        worst("300 rows and ten copies of them are decided differently", "yes", "differently"),
        worst("a year of equal challengers on ten copies promotes", "81 %", "10 copies"),
        worst("10 days: an equal challenger passes", "6 to 8 %", "gate, 10 days"),
        worst("days that persist, worst of 20 cases: it passes", "3 to 15 %", "autocorrelation"),
        worst("groups of Pareto sizes, worst of 3: it passes", "1.0 to 1.35 %", "Pareto"),
        worst("data drift by day, 50 weekly batches: any alarm", "9 to 10 of 10", "20%, 50 weekly"),
        worst("data drift by day, 20 monthly batches: any alarm", "5 of 10", "20 monthly"),
    ]
    for case, words in (
        ("concept drift of a split by hash, `group_by` names days: any alarm", ("names them",)),
        ("a challenger fitted to what runs show is promoted", ("fitted to",)),
        ("a rare class from .8 to .6 on 10,000 rows is promoted", ("rare class",)),
        ("equally accurate, better calibrated, vetoed", ("calibrated",)),
    ):
        before = {"names": "12 to 22 %", "fitted": "4 to 100 %", "rare": "32 %"}
        lines.append(worst(case, before.get(words[0].split()[0], "8 to 10 %"), *words))
    unnamed = [bar for bar in found.hung if "that differ" in bar.case and "names" not in bar.case]
    worst_unnamed = max(unnamed, key=lambda bar: bar.now.value)
    lines.insert(8, replace(worst_unnamed, case="the same where nothing names days, worst of 4"))
    for name, before in (("iris", "58 %"), ("wine", "59 %"), ("breast cancer", "34 %")):
        lines.append(worst(f"{name}: better challengers found", before, name, "better"))
    lines.append(worst("worst of the three: promotions of worse challengers", "-", "of worse"))
    return lines


def part(found: Found) -> Part:
    """The section of the page."""
    table = bars.table("The worst case of each promise, at the level of a first challenge", [])
    seconds = (
        f"{many_classes.CLASSES} classes, {many_classes.ROWS:,} rows: CPU time of a decision",
        "3 to 16 s",
        f"{found.seconds:.1f} s",
        f"at most {MOST_SECONDS:g} s",
    )
    rows = [*(bar.cells for bar in summary(found)), seconds]
    return Part(
        "What was asked, before and now",
        (
            Table(table.caption, table.head, rows),
            bars.table("Copies of a table", found.copied),
            Paragraph(
                "Before: as measured on earlier versions, which took each row, or each hour, for a "
                "witness of its own, printed test metrics of every challenger and compared on test "
                "rows alone. Now: as the sections below count it, each with the condition that its "
                "promise needs. Copies of a row speak once: ten copies of a table decide as the "
                "table does. One promise is not kept: where a split by hash hides days that "
                "nothing names, concept drift may raise a false alarm in the first batches, before "
                "these have shown the days; there is no goal in that line."
            ),
        ),
    )
