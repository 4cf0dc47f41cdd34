"""Tests of the gate: which rows are compared, both models' scores, and the request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_basics.errors import LineageError
from mlops_basics.pipelines.model_evaluation.ages import FRESH, NEWEST, OLDER, row_ages
from mlops_basics.pipelines.model_evaluation.gate import (
    GROUP_COLUMN,
    challenger_scores,
    champion_scores,
    gate_table,
    request_challenge,
    shared_classes,
    unseen_rows,
)
from mlops_basics.pipelines.model_evaluation.nodes import score_gate
from mlops_basics.schemas import (
    BATCH_COLUMN,
    NO_CHAMPION,
    ROW_HASH_COLUMN,
    Champion,
    DecisionParams,
    PreprocessingParams,
    TableInfo,
)
from mlops_basics.scoring.gate_columns import gate_scores
from mlops_basics.scoring.scores import Scores
from mlops_basics.table.row_hash import row_hashes
from tests.support.artifacts import make_overfit_check
from tests.support.parameters import configured
from tests.support.tables import assert_inputs_unchanged

CLASSES = ("no", "yes")
FIT = make_overfit_check()
OVERFITTED = FIT.model_copy(update={"overfitted": True, "reason": "It learned the rows by heart."})
PREPROCESSING = configured(PreprocessingParams, target="kind")


class Logistic:
    """A classifier of one column, as scikit-learn's look to the project."""

    def __init__(self, column="x", slope=1.0, classes=CLASSES):
        self.column, self.slope = column, slope
        self.classes_ = np.array(classes, dtype=object)

    def predict_proba(self, features):
        """Rises with the column; classes beyond the second share a tenth."""
        p = 1 / (1 + np.exp(-self.slope * features[self.column].to_numpy(dtype=float)))
        rest = len(self.classes_) - 2
        first = np.column_stack([1 - p, p]) * (0.9 if rest else 1.0)
        return np.column_stack([first, *[np.full(len(p), 0.1 / max(rest, 1))] * rest])


class Line:
    """A regression of one column."""

    def __init__(self, slope=1.0):
        self.slope = slope

    def predict(self, features):
        """A multiple of x."""
        return self.slope * features["x"].to_numpy(dtype=float)


def table_info(**values):
    """A table of one number with a target of two classes."""
    defaults = {
        "task": "binary",
        "target": "kind",
        "classes": CLASSES,
        "features": ("x",),
        "numeric": ("x",),
        "key_columns": ("x",),
        "rows": 10,
        "duplicate_rows": 0,
        "missing_target_rows": 0,
        "dropped_columns": {},
    }
    return TableInfo.model_validate(defaults | values)


def raw_of(x, batches, seed=0):
    """Raw rows of a number, a second number that follows from the first, and a target."""
    x = np.asarray(x)
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": x,
            "other": x * 7 + 3,
            "kind": rng.permutation(np.resize(CLASSES, len(x))),
            BATCH_COLUMN: np.asarray(batches, dtype=object),
        }
    )


def labelled_of(raw, keys=("x",)):
    """The raw rows with their hash."""
    return raw.assign(**{ROW_HASH_COLUMN: row_hashes(raw, keys)})


def champion_of(fitted=(), batches=("old.csv",), keys=("x",), model=None, **values):
    """A champion that was fitted on the rows with these x."""
    rows = pd.DataFrame({"x": np.asarray(fitted, dtype=float)})
    rows["other"] = rows["x"] * 7 + 3
    hashes = row_hashes(rows, keys) if set(keys) <= set(rows.columns) else rows.index.to_numpy()
    return Champion(
        version="3",
        model=model or Logistic(),
        table=table_info(key_columns=tuple(keys), **values),
        fitted_rows=np.asarray(hashes, dtype=np.uint64),
        batches=tuple(batches),
    )


def choose(raw, champion, params=None, test=None, **values):
    """Which rows ``unseen_rows`` chooses; every row is a test row by default."""
    info = table_info(**values)
    is_test = np.ones(len(raw), dtype=bool) if test is None else np.array(test)
    rows = labelled_of(raw, info.key_columns)[is_test]
    mask, _, which = unseen_rows(rows, champion, info, params or configured(DecisionParams))
    is_test[is_test] = mask
    return is_test, which


