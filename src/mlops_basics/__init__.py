"""Continuous training for a tabular model, in which every decision is a statistical one."""

import os

# Before anything imports MLflow, by whichever door: it would send what is used of it to its makers.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__version__ = "0.1.0"
