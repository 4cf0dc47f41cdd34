"""Real tables that installed packages carry, written as the files a user would have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mlops_basics.errors import ConfigurationError

from .flights import by_month, shipped, with_known_before

FOLDER = Path("data/source")
#: Of the flights. The last month is what comes after the first release.
LAST_MONTH, FLIGHTS_A_MONTH = 12, 3_600


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
    write, use = SAMPLES[name]
    return f"Wrote {write(folder)}. Use it by: {use}"


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


def _flights(months: Callable[[int], bool]) -> Callable[[Path], Path]:
    """One CSV file a month, as an airline would deliver them."""

    def write(folder: Path) -> Path:
        table = with_known_before(shipped("flights.csv.zip"), shipped("weather.csv"))
        path = folder / "flights"
        chosen = by_month(table[table["month"].map(months)], FLIGHTS_A_MONTH)
        _write({path / f"{name}.csv": rows for name, rows in chosen.items()})
        return path

    return write


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


#: By name: what writes it, and the command that uses it.
SAMPLES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "breast_cancer": (
        _sklearn_table("load_breast_cancer", "diagnosis"),
        "kedro run --env breast_cancer",
    ),
    "diabetes": (_sklearn_table("load_diabetes", "progression"), "kedro run --env diabetes"),
    "flights": (_flights(lambda month: month < LAST_MONTH), "kedro run --env flights"),
    "flights_december": (_flights(lambda month: month == LAST_MONTH), "kedro ct --env flights"),
}
