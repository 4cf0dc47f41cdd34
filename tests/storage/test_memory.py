"""Tests of how much memory is free."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlops_basics.storage import memory


def test_free_memory_is_less_than_all_of_it():
    """Both are those of this machine."""
    assert 0 < memory.free_memory() < memory.total_memory()


def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch):
    """The limit and what is used of it count; a limit of "max" is none."""
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "memory.current").write_text("1000\n", encoding="ascii")
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory.free_memory() > 1000
    (tmp_path / "memory.max").write_text("5000\n", encoding="ascii")
    assert (memory.total_memory(), memory.free_memory()) == (5000, 4000)
    (tmp_path / "memory.current").write_text("6000\n", encoding="ascii")
    assert memory.free_memory() == 0


@pytest.mark.slow
def test_a_limit_of_the_process_counts():
    """As `ulimit -v` sets it."""
    script = "from mlops_basics.storage.memory import free_memory; print(free_memory())"
    limited = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); {script}"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, check=True)
    assert 0 < int(done.stdout) < 1 << 30
