"""Tests of the claims of runs that work."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from mlops_basics.runs.claim import works_here

HERE = socket.gethostname()


def claim(machine: str, process: object) -> bytes:
    """What a run writes down."""
    return json.dumps({"machine": machine, "process": process}).encode()


def test_a_claim_works_while_its_process_does():
    """A process of this machine is asked; one of another machine cannot be."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert works_here(claim(HERE, os.getpid()))
    assert not works_here(claim(HERE, ended.pid))
    assert not works_here(claim(f"not-{HERE}", os.getpid()))


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"process": 1}', claim(HERE, "1")])
def test_a_claim_that_cannot_be_read_tells_nothing(content):
    """It ages as one of another machine does."""
    assert not works_here(content)