small = st.integers(0, 12)


@settings(max_examples=30, deadline=None)
@given(
    x=st.lists(small, min_size=4, max_size=60),
    fitted=st.sets(small),
    own=st.sets(small),
    test=st.sets(small, min_size=1),
    fresh=st.booleans(),
    keys=st.sampled_from([("x",), ("other",), ("x", "other"), ("gone",)]),
    seed=st.integers(0, 99),
)
def test_no_row_that_either_model_was_fitted_on_is_ever_compared(
    x, fitted, own, test, fresh, keys, seed
):
    """This holds for any overlap of sets and batches, any duplicates and any champion's keys."""
    rng = np.random.default_rng(seed)
    batches = rng.choice(["old.csv", "new.csv"], len(x))
    if not fresh:
        batches[:] = "old.csv"
    raw = raw_of(x, batches)
    info = table_info()
    hashes = row_hashes(raw, info.key_columns)
    preprocessed = labelled_of(raw).assign(x=raw["x"].astype(float))
    of = {name: np.isin(raw["x"], list(chosen)) for name, chosen in (("test", test), ("own", own))}
    champion = champion_of(sorted(fitted), keys=keys)
    gate, request, again = score_gate(
        champion,
        Logistic(slope=2.0),
        labelled_of(raw),
        preprocessed[of["own"]],
        preprocessed[of["own"]],
        preprocessed[of["test"]],
        info,
        FIT,
        PREPROCESSING,
        configured(DecisionParams),
    )
    compared = raw["x"][np.isin(hashes, gate[ROW_HASH_COLUMN])]
    assert set(compared) <= test - own
    assert request == again
    assert request.rows == len(gate)
    if keys == ("gone",):
        assert set(raw[BATCH_COLUMN][np.isin(hashes, gate[ROW_HASH_COLUMN])]) <= set(batches)
        old = raw[BATCH_COLUMN] == "old.csv"
        assert len(gate) == (of["test"] & ~of["own"] & ~old).sum()
    else:
        assert not set(compared) & fitted
        assert set(compared) == (set(x) & test) - own - fitted


def test_rows_that_the_champion_never_saw_are_all_compared():
    """Fresh rows take none of the older ones away; fitted rows that came again do not count."""
    x = np.arange(60)
    batches = np.where(x < 30, "old.csv", "new.csv")
    champion = champion_of([*range(10), 59])
    for least, fresh in ((29, 29), (30, 0)):
        rows = labelled_of(raw_of(x, batches))
        params = configured(DecisionParams, min_fresh_rows=least)
        mask, ages, which = unseen_rows(rows, champion, table_info(), params)
        assert x[mask].tolist() == list(range(10, 59))
        assert x[ages != OLDER].tolist() == (list(range(30, 59)) if fresh else [])
        assert which == "test rows that neither model was trained or tuned on"
    everything = champion_of(range(30))
    _, which = choose(raw_of(x, batches), everything, configured(DecisionParams, min_fresh_rows=30))
    assert "batches that came after the champion" in which


def test_the_newest_rows_are_whole_batches_as_many_as_suffice():
    """Counted from the newest batch on, until there are enough rows, of enough groups."""
    names = pd.Series(np.repeat(["a", "b", "c", "d"], 10))
    fresh = (names != "a").to_numpy()
    ages = row_ages(names, fresh, 15)
    assert ages.tolist() == [OLDER] * 10 + [FRESH] * 10 + [NEWEST] * 20
    assert (row_ages(names, fresh, 31) == OLDER).all()
    groups = np.repeat(np.arange(4), 10)
    assert (row_ages(names, fresh, 15, groups) == OLDER).all()
    one_each = np.arange(40)
    assert (row_ages(names, fresh, 15, one_each) == ages).all()


def test_rows_beside_the_test_rows_are_never_chosen():
    """Only test rows are chosen, fresh or not."""
    x = np.arange(80)
    batches = np.where(x < 40, "old.csv", "new.csv")
    test = x % 2 == 0
    mask, _ = choose(raw_of(x, batches), champion_of([0, 2]), None, test)
    assert not (mask & ~test).any()
    assert mask.sum() == 38


