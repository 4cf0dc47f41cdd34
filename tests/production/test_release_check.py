"""Tests of the checks that a release passes before anything of it is loaded."""

from __future__ import annotations

import io
import json
import os
import pickle
import time
import zipfile

import pytest
import yaml

from mlops_basics.errors import ReleaseError
from mlops_basics.production.release_check import (
    check_archive,
    check_file,
    check_listing,
    check_manifest_file,
    check_mlmodel,
    check_requirements,
    is_component,
    manifest_bytes,
    parse_manifest,
    sha256,
)
from mlops_basics.schemas import FileRecord
from tests.support.releases import NAME, make_manifest

pytestmark = pytest.mark.slow  # real models, files and an MLflow store

FILES = {
    name: FileRecord(sha256=sha256(b"x"), size=1)
    for name in ("model/MLmodel", "model/model.skops", "table_info.json")
}
GOOD = {
    "flavors": {
        "python_function": {
            "env": {"conda": "conda.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": "model.skops",
            "predict_fn": "predict",
            "python_version": "3.11.7",
        },
        "sklearn": {
            "code": None,
            "pickled_model": "model.skops",
            "serialization_format": "skops",
            "skops_trusted_types": ["numpy.dtype"],
        },
    },
    "saved_input_example_info": {"artifact_path": "input_example.json"},
}


class Bomb:
    """An object whose pickle runs a command."""

    def __reduce__(self):
        return os.system, ("touch /tmp/mlops-basics-exploded",)


def manifest_with(*names):
    """A manifest that names these files beside those that each release needs."""
    more = {name: FileRecord(sha256="0", size=1) for name in names}
    return make_manifest().model_copy(update={"files": {**FILES, **more}})


def mlmodel_with(flavor, **values):
    """A good MLmodel but for some values of a flavour."""
    tree = json.loads(json.dumps(GOOD))
    tree["flavors"].setdefault(flavor, {}).update(values)
    return yaml.safe_dump(tree).encode()


@pytest.mark.parametrize(
    "name", ["1", "a-b_c.d", "Größe", "<script>", "=cmd()", "🌼", "a b", "console", "com10", "é"]
)
def test_plain_names_are_parts_of_paths(name):
    """A name that stays in its folder on every file system is allowed."""
    assert is_component(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", ".git", "a/b", "/a", "a\\b", "C:", "a\nb", "a\0b", "*", "a?", "[a]",
     "{a}", "a#b", "x" * 10_000, "\ud800" * 100, "a.", "a ", " a", "CON", "nul.txt", "LPT1",
     "a\u200bb", "a\u202eb", "a\u2028b", "\ufeffa", "a\u2215b\uff0fc", "\uff0e\uff0e", "\u2026",
     "a\uff0f..", "\ud800"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_no_parts_of_paths(name):
    """Folders, globs, drives, devices, control and invisible characters, endless names, and
    look-alikes of dots and slashes.
    """
    assert not is_component(name)


def test_a_manifest_survives_its_round_trip():
    """What is written is read, and the same manifest has the same bytes."""
    manifest = manifest_with("model/conda.yaml")
    content = manifest_bytes(manifest)
    assert parse_manifest(content, NAME, "1") == manifest
    assert manifest_bytes(parse_manifest(content, NAME, "1")) == content


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "model/../../x", "/etc/passwd", "..\\x", "model\\x", "C:/x", "./x",
     "model//x", "model/", "", "~/../x/..", "a\nb", "model/*"],
)  # fmt: skip
def test_paths_that_leave_the_release_are_refused(name):
    """Upward, absolute, backslash and otherwise odd paths are named and refused."""
    with pytest.raises(ReleaseError, match="which is not a plain relative path"):
        parse_manifest(manifest_bytes(manifest_with(name)), NAME, "1")


