"""A table with a hostile text in every name, from its source to the last command."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest

from tests.support.parsed_page import ParsedPage, without_plotly
from tests.support.processes import Command, Ended

pytestmark = pytest.mark.slow

ENV = "hostile"
SCRIPT = "<script>alert(1)</script>"
ENDLESS = "x" * 10_000
TARGET = '=HYPERLINK("http://evil","click")<b>'
CLASSES = (SCRIPT, "@SUM(1+1)|'../../..'", "\x1b[2J\x1b]0;title\x07\u202edlrow")
COLUMNS = (
    SCRIPT,
    "../../../etc/passwd",
    '"quo\'te" </script><img src=x onerror=alert(1)>',
    "two\nlines\rthree",
    "\x1b[31mred\x07",
    "🌼",
    "=cmd()|' /C calc'!A0",
    "{{7*7}}${7*7}%s%(name)s",
    ENDLESS,
)
BATCHES = (
    "=cmd().csv",
    "<img src=x onerror=alert(1)>.csv",
    "two\nlines\x1b[2J.csv",
    '"quo\'te" ..csv',
)
#: Values of a category; None of them may leave the table.
VALUES = np.array([SCRIPT, "=1+1", "../..", "\x1b[2J", "a\r\nb", "🌼", ENDLESS], dtype=object)


def hostile_table(rows: int, seed: int) -> pd.DataFrame:
    """Three classes that the first column separates, noise, and a category."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, rows)
    table = pd.DataFrame({name: rng.normal(size=rows).round(3) for name in COLUMNS})
    table[COLUMNS[0]] = (codes + rng.normal(0, 0.3, rows)).round(3)
    table[COLUMNS[2]] = rng.choice(VALUES, rows)
    table[TARGET] = np.array(CLASSES, dtype=object)[codes]
    return table


def kedro(project, *arguments: str) -> Ended:
    """Run a command as a user does, on a narrow terminal."""
    return Command(project, *arguments, env={"COLUMNS": "100", "DO_NOT_TRACK": "1"}).end()


def control_characters(text: str) -> set[str]:
    """What is neither printable nor the end of a line."""
    return {character for character in text if not character.isprintable() and character != "\n"}


@pytest.fixture(scope="module")
def ran(shared_project):
    """A project after a run on the table; the run's output, and what lay beside it before."""
    project = shared_project
    folder = project.path / "data" / "source" / ENV
    folder.mkdir()
    for seed, name in enumerate(BATCHES):
        hostile_table(80, seed).to_csv(folder / name, index=False, quoting=csv.QUOTE_NONNUMERIC)
    project.configure(ENV, model_name=ENV, source=f"data/source/{ENV}", target=TARGET)
    settings = "training: {n_trials: 2}\nevaluation: {resamples: 100, importance_repeats: 1}\n"
    (project.path / "conf" / ENV / "parameters.yml").write_text(settings, encoding="utf-8")
    before = set(project.path.parent.rglob("*"))
    done = kedro(project, "run", "--env", ENV)
    assert done.code == 0, done.out + done.err
    return project, done, before


def test_every_file_stays_in_the_storage(ran):
    """Nothing is written beside it, and no name of the table becomes a path."""
    project, _, before = ran
    new = {path for path in project.path.parent.rglob("*") if path.is_file()} - before
    allowed = [project.path / "data" / part for part in (ENV, "production", "mlflow")]
    strays = [path for path in new if not any(path.is_relative_to(each) for each in allowed)]
    of_kedro = {"__pycache__", ".viz"}  # compiled code, and what kedro-viz notes of a run
    assert [path for path in strays if not of_kedro & set(path.parts)] == []
    for path in new:
        assert re.fullmatch(r"[\w.:@/ -]*", path.relative_to(project.path.parent).as_posix()), path


def test_the_model_knows_the_names_as_they_are(ran):
    """Nothing was renamed, lost or mixed up on the way."""
    project, _, _ = ran
    info = project.load("table_info", env=ENV)
    assert set(info.features) == set(COLUMNS)
    assert set(info.classes) == set(CLASSES)
    assert info.rows == 80 * len(BATCHES)
    assert {batch.name for batch in project.load("collection_report", env=ENV).batches} == set(
        BATCHES
    )
    assert project.load("test_metrics", env=ENV).metrics["accuracy"].value > 0.8


def test_results_in_csv_open_harmlessly_and_are_loaded_as_they_were(ran):
    """No cell begins as a formula; names come back letter by letter."""
    project, _, _ = ran
    assert set(project.load("importance", env=ENV)["feature"]) == set(COLUMNS)
    matrix = project.load("confusion_matrix", env=ENV)
    assert list(matrix.columns[1:]) == list(matrix["actual"])
    assert set(matrix["actual"]) == set(CLASSES)
    files = [path for path in (project.path / "data" / ENV).rglob("*.csv") if path.is_file()]
    assert {path.name for path in files} == {"trials.csv", "confusion_matrix.csv", "importance.csv"}
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        text = [cell for cell in cells if not re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell)]
        assert [cell for cell in text if cell[:1] in tuple("=+-@\t\r")] == []


