"""What may be done with a storage, by trying it; free disk; the clock; what killed runs left."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from mlops_basics.commands.doctor.check_result import CheckError, CheckResult
from mlops_basics.errors import MlopsError
from mlops_basics.safe_text import plural
from mlops_basics.storage.faults import is_denied
from mlops_basics.storage.store_files import StoreFiles

PROBES = ".doctor"
LEAST_FREE = 10**9  # bytes
SKEW_WARNS, SKEW_FAILS = 5.0, 900.0  # seconds; S3 refuses requests beyond the second
_TIMEOUT = 4.0  # seconds
_MOST_LEASE_BYTES = 2**16
_OLD = timedelta(days=1)
_OLD_SCRATCH = 86_400.0  # seconds
_NOT_CONDITIONAL = (
    "Use a storage that honours If-Match and If-None-Match (AWS S3 does): two that publish at "
    "once could overwrite each other here."
)


class ReadableOnlyError(CheckError):
    """Nothing may be written there, but all be read: a warning."""


def rights(check: str, files: StoreFiles, *, reading_will_do: bool = False) -> CheckResult:
    """Try to put, get, list, replace on a condition, and delete a file of its own.

    Args:
        check: Which storage it is.
        files: The folder of the probe, which nothing else uses.
        reading_will_do: Whether some are meant to read there and not to write.

    Raises:
        ReadableOnlyError: If reading will do, and is all that is allowed.
        CheckError: If the storage does not keep its promises, or only deleting does not work.
        StorageError: If something is forbidden, or the storage cannot be reached.
    """
    name, tried = f"probe-{secrets.token_hex(6)}", []

    def step(right: str, done: Callable[[], object], wanted: object, remedy: str = "") -> None:
        answer = done()
        if answer != wanted:
            default = "Check the storage; it does not answer as it should."
            raise CheckError(f"{files.shown()}: {right} does not work.", remedy or default)
        tried.append(right)

    one, two, three = (f"{name} {number}".encode() for number in (1, 2, 3))
    created = False
    try:
        created = files.create(name, one, lasting=False)
        step("put", lambda: created, True)
        step("get", lambda: files.read(name), one)
        step("list", lambda: name in files.names(""), True)
        second = "conditional create"
        step(second, lambda: files.create(name, two, lasting=False), False, _NOT_CONDITIONAL)
        wrong = "conditional put (wrong condition)"
        step(wrong, lambda: files.replace_if(name, two, three), False, _NOT_CONDITIONAL)
        step("conditional put", lambda: files.replace_if(name, two, one), True, _NOT_CONDITIONAL)
        step("get after put", lambda: files.read(name), two)
    except MlopsError as error:
        if created:
            with suppress(MlopsError):
                files.remove(name)
        elif reading_will_do and is_denied(error) and _is_readable(files, name):
            raise ReadableOnlyError(
                f"{files.shown()}: readable only: fits a trainer or a scorer, not who publishes.",
                "Who publishes needs s3:PutObject there, or the right to write (docs/aws.md).",
                "warning",
            ) from error
        raise
    try:
        files.remove(name)
        step("delete", lambda: files.read(name), None)
    except MlopsError as error:
        text = f"{files.shown()}: all but delete works ({name} stays there): {error}"
        remedy = (
            "kedro prune needs it in `storage`, publishing in `production` where a release's "
            "folder holds strange files; nothing else does."
        )
        raise CheckError(text, remedy, "warning") from error
    return CheckResult(check, "ok", f"{files.shown()}: put, get, list, delete, conditional put")


def tidy(folder: str) -> None:
    """Remove what the probe's lock leaves on a local disk, unless another doctor uses it."""
    if "://" in folder:
        return
    probes = Path(folder)
    with suppress(OSError):
        (probes / ".lock").unlink(missing_ok=True)
        probes.rmdir()


