"""What the newest labelled batches say of the policies: switch, refresh, or leave it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlops_basics.safe_text import plural
from mlops_basics.schemas import Model, MonitoringParams, MonitoringState, Recipe, Release
from mlops_basics.schemas.policy import (
    CONSTANT,
    FIRST_POLICY,
    NEW_RECIPE,
    POLICIES,
    PRODUCTION,
    REMEMBERED,
    Adaptation,
    Plan,
    PolicyState,
    TestedBatch,
    learns_from,
)
from mlops_basics.scoring.policy_loss import (
    LOSS_NAMES,
    constant_losses,
    in_unit_interval,
    losses_in_parts,
    next_limit,
)
from mlops_basics.stats.prequential.evidence import (
    Evidence,
    begin,
    join,
    shown_worse,
    update,
)
from mlops_basics.table.learning import LabelledRows

from .policies import Fits, grown_enough, past_batches

Floats = npt.NDArray[np.float64]

#: Batches of a release's own training that are replayed, the newest of them, on its test rows.
REPLAYED = 12
FIRST_REASON = "It is what a first release begins with: more rows of the same kind do no harm."


@dataclass(frozen=True)
class Entered:
    """A batch, or the part of one from a position on, whose labels suffice now.

    ``end`` is the position after its last row; None where that is the file's last one.
    """

    name: str
    first_row: int = 0
    end: int | None = None


def begin_state(
    release: Release, recipe: Recipe, known: Sequence[str], params: MonitoringParams, pin: str = ""
) -> PolicyState:
    """Begin to compare policies, with a release that nothing is known of.

    Args:
        release: In production.
        recipe: Its own.
        known: Names of the labelled batches so far.
        params: How production may change, and at which level.
        pin: Why it stays until the evidence speaks against it alone; empty if it need not.
    """
    policy = "keep" if pin else FIRST_POLICY
    reference = release.reference
    return PolicyState(
        version=release.manifest.version,
        policy=policy,
        recipe=recipe,
        pin=pin,
        why=pin or FIRST_REASON,
        known=tuple(known),
        learned_rows=0 if release.fitted_rows is None else len(release.fitted_rows),
        limit=reference.info.clip if reference else None,
        evidence=begin(alternatives(policy), params.policy_alpha).to_dict(),
        constant=begin((CONSTANT,), params.policy_alpha).to_dict(),
    )


def alternatives(policy: str) -> tuple[str, ...]:
    """What a policy is compared with."""
    return tuple(name for name in POLICIES if name != policy)


def adopted(state: MonitoringState, version: str, learned_rows: int) -> MonitoringState:
    """The state once the release that was planned is in production.

    A refresh is watched as its release was before: it has the same reference. Any other begins a
    watch of its own.

    Args:
        state: With the plan.
        version: That came of it.
        learned_rows: Labelled rows that its model was fitted on.
    """
    policy = state.policy
    assert policy is not None  # noqa: S101 (the caller's)
    plan = policy.plan
    assert plan is not None  # noqa: S101
    watches, label_files = dict(state.watches), dict(state.label_files)
    if plan.action == "refresh" and policy.version in watches:
        watches[version] = watches.pop(policy.version).model_copy(update={"version": version})
        old = f"{policy.version}/"
        label_files = {
            f"{version}/{key.removeprefix(old)}" if key.startswith(old) else key: sha
            for key, sha in label_files.items()
        }
    policy = policy.model_copy(
        update={
            "version": version,
            "learned": plan.batches,
            "learned_rows": learned_rows,
            "plan": None,
        }
    )
    update_ = {"watches": watches, "label_files": label_files, "policy": policy}
    return state.model_copy(update=update_)


def challenged(state: PolicyState, recipe: Recipe) -> PolicyState:
    """Let the recipe that a search has found join the alternatives; the present one cannot."""
    if recipe.digest == state.recipe.digest:
        return state
    evidence = join(Evidence.from_dict(state.evidence), NEW_RECIPE)
    totals = {name: total for name, total in state.totals.items() if name != NEW_RECIPE}
    update_ = {"challenger": recipe, "evidence": evidence.to_dict(), "totals": totals}
    return state.model_copy(update=update_)


def worse_than_constant(state: PolicyState) -> bool:
    """Whether what is in production was shown to do worse than a constant prediction."""
    return bool(Evidence.from_dict(state.constant).shown)


def replay(state: PolicyState, fits: Fits, params: MonitoringParams) -> PolicyState:
    """Compare the policies on the batches of the release's own training, the newest of them.

    On rows alone that the release was neither fitted nor tuned on, so that what chose the recipe
    has no part in it. Each batch is tested with models of the batches before it, as later ones are.
    Where another policy has won by the newest of them, its release is due at once.
    """
    fitted = fits.release.fitted_rows
    names = sorted(state.known)[1:][-REPLAYED:]
    if fitted is None or not names or state.pin:
        return state
    begun = state.policy
    unseen = fits.rows.where(~np.isin(fits.rows.hashes, fitted))
    for name in names:
        rows = unseen.of([name])
        if len(rows):
            past = [other for other in state.known if other < name]
            state, _ = _tested(state, fits, rows, Entered(name), past, params, replayed=True)
    plan = state.plan
    if plan is not None:  # it was made before the newest batches were learned from
        batches = learns_from(state.policy, state.known, state.known)
        plan = plan.model_copy(update={"batches": batches}) if state.policy != begun else None
    return state.model_copy(
        update={"plan": plan, "totals": {}, "tested_rows": 0, "batches_tested": 0}
    )


def follow(
    state: PolicyState, fits: Fits, entered: Sequence[Entered], params: MonitoringParams
) -> tuple[PolicyState, Adaptation]:
    """Test all policies on the batches whose labels suffice now, one after another.

    Args:
        state: Before.
        fits: The labelled rows, and the release in production.
        entered: In the order in which they are tested.
        params: How production may change, and at which level.

    Returns:
        The state after them, with the release that is due, if any; and what happened in words.
    """
    tested: list[TestedBatch] = []
    for batch in entered:
        rows = fits.rows.of([batch.name])
        end = np.inf if batch.end is None else batch.end  # other parts are tested by themselves
        rows = rows.where((rows.position >= batch.first_row) & (rows.position < end))
        past = past_batches(state)
        if len(rows):
            state, result = _tested(state, fits, rows, batch, past, params)
            tested.append(result)
    return state, _summed_up(state, tested)


def _tested(
    state: PolicyState,
    fits: Fits,
    rows: LabelledRows,
    batch: Entered,
    past: Sequence[str],
    params: MonitoringParams,
    *,
    replayed: bool = False,
) -> tuple[PolicyState, TestedBatch]:
    table, totals, means = fits.release.table, dict(state.totals), {}
    evidence, constant = Evidence.from_dict(state.evidence), Evidence.from_dict(state.constant)
    limit = before_limit = state.limit
    for name, losses in _losses(state, fits, rows, batch, past, replayed=replayed):
        totals[name] = totals.get(name, 0.0) + float(losses.sum())
        means[name] = float(losses.mean())
        unit = in_unit_interval(losses, table, before_limit)
        if name == PRODUCTION:
            current = unit
            if table.task == "regression":
                limit = next_limit(losses, limit)
        elif name == CONSTANT:
            constant = update(constant, current, {name: unit}, rows.groups)
        elif name in evidence.alternatives:
            unhurried = _longer(state.policy)
            evidence = update(evidence, current, {name: unit}, rows.groups, unhurried)
    result = TestedBatch(
        name=batch.name,
        rows=len(rows),
        losses=means,
        strengths={name: evidence.strength(name) for name in evidence.alternatives},
    )
    state = state.model_copy(
        update={
            "evidence": evidence.to_dict(),
            "constant": constant.to_dict(),
            "totals": totals,
            "tested_rows": state.tested_rows + len(rows),
            "batches_tested": state.batches_tested + 1,
            "limit": limit,
        }
    )
    if not replayed:
        state = state.model_copy(
            update={"entered": tuple(dict.fromkeys((*state.entered, batch.name)))}
        )
    better = _better(evidence, result.losses)
    if better is not None:
        state, event = switched(state, fits, better, evidence)
    elif replayed:
        event = ""
    else:
        veto = _veto(state, fits, rows, batch, past, current, before_limit, params)
        state, event = _refreshed(state, fits, batch, veto)
    result = result.model_copy(update={"event": event, "changed": better is not None})
    if not replayed:
        state = state.model_copy(update={"tested": (*state.tested, result)[-REMEMBERED:]})
    return state, result


def _longer(policy: str) -> tuple[str, ...]:
    """The policies with a longer memory.

    A batch in which the data change makes each of them look better, since a short window is fitted
    on what has just ended; on the next batch it is the first to have learned what is new.
    """
    return POLICIES[: POLICIES.index(policy)]


def _better(evidence: Evidence, losses: Mapping[str, float]) -> str | None:
    """The alternative that is shown to be better, and is so on the newest batch as well.

    The test takes losses that are cut, and sums them up over batches: a policy that has had its
    time, or that fails badly where losses are cut, is not switched to.
    """
    return next(
        (name for name in evidence.shown if losses.get(name, math.inf) < losses[PRODUCTION]), None
    )


def _losses(
    state: PolicyState,
    fits: Fits,
    rows: LabelledRows,
    batch: Entered,
    past: Sequence[str],
    *,
    replayed: bool,
) -> Iterator[tuple[str, Floats]]:
    """Losses of production, first, and of each alternative, on rows that none has learned from.

    One after the other, so that memory holds those of two.
    """
    before = (batch.name, batch.first_row)
    table = fits.release.table

    newest: list[tuple[Model, Floats]] = []  # while there are few batches, policies share a model

    def losses(model: Model) -> Floats:
        if not newest or newest[0][0] is not model:
            newest[:] = [(model, losses_in_parts(model, rows.features, rows.target, table))]
        return newest[0][1]

    def policy_model(policy: str, recipe: Recipe) -> Model | None:
        learned = learns_from(policy, past, state.known)
        if replayed and policy == "keep":  # its weights are of the time before the first of them
            learned = learned[: max(len(state.known) - REPLAYED, 1)]
        return fits.of(recipe, learned, before)

    current = None
    if replayed or state.plan is not None:  # production is not yet what it is going to be
        current = policy_model(state.policy, state.recipe)
    yield PRODUCTION, losses(fits.release.model if current is None else current)
    for name in alternatives(state.policy):
        if (of_policy := policy_model(name, state.recipe)) is not None:
            yield name, losses(of_policy)
    if state.challenger is not None:
        of_challenger = policy_model(policy_of_new_recipe(state), state.challenger)
        if of_challenger is not None:
            yield NEW_RECIPE, losses(of_challenger)
    learned = fits.learned(learns_from("last 1", past, state.known), before)
    if len(learned):
        yield CONSTANT, constant_losses(learned.target, rows.target, table)


def policy_of_new_recipe(state: PolicyState) -> str:
    """A recipe without weights cannot keep any: under a pin it learns from all batches."""
    return FIRST_POLICY if state.policy == "keep" else state.policy


def switched(
    state: PolicyState, fits: Fits, better: str, evidence: Evidence
) -> tuple[PolicyState, str]:
    """Make the better alternative the current policy; all evidence begins anew."""
    loss = LOSS_NAMES[fits.release.table.task]
    rows = state.tested_rows
    means = {name: total / rows for name, total in state.totals.items()}
    is_recipe = better == NEW_RECIPE
    policy = policy_of_new_recipe(state) if is_recipe else better
    recipe = state.challenger if is_recipe and state.challenger else state.recipe
    past = past_batches(state)
    against = "what is in production"
    if state.pin:
        against = f"release {state.version}, which was pinned ({state.pin})"
    subject = "The new recipe" if is_recipe else f"The policy '{better}'"
    reason = (
        f"{subject} has done better than {against}: {loss} {means.get(better, math.nan):.4g} "
        f"against {means[PRODUCTION]:.4g} on {plural(rows, 'labelled row')} of "
        f"{plural(state.batches_tested, 'batch')}, by more than chance explains."
        f"{_sample_in_words(fits, learns_from(policy, past, state.known))}"
    )
    plan = Plan(
        action="new recipe" if is_recipe else "switch",
        policy=policy,
        recipe=recipe,
        batches=learns_from(policy, past, state.known),
        replaces=state.version,
        reason=reason,
        loss=loss,
        entered=len(state.entered),
        rows=rows,
        production_loss=means[PRODUCTION],
        policy_loss=means.get(better),
    )
    after = state.model_copy(
        update={
            "policy": policy,
            "recipe": recipe,
            "challenger": None if is_recipe else state.challenger,
            "pin": "",
            "known": past,
            "entered": (),
            "evidence": begin(alternatives(policy), evidence.alpha).to_dict(),
            "constant": begin((CONSTANT,), evidence.alpha).to_dict(),
            "totals": {},
            "tested_rows": 0,
            "batches_tested": 0,
            "plan": plan,
            "why": reason,
        }
    )
    if after.challenger is not None:
        after = challenged(after, after.challenger)
    return after, reason


def _refreshed(
    state: PolicyState,
    fits: Fits,
    batch: Entered,
    veto: str,
) -> tuple[PolicyState, str]:
    """Plan a fit of the same recipe with the newest batch, unless the policy forbids it."""
    if state.policy == "keep":
        return state, ""
    now = past_batches(state)
    batches = learns_from(state.policy, now, state.known)
    if state.policy == "all" and not _has_grown(state, fits, batches):
        return state, ""
    if veto:
        return state, veto
    if fits.of(state.recipe, batches) is None:
        return state, f"Not refreshed: no model can be fitted on {_names(batches)} alone."
    learned = _policy_in_words(state.policy, batches)
    reason = f"Fitted again with {batch.name}, on {learned}.{_sample_in_words(fits, batches)}"
    mean = state.totals[PRODUCTION] / state.tested_rows
    plan = Plan(
        action="refresh",
        policy=state.policy,
        recipe=state.recipe,
        batches=batches,
        replaces=state.version,
        reason=reason,
        loss=LOSS_NAMES[fits.release.table.task],
        entered=len(state.entered),
        rows=state.tested_rows,
        production_loss=mean,
        policy_loss=mean,
    )
    pending = state.plan  # a switch that is due is not forgotten by the refresh that follows it
    if pending is not None and pending.action != "refresh":
        plan = pending.model_copy(update={"batches": batches, "entered": plan.entered})
    return state.model_copy(update={"plan": plan}), reason


def _has_grown(state: PolicyState, fits: Fits, batches: Sequence[str]) -> bool:
    """Whether there is a tenth more to learn from than what is in production was fitted on."""
    if fits.is_sample(batches):  # a fit takes as many as before: all that it is drawn from count
        before = state.known if state.learned is None else state.learned
        return grown_enough(fits.there(batches), fits.there(before))
    return grown_enough(len(fits.learned(batches)), state.learned_rows)


def _veto(
    state: PolicyState,
    fits: Fits,
    rows: LabelledRows,
    batch: Entered,
    past: Sequence[str],
    in_production: Floats,
    limit: float | None,
    params: MonitoringParams,
) -> str:
    """Why a refresh is held back: this policy's model was shown to be worse on this very batch."""
    learned = learns_from(state.policy, past, state.known)
    if state.policy == "keep" or state.learned == learned or state.plan is not None:
        return ""  # production is that model
    model = fits.of(state.recipe, learned, (batch.name, batch.first_row))
    if model is None:
        return ""
    table = fits.release.table
    losses = losses_in_parts(model, rows.features, rows.target, table)
    losses = in_unit_interval(losses, table, limit)
    if shown_worse(losses, in_production, rows.groups) < -math.log(params.policy_alpha):
        return ""
    return (
        f"Not refreshed: on {batch.name} the model that '{state.policy}' would have given did "
        "worse than the one in production, by more than chance explains."
    )


