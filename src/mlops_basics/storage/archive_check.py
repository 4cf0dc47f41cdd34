"""What a skops archive may hold: checked before skops, or anything else, makes an object of it.

skops asks of which types an archive is, not what it does with them: a trusted type may be called
with any arguments, an attribute may take the place of a method or speak numpy's protocols (such
as ``__array_interface__``, an address of the process's memory), and arrays may hold indices that
compiled code follows without looking. Here each node has its few forms, and all else is refused.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any

from mlops_basics.errors import DataError
from mlops_basics.safe_text import short_text
from mlops_basics.storage.archive_nodes import (
    Node,
    attributes,
    class_of,
    content_of,
    items,
    scalar,
    without_references,
)
from mlops_basics.storage.archive_ranges import RANGES, TREE_NODE, check_tree
from mlops_basics.storage.npy_file import FileError, NpyFile

SCHEMA = "schema.json"
_PROTOCOL = 2  # of skops; another one would have nodes of other forms

_ARRAY_NAME = re.compile(r"[\w-]{1,80}\.npy", re.ASCII)
_MOST_BYTES = 2 * 2**30
_MOST_SCHEMA_BYTES = 256 * 2**20
_MOST_FILES = 500_000
_MOST_JOBS = 64
_MOST_SHOWN = 800  # characters of what is wrong
_MOST_POOL = 8  # words of a seed; numpy takes 4
#: Bytes that each packed byte may become, beyond the first megabytes; a vocabulary has about 40.
_MOST_RATIO, _ALWAYS_BYTES = 64, 32 * 2**20
#: Bytes of JSON for each value; ours has about 16, and Python takes about 80 for a value.
_LEAST_PER_VALUE, _ALWAYS_VALUES, _MOST_VALUES = 10, 10_000, 12_000_000

_CONTAINERS = {
    "DictNode": "builtins.dict",
    "ListNode": "builtins.list",
    "SetNode": "builtins.set",
    "TupleNode": "builtins.tuple",
}
_KEY_TYPES = {"builtins.str", "builtins.int", "builtins.float", "builtins.bool"}
#: Types that a call with a few plain values makes, which does no more than that.
_VALUE_TYPES = {"datetime.timedelta", "datetime.timezone", "zoneinfo.ZoneInfo"}
_NO_OBJECTS = {"functools.partial", "numpy.dtype"}  # they have nodes of their own
_SCALAR = re.compile(r"numpy\.(u?int|float|complex|bool|str|bytes|datetime|timedelta)[\d_]*")
_LOSS = re.compile(r"sklearn\._loss\._loss\.Cy[A-Za-z]+")
#: Where a function belongs: an attribute of a class, and whose functions.
_FUNCTION_PLACES = {
    ("skrub.selectors._base.Filter", "predicate"): "skrub.",
    ("sklearn.preprocessing._function_transformer.FunctionTransformer", "func"): "",
}
_CHECK_ARRAY = "sklearn.utils.validation.check_array"
_TREE_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_TOKENS = r"(?u)\b\w\w+\b"  # scikit-learn's default; another expression may run for ever


def check_archive(content: bytes, trusted: Collection[str], name: str) -> frozenset[str]:
    """Refuse a model file that is no skops archive of trusted types in their usual forms.

    Nothing of it is made or called. What is accepted loads, and predicts, within this process's
    memory: the indices that compiled code follows were compared with what they lead into.

    Args:
        content: What the file holds.
        trusted: Import paths of the classes and functions that it may hold.
        name: What the file is called in an error.

    Returns:
        Import paths of the classes and functions that it holds.

    Raises:
        DataError: If it is refused; the message is short, whatever the file says.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            _check_files(packed, len(content))
            schema = _read_schema(packed)
            walk = _Walk(packed, trusted)
            walk.check(schema)
            return frozenset(walk.held)
    except FileError as fault:
        raise DataError(f"{name} {short_text(str(fault), _MOST_SHOWN)}") from fault
    except Exception as error:  # whatever a damaged file makes a reader raise
        raise DataError(
            f"{name} is not a readable skops archive ({type(error).__name__})."
        ) from error


