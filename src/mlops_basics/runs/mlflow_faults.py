"""What goes wrong with MLflow's server or database, in one readable line."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_basics.runs.mlflow_state import tracking_uri
from mlops_basics.safe_text import without_secrets
from mlops_basics.storage.faults import error_code

_FULL = ("database or disk is full", "disk I/O error", "No space left", "File too large")
_STRANGERS = ("401", "403", "not authenticated", "Permission denied", "Unauthorized")
_NO_ANSWER = ("Max retries exceeded", "Connection", "timed out", "502", "503", "504")


def tracking_problem(error: BaseException) -> str | None:
    """What MLflow objected to, with a remedy, wherever it sits in an error's chain.

    None: it was not MLflow, or something that MLflow explains itself.
    """
    chain = list(_chain(error))
    if any(error_code(seen) for seen in chain):
        return None  # an object store's answer
    for seen in chain:
        if _package(seen) in ("mlflow", "requests", "sqlalchemy", "sqlite3"):
            remedy = _remedy(str(seen))
            return f"MLflow at {_address()}: {_short(seen)}. {remedy}" if remedy else None
    return None


def is_made_already(error: BaseException) -> bool:
    """Whether MLflow refused to make what is there: it can be looked up, or the call repeated.

    Somebody else was faster, or MLflow's answer was lost and its client repeated the request.
    """
    return getattr(error, "error_code", None) == "RESOURCE_ALREADY_EXISTS"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _address() -> str:
    return without_secrets(tracking_uri())


def _package(error: BaseException) -> str:
    return type(error).__module__.split(".")[0]


def _short(error: BaseException) -> str:
    """The first line that says something: the others are SQL, or a page of the server."""
    lines = [line for line in str(error).strip().splitlines() if not line.startswith("(raised as")]
    return (lines or [type(error).__name__])[0].rstrip(". ")


def _remedy(text: str) -> str | None:
    if any(sign in text for sign in _FULL):
        return (
            "The disk of its database is full: free some space, then run again. "
            "Production is unchanged."
        )
    if "database is locked" in text:
        return (
            "Too many runs write into one SQLite file: run again, or use an MLflow server "
            "(conf/s3 shows how)."
        )
    if any(sign in text for sign in _STRANGERS):
        return (
            "The server does not know you, or you may not do this: correct "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "conf/local/credentials.yml."
        )
    if "500 error" in text or "INTERNAL_ERROR" in text:
        return (
            "The server answers, but cannot work: look into its log whether its database and "
            "its artifact storage can be reached, then run again. What is in production is valid."
        )
    if any(sign in text for sign in _NO_ANSWER):
        return (
            "It was tried several times. Check that the MLflow server runs and can be reached "
            "(MLFLOW_TRACKING_URI, network), then run again. What is in production is valid."
        )
    return None
