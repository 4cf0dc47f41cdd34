"""The demo on few rows and few months: the page reports what happened."""

from __future__ import annotations

import contextlib
import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_basics.commands.demo.page import YearResult, retrainings, verdict_text
from mlops_basics.table.columns import typed_features
from tests.support.project import bootstrap
from tests.support.small_table import production_of

pytestmark = pytest.mark.slow

MONTHS = ["2013-04", "2013-05", "2013-06"]
#: A quick search; and any certain difference of the timetable counts, so that there is something
#: to retrain for.
PARAMETERS = """
training:
  n_trials: 1
  candidates: {binary: {linear: {space: {C: {low: 0.002, high: 0.004}}}}}
evaluation: {resamples: 100, importance_repeats: 1}
monitoring: {adapt: release, thresholds: {auc: 0.5}, min_rows: 200}
"""


@dataclass(frozen=True)
class Lived:
    """A simulated year."""

    project: Any
    result: YearResult
    lines: list[str]
    page: str
    mlflow_before: bytes

    def production(self) -> tuple[Any, Any]:
        """The demo's release store and registry."""
        return production_of(self.project, "demo")

    def source(self, month: str) -> pd.DataFrame:
        """What arrived of a month."""
        return pd.read_csv(self.folder / "source" / f"{month}.csv")

    def truth(self, month: str) -> pd.DataFrame:
        """The flights of a month that arrived, with everything, of those that the demo drew."""
        year = pd.read_csv(self.folder / "year" / "flights" / f"{month}.csv")
        keys = ["time_hour", "carrier", "flight"]
        drawn = self.source(month)[keys]
        return drawn.merge(year, on=keys, validate="1:1").dropna(subset=["arr_delay"])

    @property
    def folder(self) -> Path:
        """Where the demo lives."""
        return self.project.path / "data" / "demo"


@pytest.fixture(scope="module")
def lived(shared_project) -> Lived:
    """Six months of 1,500 flights."""
    from mlops_basics.commands.demo.year import page_path, run_demo

    path = shared_project.path
    (path / "conf" / "demo" / "parameters.yml").write_text(PARAMETERS, encoding="utf-8")
    stale = path / "data" / "demo" / "source" / "1999-01.csv"
    stale.parent.mkdir(parents=True)
    stale.write_text("left,by\nan,earlier demo\n", encoding="utf-8")
    before = (path / "data" / "mlflow" / "mlflow.db").read_bytes()
    lines: list[str] = []
    with contextlib.chdir(path):
        bootstrap(path)
        result = run_demo(path, months=6, rows=1500, say=lines.append)
    page = page_path(path).read_text(encoding="utf-8")
    return Lived(shared_project, result, lines, page, before)


def test_every_month_is_predicted_labelled_and_scored_once(lived: Lived) -> None:
    """Each month counts once, with all its labels and no others, whichever way it went."""
    assert [month.month for month in lived.result.months] == MONTHS
    assert [look.labels for look in lived.result.looks] == ["", "", *MONTHS]
    assert [look.month for look in lived.result.looks[1:-1]] == MONTHS
    for month in lived.result.months:
        truth = lived.truth(month.month)
        assert (month.rows, month.labelled) == (1500, len(truth))
        assert month.positive == pytest.approx((truth["arr_delay"] > 15).mean())
        assert lived.page.count(f'<th scope="row">{month.month}</th>') == 2  # month and look


def test_a_month_arrives_without_what_is_known_only_later(lived: Lived) -> None:
    """No label and no column from after departure; the labels' files hold nothing else."""
    later = {"arr_delay", "dep_time", "dep_delay", "arr_time", "air_time"}
    assert later <= set(lived.source("2013-03").columns)
    for month in MONTHS:
        assert not later & set(lived.source(month).columns)
        labels = pd.read_csv(lived.folder / "labels" / f"labels-{month}.csv")
        assert list(labels.columns) == ["time_hour", "carrier", "flight", "arr_delay"]


def test_no_label_is_used_before_it_is_there(lived: Lived) -> None:
    """A release learns from no month whose labels came with or after its look."""
    month_of = {look.after: look.month for look in reversed(lived.result.looks)}
    for release in lived.result.releases:
        since = month_of[release.version]
        known = ["2013-01", "2013-02", "2013-03"]
        known += [month for month in MONTHS if month < since]
        if release.version != lived.result.releases[0].version:
            assert list(release.months) == known


