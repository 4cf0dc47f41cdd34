"""The project's commands. Thin: each starts registered pipelines or calls one function."""

from __future__ import annotations

import getpass
import io
import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import env_option
from kedro.utils import find_kedro_project

from mlops_basics.errors import MlopsError
from mlops_basics.safe_text import make_logs_safe, safe_text, short_text

#: conf/logging.yml keeps these quiet: errors reach the terminal once, as a readable message.
QUIET_LOGGERS = ("kedro", "kedro_mlflow.framework", "mlflow", "py.warnings")
EXIT_DIFFERENT = 2  # a run was repeated, but its results differ
model_name_option = click.option("--model-name", help="Instead of the one in globals.yml.")
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
            # What explains it may be imported now: on a full disk Python leaves half of a compiled
            # module, says nothing, and cannot import it ever after.
            sys.dont_write_bytecode = True
            if verbose:
                click.echo(safe_text(traceback.format_exc()), err=True)
            click.secho(f"Error: {short_text(explain(error))}", fg="red", err=True)
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
    """The message for people: of our own error wherever it sits in the chain, else of the last."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MlopsError):
            return str(seen)
        seen = seen.__cause__ or seen.__context__
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


run = readable(_calling(kedro_run, _run))


@click.command()
@click.argument("name", required=False)
def sample(name: str | None) -> None:
    """Write a sample table (breast_cancer, diabetes, flights) into data/source."""
    from mlops_basics.commands.samples import write_sample

    click.echo(write_sample(name))


@click.command()
@env_option
@model_name_option
def releases(env: str | None, model_name: str | None) -> None:
    """Show every release: when, why, from which data, and which is in production."""
    from rich.console import Console

    from mlops_basics.commands.releases import releases_table

    Console().print(releases_table(*_production(env, model_name)))


@click.command()
@click.option("--to", help="The version to go back to; default: the champion before.")
@click.option("--reason", default="rolled back by hand", help="Written into the ledger.")
@env_option
@model_name_option
def rollback(to: str | None, reason: str, env: str | None, model_name: str | None) -> None:
    """Put an earlier release back into production."""
    from mlops_basics.commands.rollback import rollback as roll_back

    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    store, registry = _production(env, model_name)
    click.echo(roll_back(store, registry, to, reason, getpass.getuser(), now))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5001, show_default=True, type=int)
@env_option
@model_name_option
def serve(host: str, port: int, env: str | None, model_name: str | None) -> None:
    """Verify the release in production and serve it over HTTP (POST /invocations)."""
    from mlops_basics.commands.serve import serve as serve_release

    sys.exit(serve_release(_production(env, model_name)[0], host, port))


@click.command()
@click.argument("run_id")
@env_option
@click.pass_obj
def reproduce(metadata: Any, run_id: str, env: str | None) -> None:
    """Run a recorded run again and say whether metrics and predictions are identical."""
    from mlops_basics.commands.reproduce import reproduce_run

    found = reproduce_run(_project_path(metadata), run_id, env)
    click.echo(found.in_words())
    if not found.identical:
        sys.exit(EXIT_DIFFERENT)


@click.command()
@click.argument("run_id")
@click.option("--reason", required=True, help="Why, against its decision: the ledger keeps it.")
@env_option
@model_name_option
@click.pass_obj
def promote(
    metadata: Any, run_id: str, reason: str, env: str | None, model_name: str | None
) -> None:
    """Promote a run by hand, whatever its test said; its release is verified all the same."""
    from mlops_basics.commands.promote import promote_run
    from mlops_basics.schemas import Override

    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    override = Override(by=getpass.getuser(), at=now, reason=reason.strip())
    params = {"model_name": model_name} if model_name else {}
    click.echo(promote_run(_project_path(metadata), env, params, run_id, override))


@click.command()
@click.option("--keep", required=True, type=click.IntRange(min=1), help="How many runs to keep.")
@click.option("--dry-run", is_flag=True, help="Tell what would go, but remove nothing.")
@env_option
@model_name_option
@click.pass_obj
def prune(metadata: Any, keep: int, dry_run: bool, env: str | None, model_name: str | None) -> None:
    """Remove the data of old runs, but never what a release, a version or the monitor needs."""
    from mlops_basics.commands.prune import prune_runs

    params = {"model_name": model_name} if model_name else {}
    click.echo(prune_runs(_project_path(metadata), env, params, keep, dry_run=dry_run))


@click.command()
@env_option
@model_name_option
@click.pass_obj
def doctor(metadata: Any, env: str | None, model_name: str | None) -> None:
    """Check what a run needs: a line a check, with a remedy. Exit code 1 if one failed."""
    from mlops_basics.commands.doctor import examine, told

    params = {"model_name": model_name} if model_name else {}
    healthy = True
    for finding in examine(_project_path(metadata), env, params):
        click.echo(told(finding))
        healthy = healthy and finding.state != "failed"
    sys.exit(0 if healthy else 1)


@click.command()
@click.pass_obj
def keygen(metadata: Any) -> None:
    """Make the keys that releases are signed with and checked by (conf/local)."""
    from mlops_basics.production.signature import make_key_pair

    project = _project_path(metadata)
    private, public, text = make_key_pair(project / "conf" / "local")
    click.echo(
        f"Private key: {private.relative_to(project).as_posix()} (keep it secret, keep a copy)\n"
        f"Public key:  {public.relative_to(project).as_posix()}\n"
        f"In globals.yml, signing_key of whoever publishes, verify_key of everybody:\n"
        f"signing_key: {private.relative_to(project).as_posix()}\n"
        f"verify_key: {text}"
    )


@click.command()
@click.option("--dry-run", is_flag=True, help="Look and tell, but write and train nothing.")
@env_option
@model_name_option
@click.pass_obj
def ct(metadata: Any, dry_run: bool, env: str | None, model_name: str | None) -> None:
    """Watch the release in production, and retrain when it corresponds, and only then.

    Exit codes: 0 nothing to do, 3 retrained and promoted, 4 retrained and kept, 5 would retrain
    (--dry-run), 1 error.
    """
    from mlops_basics.commands.ct import continuous_training

    params = {"model_name": model_name} if model_name else {}
    outcome = continuous_training(_project_path(metadata), env, params, dry_run=dry_run)
    click.echo(outcome.text)
    sys.exit(outcome.code)


@click.command()
@click.argument("action", type=click.Choice(["start", "stop", "status"]))
@click.option("--s3-port", type=int, help="Default: that of the last time, or 8333.")
@click.option("--mlflow-port", type=int, help="Default: that of the last time, or 5002.")
@click.pass_obj
def services(metadata: Any, action: str, s3_port: int | None, mlflow_port: int | None) -> None:
    """S3, PostgreSQL and MLflow on this machine, for development and tests only."""
    from mlops_basics.commands.services import Instance, command

    project = _project_path(metadata)
    instance = Instance(project / "data" / "services", s3_port, mlflow_port)
    if action == "start":
        click.echo(command.start(instance, project))
    else:
        click.echo(command.stop(instance) if action == "stop" else command.status(instance))


@click.command(name="data-push")
@env_option
@click.pass_obj
def data_push(metadata: Any, env: str | None) -> None:
    """Take a version of the source (and labels) with DVC, and send it to `data_remote`."""
    from mlops_basics.runs.dvc import push

    project = _project_path(metadata)
    sources, remote = _sources(project, env)
    for path in sources:
        click.echo(push(project, path, remote))


@click.command(name="data-pull")
@env_option
@click.pass_obj
def data_pull(metadata: Any, env: str | None) -> None:
    """Bring the version of the source (and labels) that their .dvc files name."""
    from mlops_basics.runs.dvc import pull

    project = _project_path(metadata)
    for path in _sources(project, env)[0]:
        click.echo(pull(project, path))


def _sources(project: Path, env: str | None) -> tuple[list[Path], str | None]:
    """The local paths of source and labels, and DVC's remote, as configured."""
    from mlops_basics.runs.session import load_context

    context = load_context(project, env, {})
    catalog: Any = context.catalog
    paths = (catalog.get(name).local_path for name in ("source", "labels"))
    remote = context.config_loader["globals"].get("data_remote")
    return [project / path for path in paths if path is not None], remote


