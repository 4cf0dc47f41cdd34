"""Tests of comparing a run with its repetition, in numbers and in words."""

from __future__ import annotations

import pytest

from mlops_basics.commands.reproduce import KINDS, LOOP, compare_runs, kind_of
from mlops_basics.schemas import Code, DataVersion, Manifest

CODE = Code(
    git_commit="c0ffee0123456789",
    git_dirty=False,
    lock_sha256="ab" * 32,
    python="3.11.7",
    libraries={"numpy": "2.4.6", "scikit-learn": "1.9.1"},
)


def manifest(run_id="then", changed=(), without=(), pipeline="__default__", **code):
    """A run of all data sets, of which some have other content, made with this code."""
    datasets = {
        name: DataVersion(
            version=run_id,
            path=f"data/{name}",
            sha256=f"{name} {run_id if name in changed else 'unchanged'}",
            access="written",
        )
        for name in ("raw_data", *KINDS[pipeline].results)
        if name not in without
    }
    return Manifest(
        run_id=run_id,
        mlflow_run_id=None,
        env="base",
        model_name="flowers",
        pipelines=(pipeline,),
        code=CODE.model_copy(update=code),
        parameters={},
        datasets=datasets,
    )


def test_equal_runs_are_identical():
    """One line says so, with both runs."""
    found = compare_runs(manifest("then"), manifest("now"))
    assert found.identical
    assert (found.different, found.causes) == ((), ())
    assert found.in_words() == (
        "Run then (repeated as now): metrics and predictions are identical."
    )


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [(pipeline, name) for pipeline in KINDS for name in KINDS[pipeline].results],
)
def test_each_result_is_compared(pipeline, name):
    """What the run is known by decides; what else differs is named."""
    then = manifest("then", pipeline=pipeline)
    found = compare_runs(then, manifest("now", changed=[name], pipeline=pipeline))
    assert found.different == (name,)
    assert found.identical == (name not in KINDS[pipeline].decisive)


def test_several_pipelines_count_as_the_loop():
    """Whoever ran its parts in one call gets them compared as those of one run."""
    parts = manifest("then").model_copy(
        update={"pipelines": ("model_training", "model_evaluation")}
    )
    assert kind_of(parts) == LOOP


def test_versions_and_paths_alone_do_not_differ():
    """The content counts, not where it lies."""
    repeated = manifest("now")
    moved = repeated.datasets["scores"].model_copy(update={"path": "s3://bucket/scores"})
    repeated = repeated.model_copy(update={"datasets": {**repeated.datasets, "scores": moved}})
    assert compare_runs(manifest(), repeated).different == ()


def test_a_result_that_was_not_recorded_cannot_differ():
    """A result that only the new run recorded is no difference."""
    found = compare_runs(manifest(without=["trials"]), manifest("now", changed=["trials"]))
    assert found.different == ()


def test_a_result_that_is_missing_now_differs():
    """It is a difference, not an error."""
    found = compare_runs(manifest(), manifest("now", without=["trials"]))
    assert found.different == ("trials",)
    assert found.identical


CAUSES = [
    ({}, {"changed": ["raw_data"]}, "the raw data were changed since"),
    ({}, {"git_commit": "deadbeef01234567"}, "was at commit c0ffee0123, now deadbeef01"),
    ({"git_commit": None}, {}, "was at commit none, now c0ffee0123"),
    ({"git_dirty": True}, {}, "the working tree held uncommitted changes then"),
    ({}, {"git_dirty": True}, "the working tree holds uncommitted changes now"),
    ({}, {"lock_sha256": "cd" * 32}, "requirements.txt is another now"),
    ({}, {"python": "3.12.1"}, "Python was 3.11.7, now 3.12.1"),
    (
        {},
        {"libraries": {"numpy": "2.5.0", "scikit-learn": "1.9.1"}},
        "numpy was 2.4.6, now 2.5.0",
    ),
    (
        {"libraries": {"numpy": "2.4.6"}},
        {},
        "scikit-learn was not installed, now 1.9.1",
    ),
    (
        {},
        {"libraries": {"numpy": "2.4.6"}},
        "scikit-learn was 1.9.1, now not installed",
    ),
]


@pytest.mark.parametrize(("then", "now", "words"), CAUSES, ids=[cause[2] for cause in CAUSES])
def test_each_cause_is_found_and_put_into_words(then, now, words):
    """Causes stand below the differences, or are noted as harmless if no result differs."""
    (cause,) = compare_runs(manifest("then", **then), manifest("now", **now)).causes
    assert words in cause
    changed = (*now.get("changed", ()), "test_metrics")
    found = compare_runs(manifest("then", **then), manifest("now", **{**now, "changed": changed}))
    first, *rest = found.in_words().splitlines()
    assert first == "Run then (repeated as now): these differ: test_metrics."
    assert rest == [f"  {cause}"]
    same = compare_runs(manifest("then", **then), manifest("now", **now))
    assert same.in_words().splitlines()[1:] == [f"  although {cause}"]


def test_all_causes_are_listed():
    """Each cause is listed once."""
    then = manifest("then", git_dirty=True)
    now = manifest("now", changed=["raw_data", "scores"], python="3.13.0", git_dirty=True)
    words = compare_runs(then, now).in_words().splitlines()
    assert len(words) == 1 + 4


def test_a_difference_without_a_cause_asks_for_a_report():
    """Everything that could explain it is the same."""
    found = compare_runs(manifest("then"), manifest("now", changed=["scores", "train_data"]))
    assert found.in_words().splitlines() == [
        "Run then (repeated as now): these differ: train_data, scores.",
        "  Code, libraries, data and parameters are the same: report this.",
    ]
