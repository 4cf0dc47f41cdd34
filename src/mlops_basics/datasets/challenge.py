"""The books of challenges as Kedro sees them."""

from __future__ import annotations

from typing import Any

from mlops_basics.datasets.artifact import ArtifactDataset
from mlops_basics.production.challenge_book import ChallengeBook
from mlops_basics.runs.challenges import book_of, record_challenge
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import ChallengeRequest
from mlops_basics.storage.store_files import StoreFiles


class ChallengeDataset(ArtifactDataset):
    """``ChallengeDataset`` writes a ``ChallengeRequest`` down and loads a ``Challenge``.

    It is written into MLflow, and into production, where numbers cannot be set back.
    The same champion, rows and predictions again are the same challenge with the same number.
    A request that cannot be tested, or whose models predict the same, is given the number 0.

    Example of a catalog entry::

        challenge:
          type: mlops_basics.datasets.ChallengeDataset
          production: data/production
          model_name: iris
          filepath: data/iris/reporting/challenge.json
          versioned: true
    """

    def __init__(
        self, *, production: str, model_name: str, server: Tracking = MLFLOW, **kwargs: Any
    ) -> None:
        """
        Args:
            production: Folder of all releases, with any protocol that fsspec knows.
            model_name: Its challenges are runs of the experiment ``<model_name>-challenges``.
            server: Where they are written down.
            kwargs: Arguments of ``ArtifactDataset``; its credentials are production's too.
        """
        super().__init__(model="mlops_basics.schemas.Challenge", **kwargs)
        folder = f"{production.rstrip('/')}/{model_name}"
        files = StoreFiles(folder, kwargs.get("credentials"), kwargs.get("fs_args"))
        self._book = ChallengeBook(files)
        self._experiment_name = book_of(model_name)
        self._server = server

    def save(self, data: ChallengeRequest) -> None:
        tested = data.status == "comparable"
        before = self._book.entries(data.champion_version) if tested else {}
        counted = record_challenge(data, self._experiment_name, self._server)
        challenge = self._book.count(counted, before, data.look) if tested else counted.challenge
        super().save(challenge)
