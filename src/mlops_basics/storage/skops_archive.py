"""Makes a skops archive reproducible and small.

skops names objects by their memory address, stamps files with the time of day and does not
compress; the same fitted model would get other bytes on each save, and a text vocabulary of a
few thousand n-grams would take ten megabytes of JSON.
"""

from __future__ import annotations

import io
import re
import zipfile

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
