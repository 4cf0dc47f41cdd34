"""Tests of the project: its options exist, and its pipelines can be built."""

from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from mlops_basics.config.checks import check_parameters
from mlops_basics.runs.session import Place

PROJECT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _project(monkeypatch):
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)


def test_the_configuration_is_valid():
    """Of each folder in conf/: no option is misspelt, and every parameter has a type that fits."""
    folders = [folder for folder in (PROJECT / "conf").iterdir() if folder.is_dir()]
    for folder in folders:
        check_parameters(Place(PROJECT, folder.name, {}).loader()["parameters"])


def test_the_pipelines_can_be_built():
    """The whole loop, and each pipeline of this project."""
    assert {"__default__", "monitoring", "batch_inference"} <= set(pipelines)
