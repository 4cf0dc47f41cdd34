"""Tests of the user's own packages: which there are, what they hold, whether they changed."""

from __future__ import annotations

import pytest

from mlops_basics.config.checks import check_parameters, take_metrics
from mlops_basics.config.own_code import own_packages, packages_of, require_own_code
from mlops_basics.config.resolvers import joined
from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.schemas import METRICS, MetricSpec
from mlops_basics.schemas.metrics import register_metrics

NAME = "own_code_of_a_test"


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder of packages on Python's path, one of which is the user's."""
    for package in (NAME, "mlops_basics"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "steps.py").write_text("x = 1\n")
    for other in ("__pycache__", "mlops_basics.egg-info", "notes"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "a.txt").write_text("no code")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_packages_are_told_by_their_content(source):
    """Of the user's alone; caches and the ends of lines change nothing, all else does."""
    before = own_packages(source)
    assert set(before) == {NAME}
    (source / NAME / "__pycache__").mkdir()
    (source / NAME / "__pycache__" / "steps.pyc").write_bytes(b"x")
    (source / NAME / "steps.py").write_bytes(b"x = 1\r\n")
    assert own_packages(source) == before
    (source / NAME / "rates.csv").write_text("a,1\n")
    assert own_packages(source) != before
    assert own_packages(source / "nothing") == {}


def test_code_that_is_missing_or_other_is_refused(source):
    """The message names the folder and the commit that has it."""
    recorded = own_packages(source)
    require_own_code(recorded, None)
    (source / NAME / "steps.py").write_text("x = 2\n")
    with pytest.raises(
        DataError, match=f"src/{NAME} is not the one .*commit abcdefabcd, or train a"
    ):
        require_own_code(recorded, "abcdefabcdef")
    with pytest.raises(DataError, match=r"needs your own package 'gone_of_a_test'.*Restore it"):
        require_own_code({"gone_of_a_test": "0"}, None)
    with pytest.raises(DataError, match="which is not here"):
        require_own_code({"../elsewhere": "0"}, None)


def test_a_model_needs_the_packages_that_it_names():
    """Others may change."""
    own = {"mine": "1", "other": "2"}
    paths = ["mine.steps.A", "sklearn.linear_model.Ridge", "another.b"]
    assert packages_of(paths, own) == {"mine": "1"}


def test_lists_are_joined():
    """Each once, in their order; nothing is no list."""
    assert joined(["a", "b"], None, [], ["b", "c"]) == ["a", "b", "c"]


def test_metrics_are_named_and_replaced(source):
    """They are known while they are named; a name of ours, or what is no metric, is refused."""
    code = (
        "from mlops_basics.schemas import MetricSpec\n"
        "def loss(y, p, _): return y\n"
        "def made(name, **of): return MetricSpec(name=name, title=name, kind='regression', **of)\n"
        "BIAS, TAKEN = made('bias', row_loss=loss), made('mae', row_loss=loss)\n"
        "EMPTY = made('empty')\n"
    )
    (source / NAME / "metrics_of_a_test.py").write_text(code)
    where = f"{NAME}.metrics_of_a_test"
    ours = dict(METRICS)
    try:
        take_metrics({"metrics": [f"{where}.BIAS"]})
        assert isinstance(METRICS["bias"], MetricSpec)
        take_metrics({"metrics": [f"{where}.BIAS"]})  # the next run in this process
        assert list(METRICS) == [*ours, "bias"]
        for name, message in (
            ("TAKEN", "the name 'mae' is taken"),
            ("EMPTY", "'empty' must have either row_loss or of_confusion"),
            ("loss", "is no mlops_basics.schemas.MetricSpec"),
            ("GONE", "cannot be imported"),
        ):
            with pytest.raises(ConfigurationError, match=message):
                take_metrics({"metrics": [f"{where}.{name}"]})
    finally:
        register_metrics([])
    assert ours == METRICS


def test_a_package_may_have_parameters_of_its_name(source, monkeypatch):
    """A section of any other name is an error, which lists what there is."""
    monkeypatch.setattr("mlops_basics.config.checks.source_folder", lambda: source)
    with pytest.raises(ConfigurationError, match=f"Unknown parameter 'other'.*{NAME}"):
        check_parameters({NAME: {"any": 1}, "other": 1})
