"""Tests of the experiment that holds a model's challenges."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS

from mlops_basics.runs.challenges import experiment_of


class Client:
    """A server on which somebody else makes the experiment at the same moment."""

    def __init__(self, *, shown: bool) -> None:
        """``shown``: whether this user may see the other's experiment."""
        self._shown, self._made = shown, False

    def get_experiment_by_name(self, _name: str) -> SimpleNamespace | None:
        """What MLflow answers."""
        return SimpleNamespace(experiment_id="7") if self._made and self._shown else None

    def create_experiment(self, _name: str) -> str:
        """Too late."""
        self._made = True
        raise MlflowException("exists", error_code=RESOURCE_ALREADY_EXISTS)


def test_an_experiment_that_another_run_has_made_is_used():
    """The request was refused, so that the experiment is there."""
    assert experiment_of(Client(shown=True), "mine") == "7"


def test_an_experiment_that_may_not_be_seen_is_an_error():
    """It is asked for once more, not for ever."""
    with pytest.raises(MlflowException, match="exists"):
        experiment_of(Client(shown=False), "mine")
