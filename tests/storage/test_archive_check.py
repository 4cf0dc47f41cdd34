"""Tests of what a skops archive may hold: each attack is made of trusted types alone."""

from __future__ import annotations

import io
import json
import time
import zipfile

import numpy as np
import pytest

from mlops_basics.errors import DataError
from mlops_basics.storage.archive_check import check_archive
from mlops_basics.storage.skops_archive import load_model, model_archive
from tests.support.archives import (
    boosting_archive,
    changed,
    find,
    forest_archive,
    linear_archive,
    node,
    nodes,
    packed,
    unpacked,
    value,
    with_array,
)
from tests.support.fitted import TRUSTED

BOOSTING, LINEAR, FOREST = boosting_archive(), linear_archive(), forest_archive()
HIST, PREDICTOR, MAPPER = "HistGradientBoostingClassifier", "TreePredictor", "_BinMapper"
FOREST_TYPES = [
    *TRUSTED,
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._tree.Tree",
]


def refuse(archive, message, trusted=TRUSTED):
    """Assert that an archive is refused, in few words."""
    with pytest.raises(DataError, match=message) as caught:
        check_archive(archive, trusted, "It")
    assert len(str(caught.value)) < 1000


def test_what_skops_writes_of_our_models_passes(pipeline, table, trusted):
    """Every encoding and estimator of the search, and it predicts the same afterwards."""
    import skops.io

    archive = skops.io.dumps(pipeline)
    check_archive(archive, trusted, "It")
    loaded = load_model(model_archive(pipeline), trusted, "of a test")
    assert (loaded.predict_proba(table) == pipeline.predict_proba(table)).all()


@pytest.mark.parametrize(
    "archive",
    [BOOSTING, LINEAR, boosting_archive(categories=False), boosting_archive(classes=3)],
    ids=["categories", "text", "numbers", "three classes"],
)
def test_other_models_pass(archive):
    """With a preprocessor or without, with a tree a class, with text and a dropped category."""
    check_archive(archive, TRUSTED, "It")
    model = load_model(archive, TRUSTED, "of a test")
    check_archive(model_archive(model), TRUSTED, "It")


def test_a_forest_passes_where_its_trees_are_trusted():
    """It is not in our own list; who adds it gets its ranges checked."""
    check_archive(FOREST, FOREST_TYPES, "It")
    refuse(FOREST, r"not trusted: sklearn\.ensemble\._forest\.RandomForestClassifier")


def attribute(name, of="LogisticRegression", **made):
    """A change: an object gets one more attribute."""

    def change(schema):
        find(schema, of)[name] = made["node"]
        for one in nodes(schema):
            if one["__class__"] == of:
                one["content"]["key_types"]["content"].append(node("TypeNode", "builtins.str", 77))

    return change


def as_class(name):
    """A change: a list becomes a call of something with that list."""

    def change(schema):
        steps = find(schema, "Pipeline")["steps"]
        steps["__module__"], _, steps["__class__"] = name.rpartition(".")

    return change


def set_in(of, name, new):
    """A change: an attribute of an object has another value."""

    def change(schema):
        find(schema, of, name)[name] = new

    return change


ADDRESS = {"data": [140_000_000_000_000, True], "shape": [1 << 40], "typestr": "|u1", "version": 3}
EMPTY = node("TupleNode", "builtins.tuple", 78, content=[])
CALL = node("FunctionNode", "sklearn.utils.validation.check_array", 79)


def twice(schema):
    """A change: an array is read once more, under another number."""
    held = find(schema, "LogisticRegression")
    array = {**held["coef_"], "__id__": 1_000_009}
    held["intercept_"] = array


