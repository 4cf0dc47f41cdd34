"""Tests that the promises of README and pages hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import yaml

from mlops_basics.config.checks import OPTIONAL_GLOBALS
from tests.support.pages import PAGES, block_commands, fences, prose, prose_commands
from tests.support.project import ROOT, bootstrap

README = PAGES["README.md"]
TABLE = PAGES["docs/how-to/own-table.md"]
#: Parts of a run's summary that differ from run to run.
VOLATILE = {r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z": "<version>", r"\b[0-9a-f]{32}\b": "<run>"}


def stable(text: str) -> list[str]:
    """The lines of a summary, with placeholders for what differs from run to run."""
    for pattern, placeholder in VOLATILE.items():
        text = re.sub(pattern, placeholder, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def code() -> str:
    """Everything that the pages show as code, a line each."""
    shown = [line for text in PAGES.values() for line in fences(text, "console", "yaml", "sh")]
    return "\n".join(
        [
            *shown,
            *(each for text in PAGES.values() for each in re.findall(r"`([^`\n]+)`", prose(text))),
        ]
    )


def named(command: str) -> set[str]:
    """The words that follow a command wherever a page shows it; capitals stand for any."""
    return set(re.findall(rf"{command} ([a-z0-9_][\w-]*)", code()))


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
    """Each `make NAME` of a page is a target of the Makefile, and the two main ones are named."""
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
    """Each name that a page gives to a command is one that the command knows."""
    from kedro.framework.project import pipelines

    from mlops_basics.commands.samples import SAMPLES

    bootstrap(ROOT)
    assert named("kedro sample") == set(SAMPLES)
    environments = named("--env") | set(re.findall(r"ENV=(\w+)", code()))
    assert environments - {"mine", "team"} <= {folder.name for folder in (ROOT / "conf").iterdir()}
    assert named("--pipeline") <= set(pipelines)
    pages = "".join(PAGES.values())
    for name in set(pipelines) - {"__default__"}:
        assert f"`{name}`" in pages or f"--pipeline {name}" in pages


def test_every_option_of_the_one_file_is_explained():
    """The example and the table name each option that globals.yml may hold, and no other."""
    options = set(yaml.safe_load((ROOT / "conf/base/globals.yml").read_text(encoding="utf-8")))
    options |= set(OPTIONAL_GLOBALS)
    example = "".join(fences(TABLE, "yaml"))
    rows = re.search(r"^\| option .*?\n\n", TABLE, re.MULTILINE | re.DOTALL)[0]
    cells = "".join(re.findall(r"^\|([^|]*)\|", rows, re.MULTILINE))
    explained = set(yaml.safe_load(example)) | set(re.findall(r"`(\w+)`", cells))
    assert explained == options


def test_your_own_table_takes_five_lines():
    """The heading's number of lines is correct, and the page about tables begins with the same."""
    [example] = fences(README, "yaml")
    assert len(example.splitlines()) == 5
    assert fences(TABLE, "yaml")[0] == example


def test_the_readme_stays_short():
    """Two screens; what is longer has a page of its own."""
    assert len(README.splitlines()) < 100


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page):
    """Each file and heading that a page points to is there, and pictures are small."""
    text = PAGES[page]
    links = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'<img src="([^"]+)"', text)]
    for file, _, heading in (link.partition("#") for link in links if "://" not in link):
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.is_file(), (page, file)
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"\W+", "-", each.lower()) for each in headings], heading
        if target.suffix == ".png":
            assert target.stat().st_size < 200_000, (page, file)


@pytest.mark.slow
def test_the_options_of_each_command_exist():
    """Each `kedro COMMAND --option` that a page shows is one that its command takes."""
    from mlops_basics.cli import cli

    shown = [
        each for text in PAGES.values() for each in (*block_commands(text), *prose_commands(text))
    ]
    known = {
        name: {
            option for param in command.params for option in (*param.opts, *param.secondary_opts)
        }
        for name, command in cli.commands.items()
    }
    checked = 0
    for words in (line.split() for line in shown if line.startswith("kedro ")):
        options = {word.partition("=")[0] for word in words if word.startswith("-")} - {"--help"}
        if words[1] in known:
            assert options <= known[words[1]], words
            checked += len(options)
    assert checked > 10


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
