"""The app of ``kedro serve``: MLflow's scoring server, behind bounds, for a verified copy.

Run by ``uvicorn --factory``, which takes no arguments for it: they come by the environment.
"""

from __future__ import annotations

import os

from mlops_basics.production.request_bounds import App, Bounds, bounded

MODEL = "MLOPS_SERVED_MODEL"  # the folder that MLflow loads
TOKEN = "MLOPS_SERVE_TOKEN"  # noqa: S105 (a name)


def create_app() -> App:
    """Load the model, which was verified when it was copied, and answer questions about rows."""
    from mlflow.pyfunc import load_model
    from mlflow.pyfunc.scoring_server import init

    return bounded(init(load_model(os.environ[MODEL])), Bounds(token=os.environ.get(TOKEN, "")))
