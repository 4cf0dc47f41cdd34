"""The search for a model: candidates, their encodings, and one trial after another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.fitting.recipe import (
    fit_encoder,
    fit_estimator,
    fit_recipe,
    make_estimator,
    pipeline_of,
    recipe_of,
    require_same_alone,
)
from mlops_basics.schemas import (
    ESTIMATOR_STEP,
    PreprocessingParams,
    Recipe,
    SearchRange,
    TableInfo,
    TrainingParams,
)
from mlops_basics.scoring.scores import LOSS_NAMES, baseline_losses, losses, score_rows
from mlops_basics.stats.intervals.gap import LossGap, loss_gap
from mlops_basics.table.row_groups import groups_of_sets

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


SMALL_FIT = 300  # rows
ROWS_OF_CLASS = 5


@dataclass(frozen=True)
class Trial:
    """A fitted candidate and how it did; ``params`` are what was drawn for it."""

    number: int
    params: dict[str, Any]
    recipe: Recipe
    model: Pipeline
    gap: LossGap
    tolerance: float

    @property
    def overfitted(self) -> bool:
        """Whether the gap is surely beyond the tolerance."""
        return self.gap.exceeds(self.tolerance)

    def is_better_than(self, other: Trial | None) -> bool:
        """A model that does not overfit comes first, then the lower validation loss."""
        if other is None or self.overfitted != other.overfitted:
            return other is None or not self.overfitted
        return self.gap.valid_loss < other.gap.valid_loss


@dataclass(frozen=True)
class Encoding:
    """A fitted chain of transformers, and the two sets behind it."""

    steps: list[tuple[str, Any]]
    train: pd.DataFrame
    valid: pd.DataFrame
    gap_rows: pd.DataFrame


class Search:
    """Fits one candidate a trial. Encodings are fitted once, on the train rows alone."""

    def __init__(
        self,
        train: pd.DataFrame,
        valid: pd.DataFrame,
        info: TableInfo,
        preprocessing: PreprocessingParams,
        params: TrainingParams,
    ) -> None:
        self.info, self.params = info, params
        self.candidates = params.candidates.get(info.task, {})
        if not self.candidates:
            raise ConfigurationError(
                f"training.candidates has none for the task {info.task}. "
                "Add one in parameters_model_training.yml."
            )
        self._train, self._valid = train, valid
        self._gap_rows = spread(train, params.gap_rows)
        self._baseline = (
            baseline_losses(train, self._gap_rows, info),
            baseline_losses(train, valid, info),
        )
        self._groups = tuple(
            of_set.codes for of_set in groups_of_sets((self._gap_rows, valid), preprocessing)
        )
        self._encodings: dict[bool, Encoding] = {}

    def suggested(self, trial: optuna.Trial) -> str:
        """The candidate that the sampler suggests."""
        return str(trial.suggest_categorical("candidate", list(self.candidates)))

    def run(self, trial: optuna.Trial, number: int) -> Trial:
        """Fit the candidate that the sampler suggests, and measure it; ``number`` counts fits."""
        name = self.suggested(trial)
        candidate = self.candidates[name]
        hyper_parameters = {
            key: _suggest(trial, f"{name}.{key}", space) for key, space in candidate.space.items()
        }
        recipe = recipe_of(name, candidate, hyper_parameters, self.params, self.info.task)
        estimator = make_estimator(recipe)
        encoding = self._encoding(recipe)
        fit_estimator(estimator, encoding.train, self._train[self.info.target].to_numpy())
        model = pipeline_of([*encoding.steps, (ESTIMATOR_STEP, estimator)])
        seen = score_rows(estimator, encoding.gap_rows, self._gap_rows, self.info)
        unseen = score_rows(estimator, encoding.valid, self._valid, self.info)
        gap = loss_gap(
            losses(seen), losses(unseen), *self._baseline, self.params.gap_confidence, *self._groups
        )
        return Trial(
            number=number,
            params=hyper_parameters,
            recipe=recipe,
            model=model,
            gap=gap,
            tolerance=self.params.gap_tolerance,
        )

    def small_fits(self) -> Iterator[Pipeline]:
        """Each candidate, fitted on a few rows: of the types that a fit on all rows has."""
        rows = spread(self._train, SMALL_FIT)
        if self.info.task != "regression":
            each_class = self._train.groupby(self.info.target).head(ROWS_OF_CLASS)
            rows = pd.concat([rows, each_class], ignore_index=True)
        features, target = rows[list(self.info.features)], rows[self.info.target].to_numpy()
        for name, candidate in self.candidates.items():
            hyper_parameters = {key: _cheapest(space) for key, space in candidate.space.items()}
            recipe = recipe_of(name, candidate, hyper_parameters, self.params, self.info.task)
            with contextlib.suppress(DataError):  # too few rows for this one: the search will tell
                model = fit_recipe(recipe, features, target)
                require_same_alone(model, recipe, features)
                yield model

    def _encoding(self, recipe: Recipe) -> Encoding:
        if recipe.dense not in self._encodings:
            features = list(self.info.features)
            target = self._train[self.info.target].to_numpy()
            steps, train = fit_encoder(recipe, self._train[features], target)
            self._encodings[recipe.dense] = Encoding(
                steps=steps,
                train=train,
                valid=pipeline_of(steps).transform(self._valid[features]),
                gap_rows=spread(train, self.params.gap_rows),
            )
        return self._encodings[recipe.dense]


def _cheapest(space: SearchRange) -> Any:
    """A value of a range: which one does not matter for a model's types, and low ones fit fast."""
    if space.type == "categorical":
        return space.choices[0]
    assert space.low is not None  # noqa: S101 (checked by the range itself)
    return int(space.low) if space.type == "int" else space.low


