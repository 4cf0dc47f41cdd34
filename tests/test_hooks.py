"""Tests of what is refused before a run begins, and of the messages."""

from __future__ import annotations

import copy
import json
import re
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner
from pydantic import ValidationError

from mlops_basics import hooks
from mlops_basics.config.checks import (
    check_environment,
    check_parameters,
    check_runner,
    readable_validation,
)
from mlops_basics.errors import ConfigurationError
from mlops_basics.hooks import RunRecordHooks, _written, plain_parameters, shown_address
from mlops_basics.schemas import PARAMETER_SECTIONS, PreprocessingParams, TrainingParams
from tests.support.artifacts import make_manifest
from tests.support.parameters import configured, sections

GOOD = {
    "model_name": "iris",
    "num_instances": None,
    **{name: sections()[kind] for name, kind in PARAMETER_SECTIONS.items() if kind},
}
GOOD["preprocessing"] = GOOD["preprocessing"] | {"target": "species"}
GOOD["training"] = GOOD["training"] | {
    "n_trials": 3,
    "candidates": {"binary": {"linear": {"class": "a.B", "dense": True}}},
}


def with_value(path, value):
    """Good parameters with one value replaced or added."""
    parameters = copy.deepcopy(GOOD)
    *above, last = path.split(".")
    branch = parameters
    for section in above:
        branch = branch[section]
    branch[last] = value
    return parameters


def test_good_parameters_pass():
    """Good parameters pass, as configured or as built sections."""
    check_parameters(GOOD)
    built = {
        name: PARAMETER_SECTIONS[name].model_validate(value) if PARAMETER_SECTIONS[name] else value
        for name, value in GOOD.items()
    }
    check_parameters(built)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("n_trials", 3, r"^Unknown parameter 'n_trials'\. Known are: model_name, num_instances, "),
        ("training.n_trial", 3, r"^Unknown parameter 'training\.n_trial'\.$"),
        ("preprocessing.split.fold", 3, r"^Unknown parameter 'preprocessing\.split\.fold'\.$"),
        (
            "training.candidates.binary.linear.fix",
            {},
            r"^Unknown parameter 'training\.candidates\.binary\.linear\.fix'\.$",
        ),
        ("training.n_trials", "many", r"^training\.n_trials: .*valid integer.*, got 'many'$"),
        ("collection.num_instances", 0, r"^collection\.num_instances: .*equal to 1, got 0$"),
        ("evaluation", None, "^evaluation: .*got None$"),
        ("preprocessing.split.valid_fraction", 0.9, r"^preprocessing\.split: .*below 1"),
        (
            "monitoring.thresholds",
            {"numerical": 0.1},
            r"^Unknown parameter 'monitoring\.thresholds\.numerical'\.$",
        ),
        (
            "monitoring.thresholds",
            {"auc": 0.4},
            r"^monitoring\.thresholds: auc must be at least 0\.5 and below 1, got 0\.4$",
        ),
        ("model_name", "../../etc", r"^model_name must be .*, got '\.\./\.\./etc'$"),
        ("model_name", "", "^model_name must be .*, got ''$"),
        ("model_name", "x" * 65, "^model_name must be"),
        ("model_name", "a b", "^model_name must be .*, got 'a b'$"),
        ("model_name", "iris\n", "^model_name must be"),
        ("model_name", None, "^model_name must be .*, got 'None'$"),
    ],
)
def test_a_wrong_parameter_is_refused(path, value, message):
    """The message names the parameter by its dotted name, the rule and the value."""
    with pytest.raises(ConfigurationError, match=message):
        check_parameters(with_value(path, value))


def test_a_missing_section_is_refused_where_it_has_no_default():
    """A missing section without a default, like the target, is refused."""
    parameters = {name: value for name, value in GOOD.items() if name != "preprocessing"}
    with pytest.raises(ConfigurationError, match=r"^preprocessing\.target: Field required"):
        check_parameters(parameters)


def test_every_mistake_has_its_line():
    """All of a section at once, so that a user mends them in one go."""
    wrong = GOOD["training"] | {"candidates": {}, "n_trials": 0, "seeds": 1}
    with pytest.raises(ValidationError, match="2 validation errors") as caught:
        TrainingParams.model_validate(wrong)
    lines = readable_validation("training", caught.value).splitlines()
    assert sorted(lines) == [
        "Unknown parameter 'training.seeds'.",
        "training.n_trials: Input should be greater than or equal to 1, got 0",
    ]


def test_another_error_keeps_its_words():
    """An error that is not pydantic's is shown unchanged."""
    assert readable_validation("training", ValueError("no such thing")) == "no such thing"


