"""What the monitor has said of this and of earlier releases, as a table of a page."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_basics.schemas import Attempt, MonitoringState, Verdict, Watch, WatchedBatch

from .monitoring_text import evidence_text, outcome_text, outcome_tone
from .page import Html, badge, join, note, table, text
from .style import plain

MOST_EVENTS = 60
MOST_NAMES = 5

Event = tuple[int, list[Html]]


def history_table(verdict: Verdict, state: MonitoringState) -> Html:
    """Every look and every retraining, the newest first.

    Args:
        verdict: This run's.
        state: What is remembered of all releases, oldest first.
    """
    rows: list[list[Html]] = []
    for watch in state.watches.values():
        rows += _of_release(watch, verdict)
    if not any(watch.version == verdict.version for watch in state.watches.values()):
        rows.append(_this_run(verdict, ()))
    rows.reverse()
    left = len(rows) - MOST_EVENTS
    if left > 0:
        rows = [*rows[:MOST_EVENTS], [text(f"and {left:,} earlier ones")]]
    head = ("Release", "Run", "What happened", "On what")
    return table([text(each) for each in head], rows, "Newest first")


def _of_release(watch: Watch, verdict: Verdict) -> list[list[Html]]:
    """The looks in their order, each retraining after the last batch that it knew."""
    looks: dict[str, list[WatchedBatch]] = {}
    for batch in watch.batches:
        looks.setdefault(batch.seen_by, []).append(batch)
    current = watch.version == verdict.version
    new = tuple(looks.pop(verdict.run_id, ())) if current else ()
    events: list[Event] = []
    last = 0
    for run_id, batches in looks.items():
        last = max([last, *(batch.number for batch in batches)])
        events.append((last, _look(watch.version, run_id, batches)))
    for attempt in watch.attempts:
        events.append((attempt.batches, _retraining(watch.version, attempt)))
    rows = [row for _, row in sorted(events, key=lambda event: event[0])]
    if not current and watch.pending:
        told = ", ".join(plain(evidence_text(item), 60) for item in watch.pending[:MOST_NAMES])
        row = [_release(watch.version), text(""), badge("was to be retrained", "neutral")]
        rows.append([*row, note(text(told, 300))])
    if current:
        rows.append(_this_run(verdict, new))
    return rows


def _look(version: str, run_id: str, batches: Sequence[WatchedBatch]) -> list[Html]:
    drifted = dict.fromkeys(name for batch in batches for name in batch.drifted)
    alarms = [batch.name for batch in batches if batch.alarm]
    badges = []
    if alarms:
        badges.append(badge("the error had risen", "bad"))
    if drifted:
        badges.append(badge("drift", "bad"))
    what = join(badges or [text("no drift")], " ")
    return [_release(version), text(run_id, 12), what, note(text(_on_what(batches), 400))]


def _this_run(verdict: Verdict, new: Sequence[WatchedBatch]) -> list[Html]:
    return [
        _release(verdict.version),
        text(verdict.run_id, 12),
        join([text("now:"), badge(outcome_text(verdict), outcome_tone(verdict))], " "),
        note(text(_on_what(new) if new else "no batch was new", 400)),
    ]


def _retraining(version: str, attempt: Attempt) -> list[Html]:
    told = ", ".join(plain(evidence_text(item), 60) for item in attempt.evidence[:MOST_NAMES])
    if len(attempt.evidence) > MOST_NAMES:
        told += f" and {len(attempt.evidence) - MOST_NAMES} more"
    result = {True: "promoted", False: "kept the old one", None: "not finished"}[attempt.promoted]
    parts = [text("retraining:"), badge(result, "good" if attempt.promoted else "neutral")]
    if attempt.outcome and attempt.outcome not in ("promoted", "kept"):
        parts.append(text(attempt.outcome.replace("_", " "), 60))
    return [
        _release(version),
        text(attempt.run_id, 12),
        join(parts, " "),
        note(text(f"{told} (after {attempt.batches} batches)", 400)),
    ]


def _on_what(batches: Sequence[WatchedBatch]) -> str:
    names = [plain(batch.name, 40) for batch in batches]
    told = names[0] if len(names) == 1 else f"{len(names)} batches, {names[0]} to {names[-1]}"
    drifted = list(dict.fromkeys(name for batch in batches for name in batch.drifted))
    if drifted:
        more = f" and {len(drifted) - MOST_NAMES} more" if len(drifted) > MOST_NAMES else ""
        told += f"; drifted: {', '.join(plain(each, 40) for each in drifted[:MOST_NAMES])}{more}"
    aside = sum(1 for batch in batches if batch.outcome == "quarantined")
    return f"{told}; {aside} quarantined" if aside else told


def _release(version: str) -> Html:
    return text(f"version {version}", 40)
