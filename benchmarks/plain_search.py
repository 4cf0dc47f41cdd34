"""The same search written straight in scikit-learn: same rows, same trials, and the best one fitted
again on train and valid rows, scored and saved.

It knows nothing of versions, lineage, tracking, checks, intervals or reports. Encodings are fitted
once, as a careful script would.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import skops.io
from kedro.utils import load_obj
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skrub import StringEncoder, TableVectorizer, ToCategorical


def encoder_of(dense: bool) -> Pipeline:
    """Unfitted transformers, as the project's."""
    text = StringEncoder(random_state=0)
    if dense:
        steps = [
            ("vectorizer", TableVectorizer(high_cardinality=text)),
            ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scaler", StandardScaler()),
        ]
    else:
        table_encoder = TableVectorizer(low_cardinality=ToCategorical(), high_cardinality=text)
        steps = [("vectorizer", table_encoder)]
    return Pipeline(steps).set_output(transform="pandas")


def main(settings: dict) -> None:
    """Read, split, encode, fit every trial, score the best on test, save it."""
    source = Path(settings["source"])
    files = sorted(source.glob("*.csv")) if source.is_dir() else [source]
    table = pd.concat([pd.read_csv(file, low_memory=False) for file in files], ignore_index=True)
    target = settings["target"]
    table = table.dropna(subset=[target])
    y = table[target]
    if settings["positive_above"] is not None:
        y = (y > settings["positive_above"]).astype(int)
    side = pd.Series(settings["side"], index=table.index)
    X = table[settings["features"]]
    encoded = {}
    for dense in (True, False):
        encoder = encoder_of(dense)
        train = encoder.fit_transform(X[side == "train"])
        encoded[dense] = (train, encoder.transform(X[side == "valid"]))
    best = None
    for trial in settings["trials"]:
        estimator = load_obj(trial["class"])(**trial["params"])
        train, valid = encoded[trial["dense"]]
        estimator.fit(train, y[side == "train"])
        loss = log_loss(y[side == "valid"], estimator.predict_proba(valid))
        if best is None or loss < best[0]:
            best = (loss, trial)
    trial = best[1]
    steps = [
        *encoder_of(trial["dense"]).steps,
        ("estimator", load_obj(trial["class"])(**trial["params"])),
    ]
    model = Pipeline(steps).set_output(transform="pandas")
    rows = pd.concat([X[side == "train"], X[side == "valid"]])
    model.fit(rows, y[rows.index])
    probabilities = model.predict_proba(X[side == "test"])
    print(log_loss(y[side == "test"], probabilities))
    if probabilities.shape[1] == 2:
        print(roc_auc_score(y[side == "test"], probabilities[:, 1]))
    skops.io.dump(model, settings["output"])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
