"""Tests of how much memory is free."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlops_basics.storage import memory


def test_free_memory_is_less_than_all_of_it():
    """Both are those of this machine."""
    assert 0 < memory.free_memory() < memory.total_memory()


VERSION_1 = ("4:memory:/docker/a\n", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
VERSION_2 = ("0::/a/b\n", "memory.max", "memory.current", "")


@pytest.mark.parametrize(
    ("version", "folder"),
    [
        pytest.param(VERSION_2, "", id="its root is the container"),
        pytest.param(VERSION_2, "a", id="the container is around it"),
        pytest.param(VERSION_1, "memory", id="version 1"),
    ],
)
def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch, version, folder):
    """The limit and what is used of it count, but no files that were read; "max" is no limit."""
    own, most, current, prefix = version
    (tmp_path / "own").write_text(f"9:cpu,cpuacct:/docker/b\n{own}", encoding="ascii")
    monkeypatch.setattr(memory, "_OWN", tmp_path / "own")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    group = tmp_path / folder
    group.mkdir(exist_ok=True)
    stat = f"anon 500\n{prefix}inactive_file 0\n{prefix}active_file 0\n"
    (group / "memory.stat").write_text(stat, encoding="ascii")
    (group / current).write_text("1000\n", encoding="ascii")
    (group / most).write_text("max\n", encoding="ascii")
    assert memory.free_memory() > 5000
    (group / most).write_text("5000\n", encoding="ascii")
    assert (memory.total_memory(), memory.free_memory()) == (5000, 4000)
    (group / current).write_text("6000\n", encoding="ascii")
    assert memory.free_memory() == 0
    read = f"{prefix}inactive_file 3000\n{prefix}active_file 1500\n"
    (group / "memory.stat").write_text(read, encoding="ascii")
    assert memory.free_memory() == 3500


@pytest.mark.slow
def test_a_limit_of_the_process_counts():
    """As `ulimit -v` sets it."""
    script = "from mlops_basics.storage.memory import free_memory; print(free_memory())"
    limited = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); {script}"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, check=True)
    assert 0 < int(done.stdout) < 1 << 30
