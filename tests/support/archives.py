"""Skops archives whose schema or arrays a test changes, as a hostile hand would."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

Node = dict[str, Any]


def boosting_archive(*, categories: bool = True, classes: int = 2) -> bytes:
    """A small boosting model in a pipeline, with a preprocessor for categories or without."""
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline

    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(90, 3)), columns=list("abc"))
    target = np.arange(90) % classes
    if categories:
        table["colour"] = pd.Categorical(np.where(target == 0, "red", "blue"))
    model = HistGradientBoostingClassifier(
        max_iter=2, categorical_features="from_dtype", random_state=0
    )
    return skops.io.dumps(Pipeline([("estimator", model)]).fit(table, target))


def linear_archive() -> bytes:
    """A small linear model that reads text and a category."""
    import skops.io
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    table = pd.DataFrame(
        {"text": ["a red one", "a blue one", "two more"] * 4, "c": list("xyz") * 4}
    )
    encoder = ColumnTransformer(
        [
            ("text", TfidfVectorizer(), "text"),
            ("category", OneHotEncoder(drop="first", sparse_output=False), ["c"]),
        ]
    )
    steps = [("encoder", encoder), ("estimator", LogisticRegression())]
    return skops.io.dumps(Pipeline(steps).fit(table, [0, 1] * 6))


def forest_archive() -> bytes:
    """A small forest."""
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    rows = np.random.default_rng(0).normal(size=(40, 3))
    return skops.io.dumps(RandomForestClassifier(2, random_state=0).fit(rows, [0, 1] * 20))


def changed(archive: bytes, change: Callable[[Node], None]) -> bytes:
    """The archive with its schema changed in place."""
    files = unpacked(archive)
    schema = json.loads(files["schema.json"])
    change(schema)
    files["schema.json"] = json.dumps(schema, indent=2).encode()
    return packed(files)


def with_array(archive: bytes, find: Callable[[Node], Node], change: Callable[[Any], Any]) -> bytes:
    """The archive with another array in the place of one.

    Args:
        archive: The archive.
        find: The array's node, from the schema.
        change: Gives the array to write, from the one that is there; or changes that in place.
    """
    files = unpacked(archive)
    name = find(json.loads(files["schema.json"]))["file"]
    array = np.load(io.BytesIO(files[name]))
    result = change(array)
    target = io.BytesIO()
    np.save(target, array if result is None else result)
    files[name] = target.getvalue()
    return packed(files)


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Content by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of some files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return target.getvalue()


def nodes(tree: Any) -> Iterator[Node]:
    """All nodes of a schema, in their order."""
    if isinstance(tree, dict):
        if "__loader__" in tree:
            yield tree
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes(value)


def find(schema: Node, name: str, with_attribute: str = "") -> dict[str, Node]:
    """Attributes of the first object of a class (that has an attribute)."""
    for node in nodes(schema):
        if node["__loader__"] == "ObjectNode" and node["__class__"] == name:
            held = (node.get("content") or {}).get("content")
            if isinstance(held, dict) and (not with_attribute or with_attribute in held):
                return held
    raise LookupError(name)


def value(content: Any, number: int = 1_000_001) -> Node:
    """A node of a number, a text or None."""
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(content),
        "is_json": True,
        "__id__": number,
    }


def node(loader: str, name: str, number: int = 1_000_002, **more: Any) -> Node:
    """A node of another kind."""
    module, _, last = name.rpartition(".")
    return {
        "__class__": last,
        "__module__": module,
        "__loader__": loader,
        "__id__": number,
        **more,
    }