def test_other_key_columns_are_the_champions_to_hash():
    """Its rows are recognised by its own keys; types that changed with the storage do not hide
    them."""
    x = np.arange(40)
    raw = raw_of(x, ["old.csv"] * 40)
    raw["other"] = raw["other"].astype(str)
    champion = champion_of(range(15), keys=("other",))
    mask, _ = choose(raw, champion)
    assert x[mask].tolist() == list(range(15, 40))
    mask, _ = choose(raw, champion_of(range(15), keys=("other", "x")))
    assert x[mask].tolist() == list(range(15, 40))


def test_the_order_of_the_key_columns_does_not_matter():
    """The same columns are the same keys."""
    raw = raw_of(np.arange(30), ["old.csv"] * 30)
    keys = {"key_columns": ("other", "x")}
    mask, _ = choose(raw, champion_of(range(5), keys=("x", "other")), **keys)
    assert mask.sum() == 25


def test_without_the_champions_keys_only_fresh_batches_count():
    """Only fresh batches are compared, however few rows they have; the reason says why."""
    x = np.arange(40)
    raw = raw_of(x, np.where(x < 37, "old.csv", "new.csv"))
    mask, which = choose(raw, champion_of(range(5), keys=("x", "gone")))
    assert x[mask].tolist() == [37, 38, 39]
    assert "its key columns are gone" in which


@pytest.mark.parametrize(
    "champion",
    [
        Champion(version=NO_CHAMPION),
        Champion(version="3", unusable="it cannot be loaded"),
        replace(champion_of(range(9)), fitted_rows=None),
    ],
    ids=["none", "unusable", "incomplete"],
)
def test_without_a_known_champion_all_test_rows_are_taken(champion):
    """Without a known champion no test row is excluded."""
    test = np.arange(30) % 3 == 0
    mask, which = choose(raw_of(np.arange(30), ["a.csv"] * 30), champion, test=test)
    assert (mask == test).all()
    assert which == "test rows that the challenger was neither trained nor tuned on"


def test_the_champion_sees_the_raw_values_of_the_compared_rows():
    """Found by key, not by position: labelled rows in any order, and more of them."""
    raw = raw_of(np.arange(90), ["new.csv"] * 90)
    rows = labelled_of(raw)
    champion = champion_of([], model=Logistic("other", slope=0.01), features=("other",))
    order = np.random.default_rng(0).permutation(90)
    given = (Logistic(), rows.iloc[order].reset_index(drop=True), rows[:30], rows[:30], rows[40:])
    gate, _, _ = score_gate(
        champion, *given, table_info(), FIT, PREPROCESSING, configured(DecisionParams)
    )
    assert gate[ROW_HASH_COLUMN].tolist() == rows[ROW_HASH_COLUMN][40:].tolist()
    expected = 1 / (1 + np.exp(-0.01 * raw["other"][40:]))
    assert gate["champion_1"].to_numpy() == pytest.approx(expected.to_numpy())


def test_a_repeated_key_of_the_past_is_not_compared():
    """Divided by time, a key may lie in train and in test: neither of its rows is unseen."""
    x = np.r_[np.arange(40), np.arange(30, 80)]
    rows = labelled_of(raw_of(x, ["new.csv"] * 90)).assign(
        when=pd.date_range("2024-01-01", periods=90, freq="D")
    )
    train, test = rows[:40], rows[40:].reset_index(drop=True)
    params = configured(PreprocessingParams, target="kind", split={"time_column": "when"})
    given = (
        Logistic(),
        rows,
        train,
        train,
        test,
        table_info(),
        FIT,
        params,
        configured(DecisionParams),
    )
    gate, request, _ = score_gate(champion_of(), *given)
    assert set(gate[ROW_HASH_COLUMN]) == set(test[ROW_HASH_COLUMN][10:])
    assert (request.rows, request.groups, request.grouped_by) == (40, 40, "day of when")


