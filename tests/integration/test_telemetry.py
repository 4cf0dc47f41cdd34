"""Nothing that is used of this project is told to anybody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

#: A command as a user calls it, and every name that it looks up.
COMMAND = """
import socket, sys, time
asked = []
def refuse(host, *rest, **named):
    asked.append(str(host))
    raise socket.gaierror("no network in this test")
socket.getaddrinfo = refuse
sys.argv = ["kedro", "rollback"]  # asks the registry, and has nothing to go back to
from kedro.framework.cli.cli import main
try:
    main()
except SystemExit:
    pass
import mlflow
time.sleep(2)
print("asked:", asked)
"""


@pytest.mark.parametrize("given", [None, "false"])
def test_no_host_is_looked_up(project, given):
    """MLflow's telemetry is off, unless somebody turns it on; it is silent on CI by itself."""
    ours = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    if given is not None:
        environment["MLFLOW_DISABLE_TELEMETRY"] = given
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        cwd=project.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    asked = done.stdout.split("asked:")[-1]
    assert ("mlflow" in asked) == (given == "false"), done.stdout
