"""A small fitted pipeline with everything the encodings of real ones hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.support.project import ROOT

CATALOG = ROOT / "conf" / "base" / "catalog_models.yml"
TRUSTED: list[str] = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))["_trusted_types"]


def make_table(rows: int = 60) -> pd.DataFrame:
    """Numbers, a category, a text of high cardinality and a time; missing values."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "number": rng.normal(size=rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "text": [f"number {i} of {rng.integers(9)}" for i in range(rows)],
            "time": pd.date_range("2024-01-01", periods=rows, freq="D", unit="us"),
        }
    )
    table.loc[3, "number"] = np.nan
    return table


def fit_pipeline(table: pd.DataFrame, *, dense: bool = False):
    """A fitted pipeline like those that the search makes."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from skrub import StringEncoder, TableVectorizer, ToCategorical

    text = StringEncoder(n_components=3, random_state=0)
    if dense:
        steps = [
            ("vectorizer", TableVectorizer(high_cardinality=text)),
            ("imputer", SimpleImputer(keep_empty_features=True)),
            ("scaler", StandardScaler()),
            ("estimator", LogisticRegression()),
        ]
    else:
        boosting = HistGradientBoostingClassifier(
            max_iter=5, categorical_features="from_dtype", random_state=0
        )
        vectorizer = TableVectorizer(low_cardinality=ToCategorical(), high_cardinality=text)
        steps = [("vectorizer", vectorizer), ("estimator", boosting)]
    target = np.where(table["number"].fillna(0) > 0, "yes", "no")
    return Pipeline(steps).set_output(transform="pandas").fit(table, target)


@pytest.fixture(scope="package")
def table():
    """Sixty rows."""
    return make_table()


@pytest.fixture(scope="package", params=["dense", "trees"])
def pipeline(request, table):
    """A fitted pipeline of each encoding."""
    return fit_pipeline(table, dense=request.param == "dense")


@pytest.fixture(scope="package")
def trusted():
    """The reviewed types of the catalog."""
    return TRUSTED