def test_every_month_enters_the_test_of_the_release_that_waited_for_it(lived: Lived) -> None:
    """In a release's watch each month counts exactly once."""
    state = lived.project.load("monitoring_state", env="demo")
    for watch in state.watches.values():
        names = [batch.name for batch in watch.batches]
        assert len(names) == len(set(names))
        assert not set(names) & set(watch.trained)
        assert all(batch.outcome == "used" for batch in watch.batches)
    seen = {name for watch in state.watches.values() for name in (*watch.trained, *_names(watch))}
    assert {f"{month}.csv" for month in MONTHS} <= seen


def _names(watch: Any) -> list[str]:
    return [batch.name for batch in watch.batches]


def test_the_model_that_was_kept_up_is_the_one_in_production(lived: Lived) -> None:
    """Releases, ledger, registry and the last look agree."""
    store, registry = lived.production()
    versions = [release.version for release in lived.result.releases]
    assert store.pointer().version == versions[-1] == lived.result.looks[-1].after
    assert registry.champion() == versions[-1]
    assert [entry.version for entry in store.ledger() if entry.action == "release"] == versions


def test_exit_codes_say_what_happened_to_the_release(lived: Lived) -> None:
    """Exit code 3, and no other, changes production; at least one look led to a retraining."""
    assert retrainings(lived.result)
    for look in lived.result.looks:
        assert (look.exit_code == 3) == (look.before != look.after)
        assert (look.decision is not None) == (look.exit_code in (3, 4))
        if look.decision is not None:
            assert look.decision.promote == (look.exit_code == 3)
            assert look.decision.reasons


def test_errors_are_those_of_the_releases_on_the_files(lived: Lived) -> None:
    """Loaded from the store and asked again, the releases err as often as the page says."""
    store, _ = lived.production()
    first = store.load(lived.result.releases[0].version)
    for month in lived.result.months:
        truth = lived.truth(month.month)
        late = (truth["arr_delay"] > 15).astype(int).astype(str)
        for release, expected in (
            (first, month.error.first),
            (store.load(month.version), month.error.kept),
        ):
            features = typed_features(truth, release.table.features)
            predicted = pd.Series(release.model.predict(features)).astype(str)
            assert (predicted.to_numpy() != late.to_numpy()).mean() == pytest.approx(expected)


def test_the_months_of_one_model_have_no_gain(lived: Lived) -> None:
    """As long as the first release is in production, both are the same."""
    first = lived.result.releases[0].version
    for month in lived.result.months:
        assert month.error.same == (month.version == first)
        if month.error.same:
            assert month.error.gain == month.error.low == month.error.high == 0


def test_page_is_complete(lived: Lived) -> None:
    """Each verdict with its reason, each release, each outcome and the cost are on the page."""
    words = " ".join(re.sub(r"<[^>]+>", " ", lived.page.rsplit("</style>", 1)[1]).split())
    for look in lived.result.looks:
        assert verdict_text(look) in words
        if look.verdict is not None:
            assert html.escape(look.verdict.reasons[0]) in words
        if look.exit_code == 4:
            assert "exit 4: retrained and kept" in words
    assert f"{len(retrainings(lived.result))} retrainings" in words
    assert words.count("tested on 2013-") == len(lived.result.releases)
    assert "CPU seconds in all" in words


def test_page_needs_no_network_and_is_small(lived: Lived) -> None:
    """The page is one file, and its content policy lets the browser load nothing."""
    assert "default-src 'none'" in lived.page
    markup = re.sub(r"<script>.*?</script>", "", lived.page, flags=re.DOTALL)
    assert not re.search(r"\s(src|href)=", markup)
    assert len(lived.page.encode()) < 6_000_000


def test_progress_has_a_line_a_look(lived: Lived) -> None:
    """Month, verdict, exit code and error, as they happen."""
    looks = [line for line in lived.lines if "exit" in line]
    assert len(looks) == len(lived.result.looks)
    for line, look in zip(looks, lived.result.looks, strict=True):
        assert line.startswith(look.month)
        assert f"exit {look.exit_code}" in line
        assert ("error" in line) == bool(look.labels)


def test_nothing_but_its_own_folder_is_touched(lived: Lived) -> None:
    """What an earlier demo left is gone; the project's MLflow database is as it was."""
    assert not (lived.folder / "source" / "1999-01.csv").exists()
    data = lived.project.path / "data"
    assert (data / "mlflow" / "mlflow.db").read_bytes() == lived.mlflow_before
    assert sorted(item.name for item in data.iterdir()) == ["demo", "mlflow", "source"]
    assert sorted(item.name for item in (data / "source").iterdir()) == ["iris.csv"]
