"""MLflow's state in this process: which server it asks, and which runs are active."""

from __future__ import annotations

import os
from contextlib import suppress


def keep_quiet() -> None:
    """Let MLflow print nothing in the middle of our own lines."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar a file
    # Four lines that a server's address adds to every run; the summary has the address.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


def set_servers(tracking_uri: str, registry_uri: str) -> None:
    """Ask these servers from now on."""
    import mlflow

    before = os.environ.get("MLFLOW_REGISTRY_URI")
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(registry_uri)
    if before is None:  # MLflow sets it, which would redirect another project of this process
        os.environ.pop("MLFLOW_REGISTRY_URI", None)


def tracking_uri() -> str:
    """Address of the server or database that runs are recorded in, secrets included."""
    import mlflow

    return str(mlflow.get_tracking_uri())


def active_run_id() -> str | None:
    """The MLflow run that is active, None outside of one."""
    import mlflow

    run = mlflow.active_run()
    return run.info.run_id if run else None


def end_left(status: str, run_id: str | None) -> None:
    """End a run that is still running, wherever it was begun; what is gone needs no end.

    Args:
        status: "FAILED" or "KILLED".
        run_id: The run; None: there is none.
    """
    if run_id is None:
        return
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    with suppress(MlflowException):  # of another server, or removed
        if client.get_run(run_id).info.status == "RUNNING":
            client.set_terminated(run_id, status)


def end_runs(status: str, outer_run_id: str | None) -> None:
    """End every active run down to one that was active before, which goes on.

    Args:
        status: "FINISHED" or "FAILED".
        outer_run_id: The run that goes on; None: all are ended.
    """
    import mlflow

    while (run_id := active_run_id()) is not None and run_id != outer_run_id:
        mlflow.end_run(status)
