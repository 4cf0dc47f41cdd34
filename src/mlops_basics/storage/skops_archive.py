"""A skops archive: made reproducible and small, and loaded without trust.

skops names objects by their memory address, stamps files with the time of day, writes an object
again wherever it is held, and does not compress; the same fitted model would get other bytes on
each save, and half a megabyte of JSON for each column of its table.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

from mlops_basics.errors import DataError
from mlops_basics.safe_text import short_text
from mlops_basics.storage.archive_check import SCHEMA, check_archive
from mlops_basics.storage.archive_nodes import with_references

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MODEL_FILE = "model.skops"
_ADDRESS = re.compile(r'("__id__":|"file":")(\d+)')
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip archive can hold


def canonical_archive(archive: bytes) -> bytes:
    """The same archive with objects numbered by appearance, without times, compressed.

    Args:
        archive: Content of a ``.skops`` file.

    Returns:
        Content of an equivalent ``.skops`` file that depends on the saved object alone.
    """
    numbers: dict[str, str] = {}

    def renumber(match: re.Match[str]) -> str:
        return match[1] + numbers.setdefault(match[2], str(len(numbers) + 1))

    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        schema = json.loads(source.read(SCHEMA))
        with_references(schema)
        text = _ADDRESS.sub(renumber, json.dumps(schema, separators=(",", ":")))
        files = {SCHEMA: text.encode()}
        for name in source.namelist():
            stem, dot, suffix = name.partition(".")
            if stem in numbers:  # others are of nodes that are written once now
                files[numbers[stem] + dot + suffix] = source.read(name)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, files[name])
    return target.getvalue()


def load_model(content: bytes, trusted_types: list[str], name: str) -> Pipeline:
    """Load a pipeline from the bytes of a skops file, executing nothing that is not trusted.

    Args:
        content: The file.
        trusted_types: Import paths of the classes and functions that it may hold.
        name: What the file is called in an error.

    Raises:
        DataError: If it holds anything else, or cannot be loaded.
    """
    check_archive(content, trusted_types, f"The model {name}")
    return load_checked(content, trusted_types, f"The model {name}")


def load_checked(content: bytes, trusted_types: list[str], name: str) -> Pipeline:
    """The pipeline of a file that ``check_archive`` has passed.

    Raises:
        DataError: If it cannot be loaded all the same: its libraries are others, say.
    """
    import skops.io

    try:
        return skops.io.loads(content, trusted=trusted_types)
    except Exception as error:  # of whatever library the model is made with
        raise DataError(
            f"{name} cannot be loaded ({type(error).__name__}: {short_text(str(error), 200)})."
        ) from error
