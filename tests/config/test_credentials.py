"""conf/local/credentials.yml fills what the shell has not set, and never mixes two sources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from mlops_basics.config.credentials import GROUPS, export_credentials
from mlops_basics.errors import ConfigurationError

GIVEN = {
    "AWS_ACCESS_KEY_ID": "file",
    "AWS_SECRET_ACCESS_KEY": "file",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "file",
    "MLFLOW_TRACKING_URI": "file",
    "MLOPS_BUCKET": "file",
    "PATH": "file",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with credentials, and a shell without."""
    for name in [*(name for names in GROUPS.values() for name in names), "AWS_DEFAULT_REGION"]:
        monkeypatch.setenv(name, "")  # so that the previous value is restored afterwards
        monkeypatch.delenv(name)
    (tmp_path / "conf" / "local").mkdir(parents=True)
    write(tmp_path, yaml.safe_dump({"environment": GIVEN}))
    return tmp_path


def write(folder: Path, text: str) -> None:
    """Write the file."""
    (folder / "conf" / "local" / "credentials.yml").write_text(text, encoding="utf-8")


def test_what_is_not_set_is_taken_from_the_file(folder: Path) -> None:
    """What is not set is taken from the file."""
    path = os.environ["PATH"]
    export_credentials(folder)
    names = [name for name in GIVEN if name != "PATH"]
    assert {name: os.environ[name] for name in names} == {name: GIVEN[name] for name in names}
    assert os.environ["PATH"] == path  # no other variable can be set


def test_a_key_of_the_shell_never_meets_an_address_of_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of the shell never meets an address of the file."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "shell")
    export_credentials(folder)
    assert "AWS_ENDPOINT_URL" not in os.environ
    assert "AWS_SECRET_ACCESS_KEY" not in os.environ
    assert os.environ["MLFLOW_TRACKING_URI"] == "file"


def test_a_region_of_the_shell_wins_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A region of the shell wins alone."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "shell")
    export_credentials(folder)
    assert os.environ["AWS_DEFAULT_REGION"] == "shell"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "file"


@pytest.mark.parametrize("text", ["environment: [canary]", "canary", "a: {canary: 'x"])
def test_a_broken_file_is_reported_without_its_values(folder: Path, text: str) -> None:
    """A broken file is reported without its values."""
    write(folder, text)
    with pytest.raises(ConfigurationError, match=r"credentials\.yml cannot be read") as caught:
        export_credentials(folder)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_file_or_no_section_is_no_error(folder: Path) -> None:
    """No file or no section is no error."""
    write(folder, "mine: {key: 1}")
    export_credentials(folder)
    export_credentials(folder / "elsewhere")
    assert "AWS_ACCESS_KEY_ID" not in os.environ
