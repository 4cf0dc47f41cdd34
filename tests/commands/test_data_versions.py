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


def test_labels_that_are_still_to_come_stop_nothing(tmp_path, monkeypatch):
    """The source is sent and brought; of the labels it is said that there are none yet."""
    source, labels = tmp_path / "shop.csv", tmp_path / "labels"
    source.write_text("x\n1\n")
    catalog = {
        "source": SourceDataset(path=str(source)),
        "labels": SourceDataset(path=str(labels), optional=True),
    }
    context = SimpleNamespace(catalog=catalog, config_loader={"globals": {}})
    monkeypatch.setattr(data_versions, "load_context", lambda *_: context)
    for name in ("push", "pull"):
        monkeypatch.setattr(data_versions, name, lambda _project, path, *_: f"done: {path.name}")
    pushed = list(data_versions.push_data(tmp_path, None))
    pulled = list(data_versions.pull_data(tmp_path, None))
    assert pushed == ["done: shop.csv", f"There are no labels in {labels} yet: none were sent."]
    told = f"DVC tracks no labels in {labels} yet: none were brought."
    assert pulled == ["done: shop.csv", told]
    labels.mkdir()
    labels.with_name("labels.dvc").touch()
    assert list(data_versions.push_data(tmp_path, None))[1] == "done: labels"
    assert list(data_versions.pull_data(tmp_path, None))[1] == "done: labels"
