"""The book of challenges as Kedro sees it."""

from __future__ import annotations

from typing import Any

from mlops_basics.datasets.artifact import ArtifactDataset
from mlops_basics.runs.challenges import book_of, record_challenge
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import ChallengeRequest


class ChallengeDataset(ArtifactDataset):
    """``ChallengeDataset`` writes a ``ChallengeRequest`` into MLflow and loads a ``Challenge``.

    The same champion, rows and predictions again are the same challenge with the same number.
    A request that cannot be tested, or whose models predict the same, is given the number 0.

    Example of a catalog entry::

        challenge:
          type: mlops_basics.datasets.ChallengeDataset
          model_name: iris
          filepath: data/iris/reporting/challenge.json
          versioned: true
    """

    def __init__(self, *, model_name: str, server: Tracking = MLFLOW, **kwargs: Any) -> None:
        """
        Args:
            model_name: Its challenges are runs of the experiment ``<model_name>-challenges``.
            server: Where they are written down.
            kwargs: Arguments of ``ArtifactDataset``.
        """
        super().__init__(model="mlops_basics.schemas.Challenge", **kwargs)
        self._experiment_name = book_of(model_name)
        self._server = server

    def save(self, data: ChallengeRequest) -> None:
        super().save(record_challenge(data, self._experiment_name, self._server))
