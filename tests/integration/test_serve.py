"""Serves a release through MLflow's server and asks it over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from mlops_basics.production.release_store import ReleaseStore
from tests.support.project import ROOT
from tests.support.releases import NAME, TRUSTED, make_folder, publish

pytestmark = pytest.mark.slow

SERVE = """
import json, sys
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.errors import ReleaseError
from mlops_basics.commands.serve import serve
root, name, port, trusted = sys.argv[1:]
try:
    sys.exit(serve(ReleaseStore(root, name, json.loads(trusted)), "127.0.0.1", int(port)))
except ReleaseError as error:
    sys.exit(f"refused: {error}")
"""


def start(root, port, scratch):
    """A process that serves; its environment has no ``.venv`` in PATH, its copies go to scratch."""
    environment = {
        **os.environ,
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT / "src"),
        "TMPDIR": str(scratch),
        "MLFLOW_TRACKING_URI": f"sqlite:///{scratch}/mlflow.db",
    }
    command = [sys.executable, "-c", SERVE, str(root), NAME, str(port), json.dumps(TRUSTED)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def free_port():
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, body=None):
    """Status and body of an answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_until_up(server, port):
    """Ask for the server's health until it answers."""
    for _ in range(600):
        assert server.poll() is None, server.stderr.read()
        try:
            if ask(port, "/health")[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not start")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A store with one release in production."""
    folder = make_folder(tmp_path_factory.mktemp("release"))
    root = tmp_path_factory.mktemp("store")
    publish(ReleaseStore(str(root), NAME, TRUSTED), folder, "1")
    return root


def test_rows_with_gaps_are_answered(root, tmp_path):
    """JSON rows with null in a number, in a whole number and in a category get predictions."""
    port = free_port()
    server = start(root, port, tmp_path)
    try:
        wait_until_up(server, port)
        rows = [
            {"length": 2.0, "count": 3, "colour": "red"},
            {"length": None, "count": 4, "colour": "blue"},
            {"length": -2.0, "count": None, "colour": "red"},
            {"length": -2.0, "count": 1, "colour": None},
            {"length": 2.0, "count": 1, "colour": "never seen"},
        ]
        status, body = ask(port, "/invocations", {"dataframe_records": rows})
        assert status == 200, body
        predictions = json.loads(body)["predictions"]
        assert len(predictions) == 5
        assert [predictions[i] for i in (0, 2, 3, 4)] == ["yes", "no", "no", "yes"]
        split = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
        status, body = ask(port, "/invocations", {"dataframe_split": split})
        assert (status, json.loads(body)["predictions"]) == (200, predictions)
        status, body = ask(port, "/invocations", {"dataframe_records": [{"length": 1.0}]})
        assert status == 400
        assert "colour" in body
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    assert code == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("mlops-basics-serve-*"))
    with pytest.raises(OSError, match="refused"):
        ask(port, "/health")


def test_a_tampered_release_is_not_served(root, tmp_path):
    """No server starts, and the message names the file."""
    path = root / NAME / "releases" / "1" / "table_info.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"answer", b"reward"))
    try:
        server = start(root, free_port(), tmp_path)
        _, errors = server.communicate(timeout=120)
    finally:
        path.write_bytes(whole)
    assert server.returncode == 1
    assert "refused: The release 1 of 'flowers' is refused: 'table_info.json' was changed" in errors
    assert not list(tmp_path.glob("mlops-basics-serve-*"))
