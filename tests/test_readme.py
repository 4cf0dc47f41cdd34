"""Tests that the README's promises hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlops_basics.config.checks import OPTIONAL_GLOBALS
from tests.support.project import ROOT, bootstrap

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Parts of a run's summary that differ from run to run.
VOLATILE = {r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z": "<version>", r"\b[0-9a-f]{32}\b": "<run>"}


def stable(text: str) -> list[str]:
    """The lines of a summary, with placeholders for what differs from run to run."""
    for pattern, placeholder in VOLATILE.items():
        text = re.sub(pattern, placeholder, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def code(text: str) -> str:
    """Everything that the README shows as code, a line each."""
    fences = re.findall(r"^```(?:console|yaml)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*fences, *re.findall(r"`([^`\n]+)`", prose)])


def named(command: str) -> set[str]:
    """The words that follow a command wherever the README shows it."""
    return set(re.findall(rf"{command} ([\w-]+)", code(README)))


@pytest.mark.slow
def test_a_run_ends_as_shown(project):
    """The block of the README is the summary that `kedro run` prints on a fresh clone."""
    command = [sys.executable, "-m", "kedro", "run"]
    environment = os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command,
        cwd=project.path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    block = re.search(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert stable(done.stdout) == stable(block[1])


def test_make_targets_exist():
    """Each `make NAME` is a target of the Makefile, and the two main ones are named."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test"} <= named("make") <= targets


@pytest.mark.slow
def test_kedro_commands_exist():
    """Each `kedro NAME` is a command in this project."""
    from kedro.framework.cli.cli import KedroCLI

    known = set(KedroCLI(ROOT).list_commands(None))
    assert {"run", "sample"} <= named("kedro") <= known


@pytest.mark.slow
def test_samples_environments_and_pipelines_exist():
    """Each name that the README gives to a command is one that the command knows."""
    from kedro.framework.project import pipelines

    from mlops_basics.commands.samples import SAMPLES

    bootstrap(ROOT)
    assert named("kedro sample") == set(SAMPLES)
    environments = named("--env") | set(re.findall(r"ENV=(\w+)", README))
    assert environments - {"mine"} <= {folder.name for folder in (ROOT / "conf").iterdir()}
    assert named("--pipeline") <= set(pipelines)
    for name in set(pipelines) - {"__default__"}:
        assert f"`{name}`" in README or f"--pipeline {name}" in README


def test_every_option_of_the_one_file_is_explained():
    """The example and the table name each option that globals.yml may hold, and no other."""
    options = set(yaml.safe_load((ROOT / "conf/base/globals.yml").read_text(encoding="utf-8")))
    options |= set(OPTIONAL_GLOBALS)
    example = re.search(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[1]
    rows = re.search(r"^\| option .*?\n\n", README, re.MULTILINE | re.DOTALL)[0]
    cells = "".join(re.findall(r"^\|([^|]*)\|", rows, re.MULTILINE))
    explained = set(yaml.safe_load(example)) | set(re.findall(r"`(\w+)`", cells))
    assert explained == options


def test_your_own_table_takes_five_lines():
    """The heading's number of lines is correct."""
    example = re.search(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[1]
    assert len(example.splitlines()) == 5


def test_links_and_pictures_exist():
    """Each file that the README points to is there, and pictures are small."""
    files = re.findall(r"\]\(([^)#:]+)\)", README)
    pictures = re.findall(r'<img src="([^"]+)"', README)
    for name in [*files, *pictures]:
        assert (ROOT / name).exists(), name
    sizes = {name: Path(ROOT / name).stat().st_size for name in pictures}
    assert all(size < 200_000 for size in sizes.values()), sizes


def test_contributing_names_every_room():
    """A newcomer finds each folder and each door of the package in one table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "mlops_basics"
    rooms = [
        f"`{folder.name}/" for folder in package.iterdir() if (folder / "__init__.py").exists()
    ]
    doors = [f"`{file.name}`" for file in package.glob("*.py") if file.name != "__init__.py"]
    assert len(rooms) > 10
    assert [name for name in (*rooms, *doors) if name not in text] == []