def free_disk(places: Sequence[Path]) -> CheckResult:
    """Whether there is room on the disks of these folders, which need not exist yet."""
    free = {place: shutil.disk_usage(_existing(place)).free for place in places}
    place, least = min(free.items(), key=lambda item: item[1])
    text = f"{least / 1e9:.1f} GB free for {place}"
    if least < LEAST_FREE:
        remedy = "Free some space: kedro prune --keep N --dry-run tells what old runs hold."
        raise CheckError(f"{text}.", remedy, "warning")
    return CheckResult("free disk", "ok", text)


def server_time(endpoint: str) -> datetime:
    """What the clock of an S3 server says; it need not know us.

    Args:
        endpoint: Its address.

    Raises:
        CheckError: If it cannot be reached within seconds.
    """
    import requests

    try:
        answer = requests.head(endpoint, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise CheckError(
            f"{endpoint} does not answer ({type(error).__name__}).",
            "Check AWS_ENDPOINT_URL, the network, and that the storage runs (on this machine: "
            "make services).",
        ) from error
    return parsedate_to_datetime(answer.headers["Date"])


def clock(server: datetime, own: datetime) -> CheckResult:
    """Whether this machine's clock agrees with the storage's, to the second it tells."""
    skew = abs((own - server).total_seconds())
    text = f"{skew:.0f} s from the storage's"
    if skew > SKEW_WARNS:
        remedy = "Set the clock of this machine (timedatectl set-ntp true)."
        raise CheckError(f"{text}.", remedy, "failed" if skew > SKEW_FAILS else "warning")
    return CheckResult("clock", "ok", text)


def leftovers(storage: StoreFiles, production: StoreFiles, local: Sequence[str]) -> CheckResult:
    """What killed processes have left: claims of runs, locks of the dead, scratch files.

    Args:
        storage: The model's data.
        production: The model's releases.
        local: Those of the two folders that are on this machine.
    """
    now, left, working = datetime.now(UTC), [], 0
    for name in storage.names("manifests/running"):
        if _age(name.removesuffix(".json"), now) > _OLD:
            left.append(storage.shown(f"manifests/running/{name}"))
        else:
            working += 1
    limit = time.time() - _OLD_SCRATCH
    for folder in local:
        scratch = (file for file in Path(folder).glob(".tmp-*") if file.stat().st_mtime < limit)
        left += [str(file) for file in scratch]
    if left:
        raise CheckError(
            f"{len(left)} left by killed processes a day ago or longer: {left[0]}.",
            "They do no harm; kedro prune and the next publishing remove them.",
            "warning",
        )
    held = [text for files, name in _locks(storage, production) if (text := _held(files, name))]
    claims = f"{plural(working, 'run')} working, or killed today" if working else "none"
    return CheckResult("leftovers", "ok", "; ".join([claims, *held]))


def _is_readable(files: StoreFiles, name: str) -> bool:
    """Whether a file that is not there can be looked for, and the folder be listed."""
    try:
        return files.read(name) is None and name not in files.names("")
    except MlopsError:
        return False


def _locks(storage: StoreFiles, production: StoreFiles) -> list[tuple[StoreFiles, str]]:
    return [(production, ".run-lock"), (storage, "monitoring/.ct-lock")]


def _held(files: StoreFiles, name: str) -> str:
    """Who holds a lease on S3; a lock of a local disk ends with its process."""
    if "://" not in files.folder:
        return ""
    import json

    try:
        who = json.loads(files.read(name, _MOST_LEASE_BYTES) or b"{}")
    except ValueError:
        return ""
    if who.get("state") != "held":
        return ""
    holder = f"{who.get('by')} on {who.get('machine')} since {who.get('since')}"
    return f"{files.shown(name)} is held by {holder} (given up 30 s after his last sign of life)"


def _age(version: str, now: datetime) -> timedelta:
    try:
        return now - datetime.strptime(version, "%Y-%m-%dT%H.%M.%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return timedelta()


def _existing(place: Path) -> Path:
    while not place.exists() and place != place.parent:
        place = place.parent
    return Path(os.path.realpath(place))