@pytest.mark.parametrize(
    "name",
    [
        "code/evil.py",
        "model/code/evil.py",
        "model/Code/x",
        "code",
        "model/\uff43\uff4f\uff44\uff45/x",
    ],
)
def test_code_in_a_release_is_refused(name):
    """Even when the manifest names it."""
    with pytest.raises(ReleaseError, match="is code of its own"):
        parse_manifest(manifest_bytes(manifest_with(name)), NAME, "1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a manifest"),
        (b"\xff\xfe", "is not a manifest"),
        (b"[]", "is not a manifest"),
        (b'{"model_name": "flowers"}', "is not a manifest"),
        (b" " * (2**24 + 1), "which no manifest needs"),
        (b"[" * 100_000, "is not a manifest"),
        (manifest_bytes(manifest_with("manifest.json")), "names itself"),
        (manifest_bytes(manifest_with("manifest.sig")), "which is made after it"),
        (manifest_bytes(manifest_with("MANIFEST.JSON")), "some systems take for one file"),
        (manifest_bytes(manifest_with("Manifest.SIG")), "some systems take for one file"),
        (manifest_bytes(make_manifest()), "does not name 'model/MLmodel'"),
    ],
)
def test_other_manifests_are_refused(content, message):
    """Damaged, endless, recursive and incomplete ones."""
    with pytest.raises(ReleaseError, match=message):
        parse_manifest(content, NAME, "1")


@pytest.mark.parametrize(
    "name", ["model/mlmodel", "MODEL/MLmodel", "model/\uff2d\uff2cmodel", "Table_Info.json"]
)
def test_two_names_of_one_file_are_refused(name):
    """On some systems the second would replace the first, which alone was checked."""
    with pytest.raises(ReleaseError, match="some systems take for one file"):
        parse_manifest(manifest_bytes(manifest_with(name)), NAME, "1")


def test_composed_and_decomposed_letters_are_one_name():
    """Composed and decomposed letters are one name, as on macOS."""
    both = manifest_bytes(manifest_with("model/\u00e9", "model/e\u0301"))
    with pytest.raises(ReleaseError, match="some systems take for one file"):
        parse_manifest(both, NAME, "1")


@pytest.mark.parametrize("key", ["model_name", "table_info.json", "sha256", "outcome"])
def test_a_manifest_that_says_something_twice_is_refused(key):
    """Readers of JSON differ in which one they take; the same value twice is refused as well."""
    good = manifest_bytes(manifest_with()).decode()
    line = next(line for line in good.splitlines() if f'"{key}"' in line)
    if key == "table_info.json":
        twice = good.replace(f'"{key}"', f'"{key}": {{"sha256": "0", "size": 9}},\n"{key}"')
    else:
        twice = good.replace(line, f"{line.rstrip(',')},\n{line}", 1)
    assert parse_manifest(good.encode(), NAME, "1")
    with pytest.raises(ReleaseError, match=r"'manifest\.json' says something twice"):
        parse_manifest(twice.encode(), NAME, "1")


def test_what_is_no_plain_file_is_refused():
    """A link or a pipe in place of a file; its size is below 0."""
    found = dict.fromkeys(FILES, 1)
    with pytest.raises(ReleaseError, match=r"'table_info\.json' is a link or another thing"):
        check_listing({**found, "table_info.json": -1}, FILES)
    for name in ("manifest.json", "manifest.sig"):
        with pytest.raises(ReleaseError, match="is a link or another thing"):
            check_manifest_file({name: -1})


@pytest.mark.parametrize(("name", "version"), [("other", "1"), (NAME, "2")])
def test_a_manifest_of_another_release_is_refused(name, version):
    """A good release under another version or model is not what was asked for."""
    with pytest.raises(ReleaseError, match="is of another release: version '1' of 'flowers'"):
        parse_manifest(manifest_bytes(manifest_with()), name, version)


