"""Ranges of what compiled code follows without looking, for each class that has such arrays.

A number out of its range makes the process read, or write, memory that is not its own. Each check
reads the nodes of one object, and the arrays that they name; what it demands is what scikit-learn
itself makes when it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_basics.storage.archive_nodes import (
    Node,
    attributes,
    class_of,
    content_of,
    items,
    scalar,
    texts_to_nodes,
)
from mlops_basics.storage.npy_file import FileError, NpyFile

Attributes = dict[str, Node]
ReadArray = Callable[[Node], NpyFile]

TREE_NODE = "TreeNode"
_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"
_ENCODERS = "sklearn.preprocessing._encoders"
_BITSET_WORDS = 8  # of 32 bits: 256 categories
_LEAF = -1
_LEAST_PER_TREE = 2  # steps of the preprocessor: categories first, then numbers


def check_boosting(held: Attributes, read: ReadArray) -> set[int]:
    """Trees that lead nowhere but into themselves, and look at features that there are.

    Args:
        held: Attributes of a histogram gradient boosting model.
        read: Gives the array that a node names.

    Returns:
        Numbers of the nodes of its trees.
    """
    if "_predictors" not in held:
        return set()  # not fitted
    if "_in_fit" in held:
        raise FileError("holds a boosting model in the middle of its fit.")
    mapper = attributes(held["_bin_mapper"])
    _require_name(held["_bin_mapper"], f"{_BOOSTING}.binning._BinMapper")
    categorical = _flags(read(_array_node(mapper["is_categorical_"])))
    width = _width(held, read)
    if len(categorical) != width or len(items(mapper["bin_thresholds_"])) != width:
        raise FileError(f"holds a boosting model of {len(categorical)} features that gets {width}.")
    trees = [items(iteration) for iteration in items(held["_predictors"])]
    per_iteration = scalar(held["n_trees_per_iteration_"])
    if type(per_iteration) is not int or any(len(one) != per_iteration for one in trees):
        raise FileError("holds a boosting model with too many or too few trees.")
    for tree in (tree for one in trees for tree in one):
        _require_name(tree, f"{_BOOSTING}.predictor.TreePredictor")
        _check_predictor(attributes(tree), categorical, read)
    return {tree["__id__"] for one in trees for tree in one}


def _width(held: Attributes, read: ReadArray) -> int:
    """How many features the trees get: as many as the model, or as its preprocessor makes."""
    preprocessor = held["_preprocessor"]
    features = scalar(held["n_features_in_"])
    if type(features) is not int:
        raise FileError("holds a boosting model of an unknown number of features.")
    if preprocessor.get("__loader__") == "JsonNode":
        if scalar(preprocessor) is not None:
            raise FileError("holds a boosting model with an unusual preprocessor.")
        return features
    _require_name(preprocessor, "sklearn.compose._column_transformer.ColumnTransformer")
    parts = attributes(preprocessor)
    indices = content_of(parts["_transformer_to_input_indices"])
    if scalar(parts["n_features_in_"]) != features or scalar(parts["transformer_weights"]):
        raise FileError("holds a boosting model with an unusual preprocessor.")
    wanted = {
        "encoder": f"{_ENCODERS}.OrdinalEncoder",
        "numerical": "sklearn.preprocessing._function_transformer.FunctionTransformer",
    }
    width = 0
    for part, (step, expected) in zip(
        items(parts["transformers_"])[:_LEAST_PER_TREE], wanted.items(), strict=True
    ):
        name, transformer, columns = items(part)
        mask = _flags(read(_array_node(columns)))
        chosen = [scalar(index) for index in items(indices[step])]
        if scalar(name) != step or class_of(transformer) != expected:
            raise FileError("holds a boosting model with an unusual preprocessor.")
        if len(mask) != features or chosen != np.flatnonzero(mask).tolist():
            raise FileError("holds a boosting model whose preprocessor takes other columns.")
        width += len(chosen)
    return width


def _check_predictor(held: Attributes, categorical: npt.NDArray[Any], read: ReadArray) -> None:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    if set(held) != {"nodes", "binned_left_cat_bitsets", "raw_left_cat_bitsets"}:
        raise FileError("holds a TreePredictor with other attributes than its arrays.")
    nodes = _vector(read(_array_node(held["nodes"])), PREDICTOR_RECORD_DTYPE)
    bitsets = [read(_array_node(held[name])) for name in sorted(held) if name != "nodes"]
    for one in bitsets:
        if one.dtype != np.uint32 or len(one.shape) != 2 or one.shape[1] != _BITSET_WORDS:
            raise FileError("holds a TreePredictor whose sets of categories have an unusual form.")
    inner = ~nodes["is_leaf"].astype(bool)
    _require_children(nodes["left"], nodes["right"], inner)
    chosen = nodes["feature_idx"][inner]
    splits = nodes["is_categorical"][inner].astype(bool)
    if not _within(chosen, len(categorical)) or not categorical[chosen[splits]].all():
        raise FileError("holds a tree that looks at a feature that there is not.")
    if not _within(nodes["bitset_idx"][inner][splits], min(one.shape[0] for one in bitsets)):
        raise FileError("holds a tree that looks at a set of categories that there is not.")


def check_tree(node: Node, read: ReadArray, owners: Sequence[Attributes]) -> Node:
    """The same of a tree of a forest, or of a single one.

    Args:
        node: Of a ``sklearn.tree._tree.Tree``.
        read: Gives the array that a node names.
        owners: Attributes of the objects that it is part of; each takes as many features as it.

    Returns:
        The node of the arguments that it is made with.
    """
    from sklearn.tree._tree import NODE_DTYPE

    _require_name(node, "sklearn.tree._tree.Tree")
    reduced = node.get("__reduce__")
    if not isinstance(reduced, dict) or set(reduced) != {"args"}:
        raise FileError("makes a tree in an unusual way.")
    features_node, classes_node, outputs_node = items(reduced["args"])
    features, outputs = scalar(features_node), scalar(outputs_node)
    classes = _vector(read(_array_node(classes_node)), np.intp)
    state = content_of(node.get("content"))
    if not {"node_count", "nodes", "values"} <= set(state):
        raise FileError("holds a tree with an unusual state.")
    nodes, values = read(_array_node(state["nodes"])), read(_array_node(state["values"]))
    count = scalar(state["node_count"])
    if type(features) is not int or type(count) is not int or len(classes) != outputs:
        raise FileError("holds a tree with an unusual state.")
    if len(classes) == 0 or classes.min() < 1 or nodes.shape != (count,) or not count:
        raise FileError("holds a tree with an unusual state.")
    if values.shape != (count, outputs, int(classes.max())) or values.dtype != np.float64:
        raise FileError("holds a tree whose values have another shape than its nodes.")
    records = _vector(nodes, NODE_DTYPE)
    inner = records["left_child"] != _LEAF
    _require_children(records["left_child"], records["right_child"], inner)
    if not _within(records["feature"][inner], features):
        raise FileError("holds a tree that looks at a feature that there is not.")
    taken = [scalar(held["n_features_in_"]) for held in _nearest(owners)]
    if not taken or any(one != features for one in taken):
        raise FileError("holds a tree of other features than the model that it is part of.")
    arguments: Node = reduced["args"]
    return arguments


def _nearest(owners: Sequence[Attributes]) -> list[Attributes]:
    """Those of the owners that hand their features on as they are: not pipelines and the like."""
    handing = []
    for held in reversed(owners):
        if "n_features_in_" not in held or "steps" in held or "transformers_" in held:
            break
        handing.append(held)
    return handing


def check_one_hot(held: Attributes, read: ReadArray) -> set[int]:
    """As many columns a feature as it has categories, less the one that is dropped."""
    if "categories_" not in held:
        return set()  # not fitted
    if scalar(held["_infrequent_enabled"]) is not False:
        raise FileError("holds a one-hot encoder that groups categories, which is not supported.")
    sizes = [_categories(categories, read) for categories in items(held["categories_"])]
    outs = [scalar(out) for out in items(held["_n_features_outs"])]
    dropped: list[Any] = [None] * len(sizes)
    drop = held["_drop_idx_after_grouping"]
    if drop.get("__loader__") != "JsonNode":
        is_list = drop.get("type") == "json"
        dropped = [scalar(i) for i in items(drop)] if is_list else read(drop).values.tolist()
    elif scalar(drop) is not None:
        raise FileError("holds a one-hot encoder that drops something unusual.")
    if len(dropped) != len(sizes) or any(
        one is not None and not (type(one) is int and 0 <= one < size)
        for one, size in zip(dropped, sizes, strict=True)
    ):
        raise FileError("holds a one-hot encoder that drops a category that there is not.")
    wanted = [size - (one is not None) for size, one in zip(sizes, dropped, strict=True)]
    if outs != wanted or any(type(out) is not int for out in outs):
        raise FileError("holds a one-hot encoder with other columns than categories.")
    return set()


def check_vocabulary(held: Attributes, _read: ReadArray) -> set[int]:
    """The words of a text vectorizer are numbered 0, 1, 2, and so on."""
    if "vocabulary_" not in held:
        return set()  # not fitted; one that was given is checked by scikit-learn
    numbers = [scalar(number) for number in texts_to_nodes(held["vocabulary_"]).values()]
    if any(type(number) is not int for number in numbers):
        raise FileError("holds a vocabulary whose numbers are none.")
    if any(b - a != 1 for a, b in pairwise([-1, *sorted(numbers)])):  # type: ignore[type-var,operator]
        raise FileError("holds a vocabulary whose numbers are not those of its words.")
    return set()


#: By class: a check of its attributes; it gives the numbers of the trees that it has looked at.
RANGES: dict[str, Callable[[Attributes, ReadArray], set[int]]] = {
    f"{_BOOSTING}.gradient_boosting.HistGradientBoostingClassifier": check_boosting,
    f"{_BOOSTING}.gradient_boosting.HistGradientBoostingRegressor": check_boosting,
    f"{_ENCODERS}.OneHotEncoder": check_one_hot,
    "sklearn.feature_extraction.text.CountVectorizer": check_vocabulary,
    "sklearn.feature_extraction.text.TfidfVectorizer": check_vocabulary,
}


def _require_name(node: Node, name: str) -> None:
    if class_of(node) != name:
        raise FileError(f"holds a {class_of(node)[:80]} where a {name} belongs.")


def _array_node(node: Node) -> Node:
    is_array = node.get("__loader__") == "NdArrayNode" and node.get("type") == "numpy"
    if not is_array or class_of(node) != "numpy.ndarray":
        raise FileError("holds something else where an array belongs.")
    return node


def _vector(array: NpyFile, dtype: Any) -> npt.NDArray[Any]:
    if len(array.shape) != 1 or array.dtype != dtype:
        raise FileError(
            "holds an array of another type, or of more dimensions, than belongs there."
        )
    return array.values


def _flags(array: NpyFile) -> npt.NDArray[np.bool_]:
    return _vector(array, np.uint8 if array.dtype == np.uint8 else np.bool_).astype(bool)


def _categories(node: Node, read: ReadArray) -> int:
    """How many categories a feature has: texts, or numbers in their order, which is searched."""
    if node.get("type") == "json":
        texts = [isinstance(scalar(item), str) for item in items(node)]
        if sum(texts) < max(len(texts) - 2, 1):  # beside them None and NaN
            raise FileError("holds a one-hot encoder of categories that are no texts.")
        return len(texts)
    array = read(_array_node(node))
    values = array.values
    known = values[values == values]  # noqa: PLR0124 (all but NaN, which comes last)
    ordered = bool((known[:-1] < known[1:]).all()) and bool((values[: len(known)] == known).all())
    if len(array.shape) != 1 or not ordered or len(values) - len(known) > 1:
        raise FileError("holds a one-hot encoder whose categories are not in their order.")
    return len(values)


def _within(values: npt.NDArray[Any], end: int) -> bool:
    return bool(((values >= 0) & (values < end)).all())


def _require_children(
    left: npt.NDArray[Any], right: npt.NDArray[Any], inner: npt.NDArray[Any]
) -> None:
    """Each inner node leads to two later ones: so that every way ends, and ends in the tree."""
    if len(left) == 0:
        raise FileError("holds a tree without a node.")
    own = np.flatnonzero(inner)
    for child in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        if (child <= own).any() or (child >= len(left)).any():
            raise FileError("holds a tree whose nodes lead out of it, or in a circle.")
