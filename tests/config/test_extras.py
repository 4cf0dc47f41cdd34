"""The remedy for a package that an extra brings is one that works in the project it is told in."""

from __future__ import annotations

import tomllib

import pytest
from kedro.framework import project as kedro_project

from mlops_basics.config.extras import install_remedy
from tests.support.project import ROOT


@pytest.mark.parametrize("package", [None, "mlops_basics"])
def test_a_checkout_is_told_of_its_lock(monkeypatch, package):
    """It names all extras; make is one way to take it."""
    monkeypatch.setattr(kedro_project, "PACKAGE_NAME", package)
    assert "make venv" in install_remedy("dvc")
    assert (ROOT / "Makefile").is_file()


def test_a_project_of_ones_own_is_told_of_the_extra(monkeypatch):
    """It has neither a Makefile nor this lock; each extra that is named there is one."""
    monkeypatch.setattr(kedro_project, "PACKAGE_NAME", "shop")
    assert install_remedy("dvc") == "Install it by: pip install 'mlops-basics[dvc]'"
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert declared["name"] == "mlops-basics"
    assert {"dvc", "dask", "services"} <= set(declared["optional-dependencies"])
