"""Tests of the messages about MLflow's faults."""

from __future__ import annotations

import sqlite3

import pytest
from mlflow.exceptions import MlflowException
from requests.exceptions import ConnectionError as NoAnswer

from mlops_basics.runs.mlflow_faults import tracking_problem

REFUSED = "API request to http://host/runs/create failed with exception Max retries exceeded"


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """The error as it is after it was raised from its cause."""
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MlflowException(REFUSED), "MLFLOW_TRACKING_URI"),
        (NoAnswer("Connection reset by peer"), "MLFLOW_TRACKING_URI"),
        (MlflowException("failed with error code 401 != 200"), "MLFLOW_TRACKING_PASSWORD"),
        (MlflowException("too many 500 error responses"), "its database and"),
        (sqlite3.OperationalError("database or disk is full"), "free some space"),
        (sqlite3.OperationalError("database is locked"), "an MLflow server"),
    ],
)
def test_a_remedy_for_what_can_be_mended(error, words):
    """The message has a remedy and the server's address, also if the error is wrapped."""
    for seen in (raised(error), raised(ValueError("wrapped"), error)):
        problem = tracking_problem(seen)
        assert words in problem
        assert problem.startswith("MLflow at ")
        assert str(error) in problem


def test_the_informative_line_is_shown():
    """SQLAlchemy's preface and the statement are left out."""
    text = "(raised as a result of a flush)\n(sqlite3.OperationalError) disk I/O error\n[SQL: A]"
    problem = tracking_problem(sqlite3.OperationalError(text))
    assert "disk I/O error. The disk of its database is full" in problem
    assert "SQL: A" not in problem
    assert "raised as" not in problem


def test_other_errors_are_left_alone():
    """What MLflow explains itself, what is none of MLflow's, and what S3 answered."""
    assert tracking_problem(MlflowException("Invalid parameter name: 'x'")) is None
    assert tracking_problem(ValueError("Connection")) is None
    denied = OSError("Access Denied")
    denied.response = {"Error": {"Code": "AccessDenied"}}
    assert tracking_problem(raised(MlflowException("403 Connection"), denied)) is None
