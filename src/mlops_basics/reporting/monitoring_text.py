"""How what the monitor says is put into words, the same on its page and in the terminal."""

from __future__ import annotations

from mlops_basics.safe_text import plural
from mlops_basics.schemas import ConceptResult, Verdict, WatchedBatch, WatchedLoss
from mlops_basics.schemas.policy import PRODUCTION, RELEASES, WORSE_THAN_CONSTANT, PolicyState
from mlops_basics.scoring.policy_loss import LOSS_NAMES

from .text import Badge, Tone, limits, number, share_text

LATELY = 6  # batches that tell how production does by now
OUTCOMES = {
    "retrain": "retrain",
    "no_drift": "no drift",
    "waiting": "waiting for labels",
    "cooling_down": "cooling down",
    "nothing_new": "nothing new",
    "watch_only": "drift, and only watched",
}
CONCEPT_STATUSES = {
    "drift": "the error has risen",
    "no_drift": "no rise of the error is shown",
    "not_enough_labels": "not enough labels yet",
    "no_labels": "no labels yet",
}
LOSSES: dict[WatchedLoss, str] = {
    "error": "share of wrong predictions",
    "brier": "Brier score (halved)",
    "absolute_error": "mean absolute error, in the target's unit",
}
NO_CHANGE_NEEDED = "Nothing that calls for a retraining has been shown."
UNUSED_DRIFT = (
    "Drift was found, but no new reason to retrain: either monitoring.retrain_on leaves it out, "
    "or a retraining has already answered it."
)


def outcome_badge(verdict: Verdict) -> Badge:
    """The outcome: "no drift" only where none was found, bad where something has to be done."""
    if verdict.outcome == "retrain":
        return Badge(OUTCOMES["retrain"], "bad")
    if verdict.outcome in ("no_drift", "nothing_new") and drift_found(verdict):
        return Badge("drift, no new reason to retrain", "neutral")
    adaptation = verdict.adaptation
    is_worse = verdict.concept.is_above or (adaptation and adaptation.worse_than_constant)
    is_good = verdict.outcome == "no_drift" and not is_worse
    return Badge(OUTCOMES[verdict.outcome], "good" if is_good else "neutral")


def concept_badge(concept: ConceptResult) -> Badge:
    """What is known of the error: good only where the newest errors are within the limit."""
    if concept.status == "no_drift" and concept.is_above:
        return Badge("the error is above its limit", "neutral")
    tones: dict[str, Tone] = {"drift": "bad", "no_drift": "good"}
    return Badge(CONCEPT_STATUSES[concept.status], tones.get(concept.status, "neutral"))


def above_text(concept: ConceptResult) -> str:
    """What is known where the newest errors are above the release's limit without an alarm."""
    if concept.status != "no_drift" or not concept.is_above:
        return ""
    limit = concept.tolerated if concept.own_tolerated is None else concept.own_tolerated
    found = (
        f"The newest {concept.newest_rows:,} labelled rows have an error of "
        f"{scaled(concept.newest, concept)}, above the {scaled(limit, concept)} that the release's "
        "reference allows: "
    )
    if concept.own_tolerated is None:
        return found + "not shown yet to be more than chance."
    return found + (
        "a search has answered this rise, and an error above "
        f"{scaled(concept.tolerated, concept)} would be a new one."
    )


def drift_found(verdict: Verdict) -> bool:
    """Whether the error has risen, or a column of a batch of this run has drifted."""
    drifted = any(result.batch.drifted for result in verdict.batches)
    return verdict.concept.status == "drift" or drifted


def sentence_that_matters(verdict: Verdict) -> str:
    """What a reader who stops after one sentence should know."""
    if verdict.outcome in ("no_drift", "nothing_new"):
        above = above_text(verdict.concept)
        return UNUSED_DRIFT if drift_found(verdict) else above or NO_CHANGE_NEEDED
    if not verdict.reasons:
        return OUTCOMES[verdict.outcome]
    # What it waits for comes last, what drifted first.
    return verdict.reasons[0 if verdict.outcome == "retrain" else -1]


