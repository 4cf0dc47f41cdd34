"""Checks of what the user's configuration says, before anything runs."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

import yaml
from kedro.config import AbstractConfigLoader

from mlops_basics.config.layers import conf_folders
from mlops_basics.config.own_code import own_packages, source_folder
from mlops_basics.errors import ConfigurationError
from mlops_basics.safe_text import without_secrets
from mlops_basics.schemas import (
    PARAMETER_SECTIONS,
    MetricSpec,
    Section,
)
from mlops_basics.schemas.metrics import register_metrics
from mlops_basics.schemas.named_code import load_named

OPTIONAL_GLOBALS = ("inference_source",)  # without a value in base

ENVIRONMENT = re.compile(r"[\w-][\w.-]*")  # one part of a path
#: One part of a path on every system: no device of Windows, no dot at the end.
MODEL_NAME = re.compile(
    r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(\.|$))[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?"
)


def check_environment(env: str, config_loader: AbstractConfigLoader) -> None:
    """Raise ConfigurationError for an environment without a folder; Kedro would run on base.

    It is the name of a folder of conf/, never a path: its files name the classes that run.
    """
    conf = Path(config_loader.conf_source)
    if "://" in str(config_loader.conf_source) or not conf.is_dir():
        return
    folders = [folder for place in conf_folders(conf) for folder in place.iterdir()]
    environments = sorted({folder.name for folder in folders if folder.is_dir()})
    if ENVIRONMENT.fullmatch(env) and env in environments:
        return
    if env == "local":  # Kedro's own: left out of git where it is empty, or of an image
        remedy = "It may be empty: mkdir conf/local"
    else:
        remedy = f"Your own table needs conf/{env}/globals.yml."
    raise ConfigurationError(
        f"There is no environment '{env}': the folder conf/{env} does not exist. "
        f"Known are: {', '.join(environments)}. {remedy}"
    )


def check_globals(env: str, config_loader: AbstractConfigLoader) -> None:
    """Raise ConfigurationError for an option of globals.yml that nothing reads.

    A misspelt `exclude` would let a model see what it must not, without a word.
    """
    conf = Path(config_loader.conf_source)
    options = conf_folders(conf)[0] / "base" / "globals.yml"
    if not options.is_file():
        return
    known = {*yaml.safe_load(options.read_text(encoding="utf-8")), *OPTIONAL_GLOBALS}
    for name in dict.fromkeys(("base", env)):
        file = conf / name / "globals.yml"
        if file.is_file() and file != options:
            given = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            _check_given(given, known, f"conf/{name}/globals.yml")


def _check_given(given: dict[str, Any], known: set[str], file: str) -> None:
    for name in given:
        if name not in known and not str(name).startswith("_"):
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigurationError(
                f"Unknown option '{name}' in {file}.{hint} Known are: {', '.join(sorted(known))}."
            )
        if re.match(r"\w+://[^/]*@", str(given[name])):
            raise ConfigurationError(
                f"'{name}' in {file} holds a user or a password: a file that is tracked must not. "
                "Use the AWS variables, or conf/local/credentials.yml."
            )
    if "source" in given and "model_name" not in given:
        raise ConfigurationError(
            f"{file} names a `source` but no `model_name`: its runs would be mixed with those of "
            "another table. Add a line: model_name: NAME"
        )


def check_artifact_location(env: str, config_loader: AbstractConfigLoader) -> None:
    """Raise ConfigurationError if a server would be told to keep artifacts on this machine.

    mlflow.yml is merged key by key: a file that names a server inherits the local folder of
    conf/base, also with ``create_experiment_kwargs: {}``. The location of an experiment is for
    ever, and other machines could not read what lies there.
    """
    mlflow = config_loader["mlflow"]
    server = str(mlflow["server"]["mlflow_tracking_uri"])
    experiment = mlflow["tracking"]["experiment"]
    location = (experiment.get("create_experiment_kwargs") or {}).get("artifact_location")
    if server.startswith("http") and location and "://" not in location:
        raise ConfigurationError(
            f"conf/{env}/mlflow.yml names an MLflow server, but artifacts would go to the folder "
            f"{location} of this machine, which conf/base names. Write into it: "
            "tracking: {experiment: {create_experiment_kwargs: {artifact_location: null}}}"
        )


def check_mlflow_variables(config_loader: AbstractConfigLoader) -> None:
    """Raise ConfigurationError for a variable of the shell that would lead a run elsewhere.

    MLflow would log into the run that MLFLOW_RUN_ID names, and register in another registry than
    mlflow.yml names, without a word.
    """
    server = config_loader["mlflow"]["server"]
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        raise ConfigurationError(
            f"MLFLOW_RUN_ID is set to {run_id[:40]!r}: MLflow would log into that run instead of "
            "one of its own. Remove it from the environment: unset MLFLOW_RUN_ID"
        )
    registry = os.environ.get("MLFLOW_REGISTRY_URI")
    known = (server.get("mlflow_registry_uri"), server["mlflow_tracking_uri"])
    if registry and registry not in known:
        raise ConfigurationError(
            f"MLFLOW_REGISTRY_URI is set to {without_secrets(registry)}, which is not what "
            "mlflow.yml names. Remove it from the environment (unset MLFLOW_REGISTRY_URI), or "
            "write it into mlflow.yml as server.mlflow_registry_uri."
        )


def check_parameters(parameters: dict[str, Any]) -> None:
    """Raise ConfigurationError for a parameter that nothing reads, or a bad model name."""
    own = own_packages(source_folder())
    unknown = sorted(set(parameters) - set(PARAMETER_SECTIONS) - set(own))
    if unknown:
        known = ", ".join([*PARAMETER_SECTIONS, *own])
        raise ConfigurationError(
            f"Unknown parameter '{unknown[0]}'. Known are: {known} "
            "(and within a section, its keys: --params training.n_trials=5). A section of your own "
            "has the name of a package of yours in src."
        )
    take_metrics(parameters.get("evaluation"))
    for name, section in PARAMETER_SECTIONS.items():
        if section is None or isinstance(parameters.get(name), Section):
            continue
        try:
            section.model_validate(parameters.get(name, {}))
        except ValueError as error:
            raise ConfigurationError(readable_validation(name, error)) from error
    given = parameters.get("model_name")
    model_name = str(given)
    if given is None or not MODEL_NAME.fullmatch(model_name):
        raise ConfigurationError(
            "model_name must be 1 to 64 letters, digits, '_', '-' or '.', starting with a letter "
            "or digit, not ending in '.', and no device name of Windows, "
            f"got {model_name[:80]!r}"
        )


def take_metrics(evaluation: Any) -> None:
    """Let the metrics that ``evaluation.metrics`` names be known by their names.

    Args:
        evaluation: The section of the parameters; what has another form is refused later.

    Raises:
        ConfigurationError: If one cannot be imported, or is none.
    """
    paths = evaluation.get("metrics") if isinstance(evaluation, dict) else None
    specs = []
    for path in paths if isinstance(paths, list) else []:
        spec = load_named(str(path), "`metrics`")
        if not isinstance(spec, MetricSpec):
            raise ConfigurationError(
                f"`metrics` names {path}, which is no mlops_basics.schemas.MetricSpec."
            )
        specs.append(spec)
    try:
        register_metrics(specs)
    except ValueError as error:
        raise ConfigurationError(f"`metrics`: {error}.") from error


def check_runner(runner: str) -> None:
    """Refuse a runner whose nodes run in other processes, where nothing notes what they do.

    Args:
        runner: Its name, or how Python shows it.

    Raises:
        ConfigurationError: If it is one.
    """
    if "ParallelRunner" in runner:
        raise ConfigurationError(
            "ParallelRunner runs nodes in other processes, whose results no manifest, MLflow run "
            "or summary would show. Leave --runner out; the search and the models use all cores "
            "of the machine on tables for which that pays."
        )


def readable_validation(section: str, error: ValueError) -> str:
    """Pydantic's errors as one line each: the parameter, the rule, the value."""
    lines = []
    for fault in getattr(error, "errors", list)():
        where = ".".join(str(part) for part in (section, *fault["loc"]))
        if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            lines.append(f"Unknown parameter '{where}'.")
        elif fault["type"] == "value_error":  # a rule of ours: its message tells the value
            lines.append(f"{where}: {fault['ctx']['error']}")
        else:
            lines.append(f"{where}: {fault['msg']}, got {fault['input']!r}")
    return "\n".join(lines) or str(error)
