"""The project's commands. Thin: each starts registered pipelines or calls one function."""

from __future__ import annotations

import gc
import io
import logging
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click
from kedro.framework.cli.project import package as kedro_package
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import ENV_HELP
from kedro.utils import find_kedro_project

from mlops_basics.errors import own_error
from mlops_basics.runs.session import Place
from mlops_basics.safe_text import make_logs_safe, safe_text, short_text, with_environment

# What is imported by now, MLflow by a plugin, stays to the end: to look for garbage in it again and
# again was a fifth of the CPU of a command that only tells.
gc.freeze()

#: conf/logging.yml keeps these quiet: errors reach the terminal once, as a readable message.
QUIET_LOGGERS = ("kedro", "kedro_mlflow.framework", "mlflow", "py.warnings", "distributed")
EXIT_DIFFERENT = 2  # a run was repeated, but its results differ
RUN_ID = "RUN_ID is that of MLflow, the first 6 or more characters of it, or the run's time."
MODEL_NAME = click.Option(["--model-name"], help="Instead of the one in globals.yml.")
ENV = click.Option(["--env", "-e"], type=str, help=ENV_HELP)
#: Options that a command has beside its own, by what it is about.
ABOUT = {"project": (), "environment": (ENV,), "model": (ENV, MODEL_NAME)}
VERBOSE = click.Option(["--verbose"], is_flag=True, help="Show logs and whole tracebacks.")


@click.group(name="mlops-basics")
def cli() -> None:
    """Commands of this project."""


def say(text: str, **how: Any) -> None:
    """Print text, its commands those of the environment that this one was called with.

    Args:
        text: What is said.
        how: Of ``click.secho``.
    """
    click.secho(with_environment(text, click.get_current_context().params.get("env")), **how)