def policy_lines(verdict: Verdict) -> list[str]:
    """What follows for production, and why, in sentences; empty where nothing does."""
    adaptation = verdict.adaptation
    if adaptation is None:
        return []
    lines = [*adaptation.reasons]
    if adaptation.action in RELEASES:
        lines = [f"A {adaptation.action} is due. {' '.join(lines)}"]
    if adaptation.vetoed:
        lines.append(adaptation.vetoed)
    if adaptation.worse_than_constant and WORSE_THAN_CONSTANT not in verdict.reasons:
        lines.append(WORSE_THAN_CONSTANT)
    return lines


def lately_text(verdict: Verdict, policy: PolicyState | None) -> str:
    """What production's error is by now; empty before the first labelled batch.

    Of the last batches, each scored before it was learned from: what the next one may be like. A
    reference, or a test period, only tells of its own time.

    Args:
        verdict: This look's.
        policy: How the policies did; None where none is followed.
    """
    tested = policy.tested[-LATELY:] if policy else ()
    rows = sum(batch.rows for batch in tested)
    if policy is not None and rows:
        total = sum(batch.losses[PRODUCTION] * batch.rows for batch in tested)
        name, value = LOSS_NAMES[policy.recipe.task], number(total / rows)
        count = len(tested)
        batches = "labelled batch" if count == 1 else plural(count, "labelled batch")
        where = f"on the last {batches} ({plural(rows, 'row')})"
    elif verdict.concept.newest is not None:
        name, value = LOSSES[verdict.concept.loss], scaled(verdict.concept.newest, verdict.concept)
        where = f"on the newest {verdict.concept.newest_rows:,} labelled rows"
    else:
        return ""
    told = f"{name[0].upper()}{name[1:]} {value} {where}"
    return f"{told}, predicted before anything was learned from them."


def watched_text(concept: ConceptResult) -> str:
    """Which error is watched, in its unit, and up to where it counts."""
    words = LOSSES[concept.loss]
    if concept.loss != "absolute_error":
        return words
    return f"{words} (an error above {scaled(1.0, concept)} counts as that)"


def scaled(loss: float | None, concept: ConceptResult) -> str:
    """A loss in the unit in which its reader knows errors."""
    return number(None if loss is None else loss * concept.scale)


def error_text(batch: WatchedBatch, concept: ConceptResult) -> str:
    """Error of a batch with its interval, or nothing."""
    if batch.error is None:
        return ""
    error = scaled(batch.error, concept)
    if batch.error_low is None or batch.error_high is None:
        return error
    ends = limits(batch.error_low * concept.scale, batch.error_high * concept.scale)
    return f"{error} ({ends})"


def labelled_text(batch: WatchedBatch) -> str:
    """Share of the rows that have a label."""
    return "" if batch.labels is None else share_text(batch.labels.coverage)


def concept_text(concept: ConceptResult) -> str:
    """What is known of the error, then the figures: observed, at the release, and tolerated."""
    status = concept_badge(concept).words
    limits = (
        f"{scaled(concept.reference, concept)} at the release, up to "
        f"{scaled(concept.tolerated, concept)} is tolerated"
    )
    if concept.observed is None:
        return f"{status} ({LOSSES[concept.loss]}: {limits})"
    return (
        f"{status}: {scaled(concept.observed, concept)} in {plural(concept.rows, 'row')} "
        f"({LOSSES[concept.loss]}; {limits})"
    )


def evidence_text(piece: str) -> str:
    """A piece of evidence in words."""
    kind, _, column = piece.partition(": ")
    if column:
        return f"drift of {column}"
    return (
        "doing worse than a constant" if kind == "worse_than_constant" else kind.replace("_", " ")
    )
