"""The book of challenges in MLflow: each is written down before its test is made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_basics.runs.mlflow_faults import is_made_already
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import Challenge, ChallengeRequest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: Every challenge spends a part of alpha, also one that was refused or whose run died: all of a
#: champion's challenges have to be counted, and in the order in which they came.
ID_TAG, CHAMPION_TAG, TEST_TAG = "challenge.id", "challenge.champion", "challenge.test"
#: The number that a challenge was tested with: the same challenge again gets the same.
NUMBER_TAG = "challenge.number"
#: In place of a test: its figures were shown on demand.
SHOWN = "shown"


@dataclass(frozen=True)
class CountedChallenge:
    """A challenge as MLflow has it.

    Attributes:
        challenge: With MLflow's number.
        spent: What it spends alpha on: the same again spends nothing.
        known: All that MLflow knows the champion's challenges to have spent, this one included.
    """

    challenge: Challenge
    spent: str
    known: frozenset[str]


def record_challenge(
    request: ChallengeRequest, experiment_name: str, server: Tracking = MLFLOW
) -> CountedChallenge:
    """Write a challenge down, unless it is there already, and number it.

    Args:
        request: What is to be tested; one that cannot be is given the number 0, and not written.
        experiment_name: The experiment whose runs are the challenges of a model.
        server: Where they are written down.

    Returns:
        The challenge; the same champion, rows, predictions and test again have the same number.
    """
    identity = f"{request.champion_version}|{request.rows_hash}|{request.predictions_hash}"
    challenge_id = hashlib.sha256(identity.encode()).hexdigest()[:16]
    if request.status != "comparable":
        untested = Challenge(
            champion_version=request.champion_version,
            number=0,
            challenge_id=challenge_id,
            repeated=False,
            mlflow_run_id=None,
        )
        return CountedChallenge(untested, "", frozenset())
    client = server.client()
    experiment = experiment_of(client, experiment_name)
    challenges = _challenges(client, experiment, request.champion_version)
    # Another metric or rule on the same rows is another look at them, and spends again.
    spent = f"{challenge_id}|{request.test}"
    repeated = any(_spent(run) == spent for run in challenges)
    if not repeated:
        name = f"challenge of {request.champion_version}"
        _write_down(client, experiment, name, challenge_id, request.test, request)
        # Read again, so that concurrent writes are counted too.
        challenges = _challenges(client, experiment, request.champion_version)
    own = next(run for run in challenges if _spent(run) == spent)
    known = frozenset(_spent(run) for run in challenges)
    count = len(known)
    number = _number_of(own, count)
    if number is None:
        # How many there are now, not a place in an order by time: clocks of two machines differ,
        # and of two that write at once both would be the first. The j-th to be written reads at
        # least j, so that all of them together spend at most what the first ones in a row would.
        number = _numbered(client, own.info.run_id, count)
    challenge = Challenge(
        champion_version=request.champion_version,
        number=number,
        challenge_id=challenge_id,
        repeated=repeated,
        mlflow_run_id=own.info.run_id,
    )
    return CountedChallenge(challenge, spent, known)


def record_shown(
    request: ChallengeRequest, challenge: Challenge, experiment_name: str, server: Tracking = MLFLOW
) -> CountedChallenge:
    """Write down that the test rows' figures of a refused challenger are shown, before they are.

    Whoever has seen them may fit the next challenger to them: it is a use of the rows, which takes
    a number as a challenge does. The same challenger again is the same use.

    Args:
        request: What was asked of the test rows.
        challenge: As it was written down.
        experiment_name: The experiment whose runs are the challenges of a model.
        server: Where it is written down.

    Returns:
        The use, whose number is how often the rows have been used against this champion.
    """
    client = server.client()
    experiment = experiment_of(client, experiment_name)
    challenges = _challenges(client, experiment, challenge.champion_version)
    spent = f"{challenge.challenge_id}|{SHOWN}"
    if not any(_spent(run) == spent for run in challenges):
        name = f"figures against {challenge.champion_version} shown"
        _write_down(client, experiment, name, challenge.challenge_id, SHOWN, request)
        challenges = _challenges(client, experiment, challenge.champion_version)
    known = frozenset(_spent(run) for run in challenges)
    return CountedChallenge(challenge.model_copy(update={"number": len(known)}), spent, known)


def _write_down(
    client: MlflowClient,
    experiment: str,
    name: str,
    challenge_id: str,
    test: str,
    request: ChallengeRequest,
) -> None:
    """Add a use of the rows to the book."""
    run = client.create_run(
        experiment,
        run_name=name,
        tags={
            ID_TAG: challenge_id,
            CHAMPION_TAG: request.champion_version,
            TEST_TAG: test,
            "challenge.rows": str(request.rows),
            "challenge.rows_hash": request.rows_hash,
        },
    )
    client.set_terminated(run.info.run_id)


def _number_of(run: Run, count: int) -> int | None:
    """The number that a challenge was tested with; None without one that can be."""
    number = run.data.tags.get(NUMBER_TAG, "")
    possible = number.isascii() and number.isdigit() and 1 <= int(number) <= count
    return int(number) if possible else None


def _numbered(client: MlflowClient, run_id: str, count: int) -> int:
    """Give a challenge its number; whoever counts the same one at once may have been faster.

    MLflow's store refuses the slower of two first writes of a tag as a violated constraint.
    """
    try:
        client.set_tag(run_id, NUMBER_TAG, str(count))
    except Exception:
        number = _number_of(client.get_run(run_id), count)
        if number is None:
            raise
        return number
    return count


def book_of(model_name: str) -> str:
    """The experiment whose runs are the challenges of a model."""
    return f"{model_name}-challenges"


def _spent(run: Run) -> str:
    return f"{run.data.tags[ID_TAG]}|{run.data.tags.get(TEST_TAG, '')}"


def experiment_of(client: MlflowClient, name: str) -> str:
    """Id of the experiment of a name, which is made where it is missing."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name))
        except Exception as error:
            experiment = client.get_experiment_by_name(name)
            if experiment is None or not is_made_already(error):
                raise
    return str(experiment.experiment_id)


def _challenges(client: MlflowClient, experiment: str, champion: str) -> list[Run]:
    """All challenges of a champion, in one order for everybody."""
    from mlflow.entities import ViewType

    challenges: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            f"tags.`{CHAMPION_TAG}` = '{champion}'",
            run_view_type=ViewType.ALL,  # what was tidied away was spent all the same
            page_token=token,
        )
        challenges += [run for run in page if run.data.tags.get(ID_TAG)]
        token = page.token
        if not token:
            return sorted(challenges, key=lambda run: (run.info.start_time, run.info.run_id))
