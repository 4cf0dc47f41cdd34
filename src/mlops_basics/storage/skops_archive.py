"""A skops archive: made reproducible and small, and loaded without trust.

skops names objects by their memory address, stamps files with the time of day, writes an object
again wherever it is held, and does not compress; the same fitted model would get other bytes on
each save, and half a megabyte of JSON, and as much work, for each column of its table.
"""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlops_basics.errors import DataError
from mlops_basics.safe_text import short_text
from mlops_basics.storage.archive_check import SCHEMA, check_archive
from mlops_basics.storage.archive_nodes import Node, with_references

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MODEL_FILE = "model.skops"
_ADDRESS = re.compile(r'("__id__":|"file":")(\d+)')
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip archive can hold
#: skops' own functions that make the nodes which a number may stand for.
_SHARED = frozenset(f"{kind}_get_state" for kind in ("object", "dict", "list", "tuple", "ndarray"))
_ONE_AT_A_TIME = threading.Lock()


def model_archive(model: Any) -> bytes:
    """A model as a ``.skops`` file that depends on the model alone: two equal fits, equal bytes.

    Objects are numbered by appearance and written once, files have no times and are compressed.

    Args:
        model: A fitted pipeline, or whatever skops can write.

    Returns:
        Content of a file that ``skops.io.loads`` takes.
    """
    import skops
    from skops.io._utils import SaveContext

    arrays = io.BytesIO()
    with zipfile.ZipFile(arrays, "w") as written:
        context = SaveContext(zip_file=written)
        with _each_object_once(context) as node_of:
            schema = node_of(model, context)
        schema |= {"protocol": context.protocol, "_skops_version": skops.__version__}
        with_references(schema)
        text = json.dumps(schema, separators=(",", ":"))
    numbers: dict[str, str] = {}

    def renumber(match: re.Match[str]) -> str:
        return match[1] + numbers.setdefault(match[2], str(len(numbers) + 1))

    files = {SCHEMA: _ADDRESS.sub(renumber, text).encode()}
    target = io.BytesIO()
    with (
        zipfile.ZipFile(arrays) as written,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed,
    ):
        for name in written.namelist():
            stem, dot, suffix = name.partition(".")
            if stem in numbers:  # others are of nodes that are written once now
                files[numbers[stem] + dot + suffix] = written.read(name)
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, files[name])
    return target.getvalue()


@contextmanager
def _each_object_once(context: Any) -> Iterator[Any]:
    """While it lasts, skops makes one node of an object, wherever it is held.

    skops has left that for later (a comment in its ``get_state`` says so): each of a table's
    columns holds what all share, and is held in several places. A node of another kind than those
    of ``with_references`` is written whole wherever it is, with what it holds.

    Yields:
        The function that makes the node of an object.
    """
    from skops.io import _utils

    nodes: dict[int, Node] = {}
    whole = 0

    def make(value: Any, given: Any) -> Node:
        nonlocal whole
        node: Node
        if given is not context:  # another thread's
            node = own(value, given)
            return node
        shared = not whole and own.dispatch(type(value)).__name__ in _SHARED
        if shared and id(value) in nodes:  # as long as the context holds it, the number is its own
            return nodes[id(value)]
        whole += not shared
        try:
            node = own(value, given)
        finally:
            whole -= not shared
        if isinstance(node.get("content"), tuple):
            node["content"] = list(node["content"])  # as JSON has it
        if shared:
            nodes[id(value)] = node
        return node

    with _ONE_AT_A_TIME:
        own = _utils._get_state
        _utils._get_state = make
        try:
            yield _utils.get_state
        finally:
            _utils._get_state = own


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
