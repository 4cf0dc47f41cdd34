"""Serves a release and asks it over HTTP, as users do and as hostile clients would."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

import numpy as np
import pandas as pd
import psutil
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


def start(root, port, scratch, **more):
    """A process that serves; its environment has no ``.venv`` in PATH, its copies go to scratch."""
    environment = {
        **os.environ,
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT / "src"),
        "TMPDIR": str(scratch),
        "MLFLOW_TRACKING_URI": f"sqlite:///{scratch}/mlflow.db",
        **more,
    }
    command = [sys.executable, "-c", SERVE, str(root), NAME, str(port), json.dumps(TRUSTED)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def free_port():
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, body=None, kind="application/json", **headers):
    """Status and body of an answer; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=content, headers={"Content-Type": kind, **headers}
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


@pytest.fixture(scope="module")
def served(root, tmp_path_factory):
    """The port of a server, and its process."""
    port = free_port()
    server = start(root, port, tmp_path_factory.mktemp("served"))
    wait_until_up(server, port)
    yield port, server
    server.send_signal(signal.SIGTERM)
    server.wait(60)


def rows_of(text):
    """A body with one value, as it stands in JSON."""
    return f'{{"dataframe_records": [{{"length": {text}, "count": 3, "colour": "red"}}]}}'.encode()


def parquet(rows):
    """Very few bytes for very many rows."""
    target = io.BytesIO()
    table = pd.DataFrame({"length": np.zeros(rows), "count": 1.0, "colour": "red"})
    table.to_parquet(target, compression="zstd")
    return target.getvalue()


HOSTILE = {
    "infinity": (rows_of("Infinity"), "application/json", 400, "Infinity"),
    "a large number": (rows_of("1e999"), "application/json", 400, "too large"),
    "a whole number": (rows_of("9" * 30), "application/json", 400, "64 bits"),
    "a very long number": (rows_of("9" * 100_000), "application/json", 400, "64 bits"),
    "deep brackets": (rows_of("[" * 50_000), "application/json", 400, "nested"),
    "deep brackets of objects": (b'{"a":' * 50_000, "application/json", 400, "nested"),
    "many values": (b"[" + b"1," * 2_000_000 + b"1]", "application/json", 413, "1,000,000"),
    "many lines": (b"length\n" * 1_100_000, "text/csv", 413, "1,000,000"),
    "many bytes": (b" " * (9 * 2**20), "application/json", 413, "8,388,608"),
    "no JSON": (b"{", "application/json", 400, "no JSON"),
    "no text": (b"\xff\xfe{}", "application/json", 400, "UTF-8|no JSON"),
    "a list": (b"[]", "application/json", 400, ""),
    "a text": (b'"x"', "application/json", 400, ""),
    "nothing": (b"", "application/json", 400, ""),
    "no rows": (b'{"dataframe_split": {}}', "application/json", 400, ""),
    "another column": (b'{"dataframe_records": [{"x": 1}]}', "application/json", 400, "colour"),
    "text for a number": (rows_of('"long"'), "application/json", 400, ""),
    "ragged CSV": (b"length,count,colour\n1,2\n1,2,3,4,5\n", "text/csv", 400, ""),
    "Parquet": (parquet(200_000), "application/vnd.apache.parquet", 415, "text/csv"),
    "no type": (b"{}", "", 415, "application/json"),
    "another charset": (b"{}", "application/json; charset=utf-7", 400, ""),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_bodies_are_answered_in_few_words(case, served):
    """A status that says whose fault it is; no trace, no path, and no second of waiting."""
    body, kind, wanted, words = HOSTILE[case]
    began = time.monotonic()
    status, answer = ask(served[0], "/invocations", body, kind)
    assert (status, list(json.loads(answer))) == (wanted, ["error"])
    assert re.search(words, answer)
    assert len(answer) < 450
    assert not re.search(r"Traceback|site-packages|\.py\b|/home|/tmp", answer)
    assert time.monotonic() - began < 20
    assert ask(served[0], "/invocations", rows_of("1.5"))[0] == 200  # it goes on


def test_an_endless_body_takes_no_memory(served):
    """300 MiB are refused by their length, or as they come, and never held."""
    port, server = served
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    before = sum(process.memory_info().rss for process in family)
    said = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    said.putrequest("POST", "/invocations")
    said.putheader("Content-Type", "application/json")
    said.putheader("Content-Length", str(300 * 2**20))
    said.endheaders()
    assert said.getresponse().status == 413
    said.close()
    unsaid = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    chunks = (b" " * 2**20 for _ in range(300))
    with suppress(BrokenPipeError, ConnectionResetError):  # it does not listen to the end
        unsaid.request(
            "POST", "/invocations", chunks, {"Content-Type": "text/csv"}, encode_chunked=True
        )
        assert unsaid.getresponse().status == 413
    unsaid.close()
    assert sum(process.memory_info().rss for process in family) - before < 64 * 2**20


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/", "/../../etc/passwd", "/ping/x"])
def test_there_is_nothing_else_to_ask(path, served):
    """No page of the framework that MLflow's server is made with."""
    assert ask(served[0], path)[0] == 404


def test_a_token_is_asked_for(root, tmp_path):
    """Scores need it; whether the server is there does not."""
    port, token = free_port(), "a secret of our own"
    server = start(root, port, tmp_path, MLOPS_SERVE_TOKEN=token)
    try:
        wait_until_up(server, port)
        assert ask(port, "/invocations", rows_of("1"))[0] == 401
        assert ask(port, "/invocations", rows_of("1"), Authorization="Bearer other")[0] == 401
        given = ask(port, "/invocations", rows_of("1"), Authorization=f"Bearer {token}")
        assert given[0] == 200
    finally:
        server.send_signal(signal.SIGINT)  # Ctrl-C
        _, errors = server.communicate(timeout=60)
    assert server.returncode == 128 + signal.SIGINT
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("mlops-basics-serve-*"))


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
