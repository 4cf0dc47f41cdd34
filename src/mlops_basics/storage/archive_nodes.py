"""Nodes of a skops schema, read without trust: what is not as skops writes it is a fault."""

from __future__ import annotations

import json
from typing import Any

from mlops_basics.storage.npy_file import FileError

Node = dict[str, Any]


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
