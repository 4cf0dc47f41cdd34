"""From a recipe to a fitted model: the same rows give the same weights, in a search and later."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from mlops_basics.errors import ConfigurationError, DataError
from mlops_basics.safe_text import plural, short_text
from mlops_basics.schemas import (
    ESTIMATOR_STEP,
    Candidate,
    Recipe,
    TableInfo,
    Task,
    TrainingParams,
)
from mlops_basics.schemas.named_code import load_named
from mlops_basics.scoring.scores import threads_for

from .threshold import with_threshold

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline

Steps = list[tuple[str, Any]]

#: Numbers whose medians are taken at once.
MEDIAN_CELLS = 5_000_000


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
            features=params.features,
        )
    except ValidationError as error:
        raise ConfigurationError(
            f"training.candidates: '{name}' has values that JSON cannot hold "
            f"({error.errors()[0]['msg']}). Correct `fixed` or `space`."
        ) from error


def require_known_code(recipe: Recipe, params: TrainingParams) -> None:
    """Refuse a recipe that would run other code than what this checkout's configuration names.

    Args:
        recipe: From a stored file.
        params: ``training`` of the checkout.

    Raises:
        ConfigurationError: If no candidate of the recipe's task has its class, or a step of its
            features is none of ``training.features``.
    """
    require_class("A recipe", recipe.class_path, recipe.task, params.candidates)
    require_named("A recipe", recipe.features, params.features, "features")


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


def require_named(who: str, paths: Iterable[str], named: Collection[str], option: str) -> None:
    """Refuse import paths, which come from a file, that this checkout's configuration has not.

    Args:
        who: Names them, for the message.
        paths: What would be imported.
        named: What the configuration names.
        option: Of ``globals.yml``, by which it does.

    Raises:
        ConfigurationError: If there is one.
    """
    for path in paths:
        if path not in named:
            raise ConfigurationError(
                f"{who} names {short_text(path, 200)}, which is none of `{option}` in globals.yml "
                f"({', '.join(named) or 'there are none'}). Add it there if it may run, or train "
                "anew: kedro run"
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
    return _fit(recipe, lambda: features, target)


def _fit(
    recipe: Recipe, features: Callable[[], pd.DataFrame], target: npt.NDArray[Any]
) -> Pipeline:
    """As ``fit_recipe``; what ``features`` makes is let go of once it is encoded."""
    if recipe.task != "regression" and len(classes := pd.unique(pd.Series(target))) < 2:
        held = f"all are of the class {classes[0]!r}" if len(classes) else "there is none"
        raise DataError(
            f"'{recipe.candidate}' cannot be fitted on {plural(len(target), 'row')}: {held}, and "
            "at least two classes are needed. Collect rows of another class."
        )
    estimator = make_estimator(recipe)
    try:
        steps, encoded = fit_encoder(recipe, features(), target)
        fit_estimator(estimator, encoded, target)
    except ValueError as error:  # scikit-learn's word for rows that do not suit
        raise DataError(
            f"'{recipe.candidate}' cannot be fitted on {plural(len(target), 'row')}: {error}"
        ) from error
    if recipe.threshold is not None:
        estimator = with_threshold(estimator, recipe.threshold.value)
    return pipeline_of([*steps, (ESTIMATOR_STEP, estimator)])


def fit_tables(recipe: Recipe, tables: Sequence[pd.DataFrame], info: TableInfo) -> Pipeline:
    """Fit a recipe on the rows of several tables, in their order; errors as of ``fit_recipe``.

    Args:
        recipe: What to fit.
        tables: Preprocessed rows with their target.
        info: Names features and target.
    """
    columns = list(info.features)
    return _fit(
        recipe,
        lambda: pd.concat([table[columns] for table in tables], ignore_index=True),
        pd.concat([table[info.target] for table in tables]).to_numpy(),
    )


def fit_encoder(
    recipe: Recipe, features: pd.DataFrame, target: npt.NDArray[Any]
) -> tuple[Steps, pd.DataFrame]:
    """Fit the transformers of a recipe.

    Args:
        recipe: Its ``features``, ``dense``, ``vectorizer`` and ``seed`` alone determine them.
        features: Shape (rows, columns).
        target: Shape (rows,); of use to the user's own steps alone.

    Returns:
        The fitted steps, and what they make of the features.

    Raises:
        ConfigurationError: If a step of the user's own cannot be made, or drops or adds rows.
    """
    steps = [*own_steps(recipe.features), *encoder_steps(recipe)]
    with threads_for(features):
        encoded = _fit_transform(steps, features, target)
    if len(encoded) != len(features):
        raise ConfigurationError(
            f"`features` ({', '.join(recipe.features)}) make {plural(len(encoded), 'row')} of "
            f"{len(features):,}: a step has to give one row for each that it gets."
        )
    return steps, encoded


def _fit_transform(steps: Steps, features: pd.DataFrame, target: npt.NDArray[Any]) -> Any:
    """What a pipeline's ``fit_transform`` gives, where a large table's medians are fitted apart."""
    pipeline, names = pipeline_of(steps), [name for name, _ in steps]
    if "imputer" not in names:
        return pipeline.fit_transform(features, target)
    at = names.index("imputer")
    encoded = pipeline[:at].fit_transform(features, target)
    fit_medians(pipeline[at], encoded)
    encoded = pipeline[at].transform(encoded)  # the table without medians is let go of
    return pipeline[at + 1 :].fit_transform(encoded, target)


def fit_medians(imputer: SimpleImputer, table: pd.DataFrame) -> None:
    """Fit an imputer in place, on some columns at a time: it holds what it sees six times over.

    Args:
        imputer: Of medians, or another statistic that each column has for itself.
        table: Numbers, shape (rows, columns).
    """
    from sklearn.base import clone

    if table.size <= MEDIAN_CELLS:
        imputer.fit(table)
        return
    at_once = max(1, MEDIAN_CELLS // len(table))
    medians = [
        clone(imputer).fit(table.iloc[:, begin : begin + at_once]).statistics_
        for begin in range(0, table.shape[1], at_once)
    ]
    imputer.fit(table.head(1))  # the columns' names and types
    imputer.statistics_ = np.concatenate(medians)


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


def own_steps(features: Sequence[str]) -> Steps:
    """Unfitted steps of the user's own: a class is made, a function is applied to the table.

    Raises:
        ConfigurationError: If one cannot be imported, or is neither a function nor a transformer.
    """
    from sklearn.preprocessing import FunctionTransformer

    steps: Steps = []
    for number, path in enumerate(features, start=1):
        found = load_named(path, "`features`")
        step = found() if isinstance(found, type) else FunctionTransformer(found)
        if not callable(found) or not all(hasattr(step, name) for name in ("fit", "transform")):
            raise ConfigurationError(
                f"`features` names {path}, which is neither a function that takes and returns a "
                "table nor a class with `fit` and `transform`, such as one of "
                "sklearn.base.BaseEstimator."
            )
        steps.append((f"features_{number}", step))
    return steps


def require_same_alone(model: Pipeline, recipe: Recipe, features: pd.DataFrame) -> None:
    """Refuse steps of the user's own that make something else of a row when it comes alone.

    A server gets rows one by one, and the search whole tables: what a step takes from the other
    rows of the table in hand, instead of from those that it was fitted on, is something else there.

    Args:
        model: Fitted by the recipe.
        recipe: Its ``features`` are looked at.
        features: Rows to try, at least one.

    Raises:
        ConfigurationError: If a row is another one alone, or the table that it gets is changed.
    """
    if not recipe.features:
        return
    steps, given = model[: len(recipe.features)], features.copy()
    names = ", ".join(recipe.features)
    together = steps.transform(given)
    if not given.equals(features):
        raise ConfigurationError(
            f"`features` ({names}) change the table that they get. Return a new one: "
            "table.assign(NAME=...)"
        )
    for place in sorted({0, len(features) // 2, len(features) - 1}):
        alone = steps.transform(features.iloc[[place]])
        expected = together.iloc[[place]]
        try:
            pd.testing.assert_frame_equal(
                alone.reset_index(drop=True),
                expected.reset_index(drop=True),
                check_dtype=False,
                check_categorical=False,
            )
        except AssertionError as error:
            raise ConfigurationError(
                f"`features` ({names}) make something else of a row when it comes alone, as a "
                "server gets it, than within a table. Learn in `fit` whatever comes from other "
                f"rows. ({short_text(str(error), 200)})"
            ) from error


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

    for _, step in steps:
        if hasattr(step, "set_output"):  # of the user's own, not all have it
            step.set_output(transform="pandas")
    return Pipeline(steps)


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
