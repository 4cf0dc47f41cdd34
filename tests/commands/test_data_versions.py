"""Tests of sending versions of the source, and bringing them back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlops_basics.commands import data_versions
from mlops_basics.datasets import SourceDataset
from mlops_basics.errors import ConfigurationError


@pytest.mark.parametrize("command", [data_versions.push_data, data_versions.pull_data])
def test_a_source_elsewhere_is_not_passed_over_in_silence(command, tmp_path, monkeypatch):
    """DVC versions local files alone: who sends a source on a bucket is told so, and what to do."""
    catalog = {
        "source": SourceDataset(path="memory://bucket/source"),
        "labels": SourceDataset(path=None, optional=True),
    }
    context = SimpleNamespace(catalog=catalog, config_loader={"globals": {}})
    monkeypatch.setattr(data_versions, "load_context", lambda *_: context)
    with pytest.raises(ConfigurationError, match=r"'memory://bucket/source' is not on this"):
        list(command(tmp_path, None))
