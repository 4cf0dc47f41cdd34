"""Feeds mutated releases to their readers; run as a process, since a mistake may end it.

    python -m tests.support.fuzz SEED COUNT

Prints how many of each kind were refused and how many were accepted. Whatever is not an error of
ours leaves a traceback and an exit code above 0; a limit of memory stands for a machine's.
"""

from __future__ import annotations

import collections
import io
import json
import random
import resource
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mlops_basics.errors import MlopsError, ReleaseError
from mlops_basics.production.release_check import check_archive, check_mlmodel, parse_manifest
from mlops_basics.storage.skops_archive import load_checked
from tests.support.archives import boosting_archive, linear_archive, nodes, packed, unpacked
from tests.support.fitted import TRUSTED
from tests.support.releases import NAME, make_manifest

MOST_MEMORY = 3 * 2**30
MOST_WORDS = 2_000  # characters of an error
ROWS = pd.DataFrame(
    {
        "a": [0.0, np.nan, 1e9],
        "b": [0.0, -1.0, 1.0],
        "c": list("xyz"),
        "text": ["a red one", "", "blue"],
        "colour": pd.Categorical(["red", "blue", "red"]),
    }
)
NASTY: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, float("nan"), float("inf"), "", "x", "numpy", "[]",
    "null", "1e999", "-1", "2147483648", '"__array_interface__"', "builtins", "os", "eval",
    "functools", "partial", "check_array", "sklearn.utils.validation", "ndarray", "dtype", "list",
    "JsonNode", "ListNode", "DictNode", "ObjectNode", "TypeNode", "FunctionNode", "PartialNode",
    "ConstructorFromReduceNode", "NdArrayNode", "CachedNode", "MethodNode", "TreeNode", "LossNode",
    "RandomStateNode", "SparseMatrixNode", "BytesNode", "schema.json", [], {}, [[]], "a" * 5000,
]  # fmt: skip
KEYS = [
    "__array_interface__", "__class__", "__reduce__", "__setstate__", "predict", "content", "file",
    "n_features_in_", "_in_fit", "nodes", "classes_", "_predictors", "is_json", "shape",
]  # fmt: skip


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree of dictionaries and lists: a container, and a key or an index."""
    found: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        holder = stack.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                stack.append(holder[key])
    return found


def mutate_tree(tree: Any, rng: random.Random) -> None:
    """Change one to three places: another value, another place's value, gone, or renamed."""
    for _ in range(rng.randint(1, 3)):
        everywhere = places(tree)
        if not everywhere:
            return
        holder, key = rng.choice(everywhere)
        kind = rng.randrange(5)
        if kind == 0:
            holder[key] = rng.choice(NASTY)
        elif kind == 1:
            other, name = rng.choice(everywhere)
            holder[key] = json.loads(json.dumps(other[name]))
        elif kind == 2:
            del holder[key]
        elif kind == 3 and isinstance(holder, dict):
            holder[rng.choice(KEYS)] = holder[key]
        elif isinstance(holder, list):
            holder.insert(key, holder[key])


def mutate_array(content: bytes, rng: random.Random) -> bytes:
    """Change elements of an array, its shape, its type, or single bytes of its file."""
    kind = rng.randrange(4)
    try:
        array = np.load(io.BytesIO(content))
    except ValueError:
        return content
    if kind == 0 or not array.size:
        return mutate_bytes(content, rng)
    if kind == 1 and array.dtype.names:
        field = rng.choice(array.dtype.names)
        with np.errstate(all="ignore"):
            array[field][rng.randrange(array.size)] = np.array(rng.randrange(2**31)).astype(
                array.dtype[field]
            )
    elif kind == 1:
        array = array[: rng.randrange(array.size)] if array.ndim else array
    elif kind == 2 and array.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            array.flat[rng.randrange(array.size)] = np.array(
                rng.choice([0, -1, 2**31, 2**62])
            ).astype(array.dtype)
    elif array.dtype.names or rng.random() < 0.5:
        array = array.reshape(1, *array.shape)
    else:
        array = array.astype("S8")
    target = io.BytesIO()
    np.save(target, array)
    return target.getvalue()


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Change, cut off or repeat some bytes."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(changed) + 1) if changed else 0
        kind = rng.randrange(4)
        if kind == 0 and place < len(changed):
            changed[place] = rng.randrange(256)
        elif kind == 1:
            del changed[place : place + rng.randrange(64)]
        elif kind == 2:
            changed[place:place] = changed[: rng.randrange(64)]
        elif kind == 3 and rng.random() < 0.1:
            del changed[place:]
    return bytes(changed)


