"""Tests of what pruning decides: referenced data stay, the rest goes, manifests last."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from mlops_basics.commands.prune import references
from mlops_basics.commands.prune.command import _ModelStorage
from mlops_basics.commands.prune.plan import Plan, Reference, Stored, in_words, kept_runs, make_plan
from mlops_basics.errors import LineageError
from mlops_basics.schemas import Attempt, ModelRecord, MonitoringState, Watch, WatchedBatch
from tests.support.releases import make_entry
from tests.support.s3_bucket import make_bucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("manifest", "model", "raw_data", "reproduction")


def version(days: float) -> str:
    """The version of a run that began so many days ago."""
    began = NOW - timedelta(days=days)
    return began.strftime("%Y-%m-%dT%H.%M.%S.") + f"{began.microsecond // 1000:03d}Z"


RUNS = [version(days) for days in (40, 30, 20, 10, 5)]  # oldest first


def stored(folders, claimed=()) -> Stored:
    """Each version has ten bytes; manifests are where their folders are."""
    sizes = {name: dict.fromkeys(versions, 10) for name, versions in folders.items()}
    runs = {name: sizes.get(name, {}) for name in ("manifest", "reproduction")}
    return Stored(sizes, {name: list(found) for name, found in runs.items()}, claimed)


def everything(claimed=()) -> Stored:
    """Five whole runs."""
    return stored(dict.fromkeys(NAMES[:3], RUNS), claimed)


def run_reference(run: str, **versions) -> Reference:
    """A kept run that has written all of its data itself by default."""
    return Reference("newest run", run, {"model": run, "raw_data": run} | versions)


def removed(plan: Plan) -> set[tuple[str, str]]:
    """Names and versions that go."""
    return {(name, gone) for name, gone, _ in plan.removed}


def test_a_run_of_a_clock_that_was_ahead_takes_no_other_ones_place():
    """What has just ended is kept by --keep 1, and the one in the future with its reason."""
    ahead = version(-30)
    there = stored({name: [*RUNS, ahead] for name in NAMES[:3]})
    kept = kept_runs(there, 1, NOW)
    assert kept == {RUNS[-1]: "newest run", ahead: "lies in the future: a clock was ahead"}
    plan = make_plan(there, [Reference(why, run) for run, why in kept.items()], NOW)
    assert {run for _, run in removed(plan)} == set(RUNS[:-1])
    assert plan.kept[ahead] == ("lies in the future: a clock was ahead",)


def test_the_newest_runs_stay_and_older_ones_go():
    """Data sets first, each run's manifest after all the rest of it, the oldest run first."""
    there = everything()
    assert sorted(kept_runs(there, 2, NOW)) == RUNS[-2:]
    plan = make_plan(there, [run_reference(run) for run in RUNS[-2:]], NOW)
    assert [(name, gone) for name, gone, _ in plan.removed] == [
        (name, run) for run in RUNS[:3] for name in ("model", "raw_data", "manifest")
    ]
    assert set(plan.kept) == set(RUNS[-2:])


def test_what_a_kept_run_has_from_an_older_one_stays():
    """Its raw data were written 30 days before; that run's other data go."""
    plan = make_plan(everything(), [run_reference(RUNS[-1], raw_data=RUNS[0])], NOW)
    assert ("raw_data", RUNS[0]) not in removed(plan)
    assert {("model", RUNS[0]), ("manifest", RUNS[0])} <= removed(plan)


def test_a_released_run_stays_whole():
    """A released run keeps also the data sets that its record does not name."""
    release = Reference("release 1", RUNS[1], {"raw_data": RUNS[0]})
    plan = make_plan(everything(), [run_reference(RUNS[-1]), release], NOW)
    gone = removed(plan)
    assert not {run for _, run in gone} & {RUNS[1], RUNS[-1]}
    assert ("raw_data", RUNS[0]) not in gone
    assert plan.kept[RUNS[1]] == ("release 1",)


