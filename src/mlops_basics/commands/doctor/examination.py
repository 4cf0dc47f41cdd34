"""All checks in their order; each is made although others failed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_basics.commands.doctor import installation, production, storage, tracking
from mlops_basics.commands.doctor.check_result import CheckError, CheckResult, reported
from mlops_basics.config.checks import check_parameters
from mlops_basics.errors import DataError
from mlops_basics.production.publish import is_lost
from mlops_basics.runs.mlflow_state import set_servers
from mlops_basics.runs.session import Place
from mlops_basics.safe_text import plural
from mlops_basics.schemas import Pointer
from mlops_basics.storage.s3_objects import endpoint_of
from mlops_basics.storage.source_files import check_file
from mlops_basics.storage.store_files import StoreFiles


@dataclass(frozen=True)
class Setting:
    """The project as it is configured.

    Attributes:
        project: Its root.
        catalog: The data sets.
        model_name: Of the model.
        storage, production: Where runs and releases go: absolute paths or addresses.
        tracking_uri, registry_uri: Of MLflow.
        signing_key: Path of the private key, or None.
    """

    project: Path
    catalog: Any
    model_name: str
    storage: str
    production: str
    tracking_uri: str
    registry_uri: str | None
    signing_key: str | None


def examine(place: Place) -> Iterator[CheckResult]:
    """Make every check, and hand each result on as it comes."""
    results: list[CheckResult] = []
    with reported("Python", results):
        results.append(installation.python_version(place.project_path))
    with reported("packages", results):
        results.append(installation.packages(place.project_path))
    setting: list[Setting] = []
    with reported("configuration", results):
        setting.append(configured(place))
        results.append(CheckResult("configuration", "ok", f"model '{setting[0].model_name}'"))
    yield from results
    reach = _Reach()
    for usable in setting:  # none where the configuration cannot be used
        yield from _files(usable, reach)
        yield from _records(usable, reach)


def configured(place: Place) -> Setting:
    """Read the configuration and open what is looked at.

    Not by Kedro's context: its hooks would wait for MLflow and write to it, and its catalog imports
    every pipeline.
    """
    loader = place.loader()
    parameters = loader["parameters"]
    check_parameters(parameters)
    values, server = loader["globals"], loader["mlflow"]["server"]
    return Setting(
        project=place.project_path,
        catalog=place.datasets(),
        model_name=str(parameters["model_name"]),
        storage=place.anchored(str(values["storage"])),
        production=place.anchored(str(values["production"])),
        tracking_uri=_tracking_uri(place, server.get("mlflow_tracking_uri")),
        registry_uri=server.get("mlflow_registry_uri"),
        signing_key=values.get("signing_key"),
    )


@dataclass
class _Reach:
    """Whether S3 was found to answer: requests to a server that is down wait for minutes.

    Attributes:
        asked: Whether it was asked.
        down: Whether it does not answer.
        only_reads: Whether production may be read and not written, as by a trainer or a scorer.
    """

    asked: bool = False
    down: bool = False
    only_reads: bool = False

    def require(self, address: str) -> None:
        """Raise CheckError for an address that would not answer."""
        if self.down and address.startswith("s3://"):
            raise CheckError("Not looked at: the storage does not answer.", state="warning")


def _files(setting: Setting, reach: _Reach) -> Iterator[CheckResult]:
    results: list[CheckResult] = []
    for check, root in (("storage", setting.storage), ("production", setting.production)):
        with reported(check, results):
            folder = f"{root}/{storage.PROBES}"
            files = StoreFiles(folder)
            if root.startswith("s3://"):
                _look_at_clock(root, results, reach)
            # A user without any write rights is neither a trainer nor a scorer.
            reads = check == "production" and all(result.state != "failed" for result in results)
            try:
                results.append(storage.rights(check, files, reading_will_do=reads))
            except storage.ReadableOnlyError:
                reach.only_reads = True
                raise
            finally:
                storage.tidy(folder)
    with reported("source", results):
        results.append(_source(setting, reach))
    with reported("free disk", results):
        results.append(storage.free_disk(_local_places(setting)))
    with reported("private files", results):
        results.append(installation.private_files(setting.project, setting.signing_key))
    with reported("leftovers", results):
        roots = [f"{root}/{setting.model_name}" for root in (setting.storage, setting.production)]
        local = [root for root in roots if "://" not in root]
        for root in roots:
            reach.require(root)
        results.append(storage.leftovers(StoreFiles(roots[0]), StoreFiles(roots[1]), local))
    yield from results


def _look_at_clock(root: str, results: list[CheckResult], reach: _Reach) -> None:
    """Once, since all addresses are of one server; raises where it does not answer."""
    reach.require(root)
    if reach.asked:
        return
    reach.asked, reach.down = True, True
    server = storage.server_time(endpoint_of(root))
    reach.down = False
    with reported("clock", results):
        results.append(storage.clock(server, datetime.now(UTC)))


def _records(setting: Setting, reach: _Reach) -> Iterator[CheckResult]:
    results: list[CheckResult] = []
    answers, empty = False, False
    with reported(tracking.CHECK, results):
        answers, result = tracking.tracking(setting.tracking_uri)
        empty = not answers
        results.append(result)
    release = setting.catalog.get("release")
    pointer: Pointer | None = None
    read = False
    with reported("release", results):
        reach.require(setting.production)
        pointer, read = release.store.pointer(), True
        results.append(production.release(release.store, pointer))
    with reported("ledger", results):
        reach.require(setting.production)
        results.append(production.ledger(release.store))
    with reported("champion", results):
        if not read or not (answers or empty):
            which = "MLflow" if read else "production"
            raise CheckError(f"Not compared: {which} cannot be asked.", state="warning")
        fitted_by = release.store.fitted_by(pointer) if pointer else None
        champion, known, lost = (
            (None, False, False) if empty else _champion(setting, pointer, fitted_by)
        )
        if champion is None and reach.only_reads:
            text = "not compared: this MLflow has no champion (a scorer needs none)"
            results.append(CheckResult("champion", "ok", text))
        else:
            moving = release.store.is_moving()
            results.append(
                production.agreement(pointer, champion, known=known, moving=moving, lost=lost)
            )
    with reported("monitoring", results):
        reach.require(setting.storage)
        state = setting.catalog.load("monitoring_state")
        results.append(production.monitoring(state, pointer))
    yield from results


def _champion(
    setting: Setting, pointer: Pointer | None, fitted_by: str | None
) -> tuple[str | None, bool, bool]:
    """The registry's champion, whether it knows what production holds, and whether that is lost."""
    present, store = pointer.version if pointer else "", setting.catalog.get("release").store
    if setting.tracking_uri.startswith("sqlite:") and setting.registry_uri is None:
        champion, runs = tracking.registered_in_sqlite(setting.tracking_uri, setting.model_name)
        known = present in runs and fitted_by in (None, runs[present])
        unknown = champion is not None and not store.runs.knows(champion, runs[champion] or "")
        return champion, known, pointer is None and unknown
    with tracking.impatient():
        set_servers(setting.tracking_uri, setting.registry_uri or setting.tracking_uri)
        registry = setting.catalog.get("release").registry
        champion = registry.champion()
        lost = is_lost(store, registry, champion)
        return champion, registry.knows(present, fitted_by), lost


def _source(setting: Setting, reach: _Reach) -> CheckResult:
    source = setting.catalog.get("source")
    reach.require(source._shown_path)
    files, _ = source._listing()  # raises, with the remedy, where there is nothing
    faults = []
    for file in files if source.local_path else files[-1:]:  # elsewhere, each is a request
        try:
            check_file(source._fs, file)
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise CheckError(
            f"{len(faults)} of {len(files)} files cannot be read: {faults[0]}",
            "Until then a run stops at it, and `kedro ct` leaves it out.",
            "warning",
        )
    count = plural(len(files), "file")
    return CheckResult("source", "ok", f"{count} in {source._shown_path}")


def _local_places(setting: Setting) -> list[Path]:
    places = [setting.storage, setting.production]
    return [
        *(Path(place) for place in places if "://" not in place),
        setting.project / "data" / "mlflow",
    ]


def _tracking_uri(place: Place, uri: str | None) -> str:
    return place.anchored(uri or os.environ.get("MLFLOW_TRACKING_URI") or "mlruns")