@click.command()
@click.option("--months", default=12, show_default=True, help="How much of the year, at least 4.")
@click.option(
    "--rows", default=10_000, show_default=True, help="Flights a month; there are 28,000."
)
@click.pass_obj
def demo(metadata: Any, months: int, rows: int) -> None:
    """A year of production on real flights: predict, watch, retrain, and a page about it."""
    from mlops_basics.commands.demo.year import page_path, run_demo, summary

    project = _project_path(metadata)
    result = run_demo(project, months, rows, click.echo)
    click.echo(f"{summary(result)}\nPage: {page_path(project).relative_to(project).as_posix()}")


def _production(env: str | None, model_name: str | None) -> tuple[Any, Any]:
    """The release store and the registry, as the catalog configures them."""
    from mlops_basics.runs.session import load_context

    params = {"model_name": model_name} if model_name else {}
    release: Any = load_context(None, env, params).catalog.get("release")
    return release.store, release.registry


def _project_path(metadata: Any) -> Path:
    if metadata is not None:
        return Path(metadata.project_path)
    return find_kedro_project(Path.cwd()) or Path.cwd()


@click.group(name="mlops-basics")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
for _command in (sample, releases, rollback, serve, reproduce, ct, data_push, data_pull):
    cli.add_command(readable(_command))
cli.add_command(readable(keygen))
cli.add_command(readable(services))
for _command in (promote, prune, doctor):
    cli.add_command(readable(_command))
cli.add_command(readable(demo))
