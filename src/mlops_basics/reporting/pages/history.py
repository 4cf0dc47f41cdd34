"""What the monitor has said of this and of earlier releases, as a page lists it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlops_basics.reporting.monitoring_text import evidence_text, outcome_badge
from mlops_basics.reporting.text import Badge, plain
from mlops_basics.safe_text import plural
from mlops_basics.schemas import Attempt, MonitoringState, Verdict, Watch, WatchedBatch

MOST_EVENTS = 60
MOST_NAMES = 5


@dataclass(frozen=True)
class Event:
    """A look or a retraining.

    Attributes:
        version: The release in production.
        run_id: Empty where it has not taken place.
        before, badges, after: What happened; badges stand between words.
        detail: On which batches or evidence.
    """

    version: str
    run_id: str
    before: str
    badges: tuple[Badge, ...]
    after: str
    detail: str


def history(verdict: Verdict, state: MonitoringState) -> list[Event]:
    """Every look and every retraining, the newest first.

    Args:
        verdict: This run's.
        state: What is remembered of all releases, oldest first.
    """
    events: list[Event] = []
    for watch in state.watches.values():
        events += _of_release(watch, verdict)
    if not any(watch.version == verdict.version for watch in state.watches.values()):
        events.append(_this_run(verdict, ()))
    return events[::-1]


def _of_release(watch: Watch, verdict: Verdict) -> list[Event]:
    """The looks in their order, each retraining after the last batch that it knew."""
    looks: dict[str, list[WatchedBatch]] = {}
    for batch in watch.batches:
        looks.setdefault(batch.seen_by, []).append(batch)
    current = watch.version == verdict.version
    new = tuple(looks.pop(verdict.run_id, ())) if current else ()
    numbered: list[tuple[int, Event]] = []
    last = 0
    for run_id, batches in looks.items():
        last = max([last, *(batch.number for batch in batches)])
        numbered.append((last, _look(watch.version, run_id, batches)))
    for attempt in watch.attempts:
        numbered.append((attempt.batches, _retraining(watch.version, attempt)))
    events = [event for _, event in sorted(numbered, key=lambda pair: pair[0])]
    if not current and watch.pending:
        badge = Badge("was to be retrained", "neutral")
        events.append(Event(watch.version, "", "", (badge,), "", _evidence(watch.pending)))
    if current:
        events.append(_this_run(verdict, new))
    return events


def _look(version: str, run_id: str, batches: Sequence[WatchedBatch]) -> Event:
    badges = []
    if any(batch.alarm for batch in batches):
        badges.append(Badge("the error had risen", "bad"))
    if any(batch.drifted for batch in batches):
        badges.append(Badge("drift", "bad"))
    after = "" if badges else "no drift"
    return Event(version, run_id, "", tuple(badges), after, _on_what(batches))


def _this_run(verdict: Verdict, new: Sequence[WatchedBatch]) -> Event:
    detail = _on_what(new) if new else "no batch was new"
    return Event(verdict.version, verdict.run_id, "now:", (outcome_badge(verdict),), "", detail)


def _retraining(version: str, attempt: Attempt) -> Event:
    evidence = _evidence(attempt.evidence)
    if len(attempt.evidence) > MOST_NAMES:
        evidence += f" and {len(attempt.evidence) - MOST_NAMES} more"
    result = {True: "promoted", False: "kept the old one", None: "not finished"}[attempt.promoted]
    outcome = attempt.outcome if attempt.outcome not in ("promoted", "kept") else ""
    return Event(
        version=version,
        run_id=attempt.run_id,
        before="retraining:",
        badges=(Badge(result, "good" if attempt.promoted else "neutral"),),
        after=plain(outcome.replace("_", " "), 60),
        detail=f"{evidence} (after {plural(attempt.batches, 'batch')})",
    )


def _evidence(evidence: Sequence[str]) -> str:
    return ", ".join(plain(evidence_text(piece), 60) for piece in evidence[:MOST_NAMES])


def _on_what(batches: Sequence[WatchedBatch]) -> str:
    names = [plain(batch.title, 60) for batch in batches]
    detail = names[0] if len(names) == 1 else f"{len(names)} batches, {names[0]} to {names[-1]}"
    drifted = list(dict.fromkeys(name for batch in batches for name in batch.drifted))
    if drifted:
        more = f" and {len(drifted) - MOST_NAMES} more" if len(drifted) > MOST_NAMES else ""
        columns = ", ".join(plain(name, 40) for name in drifted[:MOST_NAMES])
        detail += f"; drifted: {columns}{more}"
    quarantined = sum(1 for batch in batches if batch.outcome == "quarantined")
    return f"{detail}; {quarantined} quarantined" if quarantined else detail
