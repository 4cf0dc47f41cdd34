"""Each command of the README, as it stands there, to the end that it promises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the README's lines are those of a shell"),
]

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Run in this order, in one new project: what the output has to say. RUN_ID is a run's, as printed.
PROMISES = {
    "make run": "Decision +first release",
    "kedro run": r"Decision +(kept|refused|not compared)",
    'kedro promote RUN_ID --reason "..."': r"[Vv]ersion 2\b.*production",
    "kedro rollback": r"Release 1 .* is in production, in place of 2",
    "kedro releases": r"now(.|\n)*rolled back by hand",
    "kedro reproduce RUN_ID": "identical",
    "kedro run --pipeline data_collection": "Data +version",
    "kedro run --pipeline batch_inference": "Data +version",
    "kedro ct --dry-run": "Nothing was written",
    "kedro ct": "Release 1: |Nothing to do",
    "kedro check data/source/iris.csv": r"species +multiclass(.|\n)*sepal_length  number",
    "kedro doctor": "champion",
    "kedro prune --keep 20": "Nothing to remove",
    "kedro keygen": "verify_key: ed25519:",
    "kedro sample breast_cancer": "kedro run --env breast_cancer",
    "kedro sample diabetes": "kedro run --env diabetes",
    "kedro sample flights": "kedro run --env flights",
}
#: Each in a project of its own: they stand beside each other, and either may be tried first.
ALONE = {
    "kedro run --params model_name=small,num_instances=145,training.n_trials=5": (
        r"^small: (.|\n)*Decision +first release(.|\n)*5 of 5 trials(.|\n)*Data +145 rows"
    ),
    "python src/main.py --model_name small --num_instances 145": (
        r"^small: (.|\n)*Decision +first release(.|\n)*20 of 20 trials(.|\n)*Data +145 rows"
    ),
}
_SERVERS = (
    "tests/integration/test_s3_loop.py::test_everything_lies_on_s3_and_nothing_on_this_machine"
)
#: What ends elsewhere: by the test of this name, or in a workflow that runs the same line.
ELSEWHERE = {
    "kedro adopt": (
        "tests/commands/test_adopt.py::test_what_was_deleted_in_mlflow_is_taken_from_production"
    ),
    "kedro releases --show-test RUN_ID": (
        "tests/integration/test_decision.py::"
        "test_figures_of_a_second_refused_challenger_are_shown_on_demand_alone"
    ),
    "make test": ".github/workflows/ci.yml",
    "python -m venv venv": ".github/workflows/ci.yml",
    "pip install -r requirements.txt": ".github/workflows/ci.yml",
    "kedro run --env flights": "tests/integration/test_tables.py::test_all_flights",
    "kedro run --env mine": "tests/integration/test_tables.py::test_a_users_table_in_five_lines",
    "make run ENV=mine": "tests/integration/test_tables.py::test_a_users_table_in_five_lines",
    "kedro check data/source/customers.csv --target has_left --write mine": (
        "tests/commands/test_check.py::test_the_lines_that_are_written_are_those_of_a_run"
    ),
    "kedro serve": "tests/integration/test_serve.py::test_rows_with_gaps_are_answered",
    "make demo": "tests/integration/test_demo.py::test_page_is_complete",
    "make services": "tests/commands/test_services.py::test_start_prints_addresses",
    "make services-stop": "tests/commands/test_services.py::test_killed_it_starts_again_with_its",
    "make run ENV=s3": _SERVERS,
    "kedro run --env scorer --pipeline batch_inference": (
        "tests/integration/test_s3_loop.py::test_a_scorer_without_mlflow_and_with_read_rights_alone"
    ),
    "make data-push": "tests/runs/test_dvc.py::test_what_was_pushed_comes_back",
    "make data-pull": "tests/runs/test_dvc.py::test_what_was_pushed_comes_back",
    "make viz": "tests/integration/test_viz.py::test_the_graph_shows_nodes_and_layers",
    "make jupyter": "tests/integration/test_notebook.py::test_the_manifest_is_shown",
}
#: Other programs' commands, which begin or end nothing of this project's.
OTHERS = {r"venv\Scripts\activate", "pytest", "uv sync", "make mlflow"}


def shown() -> set[str]:
    """Every command that the README shows, without its comment."""
    fences = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = {line.split("  #")[0].strip() for fence in fences for line in fence.splitlines()}
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`((?:kedro|make|python|uv) [^`\n]+)`", prose)
    return {line for line in lines if line} | set(named)


def test_each_command_of_the_readme_has_its_proof():
    """A new one has to be run here, or its test be named; that test exists."""
    assert shown() == {*PROMISES, *ALONE, *ELSEWHERE, *OTHERS}
    for command, proof in ELSEWHERE.items():
        file, _, test = proof.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8").replace("venv\\Scripts\\", "")
        assert (f"def {test}" if test else command) in text, command


def checkout(project: Project) -> Path:
    """Make a project one that `make` finds complete, with this Python's environment."""
    for name in ("Makefile", "README.md", ".gitignore"):
        shutil.copy(ROOT / name, project.path)
    environment = project.path / ".venv"
    environment.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (environment / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(ROOT / "requirements.txt", environment / "installed.txt")
    return project.path


def run(command: str, folder: Path) -> str:
    """Run a line of the README in a shell whose environment is activated."""
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "COLUMNS": "100", "PYTHONPATH": "src", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(  # noqa: S602 (a line of a shell)
        command,
        shell=True,
        cwd=folder,
        env=os.environ | given,
        capture_output=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_commands_end_as_the_readme_says(project):
    """One after the other in a new project: two runs, production moved by hand, the upkeep."""
    folder = checkout(project)
    runs: list[str] = []
    for command, promise in PROMISES.items():
        which = -1 if command.startswith("kedro promote") else 0
        output = run(command.replace("RUN_ID", runs[which] if runs else ""), folder)
        assert re.search(promise, output), f"{command}: {output}"
        runs += re.findall(r"Data .* version (\S+)", output)


@pytest.mark.parametrize("command", ALONE)
def test_an_example_ends_with_a_release(project, command):
    """Whoever tries it first sees a model in production, not a refusal."""
    output = run(command, checkout(project))
    assert re.search(ALONE[command], output, re.MULTILINE), output