def test_leftovers_of_killed_runs_go_when_they_are_old():
    """A day without a manifest is long enough; with a claim, a week."""
    for days, claimed, goes in (
        (0.5, False, False),
        (2, False, True),
        (2, True, False),
        (8, True, True),
    ):
        killed = version(days)
        there = stored({"manifest": RUNS, "raw_data": [*RUNS, killed]}, [killed] if claimed else [])
        plan = make_plan(there, [run_reference(run) for run in RUNS], NOW)
        assert (("raw_data", killed) in removed(plan)) is goes, (days, claimed)


def test_what_a_working_process_writes_stays_whatever_the_clock_says():
    """A clock that was set forward by a month makes no leftover of a run that works."""
    begun = version(30)
    there = stored({"manifest": RUNS, "raw_data": [*RUNS, begun]}, [begun])
    assert ("raw_data", begun) in removed(make_plan(there, [], NOW))
    plan = make_plan(replace(there, working=[begun]), [], NOW)
    assert ("raw_data", begun) not in removed(plan)


def test_a_run_that_has_its_manifest_but_not_let_go_of_its_claim_stays():
    """A run with a manifest and a claim is still uploading to MLflow, and stays."""
    plan = make_plan(everything([RUNS[3], RUNS[4]]), [run_reference(RUNS[-1])], NOW)
    assert {run for _, run in removed(plan)} == set(RUNS[:4])  # ten days are too long
    young = version(1.5)
    there = stored({name: [young, *RUNS] for name in NAMES[:3]}, [young])
    plan = make_plan(there, [run_reference(RUNS[-1])], NOW)
    assert young not in {run for _, run in removed(plan)}


def test_what_a_working_run_may_have_begun_from_stays():
    """It reads from the run that was the newest when it began."""
    began_before_the_last = version(7)
    found = kept_runs(everything([began_before_the_last]), 1, NOW)
    assert set(found) == {RUNS[-1], RUNS[-2]}


def test_a_manifest_folder_without_a_manifest_is_no_run():
    """It counts as no run to keep, and goes as other leftovers do."""
    empty = version(3)
    there = stored({"manifest": [*RUNS, empty]})
    there = Stored(there.folders, {"manifest": RUNS})
    assert set(kept_runs(there, 1, NOW)) == {RUNS[-1]}
    plan = make_plan(there, [run_reference(RUNS[-1])], NOW)
    assert ("manifest", empty) in removed(plan)


def test_the_newest_version_of_each_data_set_stays():
    """Kedro loads it where no version is named; no newer run refers to it."""
    there = stored({"manifest": RUNS, "verdict": RUNS[:2]})
    gone = removed(make_plan(there, [run_reference(RUNS[-1])], NOW))
    assert ("verdict", RUNS[0]) in gone
    assert ("verdict", RUNS[1]) not in gone


def test_folders_of_other_names_are_left_alone():
    """Folders whose names are no Kedro versions are not touched."""
    odd = ["backup", "2026-01-01", "..", "9999-99-99T99.99.99.999Z"]
    there = stored({"manifest": RUNS, "raw_data": [*RUNS, *odd]})
    assert not {run for _, run in removed(make_plan(there, [], NOW))} & set(odd)


def test_the_output_lists_what_goes_how_much_and_why_the_rest_stays():
    """The output has sizes, totals and reasons; a dry run is marked as one."""
    there = stored(
        {name: [*RUNS, version(2)] for name in ("model", "raw_data")} | {"manifest": RUNS}
    )
    release = Reference("release 1", RUNS[0], {})
    plan = make_plan(there, [run_reference(RUNS[-1]), release], NOW)
    text = in_words(plan, there.recorded(), dry_run=True)
    assert f"{RUNS[0]}  release 1" in text
    assert f"{RUNS[1]}  30 bytes  model, raw_data, manifest" in text
    assert f"{version(2)}  20 bytes  model, raw_data (of a run that did not finish)" in text
    assert "11 folders of 4 runs, 110 bytes." in text
    assert "Nothing was removed (--dry-run)." in text
    assert "Removed:" in in_words(plan, there.recorded(), dry_run=False)
    assert "Nothing to remove." in in_words(Plan((), {}), [], dry_run=False)


