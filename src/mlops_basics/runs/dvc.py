"""Versions of the raw batches with DVC: pushed, pulled, recorded with each run, fetched again.

Kedro versions everything from bronze on; DVC only what comes before it. Reading a version takes a
pointer file (``<source>.dvc``) and no DVC; pushing and pulling call the ``dvc`` command.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import yaml
from pydantic import ValidationError

from mlops_basics.config.extras import install_remedy
from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.safe_text import without_secrets
from mlops_basics.schemas import SourceVersion
from mlops_basics.storage.source_files import check_local_file

_REMOTE = "storage"


def source_version(path: Path) -> SourceVersion | None:
    """What DVC knows of a file or a folder; None where it does not track it.

    ``unchanged`` tells whether the working copy is still what the pointer names: its hash is
    computed anew, as DVC does it (of a folder: MD5 of the sorted list of its files' MD5).
    """
    pointer = _pointer(path)
    if not is_tracked(path):
        return None
    try:
        recorded = str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])
        version = SourceVersion(name=path.name, md5=recorded, unchanged=False)
    except (yaml.YAMLError, KeyError, IndexError, TypeError, ValidationError) as error:
        raise DataError(
            f"{pointer} is not readable as a DVC pointer. Restore it from git, or write it anew: "
            "make data-push"
        ) from error
    try:
        unchanged = _md5_of(path) == recorded
    except OSError:  # a file without rights: the folder is not as it was
        unchanged = False
    return version.model_copy(update={"unchanged": unchanged})


def is_tracked(path: Path) -> bool:
    """Whether a pointer names a version of a file or a folder."""
    return _pointer(path).is_file()


def push(project_path: Path, path: Path, remote: str | None) -> str:
    """Take a version of a source with DVC, and send it to the remote.

    Args:
        project_path: Root of the project; it becomes a DVC repository if it is none.
        path: The source, inside the project.
        remote: Address of the remote; None: the one that is configured already.

    Returns:
        A message that says what was done.

    Raises:
        ConfigurationError: If there is no DVC, no remote, DVC refuses, or the source is not inside
            the project, or is reached by a link.
        DataError: If there is no such source, or what is in it is no file, or cannot be read.
    """
    if not path.exists():
        raise DataError(f"The source {path} does not exist: there is nothing to push.")
    for file in path.rglob("*") if path.is_dir() else [path]:
        if not file.is_dir():
            check_local_file(file)  # DVC would wait for a pipe for ever
    _require_own_files(project_path, path)
    if not (project_path / ".dvc").is_dir():
        scm = [] if (project_path / ".git").exists() else ["--no-scm"]
        _dvc(project_path, "init", "--quiet", *scm)
        _dvc(project_path, "config", "core.analytics", "false")
        _dvc(project_path, "config", "core.autostage", "false")
    if remote is not None:
        _dvc(project_path, "remote", "add", "--quiet", "--force", "--default", _REMOTE, remote)
    elif not _config(project_path).has_option("core", "remote"):
        raise ConfigurationError(
            "There is no remote to push to. Set data_remote in globals.yml, such as "
            "s3://bucket/dvc; credentials come from the usual AWS variables."
        )
    before = source_version(path)
    _dvc(project_path, "add", str(path))  # quiet, it would not say why it refuses
    sent = re.search(r"(\d+) files? pushed", _dvc(project_path, "push", str(_pointer(path))))
    version = source_version(path)
    assert version is not None  # noqa: S101 (it was just added)
    shown, source = (each.relative_to(project_path).as_posix() for each in (_pointer(path), path))
    where = _remote_address(project_path)
    done = f"{sent[1]} objects were sent to {where}" if sent else f"{where} has all of it already"
    if before is not None and before.md5 == version.md5:
        return f"{source} is still version {version.md5}: {done}."
    added = f".dvc {shown} {Path(shown).parent.as_posix()}/.gitignore"
    return (
        f"Pushed {source} as version {version.md5}: {done}. Commit what names it: git add {added}"
    )


def pull(project_path: Path, path: Path) -> str:
    """Bring the version of a source that its pointer names; changed files are not overwritten.

    Returns:
        A message that says what was done.

    Raises:
        ConfigurationError: If there is no DVC or no pointer, or DVC refuses.
    """
    if not is_tracked(path):
        raise ConfigurationError(
            f"{_pointer(path)} does not exist: DVC does not track this source. Take a version of "
            "it first: make data-push"
        )
    # `dvc checkout` without a cache would remove the data; `dvc pull` fetches first.
    _dvc(project_path, "pull", "--quiet", str(_pointer(path)))
    return f"{path.relative_to(project_path).as_posix()} is at the version that its pointer names."


def fetch(project_path: Path, version: SourceVersion, target: Path) -> Path:
    """Bring a version of a source beside the working copy, which stays as it is.

    Args:
        project_path: Root of the project, with DVC's configuration.
        version: Which one.
        target: An empty folder outside of any git repository's rules.

    Returns:
        Path of the file or folder.

    Raises:
        ConfigurationError: If DVC is missing, or has that version neither here nor in the remote.
    """
    own = target / ".dvc"
    own.mkdir(parents=True)
    config = _config(project_path)
    for section in ("core", "cache"):
        if not config.has_section(section):
            config.add_section(section)
    config["core"]["no_scm"] = "true"
    config["core"]["analytics"] = "false"
    config["cache"].setdefault("dir", str((project_path / ".dvc" / "cache").resolve()))
    with (own / "config").open("w", encoding="utf-8") as file:
        config.write(file)
    (target / ".dvcignore").touch()
    pointer = {"outs": [{"md5": version.md5, "hash": "md5", "path": version.name}]}
    name = f"{version.name}.dvc"
    (target / name).write_text(yaml.safe_dump(pointer), encoding="utf-8")
    _dvc(target, "pull", "--quiet", name)
    return target / version.name


def _require_own_files(project_path: Path, path: Path) -> None:
    """Refuse links, in whose place DVC would put copies, and what it does not track."""
    place = path.resolve()
    if not place.is_relative_to(project_path.resolve()):
        where = "" if place == path else f", as it is behind a link ({place})"
        raise ConfigurationError(
            f"The source {path} is not inside the project{where}: DVC versions only what is. Put "
            "the files themselves into data/source, or version them where they are. Nothing was "
            "done."
        )
    for file in (path, *path.rglob("*")):
        if file.is_symlink():
            raise ConfigurationError(
                f"{file} is a link to {file.readlink()}: DVC would put a copy in its place, which "
                "would not follow that file any more. Put the file itself there. Nothing was done."
            )


def _pointer(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")


def _md5_of(path: Path) -> str:
    if path.is_file():
        return _md5(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != ".gitignore")
    listing = [{"md5": _md5(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    listing.sort(key=lambda entry: entry["relpath"].split("/"))
    text = json.dumps(listing, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest()


def _config(project_path: Path) -> configparser.ConfigParser:
    """DVC's configuration of a project; empty where there is none.

    Places in it count from its own folder: they are absolute here, as the configuration of another
    folder is made from it.
    """
    config, folder = configparser.ConfigParser(interpolation=None), project_path / ".dvc"
    config.read([folder / name for name in ("config", "config.local")], "utf-8")
    for section in config.sections():
        option = "dir" if section == "cache" else "url"
        place = config.get(section, option, fallback="")
        if place and "://" not in place:
            config[section][option] = str((folder / place).resolve())
    return config


def _remote_address(project_path: Path) -> str:
    """Of the remote that is pushed to, without user and password."""
    config = _config(project_path)
    section = f"'remote \"{config.get('core', 'remote', fallback=_REMOTE)}\"'"
    return without_secrets(config.get(section, "url", fallback="the remote"))


def _dvc(folder: Path, *arguments: str) -> str:
    """Call DVC; what it said."""
    if find_spec("dvc") is None:
        raise ConfigurationError(f"DVC is not installed. {install_remedy('dvc')}")
    command = [sys.executable, "-m", "dvc", *arguments]
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise ConfigurationError(
            f"dvc {arguments[0]} failed: {' '.join(said[:4]) or 'it says nothing'}. Check that the "
            "remote can be reached (data_remote in globals.yml, AWS variables), then run again."
        )
    return done.stdout
