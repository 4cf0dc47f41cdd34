"""Do two checkouts make the same results? ``python benchmarks/same_results.py OLD NEW``.

Runs the loop of each checkout on iris, breast cancer and 14,400 flights: ``kedro run`` twice (the
second time with a longer search, so that a champion is challenged), then ``kedro ct`` with a new
batch. All that they leave is compared by SHA-256: data, models, metrics, decisions, verdicts, the
release, the text of pages and of the terminal. Times, versions, commits and ids are masked.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

KEDRO = str(Path(sys.executable).parent / "kedro")
MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d[.:]\d\d([.:]\d\d([.,]\d+)?)?(Z|\+00:00)?"), "<time>"),
    (re.compile(r"\d{4}-\d\d…\d+Z"), "<time>"),
    (re.compile(r"\bm-[0-9a-f]{32}\b|\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<commit>"),
    (re.compile(r"\b[0-9a-f]{10}\b(?= |,|\.|$)"), "<commit>"),
    (re.compile(r"\d+:\d\d:\d\d"), "<duration>"),
    (re.compile(r'"(git_dirty|lock_sha256)": ?("?\w+"?)'), r'"\1": <code>'),
    (re.compile(r"utc_time_created: .*|model_size_bytes: .*|mlflow_version: .*"), "<model>"),
)
#: Of these only what a name means differs between two runs: hashes of files that hold times.
LEFT_OUT = ("manifests/", "mlflow/", ".lock", ".run-lock", ".moving", "source/")
TASKS: dict[str, dict[str, Any]] = {
    "iris": {"target": "species"},
    "breast_cancer": {"target": "diagnosis"},
    "flights": {
        "target": "arr_delay",
        "positive_above": 15,
        "time_column": "time_hour",
        "exclude": ["dep_time", "dep_delay", "arr_time", "air_time"],
    },
}
PARAMETERS = {
    "monitoring": {"min_rows": 20, "ignore_columns": ["month", "day"]},
    "evaluation": {"importance_repeats": 2},
}


def batches_of(task: str, checkout: Path) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """The batches to learn from, and the one that comes later and differs."""
    if task == "iris":
        table = pd.read_csv(checkout / "data" / "source" / "iris.csv").sample(
            frac=1, random_state=0
        )
        return [table.iloc[:60], table.iloc[60:110]], table.iloc[110:]
    if task == "breast_cancer":
        from sklearn.datasets import load_breast_cancer

        bunch = load_breast_cancer(as_frame=True)
        table = bunch.frame.rename(columns={"target": "diagnosis"})
        table["diagnosis"] = table["diagnosis"].map(dict(enumerate(bunch.target_names)))
        later = table.iloc[400:].copy()
        later["mean radius"] *= 1.5
        later["diagnosis"] = later["diagnosis"].iloc[::-1].to_numpy()
        return [table.iloc[:200], table.iloc[200:400]], later
    subprocess.run([KEDRO, "sample", "flights"], cwd=checkout, check=True, capture_output=True)
    files = sorted((checkout / "data" / "source" / "flights").glob("*.csv"))[:4]
    *months, later = (pd.read_csv(path) for path in files)
    return months, later


def record(checkout: Path, scratch: Path) -> dict[str, str]:
    """Run everything in a copy of a checkout; the normalised content of each file by name."""
    project = scratch / "project"
    for name in ("conf", "src"):
        unused = shutil.ignore_patterns("__pycache__", "local")
        shutil.copytree(checkout / name, project / name, ignore=unused)
    (project / "conf" / "local").mkdir()
    for name in ("pyproject.toml", "requirements.txt", ".telemetry"):
        shutil.copy(checkout / name, project)
    (project / "data" / "source").mkdir(parents=True)
    shutil.copy(checkout / "data" / "source" / "iris.csv", project / "data" / "source")
    (project / "data" / "mlflow").mkdir(parents=True, exist_ok=True)
    content: dict[str, str] = {}
    for task, settings in TASKS.items():
        source = project / "data" / "source" / f"same_{task}"
        source.mkdir(parents=True)
        first, later = batches_of(task, project)
        for number, batch in enumerate(first):
            batch.to_csv(source / f"batch-{number}.csv", index=False)
        env = project / "conf" / f"same_{task}"
        env.mkdir()
        given = {"model_name": f"same_{task}", "source": f"data/source/same_{task}", **settings}
        (env / "globals.yml").write_text(json.dumps(given), encoding="utf-8")
        (env / "parameters.yml").write_text(json.dumps(PARAMETERS), encoding="utf-8")
        for step, trials in enumerate((2, 8)):
            command = ["run", "--params", f"training.n_trials={trials}"]
            content[f"{task}/run {step}"] = run(project, task, command)
        later.to_csv(source / "batch-9.csv", index=False)
        content[f"{task}/ct dry"] = run(project, task, ["ct", "--dry-run"])
        content[f"{task}/ct"] = run(project, task, ["ct"])
        content[f"{task}/ct again"] = run(project, task, ["ct"])
        command = ["run", "--pipeline", "batch_inference"]
        content[f"{task}/inference"] = run(project, task, command)
        content[f"{task}/releases"] = run(project, task, ["releases"])
        content |= {f"{task}/{k}": v for k, v in tracked(project, task).items()}
        print(f"{checkout}: {task} done", flush=True)
    content |= files_of(project / "data")
    return content


def run(project: Path, task: str, command: list[str]) -> str:
    """A command's exit code and what it printed, masked."""
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "COLUMNS": "100"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        [KEDRO, *command, "--env", f"same_{task}"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 1:
        raise SystemExit(f"{command} of {task} failed:\n{done.stdout}{done.stderr}")
    lines = [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("search ")]
    return masked(f"exit code {done.returncode}\n" + "\n".join(lines), project)


def tracked(project: Path, task: str) -> dict[str, str]:
    """Parameters, metrics and tags of each MLflow run, the oldest first."""
    script = (
        "import json, sys, mlflow; from mlflow import MlflowClient\n"
        f"mlflow.set_tracking_uri('sqlite:///{project}/data/mlflow/mlflow.db')\n"
        "c = MlflowClient(); e = c.get_experiment_by_name(sys.argv[1])\n"
        "runs = c.search_runs([e.experiment_id], order_by=['start_time'])\n"
        "print(json.dumps([[r.data.params, r.data.metrics, {k: v for k, v in r.data.tags.items()"
        " if not k.startswith('mlflow.')}, r.info.status,"
        " sorted(f.path for f in c.list_artifacts(r.info.run_id))] for r in runs]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, f"same_{task}"], capture_output=True, text=True, check=True
    )
    names = ("parameters", "metrics", "tags", "status", "artifacts")
    return {
        f"mlflow run {number}/{name}": masked(json.dumps(part, indent=1, sort_keys=True), project)
        for number, parts in enumerate(json.loads(done.stdout.splitlines()[-1]))
        for name, part in zip(names, parts, strict=True)
    }


def files_of(data: Path) -> dict[str, str]:
    """The normalised content of every file, by its path with versions numbered."""
    content = {}
    versions: dict[Path, list[str]] = {}
    for path in sorted(file for file in data.rglob("*") if file.is_file()):
        name = path.relative_to(data).as_posix()
        if any(part in name for part in LEFT_OUT):
            continue
        for parent in path.parents:
            if re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", parent.name):
                known = versions.setdefault(parent.parent, [])
                known.extend([parent.name] if parent.name not in known else [])
                name = name.replace(parent.name, f"v{known.index(parent.name)}")
        content[name] = normalised(path, data.parent)
    return content


def normalised(path: Path, project: Path) -> str:
    """A file's content as text in which only what matters is left."""
    if path.suffix == ".skops":
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        return "\n".join(f"{name} {digest(text)}" for name, text in members.items())
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return "\n".join(f"{n} {digest(archive.read(n))}" for n in sorted(archive.namelist()))
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        types = {str(name): str(kind) for name, kind in table.dtypes.items()}
        values = pd.util.hash_pandas_object(table.map(as_text), index=True)
        return f"{types} {digest(values.to_numpy().tobytes())}"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        return page_text(text, project)
    if path.suffix == ".json":
        parsed = json.loads(text)
        return masked(json.dumps(without_digests(parsed), indent=1, sort_keys=True), project)
    return masked(text, project)


def as_text(value: object) -> object:
    """A cell as something that can be hashed, to the last bit."""
    return value.hex() if isinstance(value, float) else str(value)


def without_digests(value: Any) -> Any:
    """JSON without SHA-256 and sizes of files: their content is compared itself."""
    if isinstance(value, dict):
        own = {"sha256", "size", "revision", "signature"}
        return {key: without_digests(part) for key, part in value.items() if key not in own}
    if isinstance(value, list):
        return [without_digests(part) for part in value]
    return value


def page_text(text: str, project: Path) -> str:
    """What a reader sees of a page, and the figures' data; neither markup nor style nor scripts."""
    figures = re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', text, re.S)
    figures += re.findall(r"Plotly\.newPlot\((.*?)\);?\s*</script>", text, re.S)
    visible = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.S)
    visible = html.unescape(re.sub(r"<[^>]+>", " ", visible))
    data = "\n".join(re.sub(r"\s+", "", html.unescape(figure)) for figure in figures)
    return masked("\n".join(visible.split()) + "\n" + data, project)