def _summed_up(state: PolicyState, tested: Sequence[TestedBatch]) -> Adaptation:
    events = [result.event for result in tested if result.event]
    held_back = [event for event in events if event.startswith("Not refreshed")]
    reasons = [state.plan.reason] if state.plan else []
    return Adaptation(
        action=state.plan.action if state.plan else "none",
        policy=state.policy,
        reasons=tuple(reasons),
        vetoed=held_back[-1] if held_back else "",
        tested=tuple(tested),
        worse_than_constant=worse_than_constant(state),
    )


def _sample_in_words(fits: Fits, batches: Sequence[str]) -> str:
    """A sentence on how many rows a model of these batches learns from, where it is not all."""
    if not fits.is_sample(batches):
        return ""
    return (
        f" It learns from {fits.max_rows:,} of their {fits.there(batches):,} labelled rows, drawn "
        "by their hash (training.max_rows)."
    )


def _policy_in_words(policy: str, batches: Sequence[str]) -> str:
    if policy == "all":
        return f"all labelled batches ({len(batches)})"
    count = int(policy.split()[1])
    return "the last batch" if count == 1 else f"the last {plural(count, 'batch')}"


def _names(batches: Sequence[str]) -> str:
    return ", ".join(batches[:3]) + (f" and {len(batches) - 3} more" if len(batches) > 3 else "")