@pytest.mark.parametrize(
    ("champion", "may_persist"),
    [(champion_of(), True), (Champion(version=NO_CHAMPION), False)],
    ids=["a champion is there to be replaced", "a first release"],
)
def test_days_may_persist_where_a_champion_would_be_replaced(champion, may_persist):
    """A first release replaces nothing: a month of days would hardly ever be enough for one."""
    gate = a_gate().assign(**{GROUP_COLUMN: np.arange(len(a_gate()))})
    params = configured(DecisionParams)
    asked = (champion, gate, "these rows", CLASSES, FIT, params)
    request = request_challenge(*asked, grouped_by="day of when", in_order=True)
    assert (request.status, request.in_order) == ("comparable", may_persist)


def test_three_days_are_told_that_they_are_too_few():
    """Nor are their 72 hours more: what three days share is not known of the next."""
    times = pd.date_range("2024-01-01", periods=112, freq="h")
    rows = labelled_of(raw_of(np.arange(112), ["new.csv"] * 112)).assign(when=times)
    train, test = rows[:40], rows[40:].reset_index(drop=True)
    params = configured(PreprocessingParams, target="kind", split={"time_column": "when"})
    given = (rows, train, train, test, table_info(), FIT, params, configured(DecisionParams))
    _, request, _ = score_gate(champion_of(), Logistic(), *given)
    assert request.status == "too_few_rows"
    assert "72 rows" in request.reason
    assert "are of 4 groups only (day of when)" in request.reason
    assert "take a longer `period`" in request.reason


@pytest.mark.parametrize(
    ("labelled", "message"),
    [
        (lambda rows: rows[:-1], "40 rows do not belong.* holds 39 rows"),
        (lambda rows: pd.concat([rows, rows[-1:]]), "40 rows do not belong.* holds 41 rows"),
        (
            lambda rows: rows.assign(kind=rows["kind"].mask(rows["x"] == 50, "maybe")),
            "1 of 40 rows have another target 'kind'",
        ),
    ],
    ids=["fewer", "more", "another target"],
)
def test_labelled_rows_of_another_run_are_refused(labelled, message):
    """What does not fit is no comparison; the remedy is named."""
    rows = labelled_of(raw_of(np.arange(60), ["new.csv"] * 60))
    given = (Logistic(), labelled(rows), rows[:20], rows[:20], rows[20:], table_info(), FIT)
    with pytest.raises(LineageError, match=rf"{message}.*--pipeline data_preprocessing"):
        score_gate(champion_of(), *given, PREPROCESSING, configured(DecisionParams))


def test_a_first_model_is_compared_with_the_train_rows_shares():
    """A constant prediction of the training rows' class shares, or of their mean."""
    raw = raw_of(np.arange(40), ["a.csv"] * 40)
    train = pd.DataFrame({"kind": ["no"] * 3 + ["yes"]})
    info, none = table_info(), Champion(version=NO_CHAMPION)
    scores = champion_scores(none, raw, raw, train, info, CLASSES)
    assert scores.probabilities == pytest.approx(np.tile([0.75, 0.25], (40, 1)))
    info = table_info(task="regression", target="other", classes=())
    scores = champion_scores(none, raw, raw, pd.DataFrame({"other": [1.0, 3.0]}), info, ())
    assert scores.predicted == pytest.approx(np.full(40, 2.0))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"task": "multiclass"}, "with task 'multiclass', the challenger with 'binary'"),
        ({"target": "sort"}, "with target 'sort', the challenger with 'kind'"),
        ({"positive_above": 2.5}, "with positive_above 2.5, the challenger with None"),
        ({"features": ("x", "height")}, "lacks 1 of the model's 2 columns: height"),
    ],
)
def test_a_champion_of_another_question_is_unusable(values, why):
    """The reason names what differs; nothing is compared."""
    raw = raw_of(np.arange(30), ["new.csv"] * 30)
    champion = champion_of([], **values)
    found = champion_scores(champion, raw, raw, raw, table_info(), CLASSES)
    assert isinstance(found, str)
    assert why in found
    request = request_challenge(
        champion, None, "rows", CLASSES, FIT, configured(DecisionParams), found
    )
    assert request.status == "champion_unusable"
    assert why in request.reason


