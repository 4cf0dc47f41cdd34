"""The page of the demo: what a year of production came to, with retraining and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlops_basics.reporting.decision_section import outcome_text as decision_text
from mlops_basics.reporting.metric_text import metric_name
from mlops_basics.reporting.monitoring_text import OUTCOMES, Tone, outcome_tone, share_text
from mlops_basics.reporting.page import (
    Html,
    Plot,
    Section,
    badge,
    facts,
    join,
    note,
    page,
    paragraph,
    small,
    strong,
    table,
    text,
)
from mlops_basics.reporting.style import number
from mlops_basics.schemas import NO_CHAMPION, Decision, Verdict
from mlops_basics.table.row_groups import counted

from .figures import gain_figure, loss_figure

LONG = 600  # characters of a reason
MOST_REASONS = 4
EXIT_CODES = {0: "nothing to do", 3: "retrained and promoted", 4: "retrained and kept"}
TWO_MEASURES = (
    "The two measures need not agree. A promotion is decided by log loss: how good are the "
    "probabilities? The share of wrong predictions asks only on which side of one half they lie; "
    "for flights, of which hardly one is more likely late than not, that is mostly the same guess."
)
LIMITS = (
    "The gain is a paired difference: both models predict the same flights. Its intervals take "
    "days as independent, not flights: one storm delays a whole day. So do the decisions. Where "
    "storms last for days they are still too narrow.",
    "Many intervals stand on this page, of 95 % each: one in twenty misses. The overall one is "
    "the answer; a single month is an illustration.",
    "It is one year of one city. Another year has other weather, and another answer.",
    "The models see the timetable and not the weather: most of what decides whether a flight is "
    "late is unknown to them. Their error stays close to that of the guess that no flight is late.",
    "Retraining looks back: labels come a month late, and the newest two months with labels tune "
    "and test the model, which is fitted on those before. What was learned from a bad summer "
    "predicts a good autumn. Whether keeping up is worth it, the numbers above say.",
)


@dataclass(frozen=True)
class Gain:
    """Mean losses of both models on the same rows, and first minus kept-up with its interval.

    A gain above 0 speaks for the model that was kept up. ``same`` tells that both are one model.
    """

    first: float
    kept: float
    gain: float
    low: float
    high: float
    same: bool = False


@dataclass(frozen=True)
class MonthResult:
    """A month of production, scored when its labels had come.

    Attributes:
        month: Name of the month.
        rows, labelled: Flights, and how many of them have a label.
        positive: Share of the labelled flights that were late.
        version: The release that was in production when the month's flights arrived.
        error, log_loss: Both models on these flights.
    """

    month: str
    rows: int
    labelled: int
    positive: float
    version: str
    error: Gain
    log_loss: Gain


@dataclass(frozen=True)
class LookResult:
    """One ``kedro ct``.

    Attributes:
        month: When: the month whose flights had arrived.
        labels: The month whose labels had arrived; empty if none.
        exit_code, text: What it told.
        before, after: The release in production.
        verdict: None for the first release: there was nothing to watch.
        decision: None where nothing was trained.
        cpu_seconds, seconds: What it took, of all threads and by the clock.
    """

    month: str
    labels: str
    exit_code: int
    text: str
    before: str | None
    after: str | None
    verdict: Verdict | None
    decision: Decision | None
    cpu_seconds: float
    seconds: float


@dataclass(frozen=True)
class ReleaseResult:
    """A release: since when it is in production, from which months it came, and why."""

    version: str
    since: str
    months: tuple[str, ...]
    decision: Decision


@dataclass(frozen=True)
class YearResult:
    """All that the demo found.

    Attributes:
        months, looks, releases: In the order of time.
        error, log_loss: Both models on all months.
        first_months: On which the first release was made.
        about: Settings and the like, for the reader.
    """

    months: Sequence[MonthResult]
    looks: Sequence[LookResult]
    releases: Sequence[ReleaseResult]
    error: Gain
    log_loss: Gain
    first_months: Sequence[str]
    about: dict[str, str] = field(default_factory=dict)


def demo_page(year: YearResult) -> str:
    """Write the page; the same findings give the same bytes, and it opens without a network."""
    sections = [
        Section("What happens here", _what(year)),
        Section("With retraining and without", _plots(year)),
        Section("Month by month", [_months(year)]),
        Section("Each look of kedro ct", [_looks(year)]),
        Section("Each release", [_releases(year)]),
        Section("What it cost", [_cost(year)]),
        Section(
            "What this can say, and what not", [paragraph(text(each, LONG)) for each in LIMITS]
        ),
    ]
    return page("A year of production: flights", _headline(year), sections)


def retrainings(year: YearResult) -> list[LookResult]:
    """The looks that trained, without the first release."""
    return [look for look in year.looks if look.decision is not None and look.before is not None]


def verdict_text(look: LookResult) -> str:
    """What a look said, in a few words."""
    if look.verdict is None:
        return "first release"
    return OUTCOMES[look.verdict.outcome]


def _headline(year: YearResult) -> Html:
    rows = sum(month.labelled for month in year.months)
    trained = retrainings(year)
    promoted = [look for look in trained if look.before != look.after]
    lead = [
        text(f"Share of wrong predictions in {len(year.months)} months, {rows:,} flights:"),
        strong(text(number(year.error.kept))),
        text("kept up,"),
        strong(text(number(year.error.first))),
        text("never retrained."),
    ]
    cpu = sum(look.cpu_seconds for look in year.looks)
    told = (
        f"{len(year.looks)} looks, {len(trained)} retrainings, {len(promoted)} of them promoted; "
        f"{cpu:,.0f} CPU seconds in all"
    )
    return join(
        [
            paragraph(join(lead, " "), "lead"),
            paragraph(
                join(
                    [_gain_badge(year.error, "error"), _gain_badge(year.log_loss, "log loss")], " "
                )
            ),
            paragraph(text(f"Gain in error {_interval(year.error)}.")),
            paragraph(text(f"Gain in log loss {_interval(year.log_loss)}.")),
            paragraph(small(text(TWO_MEASURES))),
            paragraph(text(told)),
        ]
    )


def _gain_badge(gain: Gain, what: str) -> Html:
    if gain.low > 0:
        return badge(f"{what}: kept up is better", "good")
    if gain.high < 0:
        return badge(f"{what}: kept up is worse", "bad")
    return badge(f"{what}: no difference shown", "neutral")


def _interval(gain: Gain) -> str:
    return f"{gain.gain:+.4f} (95 % interval {gain.low:+.4f} to {gain.high:+.4f})"


def _what(year: YearResult) -> list[Html | Plot]:
    story = (
        f"The first release learns from {year.first_months[0]} to {year.first_months[-1]}. Then "
        "each month's flights arrive without labels and without the columns that are known only "
        "after departure; the release in production predicts them. The labels of the month before "
        "arrive as a file of their own, and kedro ct looks at all that is new: it retrains when "
        "something has drifted, and only what is shown to be better on new flights replaces the "
        "model in production. Beside it, the first release goes on predicting, never retrained."
    )
    pairs = [(name, text(value, LONG)) for name, value in year.about.items()]
    return [paragraph(text(story, 1_000)), *([facts(pairs)] if pairs else [])]


def _plots(year: YearResult) -> list[Html | Plot]:
    names = [month.month for month in year.months]
    changes = [
        (look.month, look.after or "")
        for look in year.looks
        if look.before not in (None, look.after)
    ]
    error = [month.error for month in year.months]
    nats = [month.log_loss for month in year.months]
    late = [month.positive for month in year.months]
    return [
        Plot(
            "Share of wrong predictions",
            loss_figure(
                names,
                [each.first for each in error],
                [each.kept for each in error],
                "share of wrong predictions",
                changes,
                ("always “on time”", late),
            ),
        ),
        Plot(
            "Gain in the share of wrong predictions",
            gain_figure(names, _triples(error), "wrong predictions, first minus kept up"),
        ),
        Plot(
            "Log loss",
            loss_figure(
                names,
                [each.first for each in nats],
                [each.kept for each in nats],
                "log loss, nats",
                changes,
            ),
        ),
        Plot("Gain in log loss", gain_figure(names, _triples(nats), "nats, first minus kept up")),
    ]


def _triples(gains: Sequence[Gain]) -> list[tuple[float, float, float] | None]:
    return [None if each.same else (each.gain, each.low, each.high) for each in gains]


def _months(year: YearResult) -> Html:
    rows = [
        [
            text(month.month),
            join(
                [text(f"{month.labelled:,}"), small(text(f"of {month.rows:,}"))],
                " ",
            ),
            text(share_text(month.positive)),
            text(month.version),
            text(number(month.error.first)),
            text(number(month.error.kept)),
            _gain_cell(month.error),
            _gain_cell(month.log_loss),
        ]
        for month in year.months
    ]
    total = sum(month.labelled for month in year.months)
    late = sum(month.positive * month.labelled for month in year.months) / total
    rows.append(
        [
            strong(text("all")),
            join(
                [text(f"{total:,}"), small(text(f"of {sum(m.rows for m in year.months):,}"))], " "
            ),
            text(share_text(late)),
            text(""),
            text(number(year.error.first)),
            text(number(year.error.kept)),
            _gain_cell(year.error),
            _gain_cell(year.log_loss),
        ]
    )
    head = [
        text("Month"),
        text("Flights with labels"),
        text("Late"),
        text("Release"),
        text("Error, never retrained"),
        text("Error, kept up"),
        join([text("Gain in error"), small(text("95 % interval"))], "<br>"),
        join([text("Gain in log loss"), small(text("95 % interval"))], "<br>"),
    ]
    return table(
        head,
        rows,
        "Release: the one in production when the month's flights arrived. Gain: never retrained "
        "minus kept up, on the same flights; above 0, keeping up was worth it.",
    )


def _gain_cell(gain: Gain) -> Html:
    if gain.same:
        return text("the same model")
    shown = text(f"{gain.gain:+.4f}")
    certain = gain.low > 0 or gain.high < 0
    around = small(text(f"{gain.low:+.4f} to {gain.high:+.4f}"))
    return join([strong(shown) if certain else shown, around], "<br>")


def _looks(year: YearResult) -> Html:
    rows = []
    for look in year.looks:
        rows.append(
            [
                text(look.month),
                text(look.labels or "none"),
                _verdict_cell(look),
                note(_lines(_reasons(look))),
                _outcome_cell(look),
                text(f"{look.cpu_seconds:.0f}"),
            ]
        )
    head = ("Flights", "Labels", "Verdict", "Reason", "What came of it", "CPU seconds")
    return table([text(each) for each in head], rows, "In the order of time")


def _verdict_cell(look: LookResult) -> Html:
    tone: Tone = "neutral" if look.verdict is None else outcome_tone(look.verdict)
    parts = [badge(verdict_text(look), tone)]
    if look.verdict is not None:
        parts.append(small(text(f"of release {look.verdict.version}")))
    return join(parts, "<br>")


def _reasons(look: LookResult) -> list[str]:
    """Why, and for what drifted: which batch, how large, which test."""
    if look.verdict is None:
        return [look.text]
    found = list(look.verdict.reasons[:MOST_REASONS])
    for item in look.verdict.batches:
        for column in item.columns:
            if column.drifted:
                found.append(f"{item.batch.name}: {column.reason}")
    left = len(look.verdict.reasons) - MOST_REASONS
    return [*found, *([f"and {left} more"] if left > 0 else [])]


def _outcome_cell(look: LookResult) -> Html:
    code = (
        EXIT_CODES.get(look.exit_code, "") if look.before is not None else "trained and published"
    )
    parts: list[Html] = [text(f"exit {look.exit_code}: {code}")]
    if look.decision is not None:
        tone: Tone = "good" if look.decision.promote else "neutral"
        parts.append(badge(decision_text(look.decision), tone))
        parts.append(note(text(_gate_text(look.decision), LONG)))
    return join(parts, "<br>")


def _gate_text(decision: Decision) -> str:
    if decision.gain is None:
        return decision.reasons[0] if decision.reasons else ""
    around = ""
    if decision.low is not None and decision.high is not None:
        around = f" ({decision.low:+.4f} to {decision.high:+.4f})"
    vetoes = [metric_name(guard.metric) for guard in decision.guards if guard.shown_worse]
    veto = f"; shown to be worse: {', '.join(vetoes)}" if vetoes else ""
    champion = decision.champion_version
    against = "a constant prediction" if champion == NO_CHAMPION else f"version {champion}"
    return (
        f"{metric_name(decision.metric)}: gain over {against} {decision.gain:+.4f}{around} on "
        f"{counted(decision.rows, decision.groups, 'days')}{veto}"
    )


def _releases(year: YearResult) -> Html:
    rows = []
    for release in year.releases:
        months = release.months
        rows.append(
            [
                text(release.version),
                text(release.since),
                note(
                    _lines(
                        [
                            f"fitted on {_span(months[:-2])}",
                            f"tuned on {months[-2]}",
                            f"tested on {months[-1]}",
                        ]
                        if len(months) > 2
                        else months
                    )
                ),
                badge(decision_text(release.decision), "good"),
                note(text(_gate_text(release.decision), LONG)),
                text(f"{_served(year, release.version)}"),
            ]
        )
    head = ("Release", "Since", "From", "Why", "Evidence", "Months predicted")
    return table([text(each) for each in head], rows)


def _served(year: YearResult, version: str) -> int:
    return sum(1 for month in year.months if month.version == version)


def _span(months: Sequence[str]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def _cost(year: YearResult) -> Html:
    trained = retrainings(year)
    first = [look for look in year.looks if look.before is None]
    quiet = [look for look in year.looks if look.decision is None]
    lines = [
        ("First release", first),
        ("Looks that did not retrain", quiet),
        ("Retrainings, each with its look", trained),
        ("All", list(year.looks)),
    ]
    rows = [
        [
            text(name),
            text(str(len(looks))),
            text(f"{sum(look.cpu_seconds for look in looks):,.0f}"),
            text(f"{sum(look.cpu_seconds for look in looks) / len(looks):,.1f}" if looks else ""),
            text(f"{sum(look.seconds for look in looks):,.0f}"),
        ]
        for name, looks in lines
    ]
    head = ("What", "How many", "CPU seconds", "CPU seconds each", "Seconds by the clock")
    return table(
        [text(each) for each in head],
        rows,
        "CPU time of the process, all threads together, without loading libraries at the start.",
    )


def _lines(lines: Sequence[str]) -> Html:
    return join((text(line, LONG) for line in lines), "<br>")
