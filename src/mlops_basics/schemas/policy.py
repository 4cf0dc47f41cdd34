"""How the weights of a recipe follow the data, and how well each way has done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from .base import Artifact
from .model import Recipe

#: The policies that are compared. ``keep``: the weights stay; ``all``: fitted on every labelled
#: batch so far; ``last k``: on the last k of them.
POLICIES = ("keep", "all", "last 12", "last 6", "last 3", "last 1")
#: What a first release begins with: more rows of the same kind do no harm.
FIRST_POLICY = "all"
#: The new recipe that a search has found, under the current policy.
NEW_RECIPE = "new recipe"
CONSTANT = "constant"
PRODUCTION = "production"
#: Actions after which a release is due.
RELEASES = ("refresh", "switch", "new recipe")
#: Rows that are enough to tell recipes apart; older ones would say what was, not what is.
ENOUGH_ROWS = 300
#: Rows beyond so many hardly tell recipes apart any better: they are left for a recipe to be tested
#: on at once.
MOST_ROWS = 1000
WORSE_THAN_CONSTANT = (
    "What is in production does worse than a constant prediction, by more than chance explains."
)
#: Tested batches that are remembered one by one, for the report.
REMEMBERED = 120


def learns_from(policy: str, past: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The batches that a policy's model is fitted on.

    Args:
        policy: One of ``POLICIES``.
        past: Names of all labelled batches so far.
        known: Those from before the policy began, which ``keep`` stays with.

    Raises:
        ValueError: If there is no such policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, got {policy!r}")
    ordered = sorted(past)
    if policy == "keep":
        return tuple(name for name in ordered if name in set(known))
    return tuple(ordered if policy == "all" else ordered[-int(policy.split()[1]) :])


class Plan(Artifact):
    """A release that is due: which recipe, fitted on which batches, and why.

    ``replaces`` is the release in production that it was decided for. ``batches`` are the names of
    those it learns from, ``files`` those of the files that hold their rows now; ``entered`` is how
    many had been tested by then. The mean losses (of the policy and of what is in production, in
    the unit of ``loss``) are those of the tested batches since the policy began.
    """

    action: Literal["refresh", "switch", "new recipe"]
    policy: str
    recipe: Recipe
    batches: tuple[str, ...]
    replaces: str
    reason: str
    loss: str
    entered: int
    rows: int = 0
    production_loss: float | None = None
    policy_loss: float | None = None
    files: tuple[str, ...] = ()

    @property
    def plan_id(self) -> str:
        """Recognises the release that came of this plan, also after a kill on the way."""
        content = (
            self.action,
            self.policy,
            self.recipe.digest,
            self.replaces,
            self.entered,
            self.batches,
        )
        return hashlib.sha256(repr(content).encode()).hexdigest()[:24]


class TestedBatch(Artifact):
    """How the policies did on one batch that they had not learned from.

    ``losses``: mean loss by policy, ``production`` first, in the unit of the policy's loss;
    ``strengths``: the evidence by then, 1 or more shows that a policy is better. ``event`` is what
    followed, in a sentence; empty if nothing; ``changed``: another policy or recipe took over.
    """

    name: str
    rows: int
    losses: dict[str, float]
    strengths: dict[str, float] = {}
    event: str = ""
    changed: bool = False


class PolicyState(Artifact):
    """One a model: the current policy, its alternatives, and the evidence about them.

    ``known`` are the batches from before the policy began, ``entered`` those tested since, in the
    order in which their labels came. ``learned`` are those that the model in production was fitted
    on (None: as a run of the whole loop fitted it), ``learned_rows`` their labelled rows.
    ``limit`` is the absolute error that counts as 1 in the next batch (regression). ``pin`` says
    why the release stays until the evidence speaks against it alone; empty without one. ``totals``
    are sums of losses over all tested rows by policy, of ``tested_rows`` rows. ``why`` tells in a
    sentence why this policy.
    """

    version: str
    policy: str
    recipe: Recipe
    challenger: Recipe | None = None
    pin: str = ""
    known: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()
    learned: tuple[str, ...] | None = None
    learned_rows: int = 0
    limit: float | None = None
    evidence: dict[str, Any]
    constant: dict[str, Any]
    tested: tuple[TestedBatch, ...] = ()
    totals: dict[str, float] = {}
    tested_rows: int = 0
    batches_tested: int = 0
    plan: Plan | None = None
    why: str = ""


class Adaptation(Artifact):
    """What a look at the batches led to.

    ``action``: ``none``; ``refresh``, ``switch`` or ``new recipe``: a release is due.
    ``reasons`` say why, ``vetoed`` why a refresh is held back.
    """

    action: Literal["none", "refresh", "switch", "new recipe"]
    policy: str
    reasons: tuple[str, ...] = ()
    vetoed: str = ""
    tested: tuple[TestedBatch, ...] = ()
    worse_than_constant: bool = False
