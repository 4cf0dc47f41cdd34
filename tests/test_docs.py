"""The pages: the reference is that of the code, figures are those of the proof, links lead on."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from mlops_basics.config.checks import OPTIONAL_GLOBALS
from mlops_basics.schemas import METRICS, PARAMETER_SECTIONS
from mlops_basics.schemas.parameters import Candidate
from tests.support.pages import PAGES, fences, prose
from tests.support.project import ROOT

BASE = ROOT / "conf" / "base"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """What writes the reference."""
    spec = importlib.util.spec_from_file_location(
        "reference_tables", ROOT / "docs" / "reference_tables.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def first_cells(table: str) -> list[str]:
    """The first cell of each line of Markdown's tables, without backticks."""
    return [cell.strip(" `") for cell in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)]


def test_each_parameter_is_in_the_reference(tables):
    """With its default and its range, by the schema that refuses others."""
    shown = tables.parameters()
    names = set(first_cells(shown))
    for section, schema in PARAMETER_SECTIONS.items():
        for field in schema.model_fields if schema else ():
            full = f"{section}.{field}"
            assert any(f"{name}.".startswith(f"{full}.") for name in names), full
    options = {*yaml.safe_load((BASE / "globals.yml").read_text(encoding="utf-8"))}
    assert options | set(OPTIONAL_GLOBALS) <= names
    candidate = {
        f"training.candidates.<task>.<name>.{each}"
        for each in Candidate.model_json_schema()["properties"]
    }
    assert candidate <= names
    assert "| `decision.alpha` | `0.05` | number > 0, < 0.5 | chance of a needless" in shown
    # A comment goes on in the lines below it, and ends where the next value has its own.
    assert "equal key_columns; none; a column |" in shown


def test_no_text_of_the_reference_is_empty_or_cut():
    """What a thing is or does is said in whole sentences; no two files of a run have the same."""
    pages = {
        name: [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in PAGES[f"docs/reference/{name}.md"].splitlines()
            if line.startswith("| `")
        ]
        for name in ("artifacts", "commands", "exit-codes", "parameters")
    }
    told = [what for _, what, _, _ in pages["artifacts"]]
    assert len(told) == len(set(told)) > 30
    assert [what for what in told if not re.search(r"\w.*\.\)? \([\w ,]+\)$", what)] == []
    assert [row for row in pages["commands"] if not row[1]] == []
    assert [row for row in pages["exit-codes"] if not row[2]] == []
    # What is only handed on has its meaning where it is stated.
    meant = [row for row in pages["parameters"] if not row[1].startswith("`${")]
    assert [row for row in meant if not row[3]] == []


@pytest.mark.slow
def test_each_file_of_a_run_is_in_the_reference(tables):
    """Each data set of the catalog that has a path, with the step that makes it."""
    names = set(first_cells(tables.artifacts()))
    entries: dict = {}
    for file in BASE.glob("catalog_*.yml"):
        entries |= yaml.safe_load(file.read_text(encoding="utf-8"))
    written = {name for name, entry in entries.items() if "filepath" in entry}
    assert len(written) > 30
    assert names == written | {"data set", "---"}
    assert "`model_evaluation.decide`" in tables.artifacts()


def test_each_exit_code_is_explained(tables):
    """Those of kedro ct, in the reference and in the table of the page about schedules."""
    codes = {str(int(code)) for code in tables.ExitCode}
    rows = re.findall(r"^\| `kedro ct` \| (\d+) \| \w", tables.exit_codes(), re.MULTILINE)
    assert set(rows) == codes
    schedule = re.findall(r"^\| (\d+) \|", PAGES["docs/how-to/schedule.md"], re.MULTILINE)
    assert set(schedule) == codes | {"1", "2"}


@pytest.mark.slow
def test_each_command_is_in_the_reference(tables):
    """With each of its options, and each target of the Makefile."""
    shown = tables.commands()
    for name, command in tables.cli.commands.items():
        part = shown.partition(f"## kedro {name}\n")[2].partition("\n## ")[0]
        for param in command.params:
            assert (max(param.opts) if param.opts[0][0] == "-" else "`") in part, (name, param.opts)
    assert "| `make docs` | the documentation" in shown
    # Where there is no make, the same line does it; what takes more than lines has none.
    assert re.search(r"^\| `make viz` .* \| `kedro viz run` \|$", shown, re.MULTILINE)
    assert re.search(r"^\| `make lock` \| [^|]*\|  \|$", shown, re.MULTILINE)


