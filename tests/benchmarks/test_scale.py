"""The benchmark of sizes: what it generates, and what it adds up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from benchmarks import scale


def test_the_table_is_written_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of so many rows each, all different."""
    monkeypatch.setattr(scale, "FILE_ROWS", 40)
    scale.write_table(tmp_path / "source", 100)
    files = [pd.read_csv(file) for file in sorted((tmp_path / "source").iterdir())]
    assert [table.shape for table in files] == [(40, 20), (40, 20), (20, 20)]
    assert not pd.concat(files).duplicated().any()


def test_a_look_is_measured_behind_a_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a batch of so many rows, in one file; its peak has a bar of its own."""
    commands: list[list[str]] = []

    def cost_of_command(command: list[str], *_: object) -> scale.Cost:
        commands.append(command)
        return scale.Cost(cpu=1.0, memory=2_000.0)

    monkeypatch.setattr(scale, "FILE_ROWS", 40)
    monkeypatch.setattr(scale, "make_source", lambda rows, scratch: source_in(scratch, rows))
    monkeypatch.setattr(scale, "cost_of_command", cost_of_command)
    scale.cost_of_look(100, tmp_path)
    assert [command[1] for command in commands] == ["run", "-c"]
    batch = pd.read_csv(tmp_path / "data" / "source" / scale.ENV / "part-900.csv")
    assert len(batch.drop_duplicates()) == 100
    monkeypatch.setattr(scale, "cost_of_look", lambda *_: scale.Cost(1.0, 2_000.0))
    assert scale.measure([], [100])[0][1:] == (pytest.approx(2.097, abs=0.001), 3.0)


def source_in(folder: Path, rows: int) -> Path:
    """A folder with the files of a source, as of a project."""
    scale.write_table(folder / "data" / "source" / scale.ENV, rows)
    return folder


def test_each_stage_has_what_its_nodes_cost() -> None:
    """From the first load on; the peak is that since the event before."""
    hooks = scale.StageHooks()
    hooks.before_dataset_loaded()
    hooks.after_dataset_loaded(SimpleNamespace(name="one.a"))
    ballast = bytearray(200_000_000)
    hooks.after_node_run(SimpleNamespace(name="two.b"))
    del ballast
    hooks.after_dataset_saved(SimpleNamespace(name="one.c"))
    hooks.after_dataset_saved(SimpleNamespace(name="three.d"))
    assert set(hooks.stages) == {"one", "two", "three"}
    assert hooks.stages["two"].peak > hooks.stages["three"].peak + 1.5e8
    assert all(stage.cpu >= 0 for stage in hooks.stages.values())


def test_the_bars_are_of_the_most_and_the_fewest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory of each table; CPU of a row, in the stages that see all rows."""
    few, many = 1_000_000, 1_000_001

    def cost_of(rows: int, scratch: Path) -> dict[str, object]:
        data = {"cpu": 3e-7 * rows if rows == few else 9e-7 * rows, "peak": 1e9}
        stages = {"data_collection": data, "data_preprocessing": data, "model_training": data}
        return {"cpu": 9.0, "peak": 1e9 if rows == few else 2e9, "stages": stages}

    monkeypatch.setattr(scale, "cost_of", cost_of)
    of_few, of_many, growth = scale.measure([many, few])
    assert of_few[1:] == (1.0, 1.2)
    assert of_many[1:] == (2.0, 3.0)
    assert growth[1:] == (pytest.approx(3.0), 1.2)
