"""Nodes of a skops schema, read without trust: what is not as skops writes it is a fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlops_basics.storage.npy_file import FileError

Node = dict[str, Any]

_MOST_DEPTH = 100  # nodes within nodes; skops goes down three calls for each
_IDENT = "__id__"
#: Kinds of nodes that are large, and that skops reads by nothing but their number.
_REFERRED = frozenset({"ObjectNode", "DictNode", "ListNode", "TupleNode", "NdArrayNode"})


def children(node: Node) -> Iterator[tuple[Any, Any]]:
    """Where a node holds others: a container and a key, in the order in which skops reads them."""
    loader, content = node.get("__loader__"), node.get("content")
    if loader in ("ObjectNode", "DTypeNode", "ConstructorFromReduceNode", "LossNode", "TreeNode"):
        places: list[tuple[Any, Any]] = [(node, "content"), (node.get("__reduce__"), "args")]
    elif loader in ("DictNode", "PartialNode", "RandomGeneratorNode"):
        places = [(node, "key_types"), *((content, key) for key in content or ())]
    else:
        within = content if isinstance(content, list) else []
        places = [*((within, at) for at in range(len(within))), (node, "shape")]
    for holder, key in places:
        found = holder.get(key) if isinstance(holder, dict) else holder and holder[key]
        if isinstance(found, dict):
            yield holder, key


def with_references(root: Node) -> None:
    """Let each large node that comes again be named by its number alone, in place.

    skops writes out whole whatever an object holds, wherever it holds it: of a model half a
    megabyte for each column of its table. Reading, it takes the first node of a number, whatever
    follows.
    """
    known: set[int] = set()

    def shorten(holder: Any, key: Any) -> None:
        node = holder[key]
        if node[_IDENT] not in known:
            known.add(node[_IDENT])
            for inner, at in list(children(node)):
                shorten(inner, at)
        elif node.get("__loader__") in _REFERRED:
            holder[key] = {_IDENT: node[_IDENT]}

    shorten({"": root}, "")


def without_references(root: Node) -> None:
    """Put the node that is meant where a number stands for it, in place; nothing is copied.

    Raises:
        FileError: If a number stands for no node, or for one that it is part of; or if nodes are
            nested too deep.
    """
    known: dict[int, Node] = {}
    around: set[int] = set()

    def resolve(holder: Any, key: Any, depth: int) -> None:
        node = holder[key]
        ident = node.get(_IDENT)
        if type(ident) is not int or ident < 1:
            raise FileError("holds a node without a number.")
        if depth > _MOST_DEPTH:
            raise FileError(f"is nested more than {_MOST_DEPTH} deep.")
        if len(node) == 1:
            if ident not in known or ident in around:
                raise FileError(f"names the node {ident}, which there is not, or not yet.")
            holder[key] = known[ident]
        elif ident not in known:
            known[ident] = node
            around.add(ident)
            for inner, at in list(children(node)):
                resolve(inner, at, depth + 1)
            around.discard(ident)

    resolve({"": root}, "", 1)


def class_of(node: Any) -> str:
    """Import path of the class that a node names."""
    if not isinstance(node, dict):
        raise FileError("holds a value where a node belongs.")
    module, name = node.get("__module__"), node.get("__class__")
    if not isinstance(module, str) or not isinstance(name, str) or "." in name:
        raise FileError("holds a node without a class.")
    return f"{module}.{name}"


def scalar(node: Any) -> str | int | float | bool | None:
    """The text, number, truth value or None that a node holds."""
    text = node.get("content") if isinstance(node, dict) else None
    if not isinstance(text, str) or node.get("__loader__") != "JsonNode":
        raise FileError("holds something else where a number or a text belongs.")
    if class_of(node) != "builtins.str":
        raise FileError(f"holds a text of the class {class_of(node)[:80]}.")
    value = json.loads(text)
    if isinstance(value, (dict, list)):
        raise FileError("holds a structure where a number or a text belongs.")
    plain: str | int | float | bool | None = value
    return plain


def items(node: Any) -> list[Node]:
    """The nodes in a list, a tuple or a set, or in an array of objects."""
    content = node.get("content") if isinstance(node, dict) else None
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise FileError("holds something else where a list belongs.")
    return content


def content_of(node: Any) -> dict[str, Node]:
    """The nodes in a dictionary, by key."""
    content = node.get("content") if isinstance(node, dict) else None
    is_dict = isinstance(content, dict) and node.get("__loader__") == "DictNode"
    if not is_dict or not all(isinstance(item, dict) for item in content.values()):  # type: ignore[union-attr]
        raise FileError("holds something else where a dictionary belongs.")
    found: dict[str, Node] = content  # type: ignore[assignment]
    return found


def attributes(node: Node) -> dict[str, Node]:
    """The attributes of an object, by name; empty where it has none."""
    content = node.get("content")
    if content is None or (
        isinstance(content, dict)
        and content.get("__loader__") == "JsonNode"
        and content.get("content") == "null"
    ):
        return {}
    if class_of(content) != "builtins.dict":
        raise FileError(f"holds a {class_of(node)[:80]} whose state is no dictionary.")
    return texts_to_nodes(content)


def texts_to_nodes(node: Node) -> dict[str, Node]:
    """The same of a dictionary whose keys are texts: no two of them become one."""
    if any(class_of(kind) != "builtins.str" for kind in items(node.get("key_types"))):
        raise FileError("holds a dictionary whose keys are other than texts.")
    return content_of(node)
