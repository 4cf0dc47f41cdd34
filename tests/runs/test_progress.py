"""Tests of what a run says while it goes on."""

from __future__ import annotations

import threading

import pytest

from mlops_basics.runs.progress import Heartbeat


def test_a_long_step_is_told_again_and_again():
    """The step under way, how many there are, and the seconds since the run began."""
    lines: list[str] = []
    enough, times = threading.Event(), iter(range(1_000))

    def say(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            enough.set()

    heartbeat = Heartbeat(0.001, lambda: float(next(times)), say)
    heartbeat.begin(40)
    heartbeat.step("search_model")
    assert enough.wait(60)
    heartbeat.end()
    assert lines[0].endswith(" s: step 1 of 40, search_model")
    seconds = [int(line.split(" ")[0]) for line in lines]
    assert seconds == sorted(set(seconds))


def test_nothing_is_said_after_the_end(capsys):
    """Neither by a run that is over, nor before the first step; an end without begin is none."""
    heartbeat = Heartbeat(0.001)
    heartbeat.end()
    heartbeat.begin(2)
    heartbeat.end()
    heartbeat.step("late")
    heartbeat.end()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["\x1b[31mred", "two\nlines"])
def test_a_name_is_safe_text(name):
    """A step of a user's own has any name."""
    heartbeat = Heartbeat(60)
    heartbeat.step(name)
    assert "\x1b" not in heartbeat.line()
