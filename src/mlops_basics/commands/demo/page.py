"""The page of the demo: what a year of production came to, beside simpler ways of keeping up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from mlops_basics.reporting.decision_text import champion_text, decision_badge
from mlops_basics.reporting.metric_text import metric_name
from mlops_basics.reporting.monitoring_text import OUTCOMES, outcome_badge, policy_lines
from mlops_basics.reporting.pages.render import render
from mlops_basics.reporting.text import Badge, Shortened, Tone, shorten
from mlops_basics.reporting.words import explained
from mlops_basics.schemas import Decision, Verdict
from mlops_basics.table.row_groups import counted

from .figures import KEPT_UP, gain_chart, loss_chart
from .rivals import RIVALS

MOST_REASONS = 4
EXIT_CODES = {0: "production stays", 3: "a new release", 4: "retrained, and production stays"}
WORDS_USED = (
    "drift",
    "gain",
    "interval",
    "label",
    "Log loss",
    "nats",
    "policy",
    "recipe",
    "refresh",
    "release",
    "search",
    "shown",
    "switch",
)
Gains = Mapping[str, "Gain"]  # by rival


@dataclass(frozen=True)
class Gain:
    """Mean losses of a rival and of the model kept up on the same rows, and their difference.

    A gain above 0, with its interval, speaks for the model that was kept up. ``same``: both are
    one model.
    """

    rival: float
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
        policy: Which it followed.
        error, log_loss: On these flights, beside each rival.
    """

    month: str
    rows: int
    labelled: int
    positive: float
    version: str
    policy: str
    error: Gains
    log_loss: Gains


@dataclass(frozen=True)
class LookResult:
    """One ``kedro ct``.

    Attributes:
        month: When: the month whose flights had arrived.
        labels: The month whose labels had arrived; empty if none.
        exit_code, text: What it returned and printed.
        before, after: The release in production.
        verdict: None for the first release: there was nothing to watch.
        policy: That production follows from then on; empty where none is followed.
        learned: Months that a model which this look fitted has learned from.
        cpu_seconds, seconds: What it took, of all threads and by the clock.
    """

    month: str
    labels: str
    exit_code: int
    text: str
    before: str | None
    after: str | None
    verdict: Verdict | None
    policy: str
    learned: tuple[str, ...]
    cpu_seconds: float
    seconds: float

    @property
    def searched(self) -> bool:
        """Whether it trained on all rows anew."""
        return self.verdict is not None and self.verdict.retrain

    @property
    def released(self) -> bool:
        """Whether it replaced what was in production."""
        return self.before is not None and self.before != self.after


@dataclass(frozen=True)
class ReleaseResult:
    """A release: since when it is in production, from which months it came, and why.

    Attributes:
        months: That it learned from, or, of the first, that it was made of.
        policy: Which it follows; empty where none is followed.
    """

    version: str
    since: str
    months: tuple[str, ...]
    policy: str
    decision: Decision


@dataclass(frozen=True)
class YearResult:
    """What the demo measured.

    Attributes:
        months, looks, releases: In the order of time.
        error, log_loss: On all months, beside each rival.
        first_months: On which the first release was made.
        about: Settings and the like, for the reader.
    """

    months: Sequence[MonthResult]
    looks: Sequence[LookResult]
    releases: Sequence[ReleaseResult]
    error: Gains
    log_loss: Gains
    first_months: Sequence[str]
    about: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LookRow:
    """A look in the table of all looks: what it said, why, and what came of it, in words."""

    look: LookResult
    badge: Badge
    reasons: Shortened[str]
    outcome: str
    followed: Shortened[str]


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


@dataclass(frozen=True)
class RivalRow:
    """A way of keeping up, or not, over the whole year, and whether production did better."""

    name: str
    about: str
    error: Gain
    error_badge: Badge
    log_loss: Gain
    log_loss_badge: Badge


def demo_page(year: YearResult) -> str:
    """Write the page; the same results give the same bytes, and it opens without a network."""
    total = _all_months(year)
    return render(
        "demo.html",
        title="A year of production: flights",
        year=year,
        kept_up=KEPT_UP,
        words=explained(*WORDS_USED),
        kept=_kept,
        rivals=Shortened([_rival_row(name, year) for name in year.error], ""),
        changes=changes_of_policy(year),
        searches=len(searches(year)),
        replaced=sum(look.released for look in year.looks),
        cpu_seconds=sum(look.cpu_seconds for look in year.looks),
        figures=_figures(year),
        total=total,
        months=Shortened([*year.months, total], ""),
        looks=Shortened([_look_row(look) for look in year.looks], ""),
        releases=Shortened([_release_row(release, year) for release in year.releases], ""),
        costs=Shortened(_costs(year), ""),
    )


def searches(year: YearResult) -> list[LookResult]:
    """The looks that searched for a new recipe, without the first release."""
    return [look for look in year.looks if look.searched]


def changes_of_policy(year: YearResult) -> dict[str, str]:
    """The month of each look that put another policy into force, and the policy."""
    changes = {}
    for before, look in zip(year.looks, year.looks[1:], strict=False):
        if look.released and before.policy and look.policy != before.policy:
            changes[look.month] = look.policy
    return changes


def verdict_text(look: LookResult) -> str:
    """What a look said, in a few words."""
    if look.verdict is None:
        return "first release"
    return OUTCOMES[look.verdict.outcome]


def verdict_on(gain: Gain) -> Badge:
    """Whether keeping up was better than a rival, as far as that is shown."""
    if gain.low > 0:
        return Badge("kept up is better", "good")
    if gain.high < 0:
        return Badge("kept up is worse", "bad")
    return Badge("no difference shown", "neutral")


