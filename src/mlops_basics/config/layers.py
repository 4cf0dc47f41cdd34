"""The configuration of a project that is built on this package: ours below, its own on top."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework import project
from omegaconf import OmegaConf

_THIS = __name__.partition(".")[0]


def package_conf() -> Path:
    """The folder ``conf`` of this package: inside of it where it is installed, else the checkout's.

    ``setup.py`` puts it there.
    """
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def is_built_on_this() -> bool:
    """Whether the project is one of its own that depends on this package, not this one itself."""
    return project.PACKAGE_NAME not in (None, _THIS)


def conf_folders(conf: Path) -> list[Path]:
    """What configures a project, the lowest first: ours, where it is built on this, and its own.

    Args:
        conf: Its own.
    """
    return [package_conf(), conf] if is_built_on_this() else [conf]


class LayeredConfigLoader(OmegaConfigLoader):
    """Reads each environment of conf/, and below it the one of the same name in this package.

    What a project states replaces what stands here: a catalog entry as a whole, anything else key
    by key. So a project states only what differs, and a newer version of this package brings its
    configuration along. This project itself has nothing below: its conf/ is what others build on.
    """

    def _read_dir_configs(
        self,
        conf_path: str,
        patterns: Iterable[str],
        key: str,
        processed_files: set[Path],
        read_environment_variables: bool | None = False,
    ) -> dict[Path, Any]:
        patterns = list(patterns)
        own_folder = Path(conf_path)
        below = {
            file: OmegaConf.load(file)
            for folder in conf_folders(own_folder.parent)[:-1]
            for file in _files(folder / own_folder.name, patterns)
        }
        try:
            own: dict[Path, Any] = super()._read_dir_configs(
                conf_path, patterns, key, processed_files, read_environment_variables
            )
        except MissingConfigException:
            if not below:
                raise
            own = {}
        if key == "catalog":
            replaced = {name for config in own.values() for name in config}
            for config in below.values():
                for name in replaced & set(config):
                    del config[name]
        processed_files.update(below)
        return below | own


def _files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    found = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    return sorted(found)
