"""What ``kedro services`` does, and says."""

from __future__ import annotations

import shlex
from pathlib import Path

from mlops_basics.commands.services.instance import WARNING, Instance
from mlops_basics.config.private_files import secrets_folder

SAMPLE = Path("data") / "source" / "iris.csv"


def serve_locally(
    project: Path, action: str, s3_port: int | None = None, mlflow_port: int | None = None
) -> str:
    """Start or stop the project's servers, or look at them.

    Args:
        project: Root of the project.
        action: "start", "stop" or "status".
        s3_port: None: that of the last time, or the default.
        mlflow_port: As ``s3_port``.

    Returns:
        A message that says what was done.
    """
    instance = Instance(project / "data" / "services", s3_port, mlflow_port)
    if action == "start":
        return start(instance, project)
    return stop(instance) if action == "stop" else status(instance)


def start(instance: Instance, project: Path) -> str:
    """Start everything, write the settings, and put the sample table where conf/s3 reads it.

    Raises:
        ConfigurationError: If a server does not come up, or settings of another server are there.
    """
    settings = project / "conf" / "local"
    for_shells = secrets_folder(project)
    instance.start()
    instance.write_settings(settings, for_shells)
    _upload_sample(instance, project)
    return (
        f"{status(instance)}\n"
        f"Settings: {settings / 'credentials.yml'} (the project reads it), and for a shell: "
        f". {shlex.quote(str(for_shells / 'services.env'))}\n"
        f"Next: kedro run --env s3. MLflow's pages: {instance.mlflow.address} (user and password "
        "are in the settings)\n"
        f"{WARNING}"
    )


def stop(instance: Instance) -> str:
    """Stop everything; data, logs and settings stay."""
    instance.stop()
    return f"Stopped. The data stays in {instance.folder}"


def status(instance: Instance) -> str:
    """A line a server."""
    return "\n".join(
        f"{name:<9} {'running' if answers else 'stopped':<8} {address}  log: {log}"
        for name, answers, address, log in instance.status()
    )


def _upload_sample(instance: Instance, project: Path) -> None:
    from botocore.exceptions import ClientError

    if not (project / SAMPLE).is_file():  # a project that is built on this one has its own table
        return
    client, key = instance.s3.client(), f"source/{SAMPLE.name}"
    try:
        client.head_object(Bucket=instance.bucket, Key=key)
    except ClientError:
        client.upload_file(str(project / SAMPLE), instance.bucket, key)
