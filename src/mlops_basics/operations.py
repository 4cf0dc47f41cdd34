"""What the commands do with production: go back, say what was there when, serve it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlops_basics.datasets.ledger import origin_of
from mlops_basics.datasets.release import Versions, prepare
from mlops_basics.datasets.release_check import MODEL_FOLDER
from mlops_basics.datasets.release_store import ReleaseStore
from mlops_basics.errors import ConflictError, MlopsError, ReleaseError
from mlops_basics.schemas import LedgerEntry, Pointer, ReleaseManifest

if TYPE_CHECKING:
    from rich.table import Table

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
SHORT_RUN_ID = 8  # characters of a run's id in the table; the commands take so many, too
_PATIENCE = 10.0  # seconds a server gets to stop by itself


class Registry(Versions, Protocol):
    """What the commands need of the registry of model versions."""

    def champion(self) -> str | None:
        """The version with the alias ``champion``."""

    def previous(self) -> str | None:
        """The version that was champion before."""

    def versions(self) -> list[str]:
        """All versions, oldest first."""

    def move_champion(self, to: str, expected: str | None, still_held: Callable[[], None]) -> None:
        """Move the alias if it still is at ``expected``, else raise ConflictError."""


@dataclass(frozen=True)
class Period:
    """A time in which one release was in production; ``until`` is None for the present one."""

    entry: LedgerEntry
    until: str | None


def periods(ledger: Sequence[LedgerEntry], pointer: Pointer | None = None) -> list[Period]:
    """What was in production from when to when, the oldest first.

    An entry is written before the pointer moves, so that one may tell of a move that was refused
    or interrupted. Which ones took place is seen from what each later entry found in production.

    Args:
        ledger: The history.
        pointer: What is in production now, to know whether the last move was finished; None: the
            ledger alone is asked, and believed.
    """
    moves = _without_refused(ledger)
    at = len(moves) - 1
    if pointer is not None and any(move.version == pointer.version for move in moves):
        at = _latest(moves, len(moves), pointer.version)
    found: list[Period] = []
    until = None
    while at >= 0:
        move = moves[at]
        found.append(Period(move, until))
        until = move.at
        before = -1 if move.replaced is None else _latest(moves, at, move.replaced)
        # Where the history has a gap (a file was lost), what came before it still counts.
        at = before if before >= 0 else at - 1
    return found[::-1]


def in_production(ledger: Sequence[LedgerEntry], at: str) -> str | None:
    """The release that was in production at an ISO time, from the ledger alone."""
    versions = [period.entry.version for period in periods(ledger) if period.entry.at <= at]
    return versions[-1] if versions else None


def rollback(
    store: ReleaseStore, registry: Registry, to: str | None, reason: str, by: str, now: str
) -> str:
    """Put an earlier release into production: first the alias, then the ledger, then the pointer.

    Interrupted anywhere, the same call finishes the work; called again when all is done, it
    changes nothing.

    Args:
        store: The releases.
        registry: The registry of model versions.
        to: The release; None: the one before the present one.
        reason: Why, for the ledger.
        by: Who, for the ledger.
        now: ISO time.

    Returns:
        What was done, for people.

    Raises:
        ReleaseError: If there is no such release, or it is refused and MLflow has it no longer.
        ConflictError: If somebody else was faster, or works on the same production for long.
    """
    with store.one_run_at_a_time() as still_held:
        return _roll_back(store, registry, to, reason, by, now, still_held)


def _roll_back(
    store: ReleaseStore,
    registry: Registry,
    to: str | None,
    reason: str,
    by: str,
    now: str,
    still_held: Callable[[], None],
) -> str:
    pointer, champion, ledger = store.pointer(), registry.champion(), store.ledger()
    history = periods(ledger, pointer)
    present = pointer.version if pointer else None
    target = to or _way_back(store, history, present, registry)
    _require_known(store, registry, target)
    if champion == target == present and pointer is not None:
        return (
            f"Nothing to do: release {target} of '{store.model_name}' is in production since "
            f"{pointer.at}. To go elsewhere, name a release: kedro rollback --to VERSION "
            "(`kedro releases` lists them)."
        )
    announced = LedgerEntry(
        at=now, action="rollback", version=target, replaced=present, by=by, reason=reason
    )
    try:
        manifest, restored = _whole(store, registry, target)
        entry = announced.model_copy(update=origin_of(manifest))
        store.begin_move(entry)
        registry.move_champion(target, champion, still_held)
    except MlopsError as error:
        _record_refusal(store, announced, error)
        raise
    if target == present:
        dropped = announced.model_copy(update={"version": champion or target})
        _record_refusal(store, dropped, reason)
        store.end_move()
        return (
            f"Release {target} of '{store.model_name}' stays in production; the registry's "
            f"champion, which was {champion or 'none'}, is {target} again."
        )
    try:
        known = _unfinished(ledger, entry)
        if known is None:
            store.record(entry)
        store.point(target, pointer, (known or entry).at)
    except ConflictError as error:
        _record_refusal(store, announced, error)
        raise
    except ReleaseError:
        if champion is not None:
            with suppress(MlopsError):  # production did not change, so the alias should not
                registry.move_champion(champion, target, still_held)
        raise
    store.end_move()
    known_there = not history or target in {period.entry.version for period in history}
    first = "" if known_there else "It has not been in production before. "
    return (
        f"Release {target} of '{store.model_name}' is in production, in place of "
        f"{present or 'nothing'}. {first}{restored}"
        f"Undo with: kedro rollback --to {present or 'VERSION'}"
    )


def releases_table(store: ReleaseStore, registry: Registry) -> Table:
    """Which release was in production when and why, the present one last.

    Args:
        store: The releases; their ledger tells the history.
        registry: The registry of model versions, for what was not published.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mlops_basics.reporting.style import plain

    pointer, champion, ledger = store.pointer(), registry.champion(), store.ledger()
    history = {id(period.entry): period for period in periods(ledger, pointer)}
    table = Table(
        title=Text(f"Releases of {plain(store.model_name, 40)}"),
        caption=Text(_caption(ledger, pointer, champion, registry.versions())),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    for column in ("Version", "In production", "Gain (interval)", "Why", "Run, data"):
        table.add_column(column, overflow="fold")
    for entry in ledger:
        period = history.get(id(entry))
        cells = (
            plain(entry.version),
            _when(entry, period, is_present=bool(pointer)),
            _gain(entry),
            plain(f"{entry.action} by {plain(entry.by)}: {entry.reason}", 160),
            _run_and_data(entry),
        )
        present = period is not None and period.until is None and pointer is not None
        style = "bold" if present else "" if period else "dim"
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return table


def serve(
    store: ReleaseStore,
    host: str,
    port: int,
    run: Callable[[Sequence[str], Mapping[str, str]], int] | None = None,
) -> int:
    """Serve the release in production through MLflow's server, from a verified copy.

    Args:
        store: The releases.
        host: Address to listen at.
        port: Port to listen at.
        run: Runs a command with an environment and returns its exit code.

    Returns:
        The server's exit code.

    Raises:
        ReleaseError: If nothing is in production, or it is refused; no server starts then.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-basics-serve-") as scratch:
        copy = Path(scratch) / "release"
        store.fetch(None, copy)
        command = [sys.executable, "-m", "mlflow", "models", "serve"]
        command += ["-m", str(copy / MODEL_FOLDER), "--env-manager", "local"]
        command += ["--host", host, "--port", str(port)]
        # MLflow looks for uvicorn in PATH, where a `.venv` that is not activated is missing.
        own = str(Path(sys.executable).parent)
        path = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])
        return (run or _run_until_stopped)(command, {**os.environ, "PATH": path})


def _latest(moves: Sequence[LedgerEntry], before: int, version: str) -> int:
    """Position of a version's latest move before a position, -1 if there is none."""
    return max((at for at in range(before) if moves[at].version == version), default=-1)


def _without_refused(ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """The moves, but those that were announced and then refused."""
    moves: list[LedgerEntry] = []
    for entry in ledger:
        if entry.action != "refused":
            moves.append(entry)
            continue
        at = _latest(moves, len(moves), entry.version)
        took_place = any(later.replaced == entry.version for later in moves[at + 1 :])
        if at >= 0 and moves[at].replaced == entry.replaced and not took_place:
            del moves[at]
    return moves


def _way_back(
    store: ReleaseStore, history: Sequence[Period], present: str | None, registry: Registry
) -> str:
    """Where a rollback without a named release goes; to the present one if all is done."""
    champion, released = registry.champion(), [period.entry.version for period in history]
    if champion is not None and champion != present:
        # An interrupted rollback goes on; a release that never came into production is dropped.
        return champion if champion in released or present is None else present
    if history and history[-1].entry.action == "rollback" and present is not None:
        return present
    previous = registry.previous()
    # What never was in production is no way back, although the alias may have passed over it.
    first = [previous] if previous is not None and (previous in released or not released) else []
    earlier = (version for version in [*first, *reversed(released)] if version != present)
    found = next(earlier, None)
    if found is None:
        raise ReleaseError(
            f"There is no earlier release of '{store.model_name}' to go back to: "
            f"{f'{present} is the first one' if present else 'nothing was published yet'}."
        )
    return found


def _require_known(store: ReleaseStore, registry: Registry, target: str) -> None:
    stored, registered = store.versions(), registry.versions()
    both = [version for version in stored if version in registered]
    if target not in both:
        place = "the production store" if target not in stored else "MLflow's registry"
        raise ReleaseError(
            f"There is no release {target!r} of '{store.model_name}' in {place}. "
            f"There are: {', '.join(both) or 'none'}."
        )


def _whole(store: ReleaseStore, registry: Registry, version: str) -> tuple[ReleaseManifest, str]:
    """The verified manifest; a release that is refused is written anew as MLflow has it, and told.

    It was damaged, or it is older than the key that releases are signed with now.
    """
    try:
        return store.verify(version), ""
    except ReleaseError as refused:
        try:
            manifest, _ = prepare(store, registry, version)
        except MlopsError:
            raise refused from None
        why = refused.__cause__ or refused  # without what else could be done
        return manifest, f"It was written anew from MLflow, since it was refused: {why} "


def _unfinished(ledger: Sequence[LedgerEntry], entry: LedgerEntry) -> LedgerEntry | None:
    """The same move as the last one of the ledger, if it was announced and not finished."""
    moves = _without_refused(ledger)
    same = ("action", "version", "replaced")
    if moves and all(getattr(moves[-1], name) == getattr(entry, name) for name in same):
        return moves[-1]
    return None


def _record_refusal(store: ReleaseStore, announced: LedgerEntry, why: object) -> None:
    """Leave a trace of what was not done; where nothing can be written, the error must do."""
    entry = announced.model_copy(update={"action": "refused", "reason": str(why)})
    with suppress(MlopsError):
        store.record(entry)


def _caption(
    ledger: Sequence[LedgerEntry],
    pointer: Pointer | None,
    champion: str | None,
    versions: Sequence[str],
) -> str:
    lines = ["" if pointer else "Nothing is in production."]
    present = pointer.version if pointer else None
    if champion != present:
        lines.append(
            f"The registry's champion is {champion or 'none'}, production holds "
            f"{present or 'nothing'}: a publishing or a rollback was interrupted. Run it again."
        )
    if present is not None and present not in [entry.version for entry in ledger]:
        lines.append(f"The ledger has no entry for {present}: it is incomplete.")
    missing = [version for version in versions if version not in {e.version for e in ledger}]
    if missing:
        lines.append(f"Registered and never in production: {', '.join(missing)}.")
    return "\n".join(line for line in lines if line)


def _when(entry: LedgerEntry, period: Period | None, *, is_present: bool) -> str:
    if period is None:
        told = "refused" if entry.action == "refused" else "not finished"
        return f"{_time(entry.at)} ({told})"
    end = _time(period.until) if period.until else "now" if is_present else "?"
    return f"{_time(entry.at)} to {end}"


def _time(at: str) -> str:
    from mlops_basics.reporting.style import plain

    return plain(at[:16].replace("T", " "))


def _gain(entry: LedgerEntry) -> str:
    from mlops_basics.reporting.metric_text import metric_name
    from mlops_basics.reporting.style import number, plain

    if entry.value is None:
        return ""
    limits = ""
    if entry.low is not None and entry.high is not None:
        limits = f" ({number(entry.low)} to {number(entry.high)})"
    return f"{plain(metric_name(entry.metric))} {number(entry.value)}{limits}"


def _run_and_data(entry: LedgerEntry) -> str:
    """The run's id, as short as `kedro reproduce` takes it, and the version of its data."""
    from mlops_basics.reporting.style import plain

    run = plain((entry.mlflow_run_id or entry.run_id or "")[:SHORT_RUN_ID])
    return "\n".join(part for part in (run, _data(entry.data_versions)) if part)


def _data(versions: Mapping[str, str]) -> str:
    """The data's versions, which mostly are one and the same, to the minute."""
    from mlops_basics.reporting.style import plain

    distinct = sorted(set(versions.values()))
    if not distinct:
        return ""
    more = f" and {len(distinct) - 1} more" if len(distinct) > 1 else ""
    return plain(distinct[-1][:16].replace("T", " ")) + more


def _run_until_stopped(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command; a signal that would stop this process stops it and all that it started.

    Returns:
        The command's exit code; 128 and the signal's number if it was stopped so.
    """
    server = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    try:
        with _forwarding(server):
            code = server.wait()
    finally:
        _end(server)
    return 128 - code if code < 0 else code


@contextmanager
def _forwarding(server: subprocess.Popen[bytes]) -> Iterator[None]:
    def forward(number: int, _frame: object) -> None:
        _signal_all(server, number)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(server: subprocess.Popen[bytes]) -> None:
    """Stop what is left of the server before its files are removed; first kindly."""
    _signal_all(server, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while _signal_all(server, 0):
        if time.monotonic() > deadline:
            _signal_all(server, signal.SIGKILL)
            break
        server.poll()
        time.sleep(0.05)
    server.wait()


def _signal_all(server: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the server and its workers; whether any of them is still there."""
    if not hasattr(os, "killpg"):  # Windows
        if server.poll() is None and number:
            server.terminate()
        return server.poll() is None
    try:
        os.killpg(server.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