def test_the_report_shows_the_names_as_text(ran):
    """No tag, attribute or script comes from the data, also not inside the figures' JSON."""
    is_harmless(ran[0].load("report", env=ENV))


def is_harmless(page: str) -> None:
    """Assert that a page shows the names, and that nothing of them acts."""
    report = without_plotly(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in report
    parsed = ParsedPage(report)
    figures = report.count("<figure")
    drawn_by_script = report.count('class="plotly-graph-div"')
    assert drawn_by_script in (0, figures)
    # Plotly itself, what fits the figures to paper, and one for each of them.
    scripts = 2 + figures if drawn_by_script else 0
    assert parsed.tags.count("script") == report.lower().count("<script") == scripts
    assert report.lower().count("</script") == scripts
    assert not {"img", "b", "iframe", "object", "embed", "form", "a"} & set(parsed.tags)
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    assert ENDLESS[:1_000] not in report
    assert control_characters(report) == set()


def test_the_figures_of_kedro_viz_hold_no_markup(ran):
    """The figures' JSON, which kedro-viz draws, contains no markup."""
    project, _, _ = ran
    files = sorted((project.path / "data" / ENV / "reporting").rglob("*_plot.json"))
    plots = [path for path in files if path.is_file()]
    assert len(plots) == 5
    for path in plots:
        texts = json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False)
        assert not re.search(r"<(?!br>|extra>|/extra>)/?[a-z]", texts), path
        assert ENDLESS[:1_000] not in texts


def test_the_terminal_is_shown_no_control_characters(ran):
    """A run, the list of releases and errors that repeat a name print no control characters."""
    project, done, _ = ran
    outputs = [done.out, done.err]
    listed = kedro(project, "releases", "--env", ENV)
    assert listed.code == 0, listed.err
    outputs += [listed.out, listed.err]
    name = "\x1b[2J\x1b]0;gone\x07\u202e" + ENDLESS
    settings = {"model_name": ENV, "source": f"data/source/{ENV}", "target": TARGET}
    for option, value in (("exclude", [name]), ("key_columns", [name]), ("time_column", name)):
        project.configure("wrong", **settings | {option: value})
        failed = project.command("run", "--env", "wrong")
        assert failed.exit_code == 1
        assert "\\x1b[2J" in failed.output
        assert len(failed.output) < 6_000
        outputs.append(failed.output)
    shown = kedro(project, "run", "--env", "wrong", "--verbose")
    assert shown.code == 1
    assert "Traceback" in shown.err
    outputs += [shown.out, shown.err]
    assert [control_characters(text) for text in outputs] == [set()] * len(outputs)


@pytest.mark.parametrize(
    "name", [SCRIPT, "../up", "a/b", "=cmd()", "two\nlines", "\x1b[2J", ENDLESS, "🌼", "", "."]
)
def test_a_models_name_is_a_plain_word(ran, name):
    """It names folders and experiments: what is not letters, digits, '_', '-', '.' is refused."""
    project, _, _ = ran
    project.configure("named", model_name=name, source="data/source/iris.csv", target="species")
    before = sorted(path for path in project.path.rglob("*") if "conf" not in path.parts)
    done = project.command("run", "--env", "named")
    assert done.exit_code == 1
    assert "model_name must be 1 to 64 letters" in done.output
    assert control_characters(done.output) == set()
    assert len(done.output) < 1_000
    assert sorted(path for path in project.path.rglob("*") if "conf" not in path.parts) == before


def test_production_scores_the_names_as_they_are(ran):
    """The release is verified, loaded and predicts the hostile classes."""
    project, _, _ = ran
    project.run("batch_inference", env=ENV)
    found = project.load("predictions", env=ENV)
    assert len(found) == 80 * len(BATCHES)
    assert set(found["prediction"]) <= set(CLASSES)


def test_monitoring_shows_the_names_as_text(ran):
    """A good batch, and one that is quarantined for a column with a name: page and terminal."""
    project, _, _ = ran
    folder = project.path / "data" / "source" / ENV
    hostile_table(80, 90).to_csv(folder / "z<b>.csv", index=False)
    hostile_table(80, 91).drop(columns=COLUMNS[0]).to_csv(folder / "z=1+1.csv", index=False)
    done = kedro(project, "ct", "--env", ENV)
    assert done.code == 3, done.out + done.err  # refreshed with the good one
    assert "Fitted again with z<b>.csv" in done.out
    assert SCRIPT in done.out  # the column that is missing
    assert control_characters(done.out + done.err) == set()
    page = project.load("monitoring_report", env=ENV)
    is_harmless(page)
    assert "z&lt;b&gt;.csv" in page
    plots = (project.path / "data" / ENV / "monitoring").rglob("*_plot.json")
    texts = [path.read_text(encoding="utf-8") for path in plots if path.is_file()]
    assert texts
    assert [text for text in texts if re.search(r"<(?!br>|extra>|/extra>)/?[a-z]", text)] == []
