"""Each way to set the project up, in a fresh environment, from the index that is configured."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.project import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="environments have no bin folder there"),
]

#: What pip and uv say where no index answers.
UNREACHABLE = re.compile(
    r"(NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Max retries|Name or service|"
    r"Temporary failure|error sending request|[Nn]etwork|ProxyError)"
)
#: Packages of the lock that ask for another one with an extra, and all that these need: whole
#: installations take minutes with pip, and workflows/ci.yml makes them.
ASKING = ("pytest-cov", "jupyter-events")
#: The pip that Python 3.11.0 and 3.12.0 bring, where this Python runs it; None: the newest.
PIPS = [
    version
    for version, below in (("22.3", (3, 12)), ("23.2.1", (3, 13)), (None, (4,)))
    if sys.version_info[:2] < below
]


def call(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program; skip the test where it says that there is no index to be reached."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode and (found := UNREACHABLE.search(done.stderr)):
        pytest.skip(f"no package index can be reached ({found[1]})")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-3000:]
    return done.stdout


def entries() -> dict[str, str]:
    """The lock's entries, as they stand there, by their first lines."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z0-9].*)\n((?:[ \t].*\n)*)", lock, re.MULTILINE)
    return {line.rstrip(" \\"): f"{line}\n{hashes}" for line, hashes in found}


def applies(requirement: Requirement) -> bool:
    """Whether it counts on this machine."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def normal(name: str) -> str:
    """A package's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def frozen(output: str) -> dict[str, str]:
    """Versions by package, of what pip or uv lists; this project left out."""
    lines = [line.partition("==") for line in output.splitlines() if "==" in line]
    return {normal(name): version for name, _, version in lines}


def part_of_the_lock() -> tuple[str, dict[str, str]]:
    """The entries that ``ASKING`` need, and their versions by package."""
    from importlib import metadata

    wanted: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in ASKING]
    for name, extras in wanted:
        for asked in map(Requirement, metadata.requires(name) or ()):
            needed = any(
                asked.marker is None or asked.marker.evaluate({"extra": extra})
                for extra in ("", *extras)
            )
            each = (normal(asked.name), frozenset(asked.extras))
            if needed and each not in wanted:
                wanted.append(each)
    names = {name for name, _ in wanted}
    pins = {pin: text for pin, text in entries().items() if normal(Requirement(pin).name) in names}
    versions = {
        normal(each.name): str(each.specifier).removeprefix("==")
        for each in map(Requirement, pins)
        if applies(each)
    }
    return "".join(pins.values()), versions


@pytest.mark.parametrize("version", PIPS, ids=lambda version: version or "newest")
def test_pip_installs_what_the_lock_pins(tmp_path, version):
    """Also the pip that comes with Python, to which a package with an extra is another one."""
    lock, versions = part_of_the_lock()
    assert lock.count("[") > 1
    (tmp_path / "requirements.txt").write_text(lock, encoding="utf-8")
    call(sys.executable, "-m", "venv", tmp_path / "venv")
    pip = (tmp_path / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    call(*pip, "install", "--upgrade", f"pip=={version}" if version else "pip")
    call(*pip, "install", "--requirement", tmp_path / "requirements.txt")
    installed = frozen(call(*pip, "list", "--format", "freeze"))
    assert {name: installed.get(name) for name in versions} == versions


def test_uv_sync_installs_what_the_lock_pins(tmp_path):
    """All of it, extras included, in a checkout that has no lock of uv's own."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("src", "conf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    uv = Path(sys.prefix) / "bin" / "uv"
    call(uv, "sync", "--quiet", "--python", sys.executable, cwd=tmp_path)
    listed = call(uv, "pip", "freeze", "--python", tmp_path / ".venv" / "bin" / "python")
    locked = [Requirement(pin) for pin in entries()]
    assert frozen(listed) == {
        normal(each.name): str(each.specifier).removeprefix("==")
        for each in locked
        if applies(each)
    }