AGES = st.lists(st.floats(0.01, 100).map(version), unique=True, max_size=8)


@given(
    folders=st.dictionaries(st.sampled_from(NAMES), AGES),
    pool=AGES,
    keep=st.integers(1, 3),
    data=st.data(),
)
def test_everything_that_is_referred_to_stays(folders, pool, keep, data):
    """This holds for any stored runs and references; a second call finds nothing more to do."""
    shared = {name: sorted({*versions, *pool}) for name, versions in folders.items()}
    there = stored(
        shared, data.draw(st.lists(st.sampled_from(pool), max_size=2) if pool else st.just([]))
    )
    every = sorted({v for versions in shared.values() for v in versions}) or [version(1)]
    one = st.sampled_from(every)
    others = data.draw(
        st.lists(
            st.builds(
                Reference,
                st.just("somebody"),
                st.none() | one,
                st.dictionaries(st.sampled_from(NAMES), one),
            ),
            max_size=4,
        )
    )
    needed = [Reference(why, run) for run, why in kept_runs(there, keep, NOW).items()] + others
    plan = make_plan(there, needed, NOW)
    gone = removed(plan)
    for reference in needed:
        assert not gone & set(reference.versions.items())
        assert reference.run not in {run for _, run in gone}
    for versions in there.runs.values():
        assert not set(sorted(versions)[-keep:]) & {run for _, run in gone}
    for name, versions in there.folders.items():  # what works now, and what is newest
        recorded = [v for v in versions if v in there.recorded()]
        assert not recorded or (name, max(recorded)) not in gone
        assert not {(name, v) for v in versions if v > version(1)} & {
            item for item in gone if item[1] not in there.recorded()
        }
    manifests = [at for at, (name, *_) in enumerate(plan.removed) if name in there.runs]
    for at in manifests:
        run = plan.removed[at][1]
        assert all(later[1] != run or later[0] in there.runs for later in plan.removed[at:])
    left = {
        name: [v for v in versions if (name, v) not in gone]
        for name, versions in there.folders.items()
    }
    again = make_plan(stored(left, there.claimed), needed, NOW)
    assert {run for _, run in removed(again)} <= {
        v for v in every if v not in stored(left).recorded()
    }


class Versions:
    """A registry whose versions know, or do not know, where they came from."""

    def __init__(self, **runs):
        self.runs = runs

    def versions(self):
        """All versions of the registry."""
        return list(self.runs)

    def origin(self, version):
        """Of a version."""
        run = self.runs[version]
        return run and ModelRecord(
            candidate="x", run_id=run, mlflow_run_id="y", data_versions={"raw_data": run},
            git_commit=None, git_dirty=None,
        )  # fmt: skip


def test_registered_versions_need_their_data():
    """The data of each registered version stay, released or not."""
    [found] = references.registered(Versions(v1=RUNS[0]), [])
    assert (found.run, found.versions) == (RUNS[0], {"raw_data": RUNS[0]})


def test_a_version_of_unknown_origin_stops_everything():
    """Nothing is pruned unless the ledger records the version's origin."""
    with pytest.raises(LineageError, match=r"registered version v1.*Restore"):
        list(references.registered(Versions(v1=None), []))
    entry = make_entry("1").model_copy(update={"version": "v1", "run_id": RUNS[0]})
    assert list(references.registered(Versions(v1=None), [entry])) == []


def test_the_monitor_needs_its_retrainings_and_its_looks():
    """The runs of every watch stay, also those of releases that were replaced."""
    batch = WatchedBatch(name="b", sha256="0", outcome="used", seen_by=RUNS[0])
    attempt = Attempt(run_id=RUNS[1], evidence=(), batches=1, labelled_batches=0)
    watch = Watch(version="1", loss="error", sequential={}, batches=(batch,), attempts=(attempt,))
    found = list(references.monitored(MonitoringState(watches={"1": watch})))
    assert {reference.run for reference in found} == {RUNS[0], RUNS[1]}
    assert {reference.by for reference in found} == {"the monitor's watch over release 1"}