def _rival_row(name: str, year: YearResult) -> RivalRow:
    error, loss = year.error[name], year.log_loss[name]
    return RivalRow(name, RIVALS[name], error, verdict_on(error), loss, verdict_on(loss))


def _figures(year: YearResult) -> dict[str, tuple[str, Markup]]:
    """Reading aid and chart by heading, in reading order."""
    names = [month.month for month in year.months]
    changes = {month: name for month, name in changes_of_policy(year).items() if month in names}
    of_loss = (
        "Lower is better. A dotted vertical line marks a look that put another policy into force: "
        "it predicts from the next month on."
    )
    of_gain = (
        "Above 0, the model that was kept up did better. Bars are 95 % intervals with days as the "
        "independent units; a month without a mark was predicted by one and the same model."
    )
    losses = [month.log_loss for month in year.months]
    errors = [month.error for month in year.months]
    late = ("always “on time”", [month.positive for month in year.months])
    return {
        "Log loss": (
            of_loss,
            loss_chart(
                names, _lines(losses), title="Log loss by month", unit="nats", changes=changes
            ),
        ),
        "Gain in log loss": (
            of_gain,
            gain_chart(
                names,
                _intervals(losses),
                title="Gain in log loss",
                unit="nats, rival minus kept up",
            ),
        ),
        "Share of wrong predictions": (
            of_loss,
            loss_chart(
                names,
                _lines(errors),
                title="Share of wrong predictions by month",
                unit="share of wrong predictions",
                changes=changes,
                guess=late,
            ),
        ),
        "Gain in the share of wrong predictions": (
            of_gain,
            gain_chart(
                names,
                _intervals(errors),
                title="Gain in the share of wrong predictions",
                unit="share, rival minus kept up",
            ),
        ),
    }


def _kept(gains: Gains) -> float:
    """The loss of the model that was kept up: the same beside each rival."""
    return next(iter(gains.values())).kept


def _lines(months: Sequence[Gains]) -> dict[str, list[float]]:
    """The loss of each model in each month."""
    rivals = {name: [gains[name].rival for gains in months] for name in months[0]}
    return {KEPT_UP: [_kept(gains) for gains in months], **rivals}


def _intervals(months: Sequence[Gains]) -> dict[str, list[tuple[float, float, float] | None]]:
    return {
        name: [
            None if gains[name].same else (gains[name].gain, gains[name].low, gains[name].high)
            for gains in months
        ]
        for name in months[0]
    }


def _all_months(year: YearResult) -> MonthResult:
    """The year as if it were one month, of no single release."""
    labelled = sum(month.labelled for month in year.months)
    return MonthResult(
        month="all",
        rows=sum(month.rows for month in year.months),
        labelled=labelled,
        positive=sum(month.positive * month.labelled for month in year.months) / labelled,
        version="",
        policy="",
        error=year.error,
        log_loss=year.log_loss,
    )


def _look_row(look: LookResult) -> LookRow:
    tone: Tone = "neutral" if look.verdict is None else outcome_badge(look.verdict).tone
    code = "trained and published" if look.before is None else EXIT_CODES.get(look.exit_code, "")
    return LookRow(
        look=look,
        badge=Badge(verdict_text(look), tone),
        reasons=_reasons(look),
        outcome=f"exit {look.exit_code}: {code}",
        followed=Shortened(_followed(look), ""),
    )


def _followed(look: LookResult) -> list[str]:
    """What came of a look, in sentences: what it told, but not once more what it had found."""
    if look.verdict is None:
        return []
    if look.exit_code == 0:
        return policy_lines(look.verdict)
    found = {*look.verdict.reasons, *look.verdict.warnings}
    return [line for line in look.text.splitlines() if line not in found]


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
    if decision.gain is None or decision.rule == "prequential":
        return decision.reasons[0] if decision.reasons else ""
    interval = ""
    if decision.low is not None and decision.high is not None:
        interval = f" ({decision.low:+.4f} to {decision.high:+.4f})"
    return (
        f"{metric_name(decision.metric)}: gain over {champion_text(decision.champion_version)} "
        f"{decision.gain:+.4f}{interval} on {counted(decision.rows, decision.groups, 'days')}"
    )


def _release_row(release: ReleaseResult, year: YearResult) -> ReleaseRow:
    months: Sequence[str] = release.months
    if release.decision.rule != "prequential" and len(months) > 2:
        *fitted, tuned, tested = months
        months = [f"fitted on {_span([*fitted, tuned])}", f"tested on {tested}"]
    else:
        months = [f"fitted on {_span(months)}"]
    return ReleaseRow(
        release=release,
        months=Shortened(months, ""),
        badge=decision_badge(release.decision),
        evidence=_evidence(release.decision),
        served=sum(1 for month in year.months if month.version == release.version),
    )


def _span(months: Sequence[str]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def _costs(year: YearResult) -> list[list[str]]:
    """Number, CPU seconds, mean of these and clock seconds of each kind of look."""
    later = [look for look in year.looks if look.before is not None]
    looks_of_kind = {
        "First release": [look for look in year.looks if look.before is None],
        "Looks that changed nothing": [
            look for look in later if not look.searched and not look.released
        ],
        "Looks that fitted a new release": [
            look for look in later if not look.searched and look.released
        ],
        "Looks that searched for a new recipe": [look for look in later if look.searched],
        "All": list(year.looks),
    }
    rows = []
    for kind, looks in looks_of_kind.items():
        cpu = sum(look.cpu_seconds for look in looks)
        mean = f"{cpu / len(looks):,.1f}" if looks else ""
        clock = sum(look.seconds for look in looks)
        rows.append([kind, str(len(looks)), f"{cpu:,.0f}", mean, f"{clock:,.0f}"])
    return rows