def test_a_champion_of_renamed_classes_is_unusable():
    """Renaming the labels must not make every answer of the champion a wrong one."""
    raw = raw_of(np.arange(30), ["new.csv"] * 30)
    info = table_info().model_copy(update={"classes": ("0", "1")})
    found = champion_scores(champion_of([]), raw, raw, raw, info, ("0", "1"))
    assert isinstance(found, str)
    assert "were they renamed?" in found


def test_a_champion_whose_columns_changed_type_is_unusable():
    """Estimators raise errors of many types; each becomes a reason."""

    class Refuses:
        classes_ = np.array(CLASSES, dtype=object)

        def __init__(self, error):
            self.error = error

        def predict_proba(self, _features):
            raise self.error

    raw = raw_of(np.arange(30), ["new.csv"] * 30)
    for error in (ValueError("text in x"), TypeError("text in x"), KeyError("text in x")):
        champion = champion_of([], model=Refuses(error))
        found = champion_scores(champion, raw, raw, raw, table_info(), CLASSES)
        assert isinstance(found, str)
        assert "cannot score the rows" in found
        assert "text in x" in found


def test_a_champion_that_was_not_loaded_says_why():
    """Its reason is passed on; one without a reason is incomplete."""
    raw = raw_of(np.arange(30), ["new.csv"] * 30)
    explained = Champion(version="3", unusable="it cannot be loaded (skops)")
    silent = Champion(version="3")
    found = [champion_scores(c, raw, raw, raw, table_info(), CLASSES) for c in (explained, silent)]
    assert found == ["it cannot be loaded (skops)", "its release is incomplete"]


def test_the_champion_scores_behind_its_own_preprocessing():
    """The champion scores its own raw columns, also those that the challenger excludes."""
    raw = raw_of(np.arange(30), ["new.csv"] * 30)
    champion = champion_of([], model=Logistic("other", slope=0.1), features=("other",))
    rows = pd.DataFrame({"x": raw["x"].astype(float), "kind": raw["kind"]})
    scores = champion_scores(champion, raw, rows, rows, table_info(), CLASSES)
    expected = 1 / (1 + np.exp(-0.1 * raw["other"]))
    assert scores.probabilities[:, 1] == pytest.approx(expected.to_numpy())


def test_classes_of_one_model_only_have_probability_zero_in_the_other():
    """The challenger's classes come first, then the champion's own."""
    info = table_info(task="multiclass", classes=("b", "c", "new"))
    champion = champion_of(
        [],
        model=Logistic(classes=("a", "b", "c")),
        task="multiclass",
        classes=("a", "b", "c"),
    )
    classes = shared_classes(champion, info)
    assert classes == ("b", "c", "new", "a")
    raw = raw_of(np.linspace(-2, 2, 30), ["new.csv"] * 30)
    raw["kind"] = np.resize(["b", "c", "new"], 30)
    own = challenger_scores(Logistic(classes=("b", "c", "new")), raw, info, classes)
    theirs = champion_scores(champion, raw, raw, raw, info, classes)
    assert (own.probabilities[:, 3] == 0).all()
    assert (theirs.probabilities[:, 2] == 0).all()
    assert theirs.probabilities[:, 1] == pytest.approx(np.full(30, 0.1))
    assert own.y.tolist() == theirs.y.tolist() == np.resize([0, 1, 2], 30).tolist()
    for scores in (own, theirs):
        assert scores.probabilities.sum(axis=1) == pytest.approx(np.ones(30))


def test_without_a_champion_the_classes_are_the_challengers():
    """The classes have the challenger's order; a regression has none, with any champion."""
    assert shared_classes(Champion(version=NO_CHAMPION), table_info()) == CLASSES
    assert shared_classes(champion_of(), table_info(task="regression", classes=())) == ()


def scores_of(y, p):
    """Scores of two classes."""
    p = np.asarray(p, dtype=float)
    both = np.column_stack([1 - p, p])
    return Scores("binary", np.asarray(y), both.argmax(axis=1), both)


