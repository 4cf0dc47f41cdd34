"""When evidence ends: it was answered, the error is back, or the batch behind it was mended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlops_basics.schemas import Attempt, MonitoringState, Verdict, Watch, WatchedBatch
from mlops_basics.schemas.policy import CONSTANT, ENOUGH_ROWS, MOST_ROWS
from mlops_basics.stats.concept_drift.blocks import choose_block
from mlops_basics.stats.concept_drift.sequential import SequentialState, restarted, start_monitor
from mlops_basics.stats.prequential.evidence import Evidence, begin

Floats = npt.NDArray[np.float64]

DIGITS = 6


def attempted(
    state: MonitoringState, verdict: Verdict, run_id: str, *, promoted: bool, outcome: str
) -> MonitoringState:
    """The state in which a search, or a retraining, on a verdict's evidence has taken place.

    Args:
        state: Before.
        verdict: That led to it.
        run_id: Of the search or retraining.
        promoted: Whether its model is in production.
        outcome: What came of it, in a word.
    """
    watch = state.watches[verdict.version]
    attempt = Attempt(
        run_id=run_id,
        version=verdict.version,
        evidence=verdict.evidence,
        batches=watch.newest,
        labelled_batches=watch.labelled_batches,
        promoted=promoted,
        outcome=outcome,
    )
    watch = answered(watch, attempt, rebase=verdict.follows_policies)
    policy = state.policy
    if policy is not None and "worse_than_constant" in verdict.evidence:
        alpha = Evidence.from_dict(policy.constant).alpha
        policy = policy.model_copy(update={"constant": begin((CONSTANT,), alpha).to_dict()})
    watches = {**state.watches, verdict.version: watch}
    return state.model_copy(update={"watches": watches, "policy": policy})


def answered(watch: Watch, attempt: Attempt, *, rebase: bool) -> Watch:
    """The watch once its evidence has led to a search or a retraining: it needs new evidence.

    Args:
        watch: With the evidence.
        attempt: That answers it.
        rebase: Whether what comes is compared with the newest batches, which a search has learned
            from. Otherwise with the release's reference alone: a challenger that was refused may
            come again while the drift goes on.
    """
    state = SequentialState.from_dict(watch.sequential)
    update: dict[str, object] = {
        "attempts": (*watch.attempts, attempt),
        "pending": (),
        **_begun_anew(watch, restarted(state)),
        "recent": (),
    }
    if rebase:
        update |= {"compared_with": newest_batches(watch.batches)}
        now = _limit_of(_since_rise(np.array(watch.recent), state.mean), state)
        if now.mean > state.mean:
            own = watch.own or restarted(state).to_dict()
            update |= _begun_anew(watch, now) | {"own": own}
    return watch.model_copy(update=update)


def with_losses(watch: Watch, losses: Floats, *, alarmed: bool) -> Watch:
    """Remember the newest losses; where these are as low again as the release's own, they count.

    What a search has answered is tolerated only as long as it lasts: once enough rows have come
    after it, the limit is theirs if that is lower. And an alarm of an earlier batch stands only
    until the newest rows are back below its limit.

    Args:
        watch: After these losses.
        losses: Of a batch, in [0, 1], shape (rows,).
        alarmed: Whether an alarm stood before them.
    """
    most = max(ENOUGH_ROWS, min(len(losses), MOST_ROWS))
    recent = np.concatenate([watch.recent, np.round(losses, DIGITS)])[-most:]
    watch = watch.model_copy(update={"recent": tuple(recent.tolist())})
    state = SequentialState.from_dict(watch.sequential)
    own = state if watch.own is None else SequentialState.from_dict(watch.own)
    is_back = len(recent) >= ENOUGH_ROWS and float(recent.mean()) <= own.mean
    if is_back and (alarmed or watch.own):
        return without_alarm(watch)
    if watch.own and state.rows - len(losses) < ENOUGH_ROWS <= state.rows:
        now = _limit_of(recent, state)
        if now.mean < state.mean and state.alarm_row is None:
            return watch.model_copy(update=_begun_anew(watch, now))
    return watch


def without_alarm(watch: Watch) -> Watch:
    """The watch with the test against the release's own reference, before its first row."""
    own = SequentialState.from_dict(watch.own or watch.sequential)
    return watch.model_copy(update=_begun_anew(watch, restarted(own)) | {"own": None})


def newest_batches(batches: Sequence[WatchedBatch]) -> tuple[tuple[str, int], ...]:
    """Keys of the newest used batches that are alike, as many as hold enough rows together.

    Those before the columns drifted, or after they came back, would blur what is new.
    """
    used = [record for record in batches if record.number and record.outcome == "used"]
    found: list[tuple[str, int]] = []
    rows, drifted = 0, None
    for record in sorted(used, key=lambda record: -record.number):
        if rows >= ENOUGH_ROWS or drifted not in (None, record.drifted):
            break
        found.append(record.key)
        rows, drifted = rows + record.rows, record.drifted
    return tuple(found)


def _begun_anew(watch: Watch, state: SequentialState) -> dict[str, object]:
    """What changes in a watch whose test begins anew."""
    passed = watch.passed_rows + SequentialState.from_dict(watch.sequential).rows
    return {"sequential": state.to_dict(), "passed_rows": passed}


def _since_rise(losses: Floats, limit: float) -> Floats:
    """The losses since they rose: the last ones, as many as exceed the limit by most in sum [1].

    References:
        [1] E. S. Page, "Continuous inspection schemes", Biometrika 41, 100-115 (1954).
    """
    if not losses.size:
        return losses
    excess = np.cumsum((losses - limit)[::-1])
    return losses[losses.size - 1 - int(excess.argmax()) :]


def _limit_of(losses: Floats, state: SequentialState) -> SequentialState:
    """The test, before its first row, with these losses as its reference."""
    if not losses.size:
        return restarted(state)
    return start_monitor(
        losses, tolerance=state.tolerance, alpha=state.alpha, block=choose_block(losses)
    )