@pytest.mark.slow
def test_on_s3_folders_are_found_and_removed(s3_environment):
    """Versions with their bytes, manifests alone as runs, claims; other folders stay."""
    bucket = make_bucket(s3_environment)
    base, fs = f"{bucket.name}/data/mine", bucket.fs()
    storage = _ModelStorage(catalog_of(f"s3://{base}", bucket.credentials()), {})
    for run in RUNS[:2]:
        fs.pipe_file(f"{base}/manifests/manifest.json/{run}/manifest.json", b"{}")
        fs.pipe_file(f"{base}/bronze/report.json/{run}/report.json", b"12345")
    fs.pipe_file(f"{base}/manifests/running/{RUNS[2]}.json", b"{}")
    fs.pipe_file(f"{base}/bronze/other.json", b"{}")
    there = storage.stored()
    assert there.folders["report"] == dict.fromkeys(RUNS[:2], 5)
    assert (there.recorded(), there.claimed) == (set(RUNS[:2]), [RUNS[2]])
    storage.remove("report", RUNS[0])
    storage.remove("report", RUNS[0])
    storage.drop_claim(RUNS[2])
    assert {path.removeprefix(f"{base}/") for path in fs.find(base)} == {
        *(f"manifests/manifest.json/{run}/manifest.json" for run in RUNS[:2]),
        f"bronze/report.json/{RUNS[1]}/report.json",
        "bronze/other.json",
    }


def test_a_manifest_that_cannot_be_read_stops_everything(tmp_path):
    """Nothing is removed, since the run's needs are unknown; the message names the file."""
    storage = _ModelStorage(catalog_of(str(tmp_path / "mine")), {})
    file = tmp_path / "mine" / "manifests" / "manifest.json" / RUNS[0] / "manifest.json"
    file.parent.mkdir(parents=True)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(LineageError, match=rf"manifest\.json/{RUNS[0]}.*cannot be told"):
        storage.manifest(RUNS[0])
    (tmp_path / "mine" / "manifests" / "manifest.json" / RUNS[1]).mkdir()
    assert storage.stored().recorded() == {RUNS[0]}


def test_what_the_catalog_knows_by_a_pattern_alone_is_found(tmp_path):
    """Plots, which the catalog has as a pattern, are found by the names in the pipelines."""
    catalog = catalog_of(str(tmp_path / "mine"))
    folder = tmp_path / "mine" / "bronze" / "drawn_plot.json" / RUNS[0]
    folder.mkdir(parents=True)
    (folder / "drawn_plot.json").write_text("{}", encoding="utf-8")
    draw = Pipeline([Node(lambda table: table, "table", "drawn_plot", name="draw")])
    assert _ModelStorage(catalog, {"drawing": draw}).stored().folders["drawn_plot"] == {RUNS[0]: 2}


def test_links_are_not_followed(tmp_path):
    """The target of a link in a removed folder stays."""
    storage = _ModelStorage(catalog_of(str(tmp_path / "mine")), {})
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("x", encoding="utf-8")
    folder = tmp_path / "mine" / "bronze" / "report.json" / RUNS[0]
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(other)
    storage.remove("report", RUNS[0])
    assert (other / "precious").exists()
    assert not folder.exists()


def catalog_of(root, credentials=None):
    """A catalog of a manifest and a report, as Kedro makes it for a run."""
    entry = {"type": "mlops_basics.datasets.ArtifactDataset", "versioned": True}
    if credentials:
        entry["credentials"] = "bucket"
    manifest = {"filepath": f"{root}/manifests/manifest.json"}
    report = {"filepath": f"{root}/bronze/report.json"}
    models = [{"model": f"mlops_basics.schemas.{name}"} for name in ("Manifest", "BatchRecord")]
    plot = {"filepath": f"{root}/bronze/{{name}}_plot.json"}
    return DataCatalog.from_config(
        {
            "manifest": entry | manifest | models[0],
            "report": entry | report | models[1],
            "{name}_plot": entry | plot | models[1],
        },
        {"bucket": credentials or {}},
    )
