"""The table of all releases: when, why, from which data, and which is in production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_basics.errors import MlopsError
from mlops_basics.production.history import Period, periods
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.safe_text import plural, with_environment
from mlops_basics.schemas import Attempt, LedgerEntry, MonitoringState, Pointer

if TYPE_CHECKING:
    from rich.table import Table


SHORT_RUN_ID = 8  # characters of a run's id in the table; the commands take so many, too
_NOTHING = "Nothing is in production. (If something was, kedro doctor says what to do.)"
MOST_NAMES = 5  # pieces of evidence in a cell


def releases_table(
    store: ReleaseStore,
    state: MonitoringState | None = None,
    *,
    every: bool = False,
    env: str | None = None,
) -> Table:
    """Which release was in production when and why, the present one last.

    Between them, each search or retraining after which production was kept, with the drift behind
    it. MLflow is not asked: whether its registry agrees, ``kedro doctor`` says.

    Args:
        store: The releases; their ledger tells the history.
        state: What the monitor remembers; None: nothing.
        every: Whether refreshes are listed that another refresh has followed, too.
        env: The environment of the model, which the commands that are suggested name.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mlops_basics.reporting.text import plain

    pointer, ledger = store.pointer(), store.ledger()
    history = {id(period.entry): period for period in periods(ledger, pointer)}
    table = Table(
        title=Text(f"Releases of {plain(store.model_name, 40)}"),
        caption=Text(with_environment(_caption(store, pointer, ledger, every=every), env)),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    for column in ("Version", "In production", "Why", "Run, data"):
        table.add_column(column, overflow="fold", ratio=1 if column == "Why" else None)
    entries = ledger if every else _without_passing_refreshes(ledger)
    attempts = _attempts(state)
    behind = {attempt.run_id: attempt for attempt in attempts}
    kept = sorted(
        (attempt for attempt in attempts if attempt.promoted is False),
        key=lambda attempt: _iso(attempt.run_id),
    )
    rows: list[tuple[tuple[str, ...], str]] = []
    for entry in entries:  # in the ledger's order, whatever the clocks said
        while kept and _iso(kept[0].run_id) < entry.at:
            rows.append((_kept_row(kept.pop(0)), "dim"))
        rows.append(_release_row(entry, history.get(id(entry)), pointer, behind))
    rows += [(_kept_row(attempt), "dim") for attempt in kept]
    for cells, style in rows:
        table.add_row(*(Text(with_environment(cell, env)) for cell in cells), style=style)
    return table


def remembered(dataset: Any) -> MonitoringState | None:
    """What the monitor remembers; None where that cannot be read: releases are shown all the same.

    Args:
        dataset: The catalog's ``monitoring_state``.
    """
    from kedro.io import DatasetError

    try:
        state: MonitoringState = dataset.load()
    except (DatasetError, MlopsError):
        return None
    return state


def _attempts(state: MonitoringState | None) -> list[Attempt]:
    """All searches and retrainings that the monitor remembers."""
    watches = state.watches.values() if state else ()
    return [attempt for watch in watches for attempt in watch.attempts]


def _iso(run_id: str) -> str:
    """The time that a run is named by, as the ledger writes times."""
    return run_id.removesuffix("Z").replace(".", ":", 2)


def _release_row(
    entry: LedgerEntry,
    period: Period | None,
    pointer: Pointer | None,
    behind: Mapping[str, Attempt],
) -> tuple[tuple[str, ...], str]:
    """Cells and style of a move."""
    from mlops_basics.reporting.text import plain

    why = plain(_why(entry), 200 if entry.policy and entry.action == "switch" else 160)
    attempt = behind.get(entry.run_id or "")
    if attempt is not None:
        why += f"\nafter {_evidence(attempt)}"
    cells = (
        plain(entry.version),
        _when(entry, period, is_present=bool(pointer)),
        "\n".join(filter(None, (why, _gain(entry)))),
        _run_and_data(entry),
    )
    present = period is not None and period.until is None and pointer is not None
    return cells, "bold" if present else "" if period else "dim"


def _kept_row(attempt: Attempt) -> tuple[str, ...]:
    """Cells of a search, or of a retraining, after which production was kept."""
    from mlops_basics.reporting.text import plain

    what = "search" if attempt.outcome.startswith("search") else "retraining"
    outcome = attempt.outcome.replace("_", " ")
    result = "" if outcome in ("searched", "kept") else f" ({plain(outcome)})"
    version = f"version {plain(attempt.version)}" if attempt.version else "production"
    return (
        "",
        f"{_time(_iso(attempt.run_id))}\n(kept)",
        f"{what} after {_evidence(attempt)}: {version} was kept{result}",
        plain(attempt.run_id[:16].replace("T", " ")),
    )


def _evidence(attempt: Attempt) -> str:
    """What a search or a retraining answers, in words."""
    from mlops_basics.reporting.monitoring_text import evidence_text
    from mlops_basics.reporting.text import plain

    named = [plain(evidence_text(piece), 60) for piece in attempt.evidence[:MOST_NAMES]]
    left = len(attempt.evidence) - len(named)
    return ", ".join(named) + (f" and {left} more" if left else "")


def _why(entry: LedgerEntry) -> str:
    """What happened and why; a refresh is one short line."""
    from mlops_basics.reporting.text import plain

    if entry.action == "refresh":
        return f"refresh ({entry.policy}): {entry.reason}"
    policy = f" to '{entry.policy}'" if entry.action == "switch" else ""
    return f"{entry.action}{policy} by {plain(entry.by)}: {entry.reason}"


def _caption(
    store: ReleaseStore, pointer: Pointer | None, ledger: Sequence[LedgerEntry], *, every: bool
) -> str:
    lines = ["" if pointer else _NOTHING, *store.ledger_faults()]
    left_out = 0 if every else len(ledger) - len(_without_passing_refreshes(ledger))
    if left_out:
        lines.append(
            f"{plural(left_out, 'refresh')} that others have followed: kedro releases --all"
        )
    if store.is_moving():
        lines.append(
            "A promotion or a rollback is under way, or was interrupted: kedro doctor tells which, "
            "and how to finish it."
        )
    return "\n".join(line for line in lines if line)


def _without_passing_refreshes(ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """The moves, but of refreshes that followed each other only the last."""
    return [
        entry
        for at, entry in enumerate(ledger)
        if at + 1 == len(ledger) or {entry.action, ledger[at + 1].action} != {"refresh"}
    ]


def _when(entry: LedgerEntry, period: Period | None, *, is_present: bool) -> str:
    if period is None:
        outcome = "refused" if entry.action == "refused" else "not finished"
        return f"{_time(entry.at)}\n({outcome})"
    end = _time(period.until) if period.until else "now" if is_present else "?"
    return f"{_time(entry.at)}\nto {end}"


def _time(at: str) -> str:
    from mlops_basics.reporting.text import plain

    return plain(at[:16].replace("T", " "))


def _gain(entry: LedgerEntry) -> str:
    from mlops_basics.reporting.metric_text import metric_name
    from mlops_basics.reporting.text import number, plain

    if entry.value is None:
        return ""
    limits = ""
    if entry.low is not None and entry.high is not None:
        limits = f" [{number(entry.low)}, {number(entry.high)}]"
    return f"{plain(metric_name(entry.metric))}: gain {number(entry.value)}{limits}"


def _run_and_data(entry: LedgerEntry) -> str:
    """The run's id, as short as `kedro reproduce` takes it, and the version of its data."""
    from mlops_basics.reporting.text import plain

    run = plain((entry.mlflow_run_id or entry.run_id or "")[:SHORT_RUN_ID])
    return "\n".join(part for part in (run, _data(entry.data_versions)) if part)


def _data(versions: Mapping[str, str]) -> str:
    """The data's versions, which mostly are one and the same, to the minute."""
    from mlops_basics.reporting.text import plain

    distinct = sorted(set(versions.values()))
    if not distinct:
        return ""
    more = f" and {len(distinct) - 1} more" if len(distinct) > 1 else ""
    return plain(distinct[-1][:16].replace("T", " ")) + more
