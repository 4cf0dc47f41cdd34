"""The registry of model versions in MLflow: the one place that says which version is champion."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mlops_basics.errors import ConflictError, ReleaseError
from mlops_basics.production.recorded_files import OVERRIDE_FILE, release_files
from mlops_basics.production.release_check import MANIFEST, MODEL_FOLDER, SIGNATURE
from mlops_basics.reporting.decision_text import decision_markdown, plain_markdown
from mlops_basics.runs.challenges import experiment_of
from mlops_basics.runs.mlflow_faults import is_made_already
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.safe_text import short_text
from mlops_basics.schemas import (
    Decision,
    ModelRecord,
    Override,
    RegisteredVersion,
    Registration,
    ReleaseManifest,
    TableInfo,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, PREVIOUS = "champion", "previous"
RELEASE_FOLDER = "release"  # of a run's artifacts: what a release needs beside the model
CHALLENGE_TAG = "challenge_id"
FORMER_TAG = "was_champion"
OVERRIDE_TAG = "override"
MAX_TEXT = 5_000  # characters of a tag or a description that MLflow stores
ABOUT_ALIASES = (
    "The version with the alias `champion` is in production, `previous` was before it; each "
    "version's description says why it was promoted."
)
_LOGGED_MODEL = re.compile(r"models:/m-[0-9a-f]{6,64}")
#: Name of the release where it is not the number that MLflow gave: numbers are of one database,
#: releases of the production store.
NAME_TAG = "release"
#: The run that fitted a version that was taken from production, whose own run holds copies.
FITTED_TAG = "fitted_by"


class ModelRegistry:
    """Versions of one model; every method asks MLflow anew, since others write there too."""

    def __init__(self, model_name: str, server: Tracking = MLFLOW) -> None:
        """
        Args:
            model_name: Name of the registered model; made at the first promotion.
            server: Where it is registered.
        """
        self.model_name = model_name
        self._server = server

    def champion(self) -> str | None:
        """The version with the alias ``champion``, or None."""
        return self._alias(CHAMPION)

    def previous(self) -> str | None:
        """The version that was champion before, or None."""
        return self._alias(PREVIOUS)

    def versions(self) -> list[str]:
        """Names of all versions, oldest first."""
        return [_name(version) for version in self._all()]

    def knows(self, version: str, mlflow_run_id: str | None) -> bool:
        """Whether a release is one of these versions: of this name, fitted by this run.

        Args:
            version: Name of the release.
            mlflow_run_id: The run that fitted it; None: not known, the name has to do.
        """
        return any(
            _name(known) == version and mlflow_run_id in (None, _fitted_by(known))
            for known in self._all()
        )

    def state(self, reason: str, *, promoted: bool) -> RegisteredVersion:
        """What the registry holds now, and why."""
        return RegisteredVersion(
            model_name=self.model_name,
            version=self.champion(),
            previous=self.previous(),
            promoted=promoted,
            reason=reason,
        )

    def run_of(self, version: str) -> str:
        """Id of the MLflow run that fitted a version."""
        return _fitted_by(self._named(version))

    def origin(self, version: str) -> ModelRecord | None:
        """Which run fitted a version, and from which data; None where MLflow has lost it."""
        from mlflow.exceptions import MlflowException

        uri = f"runs:/{self._named(version).run_id}/{RELEASE_FOLDER}/model_record.json"
        try:
            return ModelRecord.model_validate_json(self._server.load_text(uri))
        except (MlflowException, OSError) as error:
            code = getattr(error, "error_code", "RESOURCE_DOES_NOT_EXIST")
            if code not in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
                raise
            return None

    def register(
        self, registration: Registration, taken: Collection[str] = (), *, same_run: bool = False
    ) -> str:
        """Register a decided challenger, with its reasons; the same one again is the same version.

        Everything that a release needs is stored first, so that any process that finds the version
        can finish the work.

        Args:
            registration: The challenger.
            taken: Names that releases have in production.
            same_run: As of ``find``.

        Returns:
            The version's name.

        Raises:
            ReleaseError: If the challenger's run or model is not in MLflow.
        """
        client, record, decision = self._server.client(), registration.record, registration.decision
        if (version := self.find(registration, same_run=same_run)) is not None:
            return version
        run_id = _run_id(record)
        model_id = _logged_model(client, run_id)
        _stage(client, run_id, registration.files)
        _create_name(client, self.model_name, registration.files.get("table_info"))
        return self._create(
            lambda: self.find(registration, same_run=same_run),
            source=f"models:/{model_id}",
            run_id=run_id,
            model_id=model_id,
            tags=_tags(decision) | _override_tags(registration.override) | self._next_name(taken),
            description=decision_markdown(decision)[:MAX_TEXT],
        )

    def find(self, registration: Registration, *, same_run: bool = False) -> str | None:
        """The version that this challenger has already, or None.

        Challengers that were not compared share a challenge, so that one that is promoted by hand
        is recognised by its run alone.

        Args:
            registration: The challenger.
            same_run: Whether the same challenger of another run is another one.
        """
        for version in self._all():
            if CHALLENGE_TAG in version.tags and _is_same(version, registration, same_run):
                return _name(version)
        return None

    def adopt(self, manifest: ReleaseManifest, folder: Path, *, champion: bool) -> None:
        """Take a verified release of production as a version; what is there already is kept.

        Args:
            manifest: Of the release.
            folder: Its files.
            champion: Whether it is what production holds; else it was there before.
        """
        client, name = self._server.client(), manifest.version
        if not self.knows(name, manifest.mlflow_run_id):
            self._make_way(name)
            experiment = experiment_of(client, self.model_name)
            run_name = f"release {name}, taken from production"
            run_id = client.create_run(experiment, run_name=run_name).info.run_id
            for file in folder.iterdir():
                if file.is_file() and file.name not in (MANIFEST, SIGNATURE):
                    client.log_artifact(run_id, str(file), RELEASE_FOLDER)
            model = client.create_logged_model(experiment, name=MODEL_FOLDER, source_run_id=run_id)
            client.log_model_artifacts(model.model_id, str(folder / MODEL_FOLDER))
            client.finalize_logged_model(model.model_id, "READY")
            client.set_terminated(run_id)
            _create_name(client, self.model_name, _table_of(folder))
            fitted = {} if manifest.mlflow_run_id is None else {FITTED_TAG: manifest.mlflow_run_id}
            client.create_model_version(
                self.model_name,
                source=f"models:/{model.model_id}",
                run_id=run_id,
                model_id=model.model_id,
                tags=_tags(manifest.decision) | fitted | {NAME_TAG: name},
                description=f"{run_name}\n\n{decision_markdown(manifest.decision)}"[:MAX_TEXT],
            )
        if champion:
            self._set_alias(CHAMPION, name)
        else:
            self._tag(name, FORMER_TAG, "true")
            self._set_alias(PREVIOUS, name)

    def override(self, version: str) -> Override | None:
        """Who promoted a version by hand, when and why; None if its test did."""
        return _override_of(self._named(version))

    def note_override(self, version: str, override: Override) -> None:
        """Note that a version is promoted by hand, whatever its tag said before."""
        tags = self._named(version).tags
        for name, value in _override_tags(override).items():
            if tags.get(name) != value:
                self._tag(version, name, value)

    def former_champions(self) -> list[str]:
        """Versions that were champion and are no longer, oldest first."""
        champion = self.champion()
        former = [_name(known) for known in self._all() if FORMER_TAG in known.tags]
        return [version for version in former if version != champion]

    def was_champion(self, version: str) -> bool:
        """Whether a version was champion before, and was replaced or taken back."""
        return FORMER_TAG in self._named(version).tags and version != self.champion()

    def move_champion(
        self, to: str, expected: str | None, still_held: Callable[[], None] = lambda: None
    ) -> None:
        """Make ``to`` the champion if the champion still is ``expected``.

        Args:
            to: The version.
            expected: The champion when that was decided.
            still_held: Raises ConflictError if the caller's lock was lost.

        Raises:
            ConflictError: If another process was faster.
        """
        now = self.champion()
        if now == to:
            return
        require_unchanged(now, expected)
        if now is not None:
            self._tag(now, FORMER_TAG, "true")
            self._set_alias(PREVIOUS, now)
        still_held()  # MLflow moves no alias on a condition
        self._set_alias(CHAMPION, to)

    def download(self, version: str, target: Path) -> None:
        """Write a version's model folder and its release files into ``target``.

        Raises:
            ReleaseError: If MLflow has them no longer.
        """
        registered = self._named(version)
        release = f"runs:/{registered.run_id}/{RELEASE_FOLDER}"
        folder = _downloaded(self._server, release, target / "files", version)
        for file in folder.iterdir():
            file.rename(target / file.name)
        folder.rmdir()
        if (target / "files").exists():
            (target / "files").rmdir()
        if (override := _override_of(registered)) is not None:
            text = override.model_dump_json(indent=2)
            (target / OVERRIDE_FILE).write_text(text, encoding="utf-8")
        if not _LOGGED_MODEL.fullmatch(str(registered.source)):  # an address would be asked
            raise ReleaseError(
                f"Version {version} in MLflow names '{short_text(str(registered.source))}' as its "
                "model, which is no logged model of MLflow's. Register the run again: kedro "
                "promote RUN_ID --reason ..."
            )
        model = _downloaded(self._server, str(registered.source), target / MODEL_FOLDER, version)
        if model != target / MODEL_FOLDER:
            raise ReleaseError(f"MLflow stored version {version} in an unknown layout, at {model}.")
        meta = model / "registered_model_meta"  # of MLflow's client, with MLflow's number
        if NAME_TAG in registered.tags and meta.is_file():
            text = meta.read_text(encoding="utf-8")
            named = text.replace(f"'{registered.version}'", f"'{version}'")
            meta.write_text(named, encoding="utf-8")

    def _create(self, find: Callable[[], str | None], **version: Any) -> str:
        """Make a version once, also where MLflow's answer is lost on the way."""
        from mlflow.exceptions import MlflowException

        def create() -> str:
            with _not_repeated():
                made = self._server.client().create_model_version(self.model_name, **version)
            return _name(made)

        try:
            return create()
        except MlflowException:
            # Asked patiently: the server may be back by then.
            return find() or create()

    def _alias(self, alias: str) -> str | None:
        from mlflow.exceptions import MlflowException

        try:
            version = self._server.client().get_model_version_by_alias(self.model_name, alias)
            return _name(version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def _set_alias(self, alias: str, version: str) -> None:
        client, found = self._server.client(), self._named(version)
        client.set_registered_model_alias(self.model_name, alias, str(found.version))
        if alias == CHAMPION:  # for the list of models, which shows no version's tags
            for tag, of_version in (("metric", "metric"), ("decision", "outcome")):
                if of_version in found.tags:
                    client.set_registered_model_tag(self.model_name, tag, found.tags[of_version])

    def _tag(self, version: str, key: str, value: str) -> None:
        number = str(self._named(version).version)
        self._server.client().set_model_version_tag(self.model_name, number, key, value)

    def _named(self, name: str) -> ModelVersion:
        found = next((version for version in self._all() if _name(version) == name), None)
        if found is None:
            raise ReleaseError(
                f"The registry has no version {name} of '{self.model_name}' (any more). "
                "`kedro doctor` says what production holds, and `kedro adopt` takes it."
            )
        return found

    def _next_name(self, taken: Collection[str]) -> dict[str, str]:
        """A name that no release has, as a tag; none where MLflow's own numbers are the names."""
        known = self._all()
        named = {_name(version) for version in known}
        if named.issuperset(taken) and not any(NAME_TAG in version.tags for version in known):
            return {}
        numbers = [int(name) for name in {*taken, *named} if name.isdecimal()]
        return {NAME_TAG: str(1 + max(numbers, default=0))}

    def _make_way(self, name: str) -> None:
        """Rename a version of ours that production has another release of the same name of."""
        for version in self._all():
            if _name(version) == name:
                self._tag(name, NAME_TAG, f"{name}-{_fitted_by(version)[:8]}")

    def _all(self) -> list[ModelVersion]:
        quote = "'" if '"' in self.model_name else '"'
        versions = self._server.client().search_model_versions(
            f"name={quote}{self.model_name}{quote}"
        )
        return sorted(versions, key=lambda version: int(version.version))


def _name(version: ModelVersion) -> str:
    return str(version.tags.get(NAME_TAG) or version.version)


def _fitted_by(version: ModelVersion) -> str:
    return str(version.tags.get(FITTED_TAG) or version.run_id)


def require_unchanged(champion: str | None, expected: str | None) -> None:
    """Raise ConflictError if the champion is not the one that was compared with."""
    if champion != expected:
        raise ConflictError(
            f"The champion is version {champion or 'none'} now, no longer {expected or 'none'}, "
            "with which the challenger was compared: somebody else was faster. "
            "Run again: it will be compared with the new champion."
        )


@contextmanager
def _not_repeated() -> Iterator[None]:
    """MLflow's client repeats what was not answered, and would make a second version of a model."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _downloaded(server: Tracking, uri: str, target: Path, version: str) -> Path:
    from mlflow.exceptions import MlflowException

    try:
        return server.download(uri, target)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
            raise
        raise ReleaseError(
            f"MLflow does not have {uri} of version {version} (any more). Restore it, or go back "
            "to another version: kedro rollback --to VERSION"
        ) from error


def _is_same(version: ModelVersion, registration: Registration, same_run: bool) -> bool:
    if same_run or _fitted_by(version) == registration.record.mlflow_run_id:
        return _fitted_by(version) == registration.record.mlflow_run_id
    challenge_id = registration.decision.challenge.challenge_id
    return registration.override is None and version.tags[CHALLENGE_TAG] == challenge_id


def _override_of(version: ModelVersion) -> Override | None:
    text = version.tags.get(OVERRIDE_TAG)
    try:
        return Override.model_validate_json(text) if text else None
    except ValidationError as error:
        raise ReleaseError(
            f"The tag '{OVERRIDE_TAG}' of version {_name(version)} in MLflow is not as `kedro "
            "promote` wrote it: who promoted it, and why, is not known. Remove the tag there, and "
            "promote the run again: kedro promote RUN_ID --reason ..."
        ) from error


def _override_tags(override: Override | None) -> dict[str, str]:
    return {} if override is None else {OVERRIDE_TAG: override.model_dump_json()}


def _run_id(record: ModelRecord) -> str:
    if record.mlflow_run_id is None:
        raise ReleaseError(
            "The challenger was fitted without MLflow tracking, so that it cannot be registered. "
            "Remove the pipeline from disable_tracking in mlflow.yml and run again."
        )
    return record.mlflow_run_id


def _logged_model(client: MlflowClient, run_id: str) -> str:
    from mlflow.entities import LoggedModelStatus

    experiment = client.get_run(run_id).info.experiment_id
    models = client.search_logged_models(
        experiment_ids=[experiment], filter_string=f"source_run_id='{run_id}'"
    )
    # One whose upload broke off, or whose creation was answered too late, has no files.
    ready = [model for model in models if model.status == LoggedModelStatus.READY]
    if not ready:
        raise ReleaseError(
            f"The MLflow run {run_id} has no logged model. Train it again: kedro run"
        )
    # The first: whoever may write into the experiment can add another one.
    return str(min(ready, key=lambda model: int(model.creation_timestamp)).model_id)


def _stage(client: MlflowClient, run_id: str, files: Mapping[str, Any]) -> None:
    """Upload what a release needs beside the model into the run's release folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, content in release_files(files).items():
            (folder / name).write_bytes(content)
        client.log_artifacts(run_id, str(folder), RELEASE_FOLDER)


def _create_name(client: MlflowClient, name: str, table: TableInfo | None) -> None:
    """Make the registered model, with what a reader of MLflow's page wants to know of it."""
    tags = {} if table is None else {"task": table.task, "target": table.target[:MAX_TEXT]}
    about = ABOUT_ALIASES
    if table is not None:
        predicts = f"{plain_markdown(table.target)} ({table.task})"
        about = f"Predicts {predicts} from {len(table.features):,} columns. {about}"
    try:
        client.create_registered_model(name, tags=tags, description=about[:MAX_TEXT])
    except Exception as error:
        if not is_made_already(error):
            raise


def _table_of(folder: Path) -> TableInfo | None:
    """What a release in production says of its table; one of an older project may lack it."""
    file = folder / "table_info.json"
    try:
        return TableInfo.model_validate_json(file.read_bytes()) if file.is_file() else None
    except ValidationError:
        return None


def _tags(decision: Decision) -> dict[str, str]:
    """The decision as tags, so that no version is ever without its explanation."""
    numbers = decision.model_dump(
        include={"outcome", "metric", "rows", "gain", "low", "high", "p_value", "alpha"}
    )
    return {
        CHALLENGE_TAG: decision.challenge.challenge_id,
        "challenge_number": str(decision.challenge.number),
        "champion_version": decision.champion_version,
        "reasons": json.dumps(decision.reasons)[:MAX_TEXT],
        **{name: str(value) for name, value in numbers.items()},
    }
