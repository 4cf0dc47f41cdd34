"""Tests of what a run was made with."""

from __future__ import annotations

import hashlib
import platform
import subprocess

import pandas as pd
import pytest

from mlops_basics.runs.code_version import LIBRARIES, describe_code

IDENTITY = ["-c", "user.name=test", "-c", "user.email=test@example.org"]


def git(folder, *arguments):
    """Call git in a folder, without the settings of the machine."""
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of one commit, with a lock."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git(tmp_path, "init", "--quiet")
    (tmp_path / "requirements.txt").write_bytes(b"kedro==1.7.0\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_clean_tree_is_named_by_its_commit(repository):
    """Commit, lock, Python and libraries."""
    code = describe_code(repository)
    assert code.git_commit == git(repository, "rev-parse", "HEAD").strip()
    assert code.git_dirty is False
    assert code.lock_sha256 == hashlib.sha256(b"kedro==1.7.0\n").hexdigest()
    assert code.python == platform.python_version()
    assert {*code.libraries, "mlops-basics"} == set(LIBRARIES)  # which need not be installed
    assert code.libraries["pandas"] == pd.__version__


def test_a_changed_tree_is_dirty(repository):
    """A run with uncommitted changes says so; so does one with new files."""
    (repository / "new.py").write_text("x = 1\n")
    assert describe_code(repository).git_dirty is True


def test_without_a_repository_nothing_is_invented(tmp_path, monkeypatch):
    """No commit, unknown dirtiness, no lock: None, not an error."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    code = describe_code(tmp_path)
    assert (code.git_commit, code.git_dirty, code.lock_sha256) == (None, None, None)


def test_without_git_nothing_is_invented(repository, monkeypatch):
    """A machine that has no git at all."""
    monkeypatch.setenv("PATH", str(repository / "nothing"))
    code = describe_code(repository)
    assert (code.git_commit, code.git_dirty) == (None, None)
    assert code.lock_sha256 is not None


def test_a_repository_without_a_commit(tmp_path, monkeypatch):
    """The first run may come before the first commit."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a.py").write_text("x = 1\n")
    code = describe_code(tmp_path)
    assert (code.git_commit, code.git_dirty) == (None, True)
