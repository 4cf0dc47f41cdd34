"""Canaries wherever a user keeps a secret: none may be found in what is written."""

from __future__ import annotations

import pytest
import yaml

pytestmark = pytest.mark.slow

CANARY = "cAnArY"  # part of every secret below; in no other word
ENV = "secret"
#: Nothing answers there.
NOWHERE = "127.0.0.1:9"


@pytest.fixture
def guarded(project, monkeypatch):
    """A project with credentials in conf/local and in the environment."""
    secrets = {
        "storage": {"key": f"{CANARY}-key", "secret": f"{CANARY}-secret"},
        "database": f"postgresql://user:{CANARY}-password@host/db",
    }
    file = project.path / "conf" / "local" / "credentials.yml"
    file.write_text(yaml.safe_dump(secrets), encoding="utf-8")
    # The user's name is no secret: MLflow tags each run with it.
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")
    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, f"{CANARY}-{name}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"{CANARY}-{name}")
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{NOWHERE}",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "PIP_INDEX_URL": f"https://user:{CANARY}-pip@{NOWHERE}/simple",
    }.items():
        monkeypatch.setenv(name, value)
    return project


def leaks(project, *outputs):
    """The files below data/ that hold a canary, and the outputs that do."""
    files = [path for path in (project.path / "data").rglob("*") if path.is_file()]
    found = [str(path) for path in files if CANARY.encode() in path.read_bytes()]
    return found + [text for text in outputs if CANARY in text]


def configure(project, **values):
    """A few rows, and two trials."""
    settings = {"model_name": ENV, "source": "data/source/iris.csv", "target": "species"}
    project.configure(ENV, **settings | values)
    text = "training: {n_trials: 1}\nevaluation: {resamples: 100, importance_repeats: 1}\n"
    (project.path / "conf" / ENV / "parameters.yml").write_text(text, encoding="utf-8")


def test_a_run_writes_no_secret(guarded, capfd):
    """Results, MLflow's database and artifacts, and the terminal hold no secret."""
    configure(guarded)
    done = guarded.command("run", "--env", ENV, "--verbose")
    assert done.exit_code == 0, done.output
    listed = guarded.command("releases", "--env", ENV)
    scored = guarded.command("run", "--env", ENV, "--pipeline", "batch_inference", "--verbose")
    watched = guarded.command("ct", "--env", ENV)
    codes = (listed.exit_code, scored.exit_code, watched.exit_code)
    assert codes == (0, 0, 0), scored.output + watched.output
    seen = capfd.readouterr()
    # Canaries would be found: the name of the model is.
    files = [path for path in (guarded.path / "data").rglob("*") if path.is_file()]
    assert any(path.name == "mlflow.db" and ENV.encode() in path.read_bytes() for path in files)
    outputs = [each.output for each in (done, listed, scored, watched)]
    assert leaks(guarded, *outputs, seen.out, seen.err) == []


ADDRESSES = {
    "s3 source": {"source": f"s3://AKIA:{CANARY}/with+slash=@bucket/rows.csv"},
    "https source": {"source": f"https://user:{CANARY}@{NOWHERE}/rows.csv"},
    "signed source": {"source": f"http://{NOWHERE}/rows.csv?X-Amz-Signature={CANARY}"},
    "production": {"production": f"ftp://user:{CANARY}@{NOWHERE}/releases"},
    "storage": {"storage": f"s3://AKIA:{CANARY}@bucket/prefix"},
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_an_address_with_a_password_is_shown_without_it(case, guarded, capfd):
    """If the address cannot be reached, neither message nor traceback repeats the password."""
    configure(guarded, **ADDRESSES[case])
    command = ("releases",) if case == "production" else ("run",)
    outputs = []
    for more in ((), ("--verbose",)):
        failed = guarded.command(*command, "--env", ENV, *more)
        assert failed.exit_code == 1, failed.output
        assert "Error: " in failed.output
        seen = capfd.readouterr()
        outputs += [failed.output, seen.out, seen.err]
    assert leaks(guarded, *outputs) == []


def test_a_tracking_server_with_a_password_is_shown_without_it(guarded, capfd):
    """The password is removed from MLflow's error, which contains the whole address."""
    configure(guarded)
    uri = f"http://user:{CANARY}@{NOWHERE}"
    server = {"server": {"mlflow_tracking_uri": uri}}
    file = guarded.path / "conf" / ENV / "mlflow.yml"
    file.write_text(yaml.safe_dump(server), encoding="utf-8")
    outputs = []
    for more in ((), ("--verbose",)):
        failed = guarded.command("run", "--env", ENV, *more)
        assert failed.exit_code == 1, failed.output
        seen = capfd.readouterr()
        outputs += [failed.output, seen.out, seen.err]
    assert leaks(guarded, *outputs) == []