def test_checking_changes_nothing():
    """The parameters go on to the nodes as they were."""
    parameters = copy.deepcopy(GOOD)
    check_parameters(parameters)
    assert parameters == GOOD


@pytest.fixture
def loader_of(tmp_path):
    """A function that makes a configuration loader of a folder."""
    for name in ("base", "local", "flights"):
        (tmp_path / "conf" / name).mkdir(parents=True)
    (tmp_path / "conf" / "logging.yml").touch()
    return lambda folder="conf": SimpleNamespace(conf_source=str(tmp_path / folder))


def test_a_known_environment_passes(loader_of):
    """Each folder of conf/ is one."""
    for env in ("base", "local", "flights"):
        check_environment(env, loader_of())


@pytest.mark.parametrize("env", ["flihgts", "logging.yml", "x/y", "../elsewhere", "..", "."])
def test_an_unknown_environment_lists_the_known(loader_of, tmp_path, env):
    """Kedro alone would run on base; a path to a folder elsewhere is no name of one."""
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(
        ConfigurationError, match=rf"'{re.escape(env)}'.*Known are: base, flights, local\."
    ):
        check_environment(env, loader_of())


def test_the_folder_that_git_and_images_leave_out_is_named(loader_of, tmp_path):
    """An empty conf/local is enough, so that no globals.yml is asked for."""
    (tmp_path / "conf" / "local").rmdir()
    with pytest.raises(ConfigurationError, match=r"'local'.*mkdir conf/local$"):
        check_environment("local", loader_of())


def test_a_configuration_elsewhere_is_not_judged(loader_of):
    """An archive or a remote folder is left to Kedro."""
    check_environment("any", loader_of("conf.tar.gz"))
    check_environment("any", SimpleNamespace(conf_source="s3://bucket/conf"))


@pytest.mark.parametrize(
    "runner", [ParallelRunner, ParallelRunner(), "kedro.runner.ParallelRunner"]
)
def test_a_runner_of_other_processes_is_refused(runner):
    """It would end well without metrics, a manifest or a decision."""
    said = getattr(runner, "__name__", str(runner))  # as Kedro tells its hooks
    hooks = RunRecordHooks()
    with pytest.raises(ConfigurationError, match="Leave --runner out"):
        hooks.before_pipeline_run({"runner": said}, Pipeline([]), DataCatalog())


@pytest.mark.parametrize("runner", [None, SequentialRunner(), ThreadRunner()])
def test_other_runners_pass(runner):
    """Their nodes run in this process."""
    check_runner(getattr(runner, "__name__", str(runner)))


def test_parameters_are_recorded_as_json_holds_them():
    """Built sections become plain values, with the names of the YAML files."""
    sections = {
        "model_name": "iris",
        "training": TrainingParams.model_validate(GOOD["training"]),
        "preprocessing": configured(PreprocessingParams, target="y", exclude=("a",)),
    }
    plain = plain_parameters(sections)
    assert json.loads(json.dumps(plain)) == plain
    assert plain["model_name"] == "iris"
    assert plain["preprocessing"]["exclude"] == ["a"]
    assert plain["training"]["candidates"]["binary"]["linear"]["class"] == "a.B"


def test_an_address_is_shown_without_its_password(tmp_path):
    """Summaries end up in the logs of CI; a path inside the project is shown from there."""
    assert shown_address("postgresql://me:secret@host/db", tmp_path) == "postgresql://host/db"
    assert shown_address(f"sqlite:///{tmp_path}/data/x.db", tmp_path) == "sqlite:///data/x.db"


def test_a_step_begins_without_what_others_have_freed(monkeypatch):
    """And the one that is under way is known."""
    given_back = []
    monkeypatch.setattr(hooks, "give_back_freed", lambda: given_back.append("heap"))
    record = RunRecordHooks()
    record.before_node_run(SimpleNamespace(short_name="search_model"))
    assert given_back == ["heap"]
    assert record._heartbeat._name == "search_model"


def test_only_what_this_run_wrote_is_told_as_written():
    """A later run keeps the predictions of an earlier one, and did not write them."""
    manifest = make_manifest()
    assert _written(manifest, "report") == manifest.datasets["report"]
    assert _written(manifest, "old") is None  # kept
    assert _written(manifest, "train") is None  # read
    assert _written(manifest, "predictions") is None


@pytest.mark.parametrize("name", ["iris.", "CON", "nul.txt", "Com1"])
def test_a_model_name_that_is_no_folder_everywhere_is_refused(name):
    """A name that is no valid folder on every system is refused before training."""
    with pytest.raises(ConfigurationError, match=r"^model_name must be"):
        check_parameters(with_value("model_name", name))
