"""The project's commands. Thin: each starts registered pipelines or calls one function."""

from __future__ import annotations

import logging
import sys
import traceback
from functools import wraps
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from mlops_basics.errors import MlopsError

#: conf/logging.yml keeps these quiet: errors reach the terminal once, as a readable message.
QUIET_LOGGERS = ("kedro", "kedro_mlflow.framework", "mlflow", "py.warnings")
VERBOSE = click.Option(["--verbose"], is_flag=True, help="Show logs and whole tracebacks.")


def readable(command: click.Command) -> click.Command:
    """The same command, with errors of a few lines; ``--verbose`` shows everything."""
    call = command.callback
    assert call is not None  # noqa: S101 (a command without a callback is a group)

    @wraps(call)
    def wrapped(*args: Any, verbose: bool, **kwargs: Any) -> Any:
        _show_logs(verbose)
        try:
            return call(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            click.secho("Interrupted.", fg="red", err=True)
            sys.exit(130)
        except Exception as error:
            if verbose:
                traceback.print_exc()
            click.secho(f"Error: {explain(error)}", fg="red", err=True)
            if not verbose:
                click.echo("(--verbose shows the whole traceback)", err=True)
            sys.exit(1)

    return click.Command(
        command.name,
        params=[*command.params, VERBOSE],
        callback=wrapped,
        help=command.help,
        short_help=command.short_help,
    )


def explain(error: BaseException) -> str:
    """The message for people: of our own error wherever it sits in the chain, else of the last."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MlopsError):
            return str(seen)
        seen = seen.__cause__ or seen.__context__
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: " + "\n".join(lines[:5])


def _show_logs(verbose: bool) -> None:
    logging.captureWarnings(True)
    for name in QUIET_LOGGERS if verbose else ():
        logging.getLogger(name).setLevel(logging.INFO)


run = readable(kedro_run)


@click.command()
@click.argument("name", required=False)
def sample(name: str | None) -> None:
    """Write a sample table (breast_cancer, diabetes, flights) into data/source."""
    from mlops_basics.samples import write_sample

    click.echo(write_sample(name))


@click.group(name="mlops-basics")
def cli() -> None:
    """Commands of this project."""


for _command in (run, readable(sample)):
    cli.add_command(_command)
