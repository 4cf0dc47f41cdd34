"""The demo on few rows and few months: the page reports what happened."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_basics.commands.demo.page import YearResult, searches, verdict_text
from mlops_basics.commands.demo.rivals import ALWAYS, NEVER, RIVALS, WINDOW
from mlops_basics.commands.samples.flights import by_month, shipped
from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.table.columns import features_of
from mlops_basics.table.learning import as_learned
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
monitoring: {thresholds: {auc: 0.5}, min_rows: 200}
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
        year = by_month(shipped("flights.csv.zip"))[month]
        keys = ["time_hour", "carrier", "flight"]
        drawn = self.source(month)[keys]
        return drawn.merge(year, on=keys, validate="1:1").dropna(subset=["arr_delay"])

    def error(self, model: Any, month: str) -> float:
        """Share of a month's labelled flights of which a model is wrong."""
        truth = self.truth(month)
        late = (truth["arr_delay"] > 15).astype(int).astype(str)
        predicted = pd.Series(model.predict(features_of(truth, self.table))).astype(str)
        return float((predicted.to_numpy() != late.to_numpy()).mean())

    def fitted(self, first: Any, months: Sequence[str]) -> Any:
        """The first release's recipe, fitted on the labelled flights of some months."""
        truth = pd.concat([self.truth(month) for month in months], ignore_index=True)
        late = (truth["arr_delay"] > 15).astype(int)
        target = as_learned(late.astype(str).to_numpy(dtype=object), first.model)
        return fit_recipe(first.recipe, features_of(truth, self.table), target)

    @property
    def table(self) -> Any:
        """What the models take."""
        store, _ = self.production()
        return store.load(self.result.releases[0].version).table

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
    for release in lived.result.releases:
        known = ["2013-01", "2013-02", "2013-03"]
        known += [month for month in MONTHS if month < release.since]
        assert set(release.months) <= set(known)
        assert release.months[-1] == known[-1] or release.policy == "keep"


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
    assert [entry.version for entry in store.ledger()] == versions
    assert {entry.action for entry in store.ledger()} <= {"release", "refresh", "switch"}


def test_exit_codes_say_what_happened_to_the_release(lived: Lived) -> None:
    """Exit code 3, and no other, changes production; the year has refreshes and searches."""
    assert sum(look.released for look in lived.result.looks)
    assert searches(lived.result)
    for look in lived.result.looks:
        assert (look.exit_code == 3) == (look.before != look.after)
        assert look.exit_code != 4 or look.searched


def test_errors_are_those_of_the_releases_on_the_files(lived: Lived) -> None:
    """Loaded from the store and asked again, the releases err as often as the page says."""
    store, _ = lived.production()
    first = store.load(lived.result.releases[0].version)
    for month in lived.result.months:
        for release, expected in (
            (first, month.error[NEVER].rival),
            (store.load(month.version), month.error[NEVER].kept),
        ):
            assert lived.error(release.model, month.month) == pytest.approx(expected)
        assert len({gain.kept for gain in month.error.values()}) == 1


def test_rivals_learn_from_what_had_its_labels_and_from_nothing_else(lived: Lived) -> None:
    """Fitted here on the files of the months before the last, always-retrained errs as often."""
    store, _ = lived.production()
    first = store.load(lived.result.releases[0].version, reference=True)
    for at, month in enumerate(lived.result.months):
        learned = ["2013-01", "2013-02", "2013-03", *MONTHS[: max(at - 1, 0)]]
        always = lived.error(lived.fitted(first, learned), month.month)
        assert always == pytest.approx(month.error[ALWAYS].rival)
        windows = {tuple(learned[-count:]) for count in (1, 3, 6, 12)} | {tuple(learned)}
        errors = [lived.error(lived.fitted(first, names), month.month) for names in windows]
        assert any(error == pytest.approx(month.error[WINDOW].rival) for error in errors)


def test_the_months_of_one_model_have_no_gain(lived: Lived) -> None:
    """As long as the first release is in production, it and the never retrained are the same."""
    first = lived.result.releases[0].version
    for month in lived.result.months:
        gain = month.error[NEVER]
        assert gain.same == (month.version == first)
        if gain.same:
            assert gain.gain == gain.low == gain.high == 0


def test_page_is_complete(lived: Lived) -> None:
    """Each verdict with its reason, each release, each rival and the cost are on the page."""
    words = " ".join(re.sub(r"<[^>]+>", " ", lived.page.rsplit("</style>", 1)[1]).split())
    for look in lived.result.looks:
        assert verdict_text(look) in words
        if look.verdict is not None:
            assert html.escape(look.verdict.reasons[0]) in words
        if look.released:
            assert f"version {look.after} replaces {look.before}" in words
    assert f"{len(searches(lived.result))} searches for a new recipe" in words
    assert words.count("fitted on 2013-") == len(lived.result.releases)
    assert all(name in words for name in RIVALS)
    assert "CPU seconds in all" in words


def test_page_needs_no_network_and_is_small(lived: Lived) -> None:
    """The page is one file, and its content policy lets the browser load nothing."""
    assert "default-src 'none'" in lived.page
    assert "<script" not in lived.page
    assert not re.search(r"\s(src|href)=", lived.page)
    assert len(lived.page.encode()) < 100_000


def test_progress_has_a_line_a_look(lived: Lived) -> None:
    """Month, verdict, exit code and log loss, as they happen."""
    looks = [line for line in lived.lines if "exit" in line]
    assert len(looks) == len(lived.result.looks)
    for line, look in zip(looks, lived.result.looks, strict=True):
        assert line.startswith(look.month)
        assert f"exit {look.exit_code}" in line
        assert ("log loss" in line) == bool(look.labels)


def test_nothing_but_its_own_folder_is_touched(lived: Lived) -> None:
    """What an earlier demo left is gone; the project's MLflow database is as it was."""
    assert not (lived.folder / "source" / "1999-01.csv").exists()
    data = lived.project.path / "data"
    assert (data / "mlflow" / "mlflow.db").read_bytes() == lived.mlflow_before
    assert sorted(item.name for item in data.iterdir()) == ["demo", "mlflow", "source"]
    assert sorted(item.name for item in (data / "source").iterdir()) == ["iris.csv"]
