"""``kedro check SOURCE --target COLUMN``: look at a table before the first run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs.session import Place
from mlops_basics.schemas import CollectionParams, PreprocessingParams

from .examination import examine_table
from .judgement import seconds_of_a_run
from .lines import lines, name_of, write_lines
from .reading import read_table
from .text import in_words

#: Options of globals.yml that lines repeat where they are not the default.
_KEPT = (
    "task", "positive_above", "exclude", "text_columns", "key_columns", "group_by", "time_column",
    "period",
)  # fmt: skip


def check_table(
    place: Place, source: str | None, target: str | None, write: str | None, *, overwrite: bool
) -> str:
    """What a table is, what stands in a model's way, and the lines of globals.yml for it.

    Args:
        place: The project, and the environment whose options count.
        source: A file or a folder; None: that of the environment.
        target: The column to predict; None: that of the environment, where it is given.
        write: Name of the environment to make; None: the lines are only shown.
        overwrite: Whether its file may be there already.

    Raises:
        ConfigurationError: If there is nothing to look at, or the file is there already.
        DataError: If a run would refuse the table.
    """
    if source is None and place.env is None:
        raise ConfigurationError(
            "Which table? Name a file or a folder, as in: kedro check data/source/customers.csv; "
            "or an environment: kedro check --env mine"
        )
    config = place.configuration()
    options = config["globals"]
    own = options if place.env is not None else {}
    path = source if source is not None else str(options["source"])
    wanted = target or own.get("target")
    if write is not None and wanted is None:
        raise ConfigurationError("--write needs the column to predict: add --target COLUMN.")
    inlet = {key: value for key, value in config["source"].items() if key != "path"}
    read = read_table(path, inlet, list(options["text_columns"]))
    params = None
    if wanted is not None:
        section = config["parameters"]["preprocessing"] | {"target": wanted}
        params = PreprocessingParams.model_validate(section)
    collection = CollectionParams.model_validate(
        config["parameters"]["collection"] | {"target": wanted, "num_instances": None}
    )
    findings = examine_table(_shown(path, place.project_path), read, collection, params)
    training = config["parameters"]["training"]
    seconds = seconds_of_a_run(
        findings, int(training["n_trials"]), int(training["vectorizer"]["cardinality_threshold"])
    )
    csv = {**read.guessed, **(options["csv"] or {})}
    guessed = ", ".join(f"{key} {value!r}" for key, value in read.guessed.items())
    name = write or place.env or name_of(path)
    said: list[str] = []
    if findings.target is not None:
        kept = {key: own[key] for key in _KEPT if own.get(key) not in (None, [], *_defaults(key))}
        said = lines(findings, name, csv, kept)
    shown = [*_heading(name, written=write is not None), *said] if said else []
    text = in_words(findings, seconds, shown, guessed)
    if write is None:
        return text if findings.target is None else text + _next(path, wanted, name)
    file = write_lines(place.project_path / "conf", write, said, overwrite=overwrite)
    shown_file = file.relative_to(place.project_path).as_posix()
    return f"{text}\n\nWrote {shown_file}. Next: kedro run --env {write}"


def _defaults(key: str) -> tuple[Any, ...]:
    return {"task": ("auto",), "group_by": ("auto",), "period": ("M",)}.get(key, ())


def _heading(name: str, *, written: bool) -> list[str]:
    return [f"conf/{name}/globals.yml:" if written else f"The lines of conf/{name}/globals.yml:"]


def _next(path: str, target: str | None, name: str) -> str:
    return (
        f"\n\nWrite them: kedro check {path} --target {target} --write {name}"
        f"\nThen: kedro run --env {name}"
    )


def _shown(path: str, project: Path) -> str:
    """The source as globals.yml names it: below the project, by its path there."""
    if "://" in path:
        return path
    absolute = Path(path).absolute()
    return absolute.relative_to(project).as_posix() if absolute.is_relative_to(project) else path