def a_gate(n=30, shift=0.05, seed=0):
    """Predictions of two models, the second a little surer of class 1."""
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, n), rng.uniform(0.1, 0.9, n)
    hashes = rng.integers(0, 2**63, n).astype(np.uint64)
    return gate_table(hashes, scores_of(y, p), scores_of(y, p + shift))


@pytest.mark.parametrize("classes", [2, 12])
def test_a_gate_holds_what_was_put_into_it(classes):
    """A gate holds the predictions put into it, also with more than ten classes."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, classes, 25)
    kept = []
    for _ in range(2):
        p = rng.dirichlet(np.ones(classes), 25)
        kept.append(Scores("multiclass", y, p.argmax(axis=1), p))
    gate = gate_table(np.arange(25, dtype=np.uint64), *kept)
    for name, before in zip(("champion", "challenger"), kept, strict=True):
        after = gate_scores(gate, name)
        assert (after.y == y).all()
        assert (after.predicted == before.predicted).all()
        assert (after.probabilities == before.probabilities).all()


def test_a_gate_of_a_regression_holds_values():
    """A gate of a regression holds values and no probabilities."""
    y = np.arange(25.0)
    one, other = (Scores("regression", y, y + d, np.empty((25, 0))) for d in (1, 2))
    gate = gate_table(np.arange(25, dtype=np.uint64), one, other)
    assert list(gate.columns) == [ROW_HASH_COLUMN, "y", "champion", "challenger"]
    assert gate_scores(gate, "challenger").predicted.tolist() == (y + 2).tolist()
    assert gate_scores(gate, "challenger").probabilities.shape == (25, 0)


def ask(gate, overfit=FIT, unusable="", champion=None, **params):
    """The request of a challenge of version 3."""
    asked = configured(DecisionParams, **params)
    champion = champion or champion_of()
    return request_challenge(champion, gate, "these rows", CLASSES, overfit, asked, unusable)


def test_the_status_says_whether_a_test_can_be_made():
    """Overfitted comes first, then what stands in the way of comparing."""
    assert ask(a_gate()).status == "comparable"
    assert ask(a_gate()).reason == ""
    overfitted = ask(a_gate(), OVERFITTED, unusable="it is gone")
    assert (overfitted.status, overfitted.reason) == ("overfitted", OVERFITTED.reason)
    assert ask(None, unusable="it is gone").status == "champion_unusable"
    assert ask(a_gate(shift=0)).status == "identical"


@pytest.mark.parametrize(("rows", "status"), [(19, "too_few_rows"), (20, "comparable")])
def test_too_few_rows_are_counted_in_words(rows, status):
    """The limit itself is enough; the words name both numbers and the parameter."""
    request = ask(a_gate(rows))
    assert request.status == status
    assert request.rows == rows
    if status == "too_few_rows":
        assert request.reason.startswith("19 rows remain")
        assert "at least 20 are needed (decision.min_rows)" in request.reason
    assert ask(a_gate(40), min_rows=41).status == "too_few_rows"
    none = ask(None)
    assert (none.status, none.rows) == ("too_few_rows", 0)


@pytest.mark.parametrize("row", [0, 17, 29])
def test_identical_is_identical_on_every_row(row):
    """One row's last bit is enough to be another model, also where the class stays the same."""
    gate = a_gate(shift=0)
    value = gate.loc[row, "challenger_0"]
    gate.loc[row, "challenger_0"] = np.nextafter(value, 0)
    assert ask(gate).status == "comparable"
    y = np.arange(30.0)
    scores = Scores("regression", y, y + 1, np.empty((30, 0)))
    gate = gate_table(np.arange(30, dtype=np.uint64), scores, scores)
    assert ask(gate).status == "identical"
    gate.loc[row, "challenger"] += 1e-9
    assert ask(gate).status == "comparable"


