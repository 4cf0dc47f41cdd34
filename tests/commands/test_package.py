"""Canaries in every place of a secret: no package and no image may hold one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from mlops_basics.commands.keygen import make_keys
from mlops_basics.commands.services import Instance
from mlops_basics.config.credentials import FILE as CREDENTIALS
from mlops_basics.config.private_files import secrets_folder
from tests.support.project import ROOT, Project

CANARY = b"cAnArY"
TEMPLATES = ROOT / "src" / "mlops_basics" / "reporting" / "templates"
#: Where secrets lie that the project does not write itself; git ignores each.
LEFT = ("conf/local/globals.yml", "data/services/secrets.json", ".dvc/config.local")
MISPLACED = (
    "conf/local/signing_key.pem",
    "conf/local/services.env",
    "conf/local/credentials.yaml",
    "conf/local/old/globals.yml",
    "conf/mine/credentials.yml",
    "conf/mine/release.key",
    "conf/base/parameters_key.yml",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Project:
    """A project in which keys were made and services were started."""
    for name in ("conf", "src"):
        ignored = shutil.ignore_patterns("local", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    files = ("pyproject.toml", "setup.py", "README.md", "LICENSE", ".telemetry", ".dockerignore")
    for name in files:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "conf" / "local").mkdir()
    make_keys(tmp_path)
    instance = Instance(tmp_path / "data" / "services", 1, 2)
    instance.write_settings(tmp_path / CREDENTIALS.parent, secrets_folder(tmp_path))
    for name in LEFT:
        put_canary(tmp_path / name)
    for file in [*(tmp_path / ".secrets").iterdir(), tmp_path / CREDENTIALS]:
        file.write_bytes(file.read_bytes() + b"# " + CANARY)
    return Project(tmp_path)


def package(checkout: Project) -> Any:
    """Call `kedro package`; returns click's result."""
    from click.testing import CliRunner
    from kedro.framework.startup import bootstrap_project

    from mlops_basics.cli import cli

    with contextlib.chdir(checkout.path):
        return CliRunner().invoke(cli, ["package"], obj=bootstrap_project(checkout.path))


def put_canary(file: Path) -> None:
    """Write a secret, as a key in PEM."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"# -----BEGIN PRIVATE KEY-----\n# " + CANARY)


def secrets_of(checkout: Project) -> set[str]:
    """Every file with a canary."""
    files = (file for file in checkout.path.rglob("*") if file.is_file())
    found = (file for file in files if CANARY in file.read_bytes())
    return {file.relative_to(checkout.path).as_posix() for file in found}


def packed(folder: Path) -> dict[str, bytes]:
    """What the archives of a folder hold."""
    found: dict[str, bytes] = {}
    for archive in folder.iterdir():
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                found |= {name: wheel.read(name) for name in wheel.namelist()}
        else:
            with tarfile.open(archive) as tar:
                files = [member for member in tar if member.isfile()]
                found |= {file.name: tar.extractfile(file).read() for file in files}
    return found


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages are built by the setuptools that are installed."""
    from kedro.framework.cli import project as kedro_project

    call = kedro_project.call
    monkeypatch.setattr(
        kedro_project,
        "call",
        lambda command, **options: call(
            [*command, "--no-isolation"] if "build" in command else command, **options
        ),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_no_package_holds_a_secret(checkout: Project) -> None:
    """The wheel, the archive of the configuration, and a source archive."""
    assert len(secrets_of(checkout)) == len(LEFT) + 5  # two keys, two of the shell, credentials
    done = package(checkout)
    assert done.exit_code == 0, done.output
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation"]
    subprocess.run(command, cwd=checkout.path, check=True, capture_output=True)
    found = packed(checkout.path / "dist")
    for name in (
        "mlops_basics/cli.py",
        *(path.relative_to(ROOT / "src").as_posix() for path in TEMPLATES.iterdir()),
        "mlops_basics/conf/base/globals.yml",  # below the configuration of who builds on this
        "conf/base/globals.yml",
        "mlops_basics-0.1.0/README.md",
    ):
        assert name in found
    assert not any(name.startswith("mlops_basics/conf/local") for name in found)
    assert [name for name, content in found.items() if CANARY in content] == []


@pytest.mark.parametrize("name", MISPLACED)
def test_a_misplaced_secret_is_named_and_nothing_is_packed(checkout: Project, name: str) -> None:
    """Kedro's own rule leaves out conf/local/*.yml and nothing else."""
    put_canary(checkout.path / name)
    done = package(checkout)
    assert done.exit_code == 1
    assert f"Nothing was packed: the package would hold what is private, {name}." in done.output
    assert CANARY.decode() not in done.output
    assert not (checkout.path / "dist").exists()


def in_image(name: str) -> bool:
    """Whether an image gets a file, by Docker's rules: the last pattern decides."""
    parts = name.split("/")
    upper = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    taken = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern, keeps = line.removeprefix("!"), line.startswith("!")
        anywhere = pattern.removeprefix("**/")
        places = [path.split("/")[-1] for path in upper] if anywhere != pattern else upper
        own = [path for path in places if "/" in anywhere or "/" not in path]
        if any(fnmatch(path, anywhere) for path in own):
            taken = keeps
    return taken


def test_no_image_holds_a_secret(checkout: Project) -> None:
    """What `COPY . .` takes is enough for a run, and no more."""
    for name in MISPLACED[:-1]:
        put_canary(checkout.path / name)
    assert [name for name in secrets_of(checkout) if in_image(name)] == []
    for name in ("src/mlops_basics/cli.py", "conf/base/globals.yml", "requirements.txt"):
        assert in_image(name)


def test_only_the_owner_enters_the_folder_of_secrets(checkout: Project) -> None:
    """Its mode says so, and git does not know it."""
    assert (checkout.path / ".secrets").stat().st_mode & 0o077 == 0
    assert ".secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
