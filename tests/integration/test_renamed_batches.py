"""A batch file that was renamed, divided or joined between looks: learned once, and not lost."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from tests.support.prices import ENV, arrive, begin, ct, month, source_of, state_of
from tests.support.project import Project, moved
from tests.support.small_table import production_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def followed(shared_project) -> Project:
    """A policy that has tested and learned one month after its first six."""
    project = begin(shared_project)
    arrive(project, 6)
    assert ct(project)[0] == 3
    return project


@pytest.fixture
def project(followed, tmp_path) -> Project:
    """A copy of it."""
    return moved(followed, tmp_path / "project")


def file_of(project: Project, name: str) -> bytes:
    """A file of the release in production."""
    store, _ = production_of(project, ENV)
    folder = project.path / "data" / "production" / ENV / "releases" / store.pointer().version
    return (folder / name).read_bytes()


def past(project: Project) -> list[str]:
    """What the policy could learn from."""
    policy = state_of(project).policy
    return sorted({*policy.known, *policy.entered})


def learned_rows(project: Project) -> int:
    """Rows that the release in production was fitted on."""
    policy = state_of(project).policy
    rows = pd.read_parquet(io.BytesIO(file_of(project, "fitted_rows.parquet")))
    assert policy.learned_rows == len(rows)
    return len(rows)


def test_renamed_files_give_the_model_that_they_would_have_given(project, followed, tmp_path):
    """One of the first release's training, one tested since: the same rows, the same bytes."""
    plain = moved(followed, tmp_path / "plain")
    for number in (5, 6):
        file = source_of(project) / f"m{number:02d}.csv"
        file.rename(file.with_name(f"m{number:02d}_final.csv"))
    for each in (project, plain):
        arrive(each, 7)
        ct(each)
        arrive(each, 8)
        ct(each)
    names = [f"m{number:02d}" for number in range(9)]
    assert past(plain) == [f"{name}.csv" for name in names]
    names[6] = "m06_final"  # what was watched has its new name; the first release's keep theirs
    assert past(project) == [f"{name}.csv" for name in names]
    for name in ("model/model.skops", "fitted_rows.parquet"):
        assert file_of(project, name) == file_of(plain, name)
    losses = [
        {batch.name: batch.losses for batch in state_of(each).policy.tested[1:]}
        for each in (project, plain)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", ["m06.csv", "m06_again.csv"])
def test_a_divided_file_is_neither_tested_again_nor_lost(project, name):
    """Its halves take its place in what the policy learns from; what joins them again, too."""
    whole = source_of(project) / "m06.csv"
    table = pd.read_csv(whole)
    whole.unlink()
    halves = [source_of(project) / f"m06{half}.csv" for half in "ab"]
    table.iloc[:30].to_csv(halves[0], index=False)
    table.iloc[30:].to_csv(halves[1], index=False)
    arrive(project, 7)
    ct(project)
    policy = state_of(project).policy
    assert [batch.name for batch in policy.tested] == ["m06.csv", "m07.csv"]
    assert past(project)[-2:] == ["m06.csv", "m07.csv"]
    assert len(past(project)) == 8
    window = {"last 1": 60, "last 3": 150, "last 6": 330}  # the last files: halves are files, too
    assert learned_rows(project) == window[policy.policy]
    assert ct(project)[1].startswith("Nothing to do")
    for half in halves:
        half.unlink()
    table.to_csv(source_of(project) / name, index=False)
    arrive(project, 8)
    ct(project)
    policy = state_of(project).policy
    assert [batch.name for batch in policy.tested] == ["m06.csv", "m07.csv", "m08.csv"]
    assert past(project)[-3:] == [name, "m07.csv", "m08.csv"]
    assert learned_rows(project) == {"last 1": 60, "last 3": 180, "last 6": 360}[policy.policy]


def test_a_file_that_was_renamed_before_its_labels_came_is_tested_once(project):
    """It waits under its new name."""
    arrive(project, 7, month(7).drop(columns="price"))
    ct(project)
    file = source_of(project) / "m07.csv"
    file.unlink()
    month(7).to_csv(file.with_name("m07_labelled.csv"), index=False)
    ct(project)
    assert [batch.name for batch in state_of(project).policy.tested] == [
        "m06.csv",
        "m07_labelled.csv",
    ]
    assert past(project)[-1] == "m07_labelled.csv"
    assert ct(project)[1].startswith("Nothing to do")
