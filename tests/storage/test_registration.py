"""Tests of which file system opens s3:// addresses: ours, with its time-outs and fresh listings."""

from __future__ import annotations

import subprocess
import sys

import pytest

OURS = "mlops_basics.storage.s3_file_system.S3FileSystem"


@pytest.mark.parametrize("door", ["mlops_basics.hooks", "mlops_basics.storage.store_files"])
def test_each_door_registers_it_before_anything_is_opened(door):
    """fsspec keeps the class that it met first, for the whole life of a process."""
    code = (
        f"import {door}; from fsspec.registry import known_implementations as known; "
        "print(known['s3']['class'], known['s3a']['class'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [OURS, OURS]