def test_a_listing_must_be_what_the_manifest_names():
    """Missing, extra and longer files are named; the manifest itself may be there."""
    found = dict.fromkeys(FILES, 1)
    check_listing({**found, "manifest.json": 999}, FILES)
    with pytest.raises(ReleaseError, match=r"'model/evil\.py' is not in the manifest"):
        check_listing({**found, "model/evil.py": 1}, FILES)
    with pytest.raises(ReleaseError, match=r"'table_info\.json' has 2 bytes instead of 1"):
        check_listing({**found, "table_info.json": 2}, FILES)
    del found["model/model.skops"]
    with pytest.raises(ReleaseError, match=r"'model/model\.skops' is missing"):
        check_listing(found, FILES)


def test_a_changed_byte_is_named():
    """A file of the right size and another content is refused."""
    check_file("a.txt", b"x", FILES["table_info.json"], [])
    with pytest.raises(ReleaseError, match=r"'a\.txt' was changed"):
        check_file("a.txt", b"y", FILES["table_info.json"], [])


def test_what_mlflow_writes_is_allowed():
    """The MLmodel of a skops model with types of our list passes."""
    check_mlmodel(yaml.safe_dump(GOOD).encode(), ["numpy.dtype"])


@pytest.mark.parametrize(
    ("flavor", "values", "message"),
    [
        ("python_function", {"loader_module": "evil"}, "loader_module 'evil'"),
        ("python_function", {"loader_module": ["mlflow.sklearn"]}, "loader_module"),
        ("python_function", {"loader_module": None}, "loader_module None"),
        ("python_function", {"code": "code"}, "code 'code'"),
        ("python_function", {"model_path": "../other.skops"}, "model_path"),
        ("python_function", {"model_path": "model.pkl"}, "model_path"),
        ("python_function", {"predict_fn": "score"}, "predict_fn"),
        ("python_function", {"model_code_path": "evil.py"}, "model_code_path, which is not"),
        ("python_function", {"config": {}}, "config, which is not"),
        ("sklearn", {"serialization_format": "cloudpickle"}, "serialization_format 'cloudpickle'"),
        ("sklearn", {"serialization_format": "pickle"}, "only 'skops' is allowed"),
        ("sklearn", {"pickled_model": "model.pkl"}, "pickled_model"),
        ("sklearn", {"code": "code"}, "code 'code'"),
        ("sklearn", {"skops_trusted_types": ["os.system"]}, r"trusts types .*os\.system"),
        ("sklearn", {"skops_trusted_types": "numpy.dtype"}, "not a list"),
        ("sklearn", {"skops_trusted_types": [1]}, "not a list"),
        ("evil", {}, "and no other"),
    ],
)
def test_an_mlmodel_that_would_run_something_is_refused(flavor, values, message):
    """Another loader, format, file or function, code, and types beyond ours."""
    with pytest.raises(ReleaseError, match=message):
        check_mlmodel(mlmodel_with(flavor, **values), ["numpy.dtype"])


@pytest.mark.parametrize(
    "line",
    ["-r /etc/passwd", "--requirement=x", "-c x", "--index-url http://x", "a @ file:///x", "a>=1"],
)
def test_requirements_name_packages_and_versions_alone(line):
    """MLflow opens the files that such a list names, when it loads the model beside it."""
    check_requirements(b"mlflow==3.1.0\nscikit-learn==1.7.0\n")
    with pytest.raises(ReleaseError, match="no package and its version"):
        check_requirements(f"mlflow==3.1.0\n{line}\n".encode())


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "must have the flavors"),
        ({"flavors": {"sklearn": GOOD["flavors"]["sklearn"]}}, "must have the flavors"),
        ({"flavors": {"sklearn": 1, "python_function": 1}}, "that is no mapping"),
        ({**GOOD, "saved_input_example_info": {"artifact_path": "../x"}}, "elsewhere"),
        ({**GOOD, "saved_input_example_info": {"serving_input_path": "/x"}}, "elsewhere"),
        ({**GOOD, "saved_input_example_info": 7}, "elsewhere"),
    ],
)
def test_an_mlmodel_of_another_shape_is_refused(tree, message):
    """Nothing is guessed about what is not as MLflow writes it."""
    with pytest.raises(ReleaseError, match=message):
        check_mlmodel(yaml.safe_dump(tree).encode(), ["numpy.dtype"])


