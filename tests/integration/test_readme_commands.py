"""Each command of README and pages, as it stands there, to the end that it promises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import PAGES, block_commands, fences, prose_commands
from tests.support.project import ROOT, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the README's lines are those of a shell"),
]

TUTORIAL = "docs/tutorial.md"
#: Of the tutorial, in its order, in one new project: how it ends, and what it has to say.
TUTORIAL_PROMISES = [
    ("kedro sample breast_cancer", 0, "kedro run --env breast_cancer"),
    ("mkdir data/source/patients", 0, ""),
    ("head -n 401 data/source/breast_cancer.csv > data/source/patients/january.csv", 0, ""),
    (
        "kedro check data/source/patients --target diagnosis --write mine",
        0,
        "binary model of diagnosis",
    ),
    ("kedro run --env mine", 0, r"^mine: (.|\n)*Decision +first release(.|\n)*400 rows"),
    ("kedro run --env mine --pipeline batch_inference", 0, "Data +version"),
    (
        "(head -n 1 data/source/breast_cancer.csv; tail -n 169 data/source/breast_cancer.csv)"
        " > data/source/patients/february.csv",
        0,
        "",
    ),
    ("kedro ct --env mine --dry-run", 5, "refresh is due(.|\n)*Nothing was written"),
    ("kedro ct --env mine", 3, "no drift(.|\n)*version 2 replaces 1"),
    ("kedro releases --env mine", 0, r"refresh \(all\)(.|\n)*now"),
    ("kedro rollback --env mine", 0, "Release 1 .* is in production, in place of 2"),
    ("kedro run --env mine --params training.n_trials=5", 0, "Decision +kept(.|\n)*5 of 5 trials"),
    (
        'kedro promote RUN_ID --reason "a test of the tutorial" --env mine',
        0,
        r"[Vv]ersion 3\b.*production",
    ),
    ("kedro rollback --env mine", 0, "is in production, in place of 3"),
]
#: Run in this order, in one new project: what the output has to say. RUN_ID is a run's, as printed.
PROMISES = {
    "make run": "Decision +first release",
    "kedro reproduce RUN_ID": "identical",
    "kedro doctor": "champion",
    "kedro prune --keep 20": "Nothing to remove",
    "kedro keygen": "verify_key: ed25519:",
    "kedro sample diabetes": "kedro run --env diabetes",
    "kedro sample flights": "kedro run --env flights",
    "kedro sample flights_december": "kedro ct --env flights",
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
_STARTER = "tests/integration/test_starter.py::test_a_project_of_ones_own_is_made_run_and_upgraded"
_FLIGHTS = "tests/integration/test_tables.py::test_flights_are_released_and_followed"
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
    "make docs": ".github/workflows/ci.yml",
    "python -m venv .venv": ".github/workflows/ci.yml",
    "pip install -r requirements.txt": ".github/workflows/ci.yml",
    "kedro run --env flights": _FLIGHTS,
    "kedro ct --env flights": _FLIGHTS,
    "kedro run --env mine": "tests/integration/test_tables.py::test_a_users_table_in_five_lines",
    "kedro check data/source/customers.csv --target has_left --write mine": (
        "tests/commands/test_check.py::test_the_lines_that_are_written_are_those_of_a_run"
    ),
    "kedro serve": "tests/integration/test_serve.py::test_rows_with_gaps_are_answered",
    "kedro demo": "tests/integration/test_demo.py::test_page_is_complete",
    "kedro services start": "tests/commands/test_services.py::test_start_prints_addresses",
    "kedro services stop": "tests/commands/test_services.py::test_killed_it_starts_again_with_its",
    "kedro run --env s3": _SERVERS,
    "kedro run --env scorer --pipeline batch_inference": (
        "tests/integration/test_s3_loop.py::test_a_scorer_without_mlflow_and_with_read_rights_alone"
    ),
    "kedro data-push": "tests/runs/test_dvc.py::test_what_was_pushed_comes_back",
    "kedro data-pull": "tests/runs/test_dvc.py::test_what_was_pushed_comes_back",
    "pip install REPOSITORY pytest": _STARTER,
    "kedro new --starter REPOSITORY --directory starter": _STARTER,
    "pip install -U REPOSITORY": _STARTER,
    "kedro viz run": "tests/integration/test_viz.py::test_the_graph_shows_nodes_and_layers",
    "python benchmarks/scale.py --rows 100000 1000000 20000000": (
        "tests/benchmarks/test_scale.py::test_the_bars_are_of_the_most_and_the_fewest_rows"
    ),
    "python benchmarks/dask_cost.py --rows 20000000": (
        "tests/benchmarks/test_dask_cost.py::test_each_function_has_its_bar"
    ),
    "python benchmarks/scale.py --rows --batches 20000000": (
        "tests/benchmarks/test_scale.py::test_a_look_is_measured_behind_a_release"
    ),
    "kedro jupyter lab": "tests/integration/test_notebook.py::test_the_manifest_is_shown",
}
#: Other programs' commands, which begin or end nothing of this project's.
OTHERS = {r".venv\Scripts\activate", "pytest", "uv sync", "kedro mlflow ui"}


#: Pages with commands of other programs that no test can run, and why.
NOT_RUN = {
    "docs/how-to/dask.md": "servers and machines: tests/integration/test_dask.py starts its own",
    "docs/aws.md": "needs an account at AWS; its policy and settings are tests/test_aws_policy.py",
    "docs/tutorial.md": "makes the environment that the tests run in: .github/workflows/ci.yml",
    "docs/how-to/serving.md": "curl, which may be missing: tests/integration/test_serve.py asks",
}


def plain(command: str) -> str:
    """A command without the environment that a page took for its example, and without a reason."""
    bare = re.sub(r" (--env mine|ENV=mine|--params training.n_trials=5)\b", "", command)
    return re.sub(r'--reason ".*?"', '--reason "..."', bare)


def test_each_command_of_the_pages_has_its_proof():
    """A new one has to be run here, or its test be named; that test exists."""
    shown = {plain(command) for text in PAGES.values() for command in block_commands(text)}
    shown |= {plain(command) for command in prose_commands(PAGES["README.md"])}
    tutorial = {plain(command) for command, _, _ in TUTORIAL_PROMISES}
    elsewhere = {plain(command) for command in ELSEWHERE}
    assert shown == {*tutorial, *PROMISES, *ALONE, *elsewhere, *OTHERS}
    assert {page for page, text in PAGES.items() if fences(text, "sh")} == set(NOT_RUN)
    for command, proof in ELSEWHERE.items():
        file, _, test = proof.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8").replace(".venv\\Scripts\\", "")
        assert (f"def {test}" if test else command) in text, command


def test_the_tutorial_is_run_as_it_stands():
    """Its commands, in their order, are those that the next test runs."""
    assert block_commands(PAGES[TUTORIAL]) == [command for command, _, _ in TUTORIAL_PROMISES]


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


def run(command: str, folder: Path, code: int = 0) -> str:
    """Run a line of a page in a shell whose environment is activated."""
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
    assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_tutorial_ends_as_it_says(project):
    """A user's CSV to production, a refresh, back, a challenger refused and overruled, and back."""
    folder = checkout(project)
    runs: list[str] = []
    for command, code, promise in TUTORIAL_PROMISES:
        output = run(command.replace("RUN_ID", runs[-1] if runs else ""), folder, code)
        assert re.search(promise, output, re.MULTILINE), f"{command}: {output}"
        runs += re.findall(r"Data .* version (\S+)", output)


def test_the_commands_end_as_the_pages_say(project):
    """One after the other in a new project: a run, its repetition, the upkeep."""
    folder = checkout(project)
    runs: list[str] = []
    for command, promise in PROMISES.items():
        output = run(command.replace("RUN_ID", runs[0] if runs else ""), folder)
        assert re.search(promise, output), f"{command}: {output}"
        runs += re.findall(r"Data .* version (\S+)", output)


@pytest.mark.parametrize("command", ALONE)
def test_an_example_ends_with_a_release(project, command):
    """Whoever tries it first sees a model in production, not a refusal."""
    output = run(command, checkout(project))
    assert re.search(ALONE[command], output, re.MULTILINE), output