def command(
    about: Literal["project", "environment", "model"], name: str | None = None
) -> Callable[[Callable[..., int | None]], click.Command]:
    """Make a function one of the project's commands, with readable errors and ``--verbose``.

    The function is given a ``Place`` and the values of its own options, which stand below this
    decorator; what it returns is the exit code, None being 0.

    Args:
        about: What ``Place`` names: the project alone, an environment (``--env``), or a model
            (``--model-name``, too).
        name: Of the command; None: that of the function.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @wraps(function)
        @click.pass_obj
        def call(
            metadata: Any, /, env: str | None = None, model_name: str | None = None, **options: Any
        ) -> None:
            params = {"model_name": model_name} if model_name else {}
            sys.exit(function(Place(_project_path(metadata), env, params), **options))

        made = click.command(name)(call)
        if any(param.name == "run_id" for param in made.params):
            made.help = f"{made.help}\n\n{RUN_ID}"
        made.params += ABOUT[about]
        cli.add_command(readable(made))
        return cli.commands[made.name or ""]

    return decorate


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
            # What explains it may be imported now: on a full disk Python leaves half of a compiled
            # module, says nothing, and cannot import it ever after.
            sys.dont_write_bytecode = True
            if verbose:
                click.echo(safe_text(traceback.format_exc()), err=True)
            say(f"Error: {short_text(explain(error))}", fg="red", err=True)
            if not verbose:
                click.echo("(--verbose shows the whole traceback)", err=True)
            sys.exit(1)

    return _calling(command, wrapped, VERBOSE)


def _calling(
    command: click.Command, call: Callable[..., Any], *more: click.Option
) -> click.Command:
    """The same command, and more options, with another function to call."""
    return click.Command(
        command.name,
        params=[*command.params, *more],
        callback=call,
        help=command.help,
        short_help=command.short_help,
    )


def explain(error: BaseException) -> str:
    """The readable message: of our own error anywhere in the chain, else of the last."""
    if (own := own_error(error)) is not None:
        return str(own)
    if isinstance(error, EOFError) and "marshal data" in str(error):
        return (
            "A compiled Python module is damaged, as a full disk leaves it. Free some space, "
            "remove the __pycache__ folders of the project and of .venv, and run again."
        )
    from mlops_basics.runs.mlflow_faults import tracking_problem
    from mlops_basics.storage.faults import storage_problem

    # MLflow first: its client stands on the same packages as those of object stores.
    if (problem := tracking_problem(error) or storage_problem(error)) is not None:
        return problem
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: " + "\n".join(lines[:5])


def _show_logs(verbose: bool) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an arrow must not end a run on an old code page
    make_logs_safe()
    logging.captureWarnings(True)
    for name in QUIET_LOGGERS if verbose else ():
        logging.getLogger(name).setLevel(logging.INFO)


def _run(**options: Any) -> Any:
    from mlops_basics.runs.versions import with_free_version

    call = kedro_run.callback
    assert call is not None  # noqa: S101 (as above)
    return with_free_version(lambda: call(**options))


def _project_path(metadata: Any) -> Path:
    if metadata is not None:
        return Path(metadata.project_path)
    return find_kedro_project(Path.cwd()) or Path.cwd()


@click.pass_obj
def _package(metadata: Any) -> Any:
    from mlops_basics.commands.package import require_no_secrets

    require_no_secrets(_project_path(metadata))
    call = kedro_package.callback
    assert call is not None  # noqa: S101 (as above)
    return call()


run = readable(_calling(kedro_run, _run))
cli.add_command(run)
cli.add_command(readable(_calling(kedro_package, _package)))


@command("project")
@click.argument("name", required=False)
def sample(_place: Place, name: str | None) -> None:
    """Write a sample table into data/source: breast_cancer, diabetes, flights, flights_december."""
    from mlops_basics.commands.samples import write_sample

    say(write_sample(name))


@command("environment")
@click.argument("source", required=False)
@click.option("--target", help="The column to predict; without it, columns are suggested.")
@click.option(
    "--write", metavar="NAME", help="Write conf/NAME/globals.yml; its model is NAME, too."
)
@click.option("--overwrite", is_flag=True, help="Also where that file is there already.")
def check(
    place: Place, source: str | None, target: str | None, write: str | None, overwrite: bool
) -> None:
    """Look at a table in seconds: columns, target, leaks, what a run would make of it.

    SOURCE is a file or a folder; without it, that of the environment is looked at.
    """
    from mlops_basics.commands.check import check_table

    say(safe_text(check_table(place, source, target, write, overwrite=overwrite)))


@command("model")
@click.option("--all", "every", is_flag=True, help="List every refresh, not the last of a row.")
@click.option(
    "--show-test",
    metavar="RUN_ID",
    help="Instead: what the test rows say of a refused run. It is written down as a use of them. "
    + RUN_ID,
)
def releases(place: Place, every: bool, show_test: str | None) -> None:
    """Show every release and what was kept: when, why, from which data; which is in production."""
    from mlops_basics.commands.releases import releases_table, remembered
    from mlops_basics.reporting.terminal import show

    if show_test is not None:
        from mlops_basics.commands.show_test import show_test as figures_of

        show(figures_of(place, show_test).in_words(), soft_wrap=True)
        return
    catalog = place.datasets()
    state = remembered(catalog.get("monitoring_state"))
    store = catalog.get("release").store
    show(releases_table(store, state, every=every, env=place.env))


@command("model")
@click.option("--to", help="The version to go back to; default: the champion before.")
@click.option("--reason", default="rolled back by hand", help="Written into the ledger.")
def rollback(place: Place, to: str | None, reason: str) -> None:
    """Put an earlier release back into production."""
    from mlops_basics.commands.rollback import rollback as roll_back
    from mlops_basics.production.ledger import utc_now
    from mlops_basics.storage.holder import user_name

    say(roll_back(*place.production(), to, reason, user_name(), utc_now()))


@command("model")
def adopt(place: Place) -> None:
    """Take the release in production into this registry, which has lost it or is another one."""
    from mlops_basics.commands.adopt import adopt as take

    say(take(*place.production()))


@command("model")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another one needs a token.")
@click.option("--port", default=5001, show_default=True, type=int, help="Of the server.")
def serve(place: Place, host: str, port: int) -> int:
    """Verify the release in production and serve it over HTTP (POST /invocations)."""
    from mlops_basics.commands.serve import serve as serve_release

    return serve_release(place.store(), host, port)


@command("environment")
@click.argument("run_id")
def reproduce(place: Place, run_id: str) -> int:
    """Run a recorded run again, also a refresh or a search, and say whether it gives the same."""
    from mlops_basics.commands.reproduce import reproduce_run

    reproduction = reproduce_run(place.project_path, run_id, place.env)
    say(reproduction.in_words())
    return 0 if reproduction.identical else EXIT_DIFFERENT


@command("model")
@click.argument("run_id")
@click.option("--reason", required=True, help="Why, against its decision: the ledger keeps it.")
def promote(place: Place, run_id: str, reason: str) -> None:
    """Promote a run by hand, whatever its test said; its release is verified all the same."""
    from mlops_basics.commands.promote import promote_run
    from mlops_basics.production.ledger import utc_now
    from mlops_basics.schemas import Override
    from mlops_basics.storage.holder import user_name

    override = Override(by=user_name(), at=utc_now(), reason=reason.strip())
    say(promote_run(place, run_id, override))


@command("model")
@click.option("--keep", required=True, type=click.IntRange(min=1), help="How many runs to keep.")
@click.option("--dry-run", is_flag=True, help="Tell what would go, but remove nothing.")
def prune(place: Place, keep: int, dry_run: bool) -> None:
    """Remove the data of old runs, but never what a release, a version or the monitor needs."""
    from mlops_basics.commands.prune import prune_runs

    say(prune_runs(place, keep, dry_run=dry_run))


@command("model")
def doctor(place: Place) -> int:
    """Check what a run needs: a line a check, with a remedy. Exit code 1 if one failed."""
    from mlops_basics.commands.doctor import examine, in_one_line

    healthy = True
    for result in examine(place):
        say(in_one_line(result))
        healthy = healthy and result.state != "failed"
    return 0 if healthy else 1


@command("project")
def keygen(place: Place) -> None:
    """Make the keys that releases are signed with and checked by (.secrets)."""
    from mlops_basics.commands.keygen import make_keys

    say(make_keys(place.project_path))


@command("model")
@click.option("--dry-run", is_flag=True, help="Look and tell, but write and train nothing.")
def ct(place: Place, dry_run: bool) -> int:
    """Watch the release in production, and retrain when needed, and only then.

    Exit codes: 0 nothing to do, 3 a new release, 4 no new release (none is shown to be better, or
    the first model was refused and nothing is in production), 5 would retrain (--dry-run), 1 error.
    """
    from mlops_basics.commands.ct import continuous_training

    outcome = continuous_training(place, dry_run=dry_run)
    say(outcome.text)
    return outcome.code


@command("project")
@click.argument("action", type=click.Choice(["start", "stop", "status"]))
@click.option("--s3-port", type=int, help="Default: that of the last time, or 8333.")
@click.option("--mlflow-port", type=int, help="Default: that of the last time, or 5002.")
def services(place: Place, action: str, s3_port: int | None, mlflow_port: int | None) -> None:
    """S3, PostgreSQL and MLflow on this machine, for development and tests only."""
    from mlops_basics.commands.services import serve_locally

    say(serve_locally(place.project_path, action, s3_port, mlflow_port))


@command("environment", name="data-push")
def data_push(place: Place) -> None:
    """Take a version of the source (and labels) with DVC, and send it to `data_remote`."""
    from mlops_basics.commands.data_versions import push_data

    for text in push_data(place.project_path, place.env):
        say(text)


@command("environment", name="data-pull")
def data_pull(place: Place) -> None:
    """Bring the version of the source (and labels) that their .dvc files name."""
    from mlops_basics.commands.data_versions import pull_data

    for text in pull_data(place.project_path, place.env):
        say(text)


@command("project")
@click.option("--months", default=12, show_default=True, help="How much of the year, at least 4.")
@click.option("--rows", default=4_000, show_default=True, help="Flights a month; there are 28,000.")
def demo(place: Place, months: int, rows: int) -> None:
    """A year of production on real flights: predict, watch, keep up, and a page about it."""
    from mlops_basics.commands.demo.year import page_path, run_demo, summary

    result = run_demo(place.project_path, months, rows, say)
    page = page_path(place.project_path).relative_to(place.project_path)
    say(f"{summary(result)}\nPage: {page.as_posix()}")
