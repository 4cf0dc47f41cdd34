"""What makes a release fit to be loaded: pure checks of its bytes, none of which is executed.

Each check raises a ``ReleaseError`` that names the file and what is wrong with it.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from mlops_basics.config.own_code import require_own_code
from mlops_basics.errors import DataError, ReleaseError
from mlops_basics.safe_text import short_text
from mlops_basics.schemas import FileRecord, ReleaseManifest
from mlops_basics.storage.archive_check import check_archive as skops_check

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
TABLE_FILE = "table_info.json"
MODEL_FOLDER = "model"
MLMODEL = f"{MODEL_FOLDER}/MLmodel"
ARCHIVE = f"{MODEL_FOLDER}/model.skops"
REQUIREMENTS = f"{MODEL_FOLDER}/requirements.txt"
REQUIRED = (MLMODEL, ARCHIVE, TABLE_FILE)

MOST_MANIFEST_BYTES = 16 * 2**20
_MOST_FILE_BYTES = 2 * 2**30
_MOST_SIGNATURE_BYTES = 200
_MOST_MLMODEL_BYTES = 2**20
_MOST_MLMODEL_DEPTH = 20
_MOST_REQUIREMENTS_BYTES = 2**16
_MOST_NAME_BYTES = 200
_MOST_SHOWN = 100  # characters of what a file says, in an error about it
_NOT_IN_NAMES = re.compile(r"[/\\:*?\[\]{}#]")  # folders, globs, drives
_PINNED = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,.-]*\])?==[\w.!+-]+", re.ASCII)
#: Devices of Windows, with any ending.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

#: What MLflow may find in the MLmodel; every other value or key could make it run something.
_LOADER = {
    "loader_module": ("mlflow.sklearn",),
    "model_path": ("model.skops",),
    "predict_fn": ("predict",),
    "code": (None, ""),
}
_FORMAT = {
    "serialization_format": ("skops",),
    "pickled_model": ("model.skops",),
    "code": (None, ""),
}
_FLAVORS: dict[str, tuple[dict[str, tuple[str | None, ...]], tuple[str, ...], tuple[str, ...]]] = {
    # flavour: fixed values, of these required, other keys
    "python_function": (_LOADER, ("loader_module", "model_path"), ("env", "python_version")),
    "sklearn": (
        _FORMAT,
        ("serialization_format", "pickled_model"),
        ("sklearn_version", "skops_trusted_types"),
    ),
}


def is_component(name: str) -> bool:
    """Whether a name is one plain part of a path, on every file system.

    Some file systems drop invisible characters, or dots and spaces at the end, or take look-alikes
    for one another: such a name would be checked as one file and read as another.
    """
    if not name.isprintable() or len(name.encode()) > _MOST_NAME_BYTES:
        return False
    alike = unicodedata.normalize("NFKC", name)
    return (
        bool(alike)
        and not alike.startswith((".", " "))
        and not alike.endswith((".", " "))
        and not _NOT_IN_NAMES.search(alike)
        and not _DEVICE.fullmatch(alike)
    )


def one_spelling(path: str) -> str:
    """The same text for all paths that some file system takes for the same file."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def manifest_bytes(manifest: ReleaseManifest) -> bytes:
    """The manifest as it is stored: the same manifest has the same bytes."""
    tree = json.loads(manifest.model_dump_json())
    return json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False).encode()


