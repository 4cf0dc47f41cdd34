"""The page of the demo: what a year of production came to, with retraining and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import plotly.graph_objects as go

from mlops_basics.reporting.decision_text import champion_text, decision_badge
from mlops_basics.reporting.metric_text import metric_name
from mlops_basics.reporting.monitoring_text import OUTCOMES, outcome_badge
from mlops_basics.reporting.pages.render import render
from mlops_basics.reporting.text import Badge, Shortened, Tone, shorten
from mlops_basics.schemas import Decision, Verdict
from mlops_basics.table.row_groups import counted

from .figures import gain_figure, loss_figure

MOST_REASONS = 4
EXIT_CODES = {0: "nothing to do", 3: "retrained and promoted", 4: "retrained and kept"}


@dataclass(frozen=True)
class Gain:
    """Mean losses of both models on the same rows, and first minus kept-up with its interval.

    A gain above 0 speaks for the model that was kept up. ``same``: both are one model.
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
        exit_code, text: What it returned and printed.
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
    """What the demo measured.

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


@dataclass(frozen=True)
class LookRow:
    """A look in the table of all looks: what it said, why, and what came of it, in words."""

    look: LookResult
    badge: Badge
    reasons: Shortened[str]
    outcome: str
    decision: Badge | None
    evidence: str


@dataclass(frozen=True)
class ReleaseRow:
    """A release in the table of all releases.

    Attributes:
        months: What it came from.
        badge, evidence: Its decision in words.
        served: Number of months that it predicted.
    """

    release: ReleaseResult
    months: Shortened[str]
    badge: Badge
    evidence: str
    served: int


def demo_page(year: YearResult) -> str:
    """Write the page; the same results give the same bytes, and it opens without a network."""
    trained = retrainings(year)
    total = _all_months(year)
    return render(
        "demo.html",
        title="A year of production: flights",
        year=year,
        badges=[_gain_badge(year.error, "error"), _gain_badge(year.log_loss, "log loss")],
        trained=len(trained),
        promoted=sum(1 for look in trained if look.before != look.after),
        cpu_seconds=sum(look.cpu_seconds for look in year.looks),
        figures=_figures(year),
        total=total,
        months=Shortened([*year.months, total], ""),
        looks=Shortened([_look_row(look) for look in year.looks], ""),
        releases=Shortened([_release_row(release, year) for release in year.releases], ""),
        costs=Shortened(_costs(year), ""),
    )


def retrainings(year: YearResult) -> list[LookResult]:
    """The looks that trained, without the first release."""
    return [look for look in year.looks if look.decision is not None and look.before is not None]


def verdict_text(look: LookResult) -> str:
    """What a look said, in a few words."""
    if look.verdict is None:
        return "first release"
    return OUTCOMES[look.verdict.outcome]


def _gain_badge(gain: Gain, what: str) -> Badge:
    if gain.low > 0:
        return Badge(f"{what}: kept up is better", "good")
    if gain.high < 0:
        return Badge(f"{what}: kept up is worse", "bad")
    return Badge(f"{what}: no difference shown", "neutral")


def _figures(year: YearResult) -> dict[str, go.Figure]:
    """By heading, in reading order."""
    names = [month.month for month in year.months]
    changes = [
        (look.month, look.after or "")
        for look in year.looks
        if look.before not in (None, look.after)
    ]
    errors = [month.error for month in year.months]
    losses = [month.log_loss for month in year.months]
    late = [month.positive for month in year.months]
    return {
        "Share of wrong predictions": loss_figure(
            names,
            [error.first for error in errors],
            [error.kept for error in errors],
            "share of wrong predictions",
            changes,
            ("always “on time”", late),
        ),
        "Gain in the share of wrong predictions": gain_figure(
            names, _intervals(errors), "wrong predictions, first minus kept up"
        ),
        "Log loss": loss_figure(
            names,
            [loss.first for loss in losses],
            [loss.kept for loss in losses],
            "log loss, nats",
            changes,
        ),
        "Gain in log loss": gain_figure(names, _intervals(losses), "nats, first minus kept up"),
    }


def _intervals(gains: Sequence[Gain]) -> list[tuple[float, float, float] | None]:
    return [None if gain.same else (gain.gain, gain.low, gain.high) for gain in gains]


def _all_months(year: YearResult) -> MonthResult:
    """The year as if it were one month, of no single release."""
    labelled = sum(month.labelled for month in year.months)
    return MonthResult(
        month="all",
        rows=sum(month.rows for month in year.months),
        labelled=labelled,
        positive=sum(month.positive * month.labelled for month in year.months) / labelled,
        version="",
        error=year.error,
        log_loss=year.log_loss,
    )


def _look_row(look: LookResult) -> LookRow:
    decision = look.decision
    tone: Tone = "neutral" if look.verdict is None else outcome_badge(look.verdict).tone
    code = "trained and published" if look.before is None else EXIT_CODES.get(look.exit_code, "")
    return LookRow(
        look=look,
        badge=Badge(verdict_text(look), tone),
        reasons=_reasons(look),
        outcome=f"exit {look.exit_code}: {code}",
        decision=None if decision is None else decision_badge(decision),
        evidence="" if decision is None else _evidence(decision),
    )


def _reasons(look: LookResult) -> Shortened[str]:
    """Why, and for what drifted: which batch, how large, which test."""
    if look.verdict is None:
        return Shortened([look.text], "")
    reasons = shorten(look.verdict.reasons, MOST_REASONS, "more")
    drifted = [
        f"{result.batch.title}: {column.reason}"
        for result in look.verdict.batches
        for column in result.columns
        if column.drifted
    ]
    return Shortened([*reasons.shown, *drifted], reasons.rest)


def _evidence(decision: Decision) -> str:
    if decision.gain is None:
        return decision.reasons[0] if decision.reasons else ""
    interval = ""
    if decision.low is not None and decision.high is not None:
        interval = f" ({decision.low:+.4f} to {decision.high:+.4f})"
    vetoes = [metric_name(guard.metric) for guard in decision.guards if guard.shown_worse]
    veto = f"; shown to be worse: {', '.join(vetoes)}" if vetoes else ""
    return (
        f"{metric_name(decision.metric)}: gain over {champion_text(decision.champion_version)} "
        f"{decision.gain:+.4f}{interval} on {counted(decision.rows, decision.groups, 'days')}{veto}"
    )


def _release_row(release: ReleaseResult, year: YearResult) -> ReleaseRow:
    months: Sequence[str] = release.months
    if len(months) > 2:
        *fitted, tuned, tested = months
        span = fitted[0] if len(fitted) == 1 else f"{fitted[0]} to {fitted[-1]}"
        months = [f"fitted on {span}", f"tuned on {tuned}", f"tested on {tested}"]
    return ReleaseRow(
        release=release,
        months=Shortened(months, ""),
        badge=decision_badge(release.decision),
        evidence=_evidence(release.decision),
        served=sum(1 for month in year.months if month.version == release.version),
    )


def _costs(year: YearResult) -> list[list[str]]:
    """Number, CPU seconds, mean of these and clock seconds of each kind of look."""
    looks_of_kind = {
        "First release": [look for look in year.looks if look.before is None],
        "Looks that did not retrain": [look for look in year.looks if look.decision is None],
        "Retrainings, each with its look": retrainings(year),
        "All": list(year.looks),
    }
    rows = []
    for kind, looks in looks_of_kind.items():
        cpu = sum(look.cpu_seconds for look in looks)
        mean = f"{cpu / len(looks):,.1f}" if looks else ""
        clock = sum(look.seconds for look in looks)
        rows.append([kind, str(len(looks)), f"{cpu:,.0f}", mean, f"{clock:,.0f}"])
    return rows
