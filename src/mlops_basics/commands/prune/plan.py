"""What may go and what has to stay: decided from names, times and references alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mlops_basics.safe_text import plural

#: Kedro's versions; folders of other names are not ours to remove.
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2}\.\d{3}Z")
#: What no manifest names may be of a run that still works; with a claim, of a very long one.
LIFE = timedelta(days=1)
CLAIMED_LIFE = timedelta(days=7)

NEWEST_RUN = "newest run"
FUTURE_RUN = "lies in the future: a clock was ahead"
NEWEST_OF_ITS_KIND = "newest of its data set"
YOUNG = "may be of a run that still works"
PARENT_OF_A_RUN = "a run that works may read it"


@dataclass(frozen=True)
class Reference:
    """A run or release that needs data.

    Attributes:
        by: Its name, as shown to users.
        run: The run's version, all of whose data are needed; None: the run is not known.
        versions: Version by name of each data set that is needed.
    """

    by: str
    run: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """What there is.

    Attributes:
        folders: Bytes by version by the name of the data set.
        runs: Versions that have a manifest, by the name of the data set that holds it.
        claimed: Versions that a run has claimed and not let go of.
        working: Those of them whose process works, as this machine knows, whatever its clock says.
    """

    folders: Mapping[str, Mapping[str, int]]
    runs: Mapping[str, Collection[str]]
    claimed: Collection[str] = ()
    working: Collection[str] = ()

    def versions(self, name: str) -> list[str]:
        """Versions of a data set, oldest first."""
        return sorted(v for v in self.folders.get(name, {}) if VERSION.fullmatch(v))

    def recorded(self) -> set[str]:
        """The runs that have a manifest."""
        return {version for versions in self.runs.values() for version in versions}


@dataclass(frozen=True)
class Plan:
    """What goes, in the order of its removal, and why the rest stays.

    Attributes:
        removed: Data set, version and bytes; a run's manifest comes after all the rest of it.
        kept: Reasons by run, for each version that something is kept of.
    """

    removed: tuple[tuple[str, str, int], ...]
    kept: Mapping[str, tuple[str, ...]]


def kept_runs(stored: Stored, keep: int, now: datetime) -> dict[str, str]:
    """The runs whose manifests have to be asked what they need, with the reason.

    They are the newest ones of each kind, and those that a run that works may have begun from.
    What lies in the future is kept and counts for none of these: whether it is newer than a run
    that has just ended is not to be seen from its version.
    """
    reasons: dict[str, str] = {}
    latest = f"{now.astimezone(UTC):%Y-%m-%dT%H.%M.%S}.999Z"
    for recorded in stored.runs.values():
        versions = sorted(recorded)
        past = [version for version in versions if version <= latest]
        reasons |= dict.fromkeys(versions[len(past) :], FUTURE_RUN)
        reasons |= dict.fromkeys(past[-keep:], NEWEST_RUN)
        for claim in stored.claimed:
            before = [version for version in versions if version < claim]
            if before:
                reasons.setdefault(before[-1], PARENT_OF_A_RUN)
    return reasons


def make_plan(stored: Stored, references: Sequence[Reference], now: datetime) -> Plan:
    """Decide what goes.

    Args:
        stored: What there is.
        references: All references to data, those of kept runs among them.
        now: To tell what a run that still works may have written.
    """
    reasons: defaultdict[str, dict[str, None]] = defaultdict(dict)  # ordered sets
    needed: set[tuple[str, str]] = set()
    runs: set[str] = set()
    for reference in references:
        needed |= set(reference.versions.items())
        for version in {*reference.versions.values(), reference.run} - {None}:
            reasons[str(version)][reference.by] = None
        if reference.run is not None:
            runs.add(reference.run)
    recorded, removed = stored.recorded(), []
    for name in stored.folders:
        versions = stored.versions(name)
        newest = max((version for version in versions if version in recorded), default=None)
        for version in versions:
            if (name, version) in needed or version in runs:
                continue
            if version == newest:
                reasons[version][NEWEST_OF_ITS_KIND] = None
            elif _may_work(version, stored, now):
                reasons[version][YOUNG] = None
            else:
                removed.append((name, version, stored.folders[name][version]))
    there = {version for versions in stored.folders.values() for version in versions}
    kept = {version: tuple(reasons[version]) for version in sorted(reasons) if version in there}
    # By run, the manifest last: killed in between, the next call still knows whose data they were.
    removed.sort(key=lambda item: (item[1], item[0] in stored.runs, item[0]))
    return Plan(tuple(removed), kept)


def in_words(plan: Plan, runs: Collection[str], *, dry_run: bool) -> str:
    """A plan in words.

    Args:
        plan: What goes and what stays.
        runs: Versions that have, or had, a manifest; the others are leftovers of killed runs.
        dry_run: Whether nothing was removed.
    """
    return "\n".join(_lines(plan, runs, dry_run=dry_run))


def size_in_words(size: int) -> str:
    """A number of bytes in words.

    >>> size_in_words(999), size_in_words(12_345_678)
    ('999 bytes', '12.3 MB')
    """
    if size < 1000:
        return f"{size} bytes"
    value, units = float(size), ["kB", "MB", "GB", "TB"]
    while (value := value / 1000) >= 999.95 and len(units) > 1:
        units.pop(0)
    return f"{value:.1f} {units[0]}"


def _lines(plan: Plan, runs: Collection[str], *, dry_run: bool) -> Iterator[str]:
    if plan.kept:
        yield "Kept:"
    for version, reasons in plan.kept.items():
        yield f"  {version}  {_short(reasons)}"
    if not plan.removed:
        yield "Nothing to remove."
        return
    yield "Would go:" if dry_run else "Removed:"
    by_run: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, version, size in plan.removed:
        by_run[version].append((name, size))
    for version, items in by_run.items():
        names = _short([name for name, _ in items])
        left = "" if version in runs else " (of a run that did not finish)"
        yield f"  {version}  {size_in_words(sum(size for _, size in items))}  {names}{left}"
    total = size_in_words(sum(size for *_, size in plan.removed))
    yield f"{plural(len(plan.removed), 'folder')} of {plural(len(by_run), 'run')}, {total}."
    if dry_run:
        yield "Nothing was removed (--dry-run)."


def _short(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _may_work(version: str, stored: Stored, now: datetime) -> bool:
    """Whether a run may be writing still; one lets go of its claim after its manifest."""
    if version in stored.working:
        return True
    claimed = version in stored.claimed
    if version in stored.recorded() and not claimed:
        return False
    try:
        began = datetime.strptime(version, "%Y-%m-%dT%H.%M.%S.%fZ").replace(tzinfo=UTC)
    except ValueError:  # digits, but no time: left alone
        return True
    return now - began < (CLAIMED_LIFE if claimed else LIFE)