def parse_manifest(content: bytes, model_name: str, version: str) -> ReleaseManifest:
    """Read a manifest, and refuse one of another release or with paths that lead elsewhere.

    Args:
        content: What ``manifest.json`` holds.
        model_name: The model it must be of.
        version: The version it must be of.
    """
    check_manifest_file({MANIFEST: len(content)})
    try:
        manifest = ReleaseManifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = short_text(".".join(map(str, first["loc"])), _MOST_SHOWN) or "the whole"
        why = short_text(first["msg"], 2 * _MOST_SHOWN)
        raise ReleaseError(f"'{MANIFEST}' is not a manifest ({place}: {why}).") from error
    try:
        json.loads(content, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits
        raise ReleaseError(f"'{MANIFEST}' is not readable as JSON.") from error
    if (manifest.model_name, manifest.version) != (model_name, version):
        raise ReleaseError(
            f"'{MANIFEST}' is of another release: version {_shown(manifest.version)} of "
            f"{_shown(manifest.model_name)}."
        )
    spellings = {one_spelling(file): file for file in (MANIFEST, SIGNATURE)}
    for name in manifest.files:
        check_path(name)
        other = spellings.setdefault(one_spelling(name), name)
        if other != name:
            raise ReleaseError(
                f"'{MANIFEST}' names {_shown(name)} and {_shown(other)}, which some systems take "
                "for one file."
            )
    for name in REQUIRED:
        if name not in manifest.files:
            raise ReleaseError(f"'{MANIFEST}' does not name '{name}', which a release needs.")
    return manifest


def can_be_manifest(size: int) -> bool:
    """Whether a file of this size may be read as a manifest; links have a size below 0."""
    return 0 <= size <= MOST_MANIFEST_BYTES


def check_manifest_file(sizes: Mapping[str, int]) -> None:
    """Refuse a manifest or a signature by its size, before it is read.

    Args:
        sizes: Size by path of what the folder of the release holds; below 0: no plain file.
    """
    for name in (MANIFEST, SIGNATURE):
        _refuse_link(name, sizes.get(name, 0))
    if not can_be_manifest(sizes.get(MANIFEST, 0)):
        raise ReleaseError(f"'{MANIFEST}' has {sizes[MANIFEST]:,} bytes, which no manifest needs.")
    if sizes.get(SIGNATURE, 0) > _MOST_SIGNATURE_BYTES:
        raise ReleaseError(
            f"'{SIGNATURE}' has {sizes[SIGNATURE]:,} bytes, which no signature needs."
        )


def check_path(name: str) -> None:
    """Refuse a path that is absolute, leads upwards, holds code, or is not written plainly."""
    parts = name.split("/")
    if not all(is_component(part) for part in parts):
        raise ReleaseError(
            f"'{MANIFEST}' names {_shown(name)}, which is not a plain relative path."
        )
    if name == MANIFEST:
        raise ReleaseError(f"'{MANIFEST}' names itself.")
    if name == SIGNATURE:
        raise ReleaseError(f"'{MANIFEST}' names '{SIGNATURE}', which is made after it.")
    if "code" in [one_spelling(part) for part in parts]:
        raise ReleaseError(
            f"{_shown(name)} is code of its own, which a release must not bring along."
        )


def check_listing(sizes: Mapping[str, int], files: Mapping[str, FileRecord]) -> None:
    """Refuse missing files, extra files, and files of another size.

    Args:
        sizes: Size by path of what the folder of the release holds; below 0: no plain file.
        files: What the manifest names.
    """
    for name, record in sorted(files.items()):
        if name not in sizes:
            raise ReleaseError(f"'{name}' is missing.")
        _refuse_link(name, sizes[name])
        if sizes[name] > _MOST_FILE_BYTES:
            raise ReleaseError(f"'{name}' has {sizes[name]:,} bytes, which no release needs.")
        if sizes[name] != record.size:
            raise ReleaseError(
                f"'{name}' has {sizes[name]:,} bytes instead of {record.size:,}: it was changed."
            )
    extra = sorted(set(sizes) - set(files) - {MANIFEST, SIGNATURE})
    if extra:
        raise ReleaseError(f"'{extra[0]}' is not in the manifest: somebody put it there.")


def check_own_code(manifest: ReleaseManifest) -> None:
    """Refuse to run a release whose own code, the user's, is not here, or is other than it was."""
    try:
        require_own_code(manifest.own_code, manifest.git_commit)
    except DataError as error:
        raise ReleaseError(str(error)) from error


def check_file(name: str, content: bytes, record: FileRecord, trusted: Collection[str]) -> None:
    """Refuse a file whose bytes were changed, or that would make MLflow run something.

    Args:
        name: Path of the file in the release.
        content: Its bytes.
        record: What the manifest says of it.
        trusted: Import paths of the classes and functions that a model may hold.
    """
    if len(content) != record.size or sha256(content) != record.sha256:
        raise ReleaseError(f"'{name}' was changed: its SHA-256 is not that of the manifest.")
    if name == MLMODEL:
        check_mlmodel(content, trusted)
    elif name == ARCHIVE:
        check_archive(content, trusted)
    elif name == REQUIREMENTS:
        check_requirements(content)


def check_mlmodel(content: bytes, trusted: Collection[str]) -> None:
    """Refuse an MLmodel that names other code than MLflow's own for skops files, or more types.

    Args:
        content: What the file holds.
        trusted: Import paths of the classes and functions that a model may hold.
    """
    if len(content) > _MOST_MLMODEL_BYTES:
        raise ReleaseError(f"'{MLMODEL}' has {len(content):,} bytes, which no MLmodel needs.")
    tree = _yaml(content)
    flavors = tree.get("flavors") if isinstance(tree, dict) else None
    if not isinstance(flavors, dict) or set(flavors) != set(_FLAVORS):
        raise ReleaseError(
            f"'{MLMODEL}' must have the flavors {' and '.join(_FLAVORS)} and no other."
        )
    for name, (fixed, required, free) in _FLAVORS.items():
        _check_flavor(name, flavors[name], fixed, required, free)
    named = flavors["sklearn"].get("skops_trusted_types") or []
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ReleaseError(f"'{MLMODEL}' has skops_trusted_types that are not a list of names.")
    more = sorted(set(named) - set(trusted))
    if more:
        raise ReleaseError(
            f"'{MLMODEL}' trusts types that we do not: {short_text(', '.join(more[:5]), 300)} "
            "(`_trusted_types` in conf/base/catalog_models.yml lists ours; your own belong into "
            "`features` or `trusted_types` of this environment's globals.yml)."
        )
    example = tree.get("saved_input_example_info") or {}
    for key in ("artifact_path", "serving_input_path"):
        path = example.get(key) if isinstance(example, dict) else example
        if path is not None and not (isinstance(path, str) and is_component(path)):
            raise ReleaseError(
                f"'{MLMODEL}' names {_shown(path)} as its example, which is elsewhere."
            )


def check_requirements(content: bytes) -> None:
    """Refuse what MLflow would read beside the versions of packages: `-r` opens any file.

    Args:
        content: What the file holds.
    """
    if len(content) > _MOST_REQUIREMENTS_BYTES:
        raise ReleaseError(f"'{REQUIREMENTS}' has {len(content):,} bytes, which no list needs.")
    for line in content.decode("utf-8", "replace").splitlines():
        if line.strip() and not _PINNED.fullmatch(line.strip()):
            raise ReleaseError(
                f"'{REQUIREMENTS}' has {_shown(line)}, which is no package and its version."
            )


def check_archive(content: bytes, trusted: Collection[str]) -> None:
    """Refuse a model file that is no skops archive of trusted types in their usual forms.

    Args:
        content: What the file holds.
        trusted: Types that a model may hold.
    """
    try:
        skops_check(content, trusted, f"'{ARCHIVE}'")
    except DataError as error:
        raise ReleaseError(str(error)) from error


def _shown(value: Any) -> str:
    """What a file says, in quotes and short."""
    return short_text(repr(value), _MOST_SHOWN)


def _refuse_link(name: str, size: int) -> None:
    if size < 0:
        raise ReleaseError(f"'{name}' is a link or another thing that is no plain file.")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        # Readers differ in which one they take.
        raise ReleaseError(f"'{MANIFEST}' says something twice: a key of it is repeated.")
    return tree


def _yaml(content: bytes) -> Any:
    """Plain YAML, as MLflow writes it: without aliases, by which few bytes become many values."""
    # libyaml reads in a tenth of the time; each of its events is one step, however deep.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(content, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise ReleaseError(f"'{MLMODEL}' has an alias, which no MLmodel needs.")
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
            if depth > _MOST_MLMODEL_DEPTH:
                raise ReleaseError(f"'{MLMODEL}' is nested deeper than any MLmodel.")
        return yaml.load(content, Loader=loader)  # noqa: S506 (a safe loader)
    except ReleaseError:
        raise
    except Exception as error:  # a number or a date that is none, and whatever else
        raise ReleaseError(f"'{MLMODEL}' is not readable as YAML.") from error


def _check_flavor(
    name: str,
    flavor: Any,
    fixed: Mapping[str, tuple[str | None, ...]],
    required: Collection[str],
    free: Collection[str],
) -> None:
    if not isinstance(flavor, dict):
        raise ReleaseError(f"'{MLMODEL}' has a flavor {name} that is no mapping.")
    for key in (*required, *(key for key in flavor if key not in required)):
        if key in fixed:
            if flavor.get(key) not in fixed[key]:
                raise ReleaseError(
                    f"'{MLMODEL}' has {name}.{key} {_shown(flavor.get(key))}; "
                    f"only {fixed[key][0]!r} is allowed."
                )
        elif key not in free:
            raise ReleaseError(
                f"'{MLMODEL}' has {short_text(f'{name}.{key}', _MOST_SHOWN)}, which is not allowed."
            )