def masked(text: str, project: Path) -> str:
    """A text without what differs from run to run."""
    text = text.replace(str(project), "<project>")
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Record each checkout that is named, and tell what differs; exit 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="+", help="folders, or records (.json) of them")
    parser.add_argument("--record", type=Path, help="write what the only checkout gives to a file")
    parser.add_argument("--lines", type=int, default=12, help="lines of each difference")
    given = parser.parse_args()
    records = []
    for name in given.checkouts:
        if name.endswith(".json"):
            records.append(json.loads(Path(name).read_text(encoding="utf-8")))
            continue
        with tempfile.TemporaryDirectory() as scratch:
            records.append(record(Path(name).resolve(), Path(scratch)))
    if given.record:
        given.record.write_text(json.dumps(records[0], indent=1), encoding="utf-8")
    if len(records) < 2:
        return
    # Once more, for a record that was made when fewer were known.
    old, new = ({k: masked(v, Path("<project>")) for k, v in record.items()} for record in records)
    different = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    for name in different:
        print(f"--- {name}: " + ("differs" if name in old and name in new else "only in one"))
        lines = [part.get(name, "").splitlines() for part in (old, new)]
        for line in list(difflib.unified_diff(*lines, lineterm="", n=0))[2 : 2 + given.lines]:
            print(f"    {line[:200]}")
    print(f"{len({*old, *new}) - len(different)} equal, {len(different)} different")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
