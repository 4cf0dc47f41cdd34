"""``kedro sample``: real tables that installed packages carry."""

from .command import FOLDER, SAMPLES, write_sample

__all__ = ["FOLDER", "SAMPLES", "write_sample"]