def test_each_metric_and_each_policy_is_in_the_glossary(tables):
    """A word that a report shows has its sentence."""
    from mlops_basics.schemas.policy import POLICIES

    assert {spec.name for spec in METRICS.values()} <= set(first_cells(tables.metrics()))
    words = re.findall(r"^- \*\*(.+?)\*\*: .", PAGES["docs/glossary.md"], re.MULTILINE)
    terms = {word.strip() for each in words for word in each.split(",")}
    assert {spec.title for spec in METRICS.values() if spec.reported} <= terms
    assert all(f"`{policy}`" in PAGES["docs/glossary.md"] for policy in POLICIES)
    assert len(words) == len(set(words))


def test_pages_explain_words_as_the_glossary_does():
    """What a report says of a word is the glossary's sentence, without its marks."""
    from mlops_basics.reporting.words import WORDS

    found = re.findall(r"^- \*\*(.+?)\*\*: (.+)$", PAGES["docs/glossary.md"], re.MULTILINE)
    sentences = {word: re.sub("[*`]", "", meaning) for word, meaning in found}
    assert {word: sentences.get(word) for word in WORDS} == WORDS


def test_each_word_in_italics_is_in_the_glossary():
    """Of the tutorial, which says so, and of the pages that do it as well; in its singular."""
    words = re.findall(r"^- \*\*(.+?)\*\*: ", PAGES["docs/glossary.md"], re.MULTILINE)
    known = {word.strip() for each in words for word in each.split(",")}
    for page in set(PAGES) - {"docs/proof.md"}:  # there it is the notes of tables
        text = prose(PAGES[page]).replace("**", "").replace("Words in *italics*", "")
        for word in re.findall(r"(?<![*\w])\*(\w[^*\n]*)\*(?![*\w])", text):
            assert {word.lower(), re.sub("e?s$", "", word.lower())} & known, (page, word)


def test_no_line_of_a_file_is_shown_with_dots():
    """``training.n_trials: 5`` in a file is refused: there it is a key of a section."""
    dotted = r"(?:^|`)[\w-]+(?:\.[\w-]+)+: [^`\n]*"
    for page, text in PAGES.items():
        lines = [each for block in fences(text, "yaml") for each in block.splitlines()]
        shown = [*lines, *re.findall(r"`[^`\n]+`", prose(text))]
        assert [each for each in shown if re.match(dotted, each.strip())] == [], page


def test_the_reference_is_that_of_the_code(tables):
    """Whoever reads the repository finds it filled in, and as it is now."""
    marked = re.findall(r"<!-- reference: (\w+) -->\n\n.", "".join(PAGES.values()))
    assert sorted(marked) == sorted(tables.TABLES)
    stale = [page for page, text in PAGES.items() if tables.filled_in(text) != text]
    assert not stale, "run `make reference`"


def test_a_misspelt_table_is_an_error(tables):
    """Between the marks of a page."""
    with pytest.raises(KeyError, match="metric"):
        tables.filled_in("<!-- reference: metric -->\nold\n<!-- reference ends -->\n")


def test_figures_of_a_decision_are_those_of_the_proof():
    """The page that promises quotes what was measured."""
    rows = re.findall(r"^\| (.+?) \| (\d\S* ± \S+ %) \|$", PAGES["docs/decisions.md"], re.MULTILINE)
    assert len(rows) == 4
    for rule, figure in rows:
        assert f"| {rule} | {figure} |" in PAGES["docs/proof.md"], rule
    for level in re.findall(r"(0\.\d+ %) for the", PAGES["docs/decisions.md"]):
        assert re.search(rf"level of challenge 1 is.*\b{level}", PAGES["docs/proof.md"]), level


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "built"),
    [
        ("[a heading](#a-heading)\n\n## A heading\n", True),
        ("[gone](gone.md)\n", False),
        ("[no such heading](#gone)\n", False),
        ("![no picture](gone.png)\n", False),
    ],
)
def test_a_broken_link_ends_the_build(tmp_path: Path, text: str, built: bool):
    """The site's own settings, with one page."""
    pytest.importorskip("material", reason="mkdocs-material is not installed: make venv")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == built, done.stderr
