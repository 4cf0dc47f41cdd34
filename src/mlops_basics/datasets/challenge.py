"""The book of challenges: each is written down before its test is made."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from mlops_basics.datasets.artifact import ArtifactDataset
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import Challenge, ChallengeRequest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: Every challenge spends a part of alpha, also one that was refused or whose run died: all of a
#: champion's challenges have to be counted, and in the order in which they came.
ID_TAG, CHAMPION_TAG, TEST_TAG = "challenge.id", "challenge.champion", "challenge.test"
#: The number that a challenge was tested with: the same challenge again is told the same.
NUMBER_TAG = "challenge.number"


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
        self._experiment_name = f"{model_name}-challenges"
        self._server = server

    def save(self, data: ChallengeRequest) -> None:
        super().save(_record(data, self._experiment_name, self._server))


def _record(request: ChallengeRequest, experiment_name: str, server: Tracking) -> Challenge:
    identity = f"{request.champion_version}|{request.rows_hash}|{request.predictions_hash}"
    challenge_id = hashlib.sha256(identity.encode()).hexdigest()[:16]
    if request.status != "comparable":
        return Challenge(
            champion_version=request.champion_version,
            number=0,
            challenge_id=challenge_id,
            repeated=False,
            mlflow_run_id=None,
        )
    client = server.client()
    experiment = _experiment(client, experiment_name)
    known = _challenges(client, experiment, request.champion_version)
    # Another metric or rule on the same rows is another look at them, and spends again.
    spent = f"{challenge_id}|{request.test}"
    repeated = any(_spent(run) == spent for run in known)
    if not repeated:
        run = client.create_run(
            experiment,
            run_name=f"challenge of {request.champion_version}",
            tags={
                ID_TAG: challenge_id,
                CHAMPION_TAG: request.champion_version,
                TEST_TAG: request.test,
                "challenge.rows": str(request.rows),
                "challenge.rows_hash": request.rows_hash,
            },
        )
        client.set_terminated(run.info.run_id)
        # Read again: whoever wrote at the same time is counted too.
        known = _challenges(client, experiment, request.champion_version)
    own = next(run for run in known if _spent(run) == spent)
    number = own.data.tags.get(NUMBER_TAG)
    if number is None:
        # How many there are now, not a place in an order by time: clocks of two machines differ,
        # and of two that write at once both would be the first. The j-th to be written reads at
        # least j, so that all of them together spend at most what the first ones in a row would.
        number = str(len({_spent(run) for run in known}))
        client.set_tag(own.info.run_id, NUMBER_TAG, number)
    return Challenge(
        champion_version=request.champion_version,
        number=int(number),
        challenge_id=challenge_id,
        repeated=repeated,
        mlflow_run_id=own.info.run_id,
    )


def _spent(run: Run) -> str:
    return f"{run.data.tags[ID_TAG]}|{run.data.tags.get(TEST_TAG, '')}"


def _experiment(client: MlflowClient, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:
            # Somebody else was faster, or MLflow's answer was lost and the request repeated.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _challenges(client: MlflowClient, experiment: str, champion: str) -> list[Run]:
    """All challenges of a champion, in one order for everybody."""
    from mlflow.entities import ViewType

    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            f"tags.`{CHAMPION_TAG}` = '{champion}'",
            run_view_type=ViewType.ALL,  # what was tidied away was spent all the same
            page_token=token,
        )
        found += page
        token = page.token
        if not token:
            return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))