def mutated_archive(archive: bytes, rng: random.Random) -> bytes:
    """Its schema, its arrays or its bytes are others."""
    kind = rng.randrange(8)
    if kind == 0:
        return mutate_bytes(archive, rng)
    files = unpacked(archive)
    if kind < 4:
        name = rng.choice([name for name in files if name != "schema.json"])
        files[name] = mutate_array(files[name], rng)
    else:
        schema = json.loads(files["schema.json"])
        mutate_tree(schema, rng)
        if rng.random() < 0.5:  # so that fewer fail for their numbers alone
            for number, node in enumerate(nodes(schema)):
                node.setdefault("__id__", number + 1)
        files["schema.json"] = json.dumps(schema, indent=2).encode()
    return packed(files)


def try_archive(archive: bytes) -> None:
    """Check a model, load it, and let it predict; what it raises then is told by the caller."""
    check_archive(archive, TRUSTED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = load_checked(archive, TRUSTED, "It")
        try:
            model.predict(ROWS)
            model.predict_proba(ROWS)
        except Exception as error:
            raise ReleaseError(f"It fails ({type(error).__name__}).") from error


def main(seed: int, count: int) -> None:
    """Try so many, a tenth of them manifests and a tenth MLmodels."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    archives = [boosting_archive(), boosting_archive(categories=False), linear_archive()]
    for archive in archives:
        check_archive(archive, TRUSTED)
    manifest = json.loads(make_manifest().model_dump_json())
    manifest["files"] = {
        name: {"sha256": "0" * 64, "size": 1}
        for name in ("model/MLmodel", "model/model.skops", "table_info.json")
    }
    mlmodel = {
        "flavors": {
            "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.skops"},
            "sklearn": {"pickled_model": "model.skops", "serialization_format": "skops"},
        }
    }
    parse_manifest(json.dumps(manifest).encode(), NAME, "1")
    check_mlmodel(yaml.safe_dump(mlmodel).encode(), [])
    rng = random.Random(seed)  # noqa: S311 (no secret)
    counts: collections.Counter[str] = collections.Counter()

    def attempt(kind: str, read: Callable[[bytes], object], content: bytes) -> None:
        try:
            read(content)
            counts[f"{kind} accepted"] += 1
        except MlopsError as error:
            if len(str(error)) > MOST_WORDS:
                raise RuntimeError(f"an endless error: {str(error)[:300]}") from error
            counts[f"{kind} refused"] += 1
        except BaseException:
            print(f"seed {seed}, {kind} after {dict(counts)}", file=sys.stderr)
            raise

    def text_of(tree: Any, write: Callable[[Any], str]) -> bytes:
        copy = json.loads(json.dumps(tree))
        mutate_tree(copy, rng)
        content = write(copy).encode()
        return mutate_bytes(content, rng) if rng.random() < 0.5 else content

    for number in range(count):
        if number % 10 == 0:
            content = text_of(manifest, json.dumps)
            attempt("manifest", lambda given: parse_manifest(given, NAME, "1"), content)
        elif number % 10 == 1:
            attempt("MLmodel", lambda given: check_mlmodel(given, []), text_of(mlmodel, dump))
        else:
            attempt("archive", try_archive, mutated_archive(rng.choice(archives), rng))
    print(json.dumps(counts))


def dump(tree: Any) -> str:
    """As YAML."""
    return str(yaml.safe_dump(tree))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
