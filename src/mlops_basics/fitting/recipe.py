"""From a recipe to a fitted model: the same rows give the same weights, in a search and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.schemas import ESTIMATOR_STEP, Candidate, Recipe, TableInfo, Task, TrainingParams
from mlops_basics.scoring.scores import threads_for

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

Steps = list[tuple[str, Any]]


def recipe_of(
    name: str,
    candidate: Candidate,
    hyper_parameters: Mapping[str, Any],
    params: TrainingParams,
    task: Task,
) -> Recipe:
    """All that determines a model beside its rows.

    Args:
        name: The candidate's name.
        candidate: Its class and what is fixed of it.
        hyper_parameters: What the search drew from its space.
        params: Encoding and seed.
        task: What the table poses.

    Raises:
        ConfigurationError: If the class cannot be imported, or does not take such arguments, or
            JSON cannot hold them.
    """
    parameters = {**candidate.fixed, **hyper_parameters}
    estimator = _instance(name, candidate.class_path, parameters)
    if "random_state" in estimator.get_params():
        parameters.setdefault("random_state", params.seed)
    try:
        return Recipe(
            task=task,
            candidate=name,
            class_path=candidate.class_path,
            dense=candidate.dense,
            parameters=parameters,
            vectorizer=params.vectorizer,
            seed=params.seed,
        )
    except ValidationError as error:
        raise ConfigurationError(
            f"training.candidates: '{name}' has values that JSON cannot hold "
            f"({error.errors()[0]['msg']}). Correct `fixed` or `space`."
        ) from error


def require_known_class(recipe: Recipe, candidates: Mapping[Task, Mapping[str, Candidate]]) -> None:
    """Refuse a recipe that would run other code than what this checkout's configuration names.

    Args:
        recipe: From a stored file.
        candidates: ``training.candidates``, by task.

    Raises:
        ConfigurationError: If no candidate of the recipe's task has its class.
    """
    require_class("A recipe", recipe.class_path, recipe.task, candidates)


def require_class(
    who: str, class_path: str, task: Task, candidates: Mapping[Task, Mapping[str, Candidate]]
) -> None:
    """Refuse a class that is none of the candidates for a task.

    Args:
        who: Names it, for the message.
        class_path: Its import path.
        task: The task.
        candidates: ``training.candidates`` of this checkout, by task.

    Raises:
        ConfigurationError: If so.
    """
    known = {candidate.class_path for candidate in candidates.get(task, {}).values()}
    if class_path not in known:
        raise ConfigurationError(
            f"{who} names the class {class_path}, which is none of the candidates for "
            f"the task {task} ({', '.join(sorted(known)) or 'there are none'}). Add it to "
            "training.candidates in parameters_model_training.yml if it may run, or train anew: "
            "kedro run"
        )


def fit_recipe(recipe: Recipe, features: pd.DataFrame, target: npt.NDArray[Any]) -> Pipeline:
    """Fit encoding and estimator, exactly as a trial of the search does.

    Args:
        recipe: What to fit.
        features: Shape (rows, columns). A column without a value takes no part.
        target: Classes, or values of a regression; shape (rows,).

    Returns:
        The fitted pipeline, which takes such features.

    Raises:
        ConfigurationError: If the estimator cannot be made.
        DataError: If these rows are too few, of one class alone, or otherwise not to be learned.
    """
    if recipe.task != "regression" and len(classes := pd.unique(pd.Series(target))) < 2:
        held = f"all are of the class {classes[0]!r}" if len(classes) else "there is none"
        raise DataError(
            f"'{recipe.candidate}' cannot be fitted on {len(target)} rows: {held}, and at least "
            "two classes are needed. Collect rows of another class."
        )
    estimator = make_estimator(recipe)
    try:
        steps, encoded = fit_encoder(recipe, features)
        fit_estimator(estimator, encoded, target)
    except ValueError as error:  # scikit-learn's word for rows that do not suit
        raise DataError(
            f"'{recipe.candidate}' cannot be fitted on {len(target)} rows: {error}"
        ) from error
    return pipeline_of([*steps, (ESTIMATOR_STEP, estimator)])


def fit_tables(recipe: Recipe, tables: Sequence[pd.DataFrame], info: TableInfo) -> Pipeline:
    """Fit a recipe on the rows of several tables, in their order; errors as of ``fit_recipe``.

    Args:
        recipe: What to fit.
        tables: Preprocessed rows with their target.
        info: Names features and target.
    """
    rows = pd.concat(tables, ignore_index=True)
    return fit_recipe(recipe, rows[list(info.features)], rows[info.target].to_numpy())


def fit_encoder(recipe: Recipe, features: pd.DataFrame) -> tuple[Steps, pd.DataFrame]:
    """Fit the transformers of a recipe.

    Args:
        recipe: Its ``dense``, ``vectorizer`` and ``seed`` alone determine them.
        features: Shape (rows, columns).

    Returns:
        The fitted steps, and what they make of the features.
    """
    steps = encoder_steps(recipe)
    with threads_for(features):
        return steps, pipeline_of(steps).fit_transform(features)


def fit_estimator(
    estimator: BaseEstimator, encoded: pd.DataFrame, target: npt.NDArray[Any]
) -> None:
    """Fit an estimator in place; on a small table by one thread."""
    with threads_for(encoded):
        estimator.fit(encoded, target)


def make_estimator(recipe: Recipe) -> BaseEstimator:
    """The unfitted estimator of a recipe.

    Raises:
        ConfigurationError: If the class cannot be imported, or does not take these arguments.
    """
    return _instance(recipe.candidate, recipe.class_path, recipe.parameters)


def encoder_steps(recipe: Recipe) -> Steps:
    """Unfitted transformers that turn any table's features into what the estimator takes."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler
    from skrub import StringEncoder, TableVectorizer, ToCategorical

    text = StringEncoder(random_state=recipe.seed)
    if not recipe.dense:
        vectorizer = TableVectorizer(
            low_cardinality=ToCategorical(), high_cardinality=text, **recipe.vectorizer
        )
        return [("vectorizer", vectorizer)]
    return [
        ("vectorizer", TableVectorizer(high_cardinality=text, **recipe.vectorizer)),
        ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scaler", StandardScaler()),
    ]


def pipeline_of(steps: Steps) -> Pipeline:
    """The steps as one pipeline, whose tables keep their columns' names."""
    from sklearn.pipeline import Pipeline

    return Pipeline(steps).set_output(transform="pandas")


def _instance(name: str, class_path: str, parameters: Mapping[str, Any]) -> BaseEstimator:
    from kedro.utils import load_obj

    where = f"training.candidates: '{name}'"
    try:
        estimator_class = load_obj(class_path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{where} names the class {class_path}, which cannot be imported ({error})."
        ) from error
    try:
        return estimator_class(**parameters)
    except TypeError as error:
        raise ConfigurationError(f"{where}: {error}. Correct `fixed` or `space`.") from error
