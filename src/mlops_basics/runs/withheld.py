"""What a run keeps to itself of the rows that challengers are compared on."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_basics.schemas import Artifact, Decision

_DECISION = "decision"  # told all the same, without its figures
#: Data sets that say how a challenger does on the test rows, by name.
_OF_TEST_ROWS = frozenset(
    {
        "test_metrics",
        "scores",
        "confusion_matrix",
        "importance",
        "order_check",
        "gate_scores",
        "reference",
        "reference_losses",
    }
)


def withheld(artifacts: Mapping[str, Artifact]) -> frozenset[str]:
    """Names of the data sets that a run neither shows nor sends to MLflow.

    They stay where the run has written them: a promotion by hand and a reproduction read them. A
    run that has made no decision is one of a part of the loop, or a reproduction: it shows nothing
    of the test rows, since nobody would have counted it.

    Args:
        artifacts: Small results of the run, by catalog name.
    """
    decision = artifacts.get(_DECISION)
    if isinstance(decision, Decision) and not decision.withheld:
        return frozenset()
    return _OF_TEST_ROWS | {_DECISION}


def shown_artifacts(artifacts: Mapping[str, Artifact]) -> dict[str, Artifact]:
    """The small results that a run shows, by catalog name; of a decision, what is told of it."""
    hidden = withheld(artifacts)
    return {
        name: artifact.shown()
        for name, artifact in artifacts.items()
        if name == _DECISION or name not in hidden
    }
