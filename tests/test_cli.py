"""Tests of the commands: each is listed, and an error of ours is a few readable lines."""

from __future__ import annotations

import gc
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kedro.io import DatasetError

from mlops_basics import cli
from mlops_basics.errors import ConfigurationError, DataError, LineageError, MlopsError
from tests.support.project import ROOT


def chain(*errors):
    """The last of the errors, each raised from the one before."""
    for cause, error in pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


@pytest.mark.parametrize("kind", [ConfigurationError, DataError, LineageError])
def test_our_error_is_found_in_a_chain(kind):
    """Of an error that Kedro wraps twice only the message is shown."""
    error = chain(
        ValueError("deep inside"), kind("mend the file"), DatasetError("Failed"), RuntimeError("x")
    )
    assert cli.explain(error) == "mend the file"
    assert isinstance(kind(), MlopsError)


def test_our_error_is_found_without_a_from():
    """Our error is found below one that was raised while it was handled."""
    error = RuntimeError("outer")
    error.__context__ = DataError("mend the file")
    assert cli.explain(error) == "mend the file"


def test_the_outermost_of_our_errors_is_shown():
    """Of several of our errors the outermost is shown, which has the most context."""
    error = chain(DataError("inner"), LineageError("outer"), DatasetError("Failed"))
    assert cli.explain(error) == "outer"


def test_another_error_is_shown_by_its_type_and_first_lines():
    """Another error is shown with at most five lines, without blank ones."""
    text = cli.explain(KeyError("x"))
    assert text == "KeyError: 'x'"
    many = cli.explain(ValueError("\n\n".join(f"line {number}" for number in range(9))))
    assert many.splitlines() == ["ValueError: line 0", "line 1", "line 2", "line 3", "line 4"]
    assert cli.explain(ValueError()) == "ValueError: "


def test_a_damaged_module_is_reported_with_its_remedy():
    """A compiled module that a full disk truncated gives an error with a remedy."""
    assert "remove the __pycache__ folders" in cli.explain(EOFError("marshal data too short"))
    assert cli.explain(EOFError("EOF when reading a line")).startswith("EOFError: ")


def call(error, *arguments):
    """Run a command that raises; returns click's result."""

    @click.command()
    @click.option("--number", type=int)
    def fails(number):
        """Raises."""
        if error is not None:
            raise error
        click.echo(f"number {number}")

    return CliRunner().invoke(cli.readable(fails), list(arguments))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (DataError("mend the file"), 1),
        (ValueError("x"), 1),
        (KeyboardInterrupt(), 130),
        (click.ClickException("x"), 1),
        (click.UsageError("x"), 2),
        (click.exceptions.Exit(3), 3),
    ],
)
def test_exit_codes(error, code):
    """0 for success, 1 for an error, 2 for wrong usage, 130 for an interruption."""
    assert call(error).exit_code == code


def test_a_readable_error_is_short():
    """The error is on stderr, without a traceback, and names the option that shows it."""
    result = call(DataError("mend the file"))
    assert result.stderr.splitlines() == [
        "Error: mend the file",
        "(--verbose shows the whole traceback)",
    ]
    assert result.stdout == ""


def test_what_a_command_says_is_about_its_environment():
    """Commands that its text and its error suggest name the environment it was called with."""

    @click.command()
    @click.option("--env")
    def fails(env):
        """Says, and raises."""
        cli.say("Undo with: kedro rollback --to 2")
        raise ConfigurationError("Make it again: kedro run")

    result = CliRunner().invoke(cli.readable(fails), ["--env", "mine"])
    assert result.stdout == "Undo with: kedro rollback --env mine --to 2\n"
    assert result.stderr.startswith("Error: Make it again: kedro run --env mine\n")


def test_nothing_is_said_past_the_function_that_names_the_environment():
    """``say`` and ``show`` alone print what a command tells: no other line can forget it."""
    source = Path(cli.__file__).read_text()
    assert source.split("def command(")[1].split("run = readable")[1].count("click.echo") == 0


def test_verbose_shows_the_whole_traceback():
    """The traceback is shown, with the same message below it."""
    result = call(DataError("mend the file"), "--verbose")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1] == "Error: mend the file"


def test_wrong_usage_is_clicks_own_message():
    """An option that does not exist, a value of another type."""
    for arguments in (["--nunber", "1"], ["--number", "one"]):
        result = call(None, *arguments)
        assert result.exit_code == 2
        assert arguments[1 if arguments[0] == "--number" else 0] in result.stderr


def test_the_wrapped_command_keeps_name_help_and_options():
    """Only ``--verbose`` is added."""
    from kedro.framework.cli.project import run as kedro_run

    assert cli.run.name == kedro_run.name
    assert cli.run.help == kedro_run.help
    names = [option.name for option in cli.run.params]
    assert names == [*(option.name for option in kedro_run.params), "verbose"]


def test_an_unknown_sample_is_a_readable_error():
    """The message lists the samples."""
    result = CliRunner().invoke(cli.cli, ["sample", "titanic"])
    assert result.exit_code == 1
    assert "breast_cancer, diabetes, flights" in result.stderr
    assert "Traceback" not in result.stderr


#: Kedro's plugins import what they like, kedro-mlflow all of MLflow: what is left is ours.
WITHOUT_PLUGINS = """
import sys
from pathlib import Path
from kedro.framework.cli import cli
cli.load_entry_points = lambda name: []
for arguments in (["--help"], ["releases", "--help"], ["releases", "--model-name", "of_no_run"]):
    try:
        cli.KedroCLI(Path.cwd()).main(arguments)
    except SystemExit as end:
        print("code", end.code or 0)
    print("imported", *sorted({name.partition(".")[0] for name in sys.modules}))
"""
SLOW_TO_IMPORT = {
    "cryptography", "kedro_mlflow", "mlflow", "optuna", "plotly", "scipy",
    "sklearn", "skops", "skrub", "sqlalchemy",
}  # fmt: skip


@pytest.mark.slow
def test_commands_that_only_tell_import_nothing_slow():
    """The help lists each command, although Kedro swallows a missing import of cli.py; neither it
    nor the table of releases imports what only a run needs, or writes anything."""
    command = [sys.executable, "-c", WITHOUT_PLUGINS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert set(cli.cli.commands) <= {
        line.split()[0] for line in lines if line.startswith("  ") and line.strip()
    }
    assert "Write a sample table" in done.stdout
    assert "Nothing is in production." in done.stdout
    assert [line for line in lines if line.startswith("code")] == ["code 0"] * 3
    modules = [set(line.split()[1:]) for line in lines if line.startswith("imported")]
    assert [found & {"numpy", "pandas"} for found in modules[:2]] == [set()] * 2
    assert [found & SLOW_TO_IMPORT for found in modules] == [set()] * 3
    assert list((ROOT / "data").glob("**/of_no_run")) == []


def test_collections_of_garbage_pass_over_what_is_imported():
    """Kedro's plugins make 200,000 objects, none of them garbage."""
    assert gc.get_freeze_count() > 10_000


def test_each_command_that_takes_a_run_says_how_one_is_named():
    """Short ids and times do, and the help of each says so."""
    for name in ("promote", "reproduce", "releases"):
        shown = " ".join(CliRunner().invoke(cli.cli, [name, "--help"]).output.split())
        assert "the first 6 or more characters" in shown
