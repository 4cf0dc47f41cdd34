"""Whether registry and production agree, the release is whole, and what the monitor waits for."""

from __future__ import annotations

from typing import Protocol

from mlops_basics.commands.doctor.check_result import CheckError, CheckResult
from mlops_basics.production.publish import lost_production
from mlops_basics.safe_text import plural
from mlops_basics.schemas import MonitoringState, Pointer, ReleaseManifest

_AGREEMENT, _RELEASE, _MONITORING = "champion", "release", "monitoring"


class Store(Protocol):
    """What is asked of the releases."""

    def pointer(self) -> Pointer | None:
        """Which release is in production."""

    def ledger_faults(self) -> list[str]:
        """What is missing in the history, or was changed."""

    def verify(self, version: str) -> ReleaseManifest:
        """Check every file of a release."""


def agreement(
    pointer: Pointer | None,
    champion: str | None,
    *,
    known: bool,
    moving: bool = False,
    lost: bool = False,
) -> CheckResult:
    """Whether the registry's champion is what production holds.

    Args:
        pointer: What production holds.
        champion: The registry's.
        known: Whether the registry has a version of the release in production, of the same run.
        moving: Whether a promotion or a rollback has begun that has not ended.
        lost: Whether production was emptied, and knows nothing of the champion.
    """
    present = pointer.version if pointer else None
    if champion is None and present is None:
        return CheckResult(_AGREEMENT, "ok", "not yet: no run was promoted")
    if present is not None and (champion is None or not known):
        raise CheckError(
            f"Production holds release {present}, which the registry does not know (its champion "
            f"is {champion or 'none'}): it was deleted there, or production belongs to another "
            "registry. Runs are refused.",
            "Take it into this registry: kedro adopt (or name another `production`).",
        )
    if present is not None and champion != present and not moving:
        raise CheckError(
            f"The registry's champion is {champion}, production holds {present}, and no promotion "
            "or rollback has moved it: somebody moved the alias in MLflow. Runs are refused.",
            f"Move it back: kedro rollback --to {present}",
        )
    if champion is not None and lost:
        raise CheckError(
            lost_production(champion),
            "The next `kedro run` is judged as the first model. To have that version back instead: "
            "kedro promote MLFLOW_RUN_ID --reason '...', while the run's data are still there.",
        )
    if champion != present:
        back = f", or go back: kedro rollback --to {present}" if present else ""
        raise CheckError(
            f"The registry's champion is {champion or 'none'}, production holds "
            f"{present or 'nothing'}: a publishing or a rollback was interrupted.",
            f"Finish it: kedro run --pipeline model_publishing{back}",
        )
    return CheckResult(_AGREEMENT, "ok", f"version {champion} in the registry and in production")


def release(store: Store, pointer: Pointer | None) -> CheckResult:
    """Whether what is in production is as it was published."""
    if pointer is None:
        return CheckResult(_RELEASE, "ok", "not yet: nothing is in production")
    manifest = store.verify(pointer.version)
    text = f"{pointer.version}, since {pointer.at}: {plural(len(manifest.files), 'file')} verified"
    return CheckResult(_RELEASE, "ok", text)


def ledger(store: Store) -> CheckResult:
    """Whether the history of production is whole."""
    if faults := store.ledger_faults():
        raise CheckError(
            " ".join(faults[:3]),
            "Restore the ledger from a backup, or from the bucket's older versions; until then "
            "believe `kedro releases` only as far as it goes back without a gap.",
        )
    return CheckResult("ledger", "ok", "no gap, no change")


def monitoring(state: MonitoringState, pointer: Pointer | None) -> CheckResult:
    """Whether the monitor's state can be read, and whether a retraining is due."""
    watch = state.watches.get(pointer.version) if pointer else None
    if watch is None:
        return CheckResult(_MONITORING, "ok", "not yet: this release was not looked at")
    if watch.pending:
        kinds = ", ".join(kind.split(":")[0] for kind in watch.pending[:5])
        raise CheckError(
            f"A retraining is pending for release {watch.version} ({kinds}).",
            "Make it: kedro ct",
            "warning",
        )
    seen = plural(len(watch.batches), "batch")
    text = f"{seen} seen, {plural(len(watch.attempts), 'retraining')}, none pending"
    return CheckResult(_MONITORING, "ok", text)
