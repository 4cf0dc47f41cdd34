"""The notebook runs from top to bottom, and shows what the run found."""

from __future__ import annotations

import json
import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.project import ROOT

pytestmark = pytest.mark.slow

NOTEBOOK = ROOT / "notebooks" / "explore_a_run.ipynb"
TRIALS = 3


@pytest.fixture(scope="module")
def run(shared_project):
    """A project with one run, and the run's manifest."""
    return shared_project, shared_project.run(training__n_trials=TRIALS)


@pytest.fixture(scope="module")
def outputs(run) -> dict[str, list]:
    """The outputs of the executed notebook, by the heading above each cell."""
    project, _ = run
    folder = project.path / "notebooks"
    folder.mkdir()
    shutil.copy(NOTEBOOK, folder)
    book = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    context = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=300, kernel_name="python3", resources=context).execute()
    found: dict[str, list] = {}
    for cell in book.cells:
        if cell.cell_type == "markdown":
            heading = cell.source.splitlines()[0].strip("# ")
        else:
            found.setdefault(heading, []).extend(cell.outputs)
    return found


def text_of(outputs: list) -> str:
    """All outputs' text."""
    data = (output.get("data", {}) for output in outputs)
    streams = "".join(output.get("text", "") for output in outputs)
    return streams + "".join(each.get("text/html", "") for each in data)


def test_loading_the_project_says_nothing(outputs):
    """The first cell makes the catalog without printing logs."""
    assert outputs["Explore a run"] == []


def test_the_manifest_is_shown(run, outputs):
    """The newest run is named, with every data set."""
    _, manifest = run
    text = text_of(outputs["What the run read and wrote"])
    assert manifest.run_id in text
    for name, item in manifest.datasets.items():
        assert f"<td>{name}</td>" in text
        assert item.sha256[:12] in text


def test_metrics_have_their_intervals(run, outputs):
    """The table holds the values of the catalog."""
    project, _ = run
    accuracy = project.load("test_metrics").metrics["accuracy"]
    text = text_of(outputs["How good it is"])
    for value in (accuracy.value, accuracy.low, accuracy.high):
        assert f"<td>{value:.6f}</td>" in text


def test_all_trials_are_shown(outputs):
    """One row a trial."""
    assert text_of(outputs["What the search tried"]).count("<tr>") == TRIALS


def test_five_figures_are_drawn(outputs):
    """Each figure is one that Jupyter draws without a network."""
    kinds = [list(output["data"]) for output in outputs["Figures"]]
    assert kinds == [["application/vnd.plotly.v1+json"]] * 5


def test_the_worst_errors_stand_beside_their_features(run, outputs):
    """The row of the largest loss comes first, with the features of the same row."""
    project, _ = run
    worst = project.load("scores").nlargest(1, "loss").iloc[0]
    rows = project.load("test_data").set_index("__row_hash__")
    features = rows.loc[worst["__row_hash__"]]
    text = text_of(outputs["The worst errors"])
    first = text[text.index("<tbody>") : text.index("</tr>", text.index("<tbody>"))]
    assert f"<td>{worst['loss']:.6f}</td>" in first
    for name in ("sepal_length", "sepal_width", "petal_length", "petal_width"):
        assert f"<td>{features[name]}</td>" in first


def test_the_runs_of_mlflow_are_listed(run, outputs):
    """The run is in MLflow's list."""
    _, manifest = run
    assert manifest.mlflow_run_id in text_of(outputs["Every run of this model so far"])


def test_the_notebook_is_stored_without_outputs():
    """No output, no count and no machine's path is in git."""
    book = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    text = json.dumps(book)
    assert "/home/" not in text
    assert str(ROOT) not in text