def test_the_huber_scale_is_the_champions():
    """The challenger cannot choose its own measure; a champion without errors has a scale too."""
    y = np.arange(101.0)
    residuals = Scores("regression", y, np.zeros(101), np.empty((101, 0)))
    exact = Scores("regression", y, y, np.empty((101, 0)))
    hashes = np.arange(101, dtype=np.uint64)
    assert ask(gate_table(hashes, residuals, exact)).huber_delta == pytest.approx(95)
    assert ask(gate_table(hashes, exact, residuals)).huber_delta == 1
    assert ask(a_gate()).huber_delta is None


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(12)), seed=st.integers(0, 20))
def test_digests_do_not_depend_on_the_order_of_rows(order, seed):
    """The digests are equal in any order, also for rows of one hash with other predictions."""
    rng = np.random.default_rng(seed)
    gate = a_gate(12, seed=seed)
    gate[ROW_HASH_COLUMN] = rng.integers(0, 4, 12).astype(np.uint64)
    one, other = ask(gate), ask(gate.iloc[list(order)].reset_index(drop=True))
    assert (one.rows_hash, one.predictions_hash) == (other.rows_hash, other.predictions_hash)


@settings(max_examples=30, deadline=None)
@given(
    row=st.integers(0, 29),
    column=st.sampled_from(["y", "champion_0", "champion_1", "challenger_0", "challenger_1"]),
)
def test_any_other_prediction_has_another_digest(row, column):
    """Another prediction changes its digest but not that of the rows."""
    gate = a_gate()
    changed = gate.copy()
    value = changed.loc[row, column]
    changed.loc[row, column] = 1 - value if column == "y" else np.nextafter(value, 1)
    one, other = ask(gate), ask(changed)
    assert one.rows_hash == other.rows_hash
    assert one.predictions_hash != other.predictions_hash


def test_other_rows_have_other_digests():
    """An added, removed or replaced row changes the digest."""
    gate = a_gate()
    other = gate.copy()
    other.loc[3, ROW_HASH_COLUMN] = np.uint64(5)
    hashes = [ask(rows).rows_hash for rows in (gate, gate[1:], pd.concat([gate, gate[:1]]), other)]
    assert len(set(hashes)) == 4
    assert ask(None).rows_hash == ask(None).predictions_hash


def test_scoring_the_gate_mutates_nothing():
    """Champion, model, rows and parameters stay what they were."""
    raw = raw_of(np.linspace(-2, 2, 60), ["new.csv"] * 60)
    rows = labelled_of(raw)
    inputs = (
        Logistic(slope=2.0),
        rows,
        rows[:10],
        rows[:20],
        rows[20:],
        table_info(),
        FIT,
        PREPROCESSING,
        configured(DecisionParams),
    )
    gate, request, _ = assert_inputs_unchanged(score_gate, champion_of(), *inputs)
    assert request.status == "comparable"
    assert gate[ROW_HASH_COLUMN].tolist() == rows[ROW_HASH_COLUMN][20:].tolist()
    none = Champion(version=NO_CHAMPION)
    first, request, _ = assert_inputs_unchanged(score_gate, none, *inputs)
    assert (request.champion_version, request.rows) == (NO_CHAMPION, 40)
    assert first["champion_0"].nunique() == 1


def test_an_unusable_champion_is_reported_before_the_lack_of_rows():
    """An unusable champion is the first reason; with a usable one it is the lack of rows."""
    raw = raw_of(np.linspace(-2, 2, 60), ["old.csv"] * 60)
    rows = labelled_of(raw)
    rest = (Logistic(), rows, rows, rows, rows[:0], table_info(), FIT, PREPROCESSING)
    statuses = [
        score_gate(champion_of(raw["x"], **values), *rest, configured(DecisionParams))[1].status
        for values in ({}, {"target": "sort"}, {"features": ("height",)})
    ]
    assert statuses == ["too_few_rows", "champion_unusable", "champion_unusable"]


def test_an_unusable_champion_leaves_rows_without_predictions():
    """With an unusable champion the rows are counted but have no predictions."""
    rows = labelled_of(raw_of(np.linspace(-2, 2, 60), ["new.csv"] * 60))
    champion = champion_of([], target="sort")
    given_ = (Logistic(), rows, rows[:10], rows[:20], rows[20:], table_info(), FIT)
    gate, request, _ = score_gate(champion, *given_, PREPROCESSING, configured(DecisionParams))
    assert list(gate.columns) == [ROW_HASH_COLUMN]
    assert len(gate) == 40
    assert request.status == "champion_unusable"