@pytest.mark.parametrize(
    "content",
    [b"a: [", b"\xff\xff", b"!!python/object/apply:os.system ['true']", b"[" * 2_000],
)
def test_an_mlmodel_that_is_no_plain_yaml_is_refused(content):
    """Damage, Python tags and endless nesting."""
    with pytest.raises(ReleaseError, match=r"not readable as YAML|nested deeper"):
        check_mlmodel(content, [])


def test_a_small_mlmodel_stays_small():
    """Aliases would make few bytes many values, and an error about one endless."""
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 60)]
    bomb = "\n".join(["a0: &a0 [x]", *levels])
    began = time.monotonic()
    for text in (bomb, f"flavors: {{sklearn: &s {{code: {'x' * 100}}}, python_function: *s}}"):
        with pytest.raises(ReleaseError, match="has an alias"):
            check_mlmodel(text.encode(), [])
    long = mlmodel_with("sklearn", code="x" * 100_000)
    with pytest.raises(ReleaseError, match="only None is allowed") as caught:
        check_mlmodel(long, ["numpy.dtype"])
    assert len(str(caught.value)) < 1000
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", ["a: 2026-13-45", f"a: {'1' * 5_000}", "a: 0x", "? [a]\n: b"])
def test_an_mlmodel_of_values_that_are_none_is_refused(text):
    """A date or a number that Python cannot hold."""
    with pytest.raises(ReleaseError, match=r"not readable as YAML|must have the flavors"):
        check_mlmodel(text.encode(), [])


def test_an_mlmodel_that_says_something_twice_is_read_as_mlflow_reads_it():
    """The last one counts, in a merged mapping as well; none hides behind a good first one."""
    good = yaml.safe_dump(GOOD)
    line = "    loader_module: mlflow.sklearn\n"
    assert line in good
    hidden = good.replace(line, f"{line}    loader_module: evil\n")
    merged = good.replace(line, "    <<: {loader_module: evil, data: x}\n")
    for text in (hidden, merged):
        with pytest.raises(ReleaseError, match=r"loader_module 'evil'|data, which is not allowed"):
            check_mlmodel(text.encode(), ["numpy.dtype"])


def test_an_endless_mlmodel_is_refused():
    """An endless MLmodel is refused without being parsed."""
    with pytest.raises(ReleaseError, match="which no MLmodel needs"):
        check_mlmodel(b" " * (2**20 + 1), [])


def archive_of(schema):
    """A skops archive with a given schema."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("schema.json", schema)
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", pickle.dumps(Bomb()), archive_of("{}"), archive_of("["), archive_of("1")],
    ids=["empty", "text", "pickle bomb", "no schema", "no JSON", "a number"],
)
def test_a_model_file_that_is_no_skops_archive_is_refused(content):
    """A pickle least of all; nothing in it runs."""
    with pytest.raises(ReleaseError, match="skops"):
        check_archive(content, [])
    assert not os.path.exists("/tmp/mlops-basics-exploded")  # noqa: PTH110, S108


def test_unreviewed_types_are_refused():
    """Only listed types may be in the file, whether skops handles them or not."""
    import functools

    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    content = skops.io.dumps(functools.partial(print, "hello"))
    with pytest.raises(ReleaseError, match="holds a function where none belongs"):
        check_archive(content, ["functools.partial", "builtins.print"])
    forest = skops.io.dumps(RandomForestClassifier())
    with pytest.raises(ReleaseError, match=r"not trusted: sklearn\.ensemble\..*_trusted_types"):
        check_archive(forest, [])