def spread(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """At most so many rows, evenly spread: rows may be in the order of time."""
    return table.iloc[:: max(1, -(-len(table) // rows))]


def run_search(
    search: Search, after_trial: Callable[[str], bool]
) -> tuple[Trial, list[dict[str, Any]], str]:
    """Make up to ``n_trials`` trials, one at a time: two at once would not be reproducible.

    A candidate without a ``space`` is tried once: a second fit would be the first again.

    Args:
        search: What to search.
        after_trial: Called with a line on the best trial so far; True stops the search.

    Returns:
        The best trial, a row a trial, and why the search stopped early ("" if it did not).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=search.params.seed)
    study = optuna.create_study(sampler=sampler, direction="minimize")
    for name in search.candidates:
        study.enqueue_trial({"candidate": name})  # each candidate is tried at least once
    best: Trial | None = None
    rows = []
    stopped = ""
    for number in range(search.params.n_trials):
        suggestion = _ask(study, search, number)
        if suggestion is None:
            stopped = "nothing else to try"
            break
        trial = search.run(suggestion, number)
        study.tell(suggestion, trial.gap.valid_loss)
        if trial.is_better_than(best):
            best = trial
        rows.append(_trial_row(trial))
        assert best is not None  # noqa: S101 (the first trial is better than none)
        loss = LOSS_NAMES[search.info.task].replace("_", " ")
        line = f"best {best.recipe.candidate}, {loss} {best.gap.valid_loss:.4g}"
        if after_trial(line) and number + 1 < search.params.n_trials:
            stopped = f"time limit after {number + 1} of {search.params.n_trials} trials"
            break
    if best is None:
        raise ConfigurationError("training.n_trials must be at least 1, got 0")
    return best, rows, stopped


def _ask(study: optuna.Study, search: Search, made: int) -> optuna.Trial | None:
    """The next suggestion that is no repetition; None where there is none."""
    if made < len(search.candidates):  # each for the first time
        return study.ask()
    varied = [name for name, candidate in search.candidates.items() if candidate.space]
    if not varied:
        return None
    suggestion = study.ask()
    if search.suggested(suggestion) not in varied:
        study.tell(suggestion, state=optuna.trial.TrialState.FAIL)  # which the sampler leaves out
        study.enqueue_trial({"candidate": varied[made % len(varied)]})
        suggestion = study.ask()
    return suggestion


def _trial_row(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "candidate": trial.recipe.candidate,
        "valid_loss": trial.gap.valid_loss,
        "train_loss": trial.gap.train_loss,
        "gap": trial.gap.gap,
        "gap_low": np.nan if trial.gap.low is None else trial.gap.low,
        "overfitted": trial.overfitted,
        "params": ", ".join(f"{key}={value!r}" for key, value in trial.params.items()),
    }


def _suggest(trial: optuna.Trial, name: str, space: SearchRange) -> Any:
    if space.type == "categorical":
        return trial.suggest_categorical(name, list(space.choices))
    low, high = space.low or 0.0, space.high or 0.0
    if space.type == "int":
        return trial.suggest_int(name, int(low), int(high), log=space.log)
    return trial.suggest_float(name, low, high, log=space.log)


def trials_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a trial, in the order in which they were made."""
    return pd.DataFrame(rows).astype({"overfitted": np.bool_})
