"""The lock in the forms that pip of any age and uv sync need."""

from __future__ import annotations

import importlib.metadata as metadata
import importlib.util
import re
import tomllib
from types import ModuleType

from packaging.requirements import Requirement

from tests.support.project import ROOT

LOCKS = ("requirements.txt", "requirements-scorer.txt")
UNFINISHED = """\
# made by uv
bleach[css]==6.4.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
fsspec[http, tqdm]==2026.9.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
zipp==4.1.2 \\
    --hash=sha256:dd
"""


def finisher() -> ModuleType:
    """The script that `make lock` ends with."""
    spec = importlib.util.spec_from_file_location("finish_lock", ROOT / ".ci" / "finish_lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(name: str) -> str:
    """A file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def pinned(lock: str) -> list[Requirement]:
    """What a lock names, in its order."""
    lines = re.findall(r"^[A-Za-z0-9].*", lock, re.MULTILINE)
    return [Requirement(line.rstrip(" \\")) for line in lines]


def written(requirement: Requirement) -> str:
    """Name and extras, as pip tells packages apart."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return re.sub(r"[-_.]+", "-", requirement.name).lower() + extras


def test_a_pin_with_extras_stands_there_without_them_and_with_each():
    """All with the pin, the marker and the hashes of the one that uv has written."""
    finished = finisher().with_each_way(UNFINISHED)
    assert [written(each) for each in pinned(finished)] == [
        "bleach", "bleach[css]", "fsspec", "fsspec[http]", "fsspec[tqdm]", "fsspec[http,tqdm]",
        "zipp",
    ]  # fmt: skip
    assert finished.count("    --hash=sha256:aa \\\n    --hash=sha256:bb\n") == 2
    assert len(re.findall(r"==2026.9.0 ; .* < '3.12' \\\n    --hash=sha256:cc\n", finished)) == 4


def test_constraints_are_written_between_their_lines():
    """Whatever stood there goes, what stands around stays."""
    finish = finisher()
    before = f'[tool.uv]\n{finish.BEGIN}  "old==1",\n]\n\n[tool.other]\nlist = [\n]\n'
    after = finish.with_constraints(before, finish.with_each_way(UNFINISHED))
    assert tomllib.loads(after) == {
        "tool": {
            "uv": {
                "constraint-dependencies": [
                    "bleach==6.4.0",
                    "fsspec==2026.9.0 ; python_full_version < '3.12'",
                    "zipp==4.1.2",
                ]
            },
            "other": {"list": []},
        }
    }


def test_the_locks_are_finished():
    """`make lock` was run whole: nothing is left for its script to do."""
    finish = finisher()
    project = text("pyproject.toml")
    assert finish.with_constraints(project, text("requirements.txt")) == project
    uv = tomllib.loads(project)["tool"]["uv"]
    assert len(uv["constraint-dependencies"]) > 250
    for lock in LOCKS:
        names = [written(each) for each in pinned(text(lock))]
        assert all(name.partition("[")[0] in names for name in names)


def test_each_way_in_which_a_package_is_asked_for_has_a_pin():
    """With the extras that another package names: pip before 23.3 refuses one that has none."""
    names = {written(each) for each in pinned(text("requirements.txt"))}
    plain = {name for name in names if "[" not in name}
    lacking = []
    for name in sorted(plain & {dist.name.lower() for dist in metadata.distributions()}):
        for asked in map(Requirement, metadata.requires(name) or ()):
            applies = asked.marker is None or asked.marker.evaluate({"extra": ""})
            if applies and written(asked) not in names:
                lacking.append(f"{name}: {written(asked)}")
    assert lacking == []


def test_uv_sync_installs_all_extras():
    """The group that names them is one of its defaults, and names each."""
    project = tomllib.loads(text("pyproject.toml"))
    (extras,) = map(Requirement, project["dependency-groups"]["extras"])
    assert extras.name == project["project"]["name"]
    assert extras.extras == set(project["project"]["optional-dependencies"])
    assert project["tool"]["uv"]["default-groups"] == ["dev", "extras"]
