"""What makes a release fit to be loaded: pure checks of its bytes, none of which is executed.

Each check raises a ``ReleaseError`` that names the file and what is wrong with it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from mlops_basics.errors import ReleaseError
from mlops_basics.schemas import FileRecord, ReleaseManifest

MANIFEST = "manifest.json"
TABLE_FILE = "table_info.json"
MODEL_FOLDER = "model"
MLMODEL = f"{MODEL_FOLDER}/MLmodel"
ARCHIVE = f"{MODEL_FOLDER}/model.skops"
REQUIRED = (MLMODEL, ARCHIVE, TABLE_FILE)

_MOST_MANIFEST_BYTES = 16 * 2**20
_MOST_MLMODEL_BYTES = 2**20
_MOST_NAME_BYTES = 200
_NOT_IN_NAMES = re.compile(r"[/\\:*?\[\]{}#\x00-\x1f\x7f]")  # folders, globs, drives, control

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
    """Whether a name is one plain part of a path, on every file system."""
    return (
        bool(name.strip())
        and not name.startswith(".")
        and not _NOT_IN_NAMES.search(name)
        and len(name.encode(errors="surrogatepass")) <= _MOST_NAME_BYTES
    )


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
    if len(content) > _MOST_MANIFEST_BYTES:
        raise ReleaseError(f"'{MANIFEST}' has {len(content):,} bytes, which no manifest needs.")
    try:
        manifest = ReleaseManifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ReleaseError(f"'{MANIFEST}' is not a manifest ({place}: {first['msg']}).") from error
    if (manifest.model_name, manifest.version) != (model_name, version):
        raise ReleaseError(
            f"'{MANIFEST}' is of another release: version {manifest.version!r} of "
            f"{manifest.model_name!r}."
        )
    for name in manifest.files:
        check_path(name)
    for name in REQUIRED:
        if name not in manifest.files:
            raise ReleaseError(f"'{MANIFEST}' does not name '{name}', which a release needs.")
    return manifest


def check_path(name: str) -> None:
    """Refuse a path that is absolute, leads upwards, holds code, or is not written plainly."""
    parts = name.split("/")
    if not all(is_component(part) for part in parts):
        raise ReleaseError(f"'{MANIFEST}' names {name!r}, which is not a plain relative path.")
    if name == MANIFEST:
        raise ReleaseError(f"'{MANIFEST}' names itself.")
    if "code" in [part.lower() for part in parts]:
        raise ReleaseError(f"'{name}' is code of its own, which a release must not bring along.")


def check_listing(found: Mapping[str, int], files: Mapping[str, FileRecord]) -> None:
    """Refuse missing files, extra files, and files of another size.

    Args:
        found: Size by path of what the folder of the release holds.
        files: What the manifest names.
    """
    for name, record in sorted(files.items()):
        if name not in found:
            raise ReleaseError(f"'{name}' is missing.")
        if found[name] != record.size:
            raise ReleaseError(
                f"'{name}' has {found[name]:,} bytes instead of {record.size:,}: it was changed."
            )
    extra = sorted(set(found) - set(files) - {MANIFEST})
    if extra:
        raise ReleaseError(f"'{extra[0]}' is not in the manifest: somebody put it there.")


def check_file(name: str, content: bytes, record: FileRecord, trusted: Collection[str]) -> None:
    """Refuse a file whose bytes were changed, or that would make MLflow run something.

    Args:
        name: Path of the file in the release.
        content: Its bytes.
        record: What the manifest says of it.
        trusted: Types that a model may hold beside skops' own.
    """
    if len(content) != record.size or sha256(content) != record.sha256:
        raise ReleaseError(f"'{name}' was changed: its SHA-256 is not that of the manifest.")
    if name == MLMODEL:
        check_mlmodel(content, trusted)
    elif name == ARCHIVE:
        check_archive(content, trusted)


def check_mlmodel(content: bytes, trusted: Collection[str]) -> None:
    """Refuse an MLmodel that names other code than MLflow's own for skops files, or more types.

    Args:
        content: What the file holds.
        trusted: Types that a model may hold beside skops' own.
    """
    if len(content) > _MOST_MLMODEL_BYTES:
        raise ReleaseError(f"'{MLMODEL}' has {len(content):,} bytes, which no MLmodel needs.")
    try:
        tree = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ReleaseError(f"'{MLMODEL}' is not readable as YAML.") from error
    flavors = tree.get("flavors") if isinstance(tree, dict) else None
    if not isinstance(flavors, dict) or set(flavors) != set(_FLAVORS):
        raise ReleaseError(
            f"'{MLMODEL}' must have the flavors {' and '.join(_FLAVORS)} and no other."
        )
    for name, (fixed, required, free) in _FLAVORS.items():
        _check_flavor(name, flavors[name], fixed, required, free)
    named = flavors["sklearn"].get("skops_trusted_types") or []
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise ReleaseError(f"'{MLMODEL}' has skops_trusted_types that are not a list of names.")
    more = sorted(set(named) - set(trusted))
    if more:
        raise ReleaseError(
            f"'{MLMODEL}' trusts types that we do not: {', '.join(more[:5])} "
            "(`_trusted_types` in conf/base/catalog_models.yml lists ours)."
        )
    example = tree.get("saved_input_example_info") or {}
    for key in ("artifact_path", "serving_input_path"):
        path = example.get(key) if isinstance(example, dict) else example
        if path is not None and not (isinstance(path, str) and is_component(path)):
            raise ReleaseError(f"'{MLMODEL}' names {path!r} as its example, which is elsewhere.")


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
                    f"'{MLMODEL}' has {name}.{key} {flavor.get(key)!r}; "
                    f"only {fixed[key][0]!r} is allowed."
                )
        elif key not in free:
            raise ReleaseError(f"'{MLMODEL}' has {name}.{key}, which is not allowed.")


def check_archive(content: bytes, trusted: Collection[str]) -> None:
    """Refuse a model file that is no skops archive, or holds types that nobody reviewed.

    Args:
        content: What the file holds.
        trusted: Types that a model may hold beside skops' own.
    """
    import skops.io

    try:
        unknown = set(skops.io.get_untrusted_types(data=content)) - set(trusted)
    except Exception as error:  # a hostile archive makes skops raise anything
        raise ReleaseError(
            f"'{ARCHIVE}' is not a readable skops archive ({type(error).__name__})."
        ) from error
    if unknown:
        raise ReleaseError(
            f"'{ARCHIVE}' holds types that are not trusted: {', '.join(sorted(unknown)[:5])}. "
            "If they belong to your estimator, review them and add them to `_trusted_types` in "
            "conf/base/catalog_models.yml."
        )
