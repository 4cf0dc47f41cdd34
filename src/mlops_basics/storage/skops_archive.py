"""A skops archive: made reproducible and small, and loaded without trust.

skops names objects by their memory address, stamps files with the time of day and does not
compress; the same fitted model would get other bytes on each save, and a text vocabulary of a
few thousand n-grams would take ten megabytes of JSON.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING

from mlops_basics.errors import DataError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MODEL_FILE = "model.skops"
_SCHEMA = "schema.json"
_ADDRESS = re.compile(r'("__id__": |"file": ")(\d+)')
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
        schema = _ADDRESS.sub(renumber, source.read(_SCHEMA).decode())
        files = {_SCHEMA: schema.encode()}
        for name in source.namelist():
            if name != _SCHEMA:
                stem, dot, suffix = name.partition(".")
                files[numbers.get(stem, stem) + dot + suffix] = source.read(name)
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
        trusted_types: Import paths that it may hold beside skops' own list.
        name: What the file is called in an error.

    Raises:
        DataError: If it holds any other type.
    """
    import skops.io

    unknown = set(skops.io.get_untrusted_types(data=content)) - set(trusted_types)
    if unknown:
        raise DataError(
            f"The model {name} holds types that are not trusted: {', '.join(sorted(unknown))}. "
            "If they belong to your estimator, review them and add them to `_trusted_types` "
            "in conf/base/catalog_models.yml."
        )
    return skops.io.loads(content, trusted=trusted_types)
