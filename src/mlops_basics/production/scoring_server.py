"""The app of ``kedro serve``: MLflow's scoring server, behind bounds, for a verified copy.

Run by ``uvicorn --factory``, which takes no arguments for it: they come by the environment.
"""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from mlops_basics.production.request_bounds import App, Bounds, bounded

MODEL = "MLOPS_SERVED_MODEL"  # the folder that MLflow loads
TOKEN = "MLOPS_SERVE_TOKEN"  # noqa: S105 (a name)


def create_app() -> App:
    """Load the model, which was verified when it was copied, and answer questions about rows."""
    from mlflow.pyfunc import load_model
    from mlflow.pyfunc.scoring_server import init

    model = load_model(os.environ[MODEL])
    predict = model.predict

    def predict_in_utc(data: Any, params: dict[str, Any] | None = None) -> Any:
        return predict(in_utc(data), params=params)

    model.predict = predict_in_utc  # type: ignore[method-assign] # of this one model
    return bounded(init(model), Bounds(token=os.environ.get(TOKEN, "")))


def in_utc(data: Any) -> Any:
    """Times with a zone as the model takes them, in UTC without one; MLflow refuses a zone.

    Args:
        data: What MLflow has read from a request; anything but a table stays as it is.
    """
    if not isinstance(data, pd.DataFrame):
        return data
    naive = data.copy(deep=False)
    for name, zoned in data.select_dtypes("datetimetz").items():
        naive[name] = zoned.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive
