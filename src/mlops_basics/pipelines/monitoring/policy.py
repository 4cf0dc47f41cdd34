"""When drift leads to a retraining, and when it would only repeat the last one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from mlops_basics.safe_text import plural
from mlops_basics.schemas import Attempt, ConceptResult, MonitoringParams, Watch, WatchedBatch
from mlops_basics.schemas.policy import WORSE_THAN_CONSTANT

#: A column's drift that so many further batches have not shown again is over.
PASSED_AFTER = 6

Outcome = Literal["nothing_new", "no_drift", "waiting", "cooling_down", "retrain", "watch_only"]


class Conclusion(NamedTuple):
    """What follows from the evidence, and why."""

    outcome: Outcome
    evidence: tuple[str, ...]
    reasons: tuple[str, ...]


def conclude_policy(
    watch: Watch,
    concept: ConceptResult,
    params: MonitoringParams,
    *,
    labelled_rows: int,
    anything_new: bool,
    worse_than_constant: bool = False,
) -> Conclusion:
    """Decide whether to retrain.

    Drift must have been shown, or that a constant does better, by a kind that ``retrain_on`` names;
    enough labelled rows must have come after the release for a challenger to learn from and to be
    compared on; and they must say something that the last retraining, which was not promoted, did
    not know.

    Args:
        watch: Of the release: its batches, and its last attempt, which would be repeated.
        concept: What the concept test says.
        params: The policy.
        labelled_rows: Rows with a label that came after the release and are still there.
        anything_new: Whether a batch or a label came since the last look.
        worse_than_constant: Whether what is in production was shown to be.
    """
    last = watch.attempts[-1] if watch.attempts else None
    used = [batch for batch in watch.batches if batch.number]
    evidence = _evidence(used, concept, last, params)
    if worse_than_constant and "worse_than_constant" in params.retrain_on:
        evidence = (*evidence, "worse_than_constant")
    if not evidence:
        outcome: Outcome = "no_drift" if anything_new else "nothing_new"
        return Conclusion(outcome, (), (concept.reason,))
    reasons = tuple(_in_words(kind, concept) for kind in evidence)
    if params.adapt == "off":
        only = "Nothing is retrained: the release is only watched (monitoring.adapt: off)."
        return Conclusion("watch_only", evidence, (*reasons, only))
    if labelled_rows < params.min_rows:
        wait = (
            f"Retraining waits for labels: {plural(labelled_rows, 'labelled row')} came after the "
            f"release, {params.min_rows} are needed (monitoring.min_rows)."
        )
        return Conclusion("waiting", evidence, (*reasons, wait))
    if last is not None and (wait := _repeats(last, evidence, watch.labelled_batches, params)):
        return Conclusion("cooling_down", evidence, (*reasons, wait))
    return Conclusion("retrain", evidence, reasons)


def _evidence(
    used: Sequence[WatchedBatch],
    concept: ConceptResult,
    last: Attempt | None,
    params: MonitoringParams,
) -> tuple[str, ...]:
    evidence = []
    if concept.status == "drift" and "concept_drift" in params.retrain_on:
        evidence.append("label_shift" if concept.cause == "label_shift" else "concept_drift")
    if "data_drift" in params.retrain_on:
        newest = max((batch.number for batch in used), default=0)
        since = max(last.batches if last else 0, newest - PASSED_AFTER)
        columns = {
            name
            for batch in used
            if batch.number > since and batch.outcome == "used"  # not what was mended since
            for name in batch.drifted
        }
        evidence += [f"data_drift: {name}" for name in sorted(columns)]
    return tuple(evidence)


def _repeats(
    last: Attempt, evidence: Sequence[str], labelled_batches: int, params: MonitoringParams
) -> str:
    """Why a retraining now would only repeat the last one; empty if it would not."""
    fresh = labelled_batches - last.labelled_batches
    new = [kind for kind in evidence if kind not in last.evidence]
    if fresh >= params.cool_down or (new and fresh > 0):
        return ""
    needed = 1 if new else params.cool_down - fresh
    return (
        f"The retraining of run {last.run_id} on this evidence was not promoted. The next one "
        f"needs {plural(needed, 'more labelled batch')} (monitoring.cool_down), or other evidence."
    )


def _in_words(evidence: str, concept: ConceptResult) -> str:
    kind, _, column = evidence.partition(": ")
    if kind in ("concept_drift", "label_shift"):
        words = kind.replace("_", " ").capitalize()
        return f"{words}: {concept.reason}. {concept.cause_reason}".rstrip()
    if kind == "worse_than_constant":
        return WORSE_THAN_CONSTANT
    return f"Data drift: {column} has changed by more than what matters."