def _check_files(packed: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive that would unpack to much more than it is, before anything is unpacked."""
    entries = packed.infolist()
    names = {entry.filename for entry in entries}
    if len(names) < len(entries) or len(entries) > _MOST_FILES:
        raise FileError(f"has {len(entries):,} files in it, some of the same name or too many.")
    for entry in entries:
        if entry.filename != SCHEMA and not _ARRAY_NAME.fullmatch(entry.filename):
            raise FileError(f"has a file {entry.filename[:80]!r} in it, which no model needs.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileError("is packed in a way that no model needs.")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > min(_MOST_BYTES, _ALWAYS_BYTES + _MOST_RATIO * size):
        raise FileError(f"would unpack {size:,} bytes to {unpacked:,}, more than a model needs.")


def _read_schema(packed: zipfile.ZipFile) -> Node:
    if SCHEMA not in packed.namelist():
        raise FileError(f"has no {SCHEMA}: it is not a skops archive.")
    size = packed.getinfo(SCHEMA).file_size
    if size > _MOST_SCHEMA_BYTES:
        raise FileError(f"has a {SCHEMA} of {size:,} bytes, more than a model needs.")
    text = packed.read(SCHEMA)
    values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
    if values > min(size / _LEAST_PER_VALUE + _ALWAYS_VALUES, _MOST_VALUES):
        raise FileError(f"has a {SCHEMA} of {values:,} values, too many for its size.")
    schema = json.loads(text)
    if not isinstance(schema, dict):
        raise FileError(f"has a {SCHEMA} that is no object.")
    return schema


class _Walk:
    """Goes through the nodes of an archive, in the order in which skops would."""

    def __init__(self, packed: zipfile.ZipFile, trusted: Collection[str]) -> None:
        self._packed, self._names = packed, set(packed.namelist())
        self._trusted = frozenset(trusted)
        self.held: set[str] = set()
        self._known: dict[int, Node] = {}
        self._hashes: dict[str, str] = {}
        self._owners: list[dict[str, Node]] = []  # attributes of the objects above, from the root
        self._has_trees = False
        self._predictors: set[int] = set()
        self._checked_predictors: set[int] = set()
        self._kinds: dict[str, Callable[[Node], Iterator[Node]]] = {
            "JsonNode": self._json,
            "DictNode": self._dict,
            "ListNode": self._list,
            "SetNode": self._list,
            "TupleNode": self._list,
            "SliceNode": self._slice,
            "TypeNode": self._type,
            "ObjectNode": self._object,
            "NdArrayNode": self._array,
            "DTypeNode": self._dtype,
            "ConstructorFromReduceNode": self._value,
            "LossNode": self._loss,
            "RandomGeneratorNode": self._generator,
            TREE_NODE: self._tree,
        }

    def check(self, root: Node) -> None:
        """Refuse the archive whose schema this is, if anything in it is not as usual."""
        if type(root.get("protocol")) is not int or root["protocol"] != _PROTOCOL:
            raise FileError("was written by another version of skops: train the model again.")
        plain = {key: value for key, value in root.items() if key != "protocol"}
        plain.pop("_skops_version", None)
        self._root = plain
        without_references(plain)
        self._visit(plain)
        if root["__loader__"] != "ObjectNode" or "predict" not in _behaviour(class_of(root)):
            raise FileError(f"holds a {class_of(root)[:80]}, which predicts nothing.")
        if self._predictors - self._checked_predictors:
            raise FileError("holds a TreePredictor that is no part of a boosting model.")

    def _visit(self, node: Any) -> None:
        if not isinstance(node, dict):
            raise FileError("holds a value where a node belongs.")
        ident = node.get("__id__")
        if type(ident) is not int or ident < 1:
            raise FileError("holds a node without a number.")
        if ident in self._known:  # skops takes the first one, whatever this one says
            self._require_same(ident, node)
            for part in _numbered(node) if self._has_trees else ():
                if part.get("__loader__") == TREE_NODE:  # here it is part of other models
                    check_tree(part, self._npy, self._owners)
            return
        self._known[ident] = node
        loader = node.get("__loader__")
        kind = self._kinds.get(loader) if isinstance(loader, str) else None
        if kind is None:
            if loader in ("FunctionNode", "PartialNode", "MethodNode", "OperatorFuncNode"):
                raise FileError(f"holds a function where none belongs ({class_of(node)[:80]}).")
            raise FileError(f"holds a node of the unknown kind {str(loader)[:60]!r}.")
        wanted = _CONTAINERS.get(str(loader))
        if wanted is not None and class_of(node) != wanted:
            raise FileError(f"holds a {loader} of the class {class_of(node)[:80]}.")
        above = len(self._owners)
        for child in kind(node):
            self._visit(child)
        del self._owners[above:]

    def _json(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content", "is_json")
        scalar(node)
        yield from ()

    def _dict(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content", "key_types")
        content, types = node.get("content"), node.get("key_types")
        if not isinstance(content, dict) or not isinstance(types, dict):
            raise FileError("holds a dictionary without its keys.")
        kinds = items(types)
        if len(kinds) != len(content) or any(
            kind.get("__loader__") != "TypeNode" or class_of(kind) not in _KEY_TYPES
            for kind in kinds
        ):
            raise FileError("holds a dictionary whose keys are of unusual types.")
        yield types
        yield from content.values()

    def _list(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content")
        yield from items(node)

    def _slice(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content")
        ends = node.get("content")
        plain = isinstance(ends, dict) and set(ends) == {"start", "stop", "step"}
        if not plain or not all(type(end) in (int, type(None)) for end in ends.values()):  # type: ignore[union-attr]
            raise FileError("holds a slice that is none.")
        _require_class(node, {"builtins.slice"})
        yield from ()

    def _type(self, node: Node) -> Iterator[Node]:
        _require_keys(node)
        if class_of(node) not in _KEY_TYPES and not _SCALAR.fullmatch(class_of(node)):
            raise FileError(f"names the type {class_of(node)[:80]}, where none belongs.")
        yield from ()

    def _array(self, node: Node) -> Iterator[Node]:
        if class_of(node) != "numpy.ndarray" and not _SCALAR.fullmatch(class_of(node)):
            raise FileError(f"holds an array of the class {class_of(node)[:80]}.")
        if node.get("type") == "numpy":
            _require_keys(node, "type", "file")
            self._npy(node)
            return
        _require_keys(node, "type", "shape", "content")
        values, shape = items(node), node.get("shape")
        if node.get("type") != "json" or class_of(node) != "numpy.ndarray":
            raise FileError("holds an array that is neither numbers nor a list.")
        if not isinstance(shape, dict) or class_of(shape) != "builtins.tuple":
            raise FileError("holds an array without a shape.")
        if [scalar(length) for length in items(shape)] != [len(values)]:
            raise FileError("holds a list that does not have the shape of its array.")
        for value in values:
            scalar(value)
        yield from values
        yield shape

    def _npy(self, node: Node) -> NpyFile:
        """The array that a node of numbers names, whose header fits its size."""
        name = node.get("file")
        if not isinstance(name, str) or name not in self._names or name == SCHEMA:
            raise FileError("holds an array whose file is missing.")
        if name != f"{node['__id__']}.npy":
            # skops reads it once a number: a thousand of one file would be a thousand arrays.
            raise FileError("holds an array that is in the file of another one.")
        return NpyFile(self._packed.read(name))

    def _hash(self, name: str) -> str:
        """Of what a file holds; each is unpacked once, however often it is compared."""
        if name not in self._hashes:
            self._hashes[name] = hashlib.sha256(self._packed.read(name)).hexdigest()
        return self._hashes[name]

    def _dtype(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content")
        _require_class(node, {"numpy.dtype"})
        content = node.get("content")
        if not isinstance(content, dict) or content.get("__loader__") != "NdArrayNode":
            raise FileError("holds a dtype that is none.")
        yield content

    def _value(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content")
        _require_class(node, _VALUE_TYPES)
        self._require_trusted(class_of(node))
        arguments = node.get("content")
        if not isinstance(arguments, dict) or class_of(arguments) != "builtins.tuple":
            raise FileError(f"calls {class_of(node)} with something unusual.")
        for argument in items(arguments):
            if argument.get("__loader__") != "ConstructorFromReduceNode":
                scalar(argument)
        yield arguments

    def _loss(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content", "__reduce__")
        reduced, state = node.get("__reduce__"), node.get("content")
        if not _LOSS.fullmatch(class_of(node)) or not isinstance(reduced, dict):
            raise FileError(f"holds the loss {class_of(node)[:80]}, which is none.")
        arguments = reduced.get("args")
        if set(reduced) != {"args"} or not isinstance(arguments, dict):
            raise FileError("makes a loss in an unusual way.")
        for argument in items(arguments):
            scalar(argument)
        if not isinstance(state, dict) or state.get("content") not in ({}, []):
            raise FileError("holds a loss with an unusual state.")
        yield state
        yield arguments

    def _generator(self, node: Node) -> Iterator[Node]:
        """numpy's own random numbers; the state of others holds an index that is not checked."""
        _require_keys(node, "content")
        _require_class(node, {"numpy.random._generator.Generator"})
        content = node.get("content")
        if not isinstance(content, dict) or set(content) != {"bit_generator", "seed_seq"}:
            raise FileError("holds a random generator in an unusual form.")
        state = content_of(content["bit_generator"])
        if scalar(state.get("bit_generator")) != "PCG64":
            raise FileError("holds a random generator other than PCG64.")
        if (
            type(size := scalar(content_of(content["seed_seq"])["pool_size"])) is not int
            or size > 8
        ):
            raise FileError("holds a random generator with an unusual seed.")
        yield content["bit_generator"]
        yield content["seed_seq"]

    def _object(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content")
        name = class_of(node)
        if name in _VALUE_TYPES or name in _NO_OBJECTS:
            raise FileError(f"holds a {name} in an unusual form.")
        self._require_trusted(name)
        content = node.get("content")
        held = attributes(node)
        _require_attributes(name, held)
        if name == _TREE_PREDICTOR:
            self._predictors.add(node["__id__"])
        check = RANGES.get(name)
        if check is not None:
            self._checked_predictors |= check(held, self._npy)
        if "token_pattern" in held and scalar(held["token_pattern"]) != _TOKENS:
            raise FileError(f"holds a {name} with an expression of its own.")
        if content is None:
            return
        self._owners.append(held)
        if not held:
            yield content  # nothing, or an empty dictionary
            return
        yield content["key_types"]
        # The dictionary itself has a number, too, by which another node may name it.
        self._known.setdefault(content["__id__"], content)
        self._require_same(content["__id__"], content)
        for attribute, value in held.items():
            if value.get("__loader__") in ("FunctionNode", "PartialNode"):
                self._function(name, attribute, value)
            else:
                yield value

    def _function(self, owner: str, attribute: str, node: Node) -> None:
        """Refuse a function as the attribute of an object, unless one belongs there."""
        origin = _FUNCTION_PLACES.get((owner, attribute))
        function = node
        if origin is not None and node["__loader__"] == "PartialNode":
            function = _checked_partial(node)
        name = class_of(function)
        if origin is None or not name.startswith(origin):
            raise FileError(
                f"holds a function where none belongs ({owner}.{attribute}: {name[:80]})."
            )
        _require_keys(function)
        self._require_trusted(name, function=True)
        for part in _numbered(node):
            self._known.setdefault(part["__id__"], part)
            self._require_same(part["__id__"], part)

    def _require_same(self, ident: int, node: Node) -> None:
        if not _same(self._known[ident], node, self._hash, set()):
            raise FileError(f"holds two nodes of the number {ident}, which differ.")

    def _tree(self, node: Node) -> Iterator[Node]:
        _require_keys(node, "content", "__reduce__")
        self._has_trees = True
        self._require_trusted(class_of(node))
        arguments = check_tree(node, self._npy, self._owners)
        yield node["content"]
        yield arguments

    def _require_trusted(self, name: str, *, function: bool = False) -> None:
        if name not in self._trusted:
            more = {_name_of(node) for node in _numbered(self._root)} - self._trusted - {name, ""}
            names = ", ".join(one[:100] for one in [name, *sorted(more)[:4]])
            raise FileError(
                f"holds types that are not trusted: {names}. If they belong to your estimator, "
                "review them and add them to `trusted_types` in globals.yml (ours are "
                "`_trusted_types` in conf/base/catalog_models.yml); steps of your own are trusted "
                "once `features` in globals.yml names them."
            )
        self.held.add(name)
        if isinstance(_named(name), type) is function:
            raise FileError(f"takes {name} for {'a function' if function else 'a class'}.")


def _checked_partial(node: Node) -> Node:
    """The function of scikit-learn's own check of an array, the one partial that is supported."""
    _require_keys(node, "content")
    _require_class(node, {"functools.partial"})
    parts = node.get("content")
    if not isinstance(parts, dict) or set(parts) != {"func", "args", "kwds", "namespace"}:
        raise FileError("holds a partial function in an unusual form.")
    named = content_of(parts["kwds"])
    usual = class_of(parts["func"]) == _CHECK_ARRAY and set(named) <= {"dtype", "ensure_all_finite"}
    if not usual or items(parts["args"]) or parts["namespace"].get("content") not in ("null", {}):
        raise FileError("holds a partial function other than a check of an array.")
    kinds = items(named["dtype"]) if "dtype" in named else []
    if any(class_of(kind) not in ("numpy.float64", "numpy.object_") for kind in kinds):
        raise FileError("holds a check of an array for unusual types.")
    if "ensure_all_finite" in named:
        scalar(named["ensure_all_finite"])
    function: Node = parts["func"]
    if function.get("__loader__") != "FunctionNode":
        raise FileError("holds a partial function of something that is none.")
    return function


def _numbered(root: Any) -> Iterator[Node]:
    """A node and all below it that have a number, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            if "__id__" in node and type(node["__id__"]) is int:
                yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _name_of(node: Node) -> str:
    """The class of an object, or the function, that has to be trusted; otherwise nothing."""
    named = node.get("__loader__") in ("ObjectNode", "FunctionNode", "ConstructorFromReduceNode")
    return class_of(node) if named else ""


def _require_keys(node: Node, *own: str) -> None:
    more = set(node) - {"__class__", "__module__", "__loader__", "__id__", *own}
    if more:
        raise FileError(f"holds a {str(node['__loader__'])[:40]} with {sorted(more)[0][:40]!r}.")


def _require_class(node: Node, classes: Collection[str]) -> None:
    if class_of(node) not in classes:
        raise FileError(
            f"holds a {str(node['__loader__'])[:40]} of the class {class_of(node)[:80]}."
        )


def _require_attributes(name: str, held: dict[str, Node]) -> None:
    """Refuse attributes that would take the place of what a class does, or start processes."""
    taken = _behaviour(name)
    for attribute in held:
        if attribute.startswith("__") or not attribute.isidentifier() or attribute in taken:
            raise FileError(f"holds a {name} with {attribute[:60]!r} as an attribute.")
    for attribute, allowed in (("n_jobs", range(-1, _MOST_JOBS + 1)), ("memory", ())):
        value = scalar(held[attribute]) if attribute in held else None
        if value is not None and (type(value) is not int or value not in allowed):
            raise FileError(f"holds a {name} with an unusual {attribute}.")


@lru_cache(maxsize=1000)
def _behaviour(name: str) -> frozenset[str]:
    """Names of the methods and the like of a class, which no attribute may hide.

    A property, or another descriptor that can be set, is not hidden by an attribute.
    """
    found: Any = _named(name)
    members = {key: value for base in reversed(found.__mro__) for key, value in vars(base).items()}
    return frozenset(
        key
        for key, value in members.items()
        if callable(value) or (hasattr(value, "__get__") and not hasattr(value, "__set__"))
    )


@lru_cache(maxsize=1000)
def _named(name: str) -> Any:
    """What a trusted name stands for."""
    module, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), last)
    except (ImportError, AttributeError) as error:
        raise FileError(
            f"needs {name}, which cannot be imported here ({error}). Install its package, as the "
            "model's requirements.txt names it; a package of your own belongs into src."
        ) from error


def _same(
    first: Any, second: Any, hash_of: Callable[[str], str], compared: set[tuple[int, int]]
) -> bool:
    """Whether two nodes say the same, whatever the numbers of what they hold.

    Args:
        first, second: Nodes, or values in them.
        hash_of: Gives the hash of a file that a node names.
        compared: What has been compared before; a node may be in several places.
    """
    if first is second or (id(first), id(second)) in compared:
        return True
    if isinstance(first, dict) and isinstance(second, dict):
        compared.add((id(first), id(second)))
        return set(first) == set(second) and all(
            key == "__id__"
            or _same(value, second[key], hash_of, compared)
            or (key == "file" and hash_of(value) == hash_of(second[key]))
            for key, value in first.items()
        )
    if isinstance(first, list) and isinstance(second, list):
        compared.add((id(first), id(second)))
        return len(first) == len(second) and all(
            _same(one, other, hash_of, compared) for one, other in zip(first, second, strict=True)
        )
    return type(first) is type(second) and bool(first == second)
