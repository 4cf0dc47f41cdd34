"""Tests of `kedro keygen`; what the keys do is tested with releases."""

from __future__ import annotations

import pytest

from mlops_basics.commands.keygen import make_keys
from mlops_basics.errors import ConfigurationError


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    """A file stands where the folder of secrets goes; nothing is written beside it."""
    (tmp_path / ".secrets").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"cannot be written to .*\.secrets"):
        make_keys(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [".secrets"]
