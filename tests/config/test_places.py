"""Tests that a run is refused at once where it could not write its results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops_basics.config.places import require_database, require_writable
from mlops_basics.errors import ConfigurationError


@pytest.fixture
def read_only(tmp_path, monkeypatch):
    """A folder with a database, of which root, too, may change nothing."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "mlflow.db").touch()
    allowed = os.access

    def access(path, mode):
        return allowed(path, mode) and not (mode & os.W_OK and folder in (path, *path.parents))

    monkeypatch.setattr(os, "access", access)
    return folder


def test_a_folder_that_can_be_made_is_enough(tmp_path):
    """Nothing is made by asking."""
    require_writable(tmp_path / "a" / "b", "A file", "storage")
    require_database(f"sqlite:///{tmp_path}/a/mlflow.db", written=True)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_place_is_named_with_the_setting(read_only):
    """What would be written, where, and what to change."""
    with pytest.raises(ConfigurationError, match="A release would be written to") as refused:
        require_writable(read_only / "a" / "b", "A release", "`production` in globals.yml")
    text = str(refused.value)
    assert f"{read_only}/a/b, but {read_only} is read-only for you" in text
    assert "another `production` in globals.yml. Nothing was run." in text


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    """As a mistyped path has it."""
    (tmp_path / "data").touch()
    with pytest.raises(ConfigurationError, match=r"data is no folder\."):
        require_writable(tmp_path / "data" / "iris", "'model'", "`storage`")


def test_a_database_that_is_only_read_may_be_read_only(read_only):
    """To look at what is there, no right to write is asked for; a run's is."""
    uri = f"sqlite:///{read_only}/mlflow.db"
    require_database(uri, written=False)
    with pytest.raises(ConfigurationError, match=r"mlflow\.db is read-only for you"):
        require_database(uri, written=True)
    with pytest.raises(ConfigurationError, match="checkout is read-only for you"):
        require_database(f"sqlite:///{read_only}/new/mlflow.db", written=False)


@pytest.mark.parametrize("name", ["per%cent", "50%25", "what?"])
def test_a_path_that_is_no_address_is_refused(name):
    """MLflow would look for the file elsewhere, ten times, for two minutes."""
    with pytest.raises(ConfigurationError, match=r"takes '%' and '\?' in a path for signs"):
        require_database(f"sqlite:////home/{name}/mlflow.db", written=False)


@pytest.mark.parametrize("uri", ["https://a%20b/x?y", "postgresql://u%40@h/db", "None", "mlruns"])
def test_servers_and_other_databases_are_not_asked(uri):
    """They have addresses, whose signs are their own matter."""
    require_database(uri, written=True)


@pytest.mark.parametrize("name", ["100% sure", "a b", "ü#1"])
def test_unusual_names_that_work_are_not_refused(tmp_path, name):
    """A sign of percent that begins no code is one."""
    Path(tmp_path / name).mkdir()
    require_database(f"sqlite:///{tmp_path / name}/mlflow.db", written=True)