HOSTILE = {
    "one file as many arrays": (twice, "in the file of another one"),
    "an address of the memory": (
        attribute("__array_interface__", node=value(ADDRESS)),
        "'__array_interface__' as an attribute",
    ),
    "another way to an address": (
        attribute("__array_struct__", node=value(1)),
        "'__array_struct__' as an attribute",
    ),
    "a method hidden": (attribute("predict_proba", node=value(1)), "'predict_proba' as an attr"),
    "a method replaced": (attribute("decision_function", node=CALL), "as an attribute"),
    "a function as a value": (set_in("LogisticRegression", "C", CALL), "function where none"),
    "a function in a list": (
        set_in("LogisticRegression", "C", node("ListNode", "builtins.list", content=[CALL])),
        "function where none",
    ),
    "partial called": (as_class("functools.partial"), "ListNode of the class functools.partial"),
    "check_array called": (
        as_class("sklearn.utils.validation.check_array"),
        "ListNode of the class sklearn.utils.validation.check_array",
    ),
    "a dtype called": (
        set_in("LogisticRegression", "C", node("DictNode", "numpy.dtype", content={})),
        "DictNode of the class numpy.dtype",
    ),
    "a constructor called": (
        set_in(
            "LogisticRegression",
            "C",
            node("ConstructorFromReduceNode", "numpy.ndarray", content=EMPTY),
        ),
        "ConstructorFromReduceNode of the class numpy.ndarray",
    ),
    "a type as a key": (
        lambda schema: (
            find(schema, "Pipeline")
            and schema["content"]["key_types"]["content"][0].update(
                __module__="functools", __class__="partial"
            )
        ),
        "keys",
    ),
    "a type as a value": (
        set_in("LogisticRegression", "C", node("TypeNode", "functools.partial")),
        "names the type functools.partial",
    ),
    "a partial as an object": (
        set_in("LogisticRegression", "C", node("ObjectNode", "functools.partial")),
        "a functools.partial in an unusual form",
    ),
    "a function as an object": (
        set_in(
            "LogisticRegression",
            "C",
            node("ObjectNode", "sklearn.utils.validation.check_array"),
        ),
        "takes sklearn.utils.validation.check_array for a class",
    ),
    "a method": (
        set_in(
            "LogisticRegression",
            "C",
            node("MethodNode", "sklearn.pipeline.Pipeline", content={"func": "fit", "obj": EMPTY}),
        ),
        "function where none",
    ),
    "an operator": (
        set_in(
            "LogisticRegression",
            "C",
            node("OperatorFuncNode", "operator.methodcaller", attrs=EMPTY),
        ),
        "function where none",
    ),
    "bytes": (
        set_in("LogisticRegression", "C", node("BytesNode", "builtins.bytes", file="1.npy")),
        "unknown kind 'BytesNode'",
    ),
    "a sparse matrix": (
        set_in(
            "LogisticRegression",
            "C",
            node("SparseMatrixNode", "scipy.sparse._csr.csr_matrix", type="scipy", file="1.npz"),
        ),
        "unknown kind 'SparseMatrixNode'",
    ),
    "a structure in a text": (set_in("LogisticRegression", "C", value([[[]]])), "a structure"),
    "an unknown key": (
        set_in("LogisticRegression", "C", {**value(1), "__reduce__": {}}),
        "with '__reduce__'",
    ),
    "an array elsewhere": (
        set_in(
            "LogisticRegression",
            "coef_",
            node("NdArrayNode", "numpy.ndarray", type="numpy", file="../1.npy"),
        ),
        "whose file is missing",
    ),
    "a number twice": (
        lambda schema: find(schema, "LogisticRegression").update(
            C=value(1.0, schema["content"]["__id__"])
        ),
        "which differ",
    ),
    "a circle": (
        lambda schema: find(schema, "LogisticRegression").update(
            C=node("ListNode", "builtins.list", schema["__id__"], content=[])
        ),
        "which differ",
    ),
    "a fleet of processes": (set_in("LogisticRegression", "n_jobs", value(10_000)), "n_jobs"),
    "a folder of pickles": (set_in("Pipeline", "memory", value("/tmp/x")), "memory"),  # noqa: S108
    "an endless expression": (
        set_in("TfidfVectorizer", "token_pattern", value("(a+)+$")),
        "expression of its own",
    ),
    "an older protocol": (lambda schema: schema.update(protocol=0), "another version of skops"),
    "one-hot, too few columns": (
        lambda schema: find(schema, "OneHotEncoder", "_n_features_outs")["_n_features_outs"][
            "content"
        ].__setitem__(0, value(0)),
        "other columns than categories",
    ),
    "one-hot, grouped": (
        lambda schema: find(schema, "OneHotEncoder", "categories_").update(
            _infrequent_enabled=value(True)
        ),
        "groups categories",
    ),
    "a word beyond the vocabulary": (
        lambda schema: next(
            iter(find(schema, "TfidfVectorizer", "vocabulary_")["vocabulary_"]["content"].values())
        ).update(content="1000000", __id__=1_000_001),
        "vocabulary|which differ",
    ),
    "a word before the vocabulary": (
        lambda schema: next(
            iter(find(schema, "TfidfVectorizer", "vocabulary_")["vocabulary_"]["content"].values())
        ).update(content="-1", __id__=1_000_001),
        "vocabulary|which differ",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_trusted_types_in_an_unusual_form_are_refused(case):
    """Nothing but the forms that skops gives our models; nothing is made or called."""
    change, message = HOSTILE[case]
    refuse(changed(LINEAR, change), message)


def in_nodes(**values):
    """A change of a tree's nodes: all become inner ones, with some values."""

    def change(array):
        array["is_leaf"] = 0
        for name, number in values.items():
            array[name] = number

    return change


TREES = {
    "children beyond the array": (in_nodes(left=2**31, right=2**31, feature_idx=0), "out of it"),
    "children that lead back": (in_nodes(left=0, right=0), "in a circle"),
    "a feature beyond the row": (
        lambda array: array["feature_idx"].__setitem__(array["is_leaf"] == 0, 4),
        "a feature that there is not",
    ),
    "a feature before the row": (
        lambda array: array["feature_idx"].__setitem__(array["is_leaf"] == 0, -1),
        "a feature that there is not",
    ),
    "a set of categories that is not there": (
        lambda array: array["bitset_idx"].__setitem__(array["is_leaf"] == 0, 7),
        "a set of categories that there is not",
    ),
    "a number taken for a category": (
        lambda array: [
            array["is_categorical"].__setitem__(slice(None), 1),
            array["feature_idx"].__setitem__(slice(None), 3),
            None,
        ][-1],
        "a feature that there is not",
    ),
    "no node": (lambda array: array[:0], "without a node"),
    "other records": (lambda array: array[["left", "right"]], "another type"),
    "two dimensions": (lambda array: array[None], "more dimensions"),
}


@pytest.mark.parametrize("case", TREES)
def test_a_tree_that_leads_out_of_itself_is_refused(case):
    """Its first prediction would read any memory, or end the process."""
    change, message = TREES[case]
    nodes_of = lambda schema: find(schema, PREDICTOR)["nodes"]  # noqa: E731
    refuse(with_array(BOOSTING, nodes_of, change), message)


def test_what_the_trees_get_is_as_wide_as_they_take_it():
    """A model that says it has fewer features than its trees, or lets fewer through."""

    def narrower(schema):
        find(schema, HIST)["n_features_in_"] = value(2)

    refuse(changed(boosting_archive(categories=False), narrower), "of 3 features that gets 2")

    def other_columns(schema):
        indices = find(schema, "ColumnTransformer")["_transformer_to_input_indices"]["content"]
        indices["numerical"]["content"].pop()

    refuse(changed(BOOSTING, other_columns), "takes other columns")

    def in_fit(schema):
        find(schema, HIST)["_in_fit"] = value(True)
        for one in nodes(schema):
            if one["__class__"] == HIST:
                one["content"]["key_types"]["content"].append(node("TypeNode", "builtins.str", 77))

    refuse(changed(BOOSTING, in_fit), "in the middle of its fit")


def test_a_tree_outside_of_a_boosting_model_is_refused():
    """Its ranges would be those of nothing."""

    def loose(schema):
        tree = next(one for one in nodes(schema) if one["__class__"] == PREDICTOR)
        copy = json.loads(json.dumps(tree))
        copy["__id__"] = 1_000_009
        copy["content"]["__id__"] = 1_000_010
        find(schema, "Pipeline")["verbose"] = copy

    refuse(changed(BOOSTING, loose), "no part of a boosting model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda array: array["left_child"].__setitem__(0, 10**6), "out of it"),
        (lambda array: array["right_child"].__setitem__(0, 0), "in a circle"),
        (lambda array: array["feature"].__setitem__(0, 3), "a feature that there is not"),
        (lambda array: array[:-1], "unusual state"),
    ],
)
def test_a_forests_tree_that_leads_out_of_itself_is_refused(change, message):
    """The same of scikit-learn's other trees."""

    def nodes_of(schema):
        tree = next(one for one in nodes(schema) if one["__loader__"] == "TreeNode")
        return tree["content"]["content"]["nodes"]

    refuse(with_array(FOREST, nodes_of, change), message, FOREST_TYPES)


def test_a_forest_takes_as_many_features_as_its_trees():
    """It hands its rows on unchecked."""

    def narrower(schema):
        find(schema, "RandomForestClassifier")["n_features_in_"] = value(1)

    refuse(changed(FOREST, narrower), "of other features than the model", FOREST_TYPES)


def npy(header, data=b""):
    """A ``.npy`` file with a header of one's own."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x04N."),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", b"12345678"),
        b"PK\x03\x04",
        b"\x93NUMPY\x03\x00",
        b"",
    ],
    ids=["much", "objects", "nothing", "less than nothing", "an archive", "a version", "empty"],
)
def test_an_array_is_as_large_as_its_file(content):
    """numpy would take memory for what a header says before it reads."""
    files = unpacked(LINEAR)
    name = next(name for name in files if name.endswith(".npy"))
    refuse(packed({**files, name: content}), r"^It (holds|is not)")


def test_a_small_file_that_unpacks_to_much_is_refused_at_once():
    """Eight megabytes stand for eight gigabytes; nothing of it is unpacked."""
    began = time.monotonic()
    zeros = b"\0" * 2**20
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", unpacked(LINEAR)["schema.json"])
        for number in range(300):
            file.writestr(f"{number}.npy", zeros)
    refuse(target.getvalue(), "would unpack")
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"code.py": b"1"}, "which no model needs"),
        ({"../x.npy": b"1"}, "which no model needs"),
        ({"schema.json": b"[" + b"{}," * 500_000 + b"{}]"}, "values, too many"),
        ({"schema.json": b'{"a":' * 9_000 + b"1" + b"}" * 9_000}, "skops"),
        ({"schema.json": b"[]"}, "no object"),
        ({"schema.json": b'{"protocol": ' + b"1" * 5_000 + b"}"}, "skops"),
    ],
    ids=["code", "a path", "a crowd", "a well", "a list", "digits"],
)
def test_other_archives_are_refused(files, message):
    """Other files, a schema of very many values, or of one within another, or of none."""
    refuse(packed({**unpacked(LINEAR), **files}), message)


def test_other_ways_of_packing_are_refused():
    """Such as bzip2, whose ratio is far higher; and two files of one name."""
    refuse(packed(unpacked(LINEAR), zipfile.ZIP_BZIP2), "packed in a way")
    target = io.BytesIO(LINEAR)
    with zipfile.ZipFile(target, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("schema.json", b"{}")
    refuse(target.getvalue(), "of the same name")


def test_deep_nesting_is_refused():
    """skops would go down until Python's stack ends."""

    def deep(schema):
        inner = value(1)
        for number in range(150):
            inner = node("ListNode", "builtins.list", 2_000_000 + number, content=[inner])
        find(schema, "LogisticRegression")["C"] = inner

    refuse(changed(LINEAR, deep), "nested more than 100 deep")


def reference(number):
    """A node that only names another."""
    return {"__id__": number}


def test_a_number_for_a_node_that_there_is_not_is_refused():
    """Or for one that it is part of: skops would go in a circle."""

    def unknown(schema):
        find(schema, "LogisticRegression")["C"] = reference(2_000_000)

    def circle(schema):
        find(schema, "LogisticRegression")["C"] = reference(schema["__id__"])

    for change in (unknown, circle):
        refuse(changed(LINEAR, change), "which there is not, or not yet")


@pytest.mark.parametrize("twice", [False, True])
def test_a_tower_of_numbers_takes_no_time(twice):
    """Few bytes stand for two to the power of ninety nodes; two such towers are compared."""

    def tower(first):
        level = node("ListNode", "builtins.list", first, content=[])
        for number in range(first + 1, first + 40):
            inner = [level, reference(number - 1)]
            level = node("ListNode", "builtins.list", number, content=inner)
        return level

    def built(schema):
        one, other = tower(2_000_000), tower(3_000_000)
        if twice:
            other["__id__"] = one["__id__"]
        held = find(schema, "LogisticRegression")
        held["C"], held["tol"] = one, other

    began = time.monotonic()
    archive = changed(LINEAR, built)
    if twice:
        refuse(archive, "which differ")
    else:
        check_archive(archive, TRUSTED, "It")
    refuse(changed(archive, as_class("os.system")), "of the class os.system")
    assert time.monotonic() - began < 20


def test_an_error_repeats_little_of_the_file():
    """A name may be endless."""

    def endless(schema):
        schema["__class__"] = "a" * 10**6

    refuse(changed(LINEAR, endless), r"not trusted: sklearn\.pipeline\.aaa")


def test_another_random_generator_is_refused():
    """The state of MT19937 holds an index that numpy follows unchecked."""
    import skops.io

    model = load_model(BOOSTING, TRUSTED, "of a test")
    model[-1]._feature_subsample_rng = np.random.Generator(np.random.MT19937(0))
    refuse(skops.io.dumps(model), "other than PCG64")


def test_a_model_that_passes_and_cannot_be_made_is_an_error_of_ours(monkeypatch):
    """Such as one of a library that is another now."""
    import skops.io

    def fail(*_args, **_more):
        raise AttributeError("gone")

    monkeypatch.setattr(skops.io, "loads", fail)
    with pytest.raises(DataError, match=r"The model of a test cannot be loaded \(AttributeError"):
        load_model(LINEAR, TRUSTED, "of a test")
