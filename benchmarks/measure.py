"""Runs commands as whole processes and reports the CPU time and memory that the system counted."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Cost:
    """What one process cost, its children included."""

    cpu: float  # seconds
    memory: float  # MB, the largest resident set


def cost_of(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end and measure it; raises RuntimeError with its output if it fails."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")[-3000:]
            raise RuntimeError(f"{' '.join(command)} failed:\n{text}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(
    commands: Mapping[str, Sequence[str]], folder: Path, runs: int, warm_up: bool = True
) -> dict[str, Cost]:
    """Median cost of each command; they take turns, so that a noisy minute hits them alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(-1 if warm_up else 0, runs):
        for name, command in commands.items():
            print(f"  {name}, run {number + 1} of {runs} ...", file=sys.stderr, flush=True)
            cost = cost_of(command, folder)
            if number >= 0:
                costs[name].append(cost)
    return {
        name: Cost(
            statistics.median(cost.cpu for cost in of_command),
            statistics.median(cost.memory for cost in of_command),
        )
        for name, of_command in costs.items()
    }


def cpu_of_all(pid: int | None = None) -> float:
    """CPU seconds of a process, of this one by default, and of those below it that run."""
    own = psutil.Process(pid)
    times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))
