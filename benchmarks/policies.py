"""Production under policies beside fixed schedules of retraining: the loss on the next batch.

    python benchmarks/policies.py --seeds 1 --streams "no drift,falling prices" --json out.json

Production goes through the project's own code: a release fitted on the first batches, then each
batch is tested and learned from as `kedro ct` does it, and each release that falls due is adopted.
The fixed schedules fit the same recipe after every batch. The same batches give the same model, so
that each is fitted once for all of them.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.support.parameters import configured  # noqa: E402
from tests.support.policies import release_of  # noqa: E402

from benchmarks.bars import tell  # noqa: E402
from benchmarks.policy_streams import STREAMS, Stream, chosen_streams  # noqa: E402
from mlops_basics.pipelines.monitoring.adaptation import (  # noqa: E402
    Entered,
    adopted,
    begin_state,
    follow,
    replay,
)
from mlops_basics.pipelines.monitoring.policies import Fits  # noqa: E402
from mlops_basics.schemas import (  # noqa: E402
    DecisionParams,
    Model,
    MonitoringParams,
    MonitoringReference,
    MonitoringState,
    Recipe,
    Release,
    ReleaseReference,
)
from mlops_basics.schemas.policy import (  # noqa: E402
    POLICIES,
    PRODUCTION,
    RELEASES,
    PolicyState,
    learns_from,
)
from mlops_basics.scoring.comparison import compare_scores  # noqa: E402
from mlops_basics.scoring.policy_loss import (  # noqa: E402
    LOSS_NAMES,
    losses_in_parts,
    policy_losses,
    score_target,
)
from mlops_basics.scoring.scores import Scores, error_clip, watched_losses  # noqa: E402
from mlops_basics.stats.paired.losses import huber_delta  # noqa: E402
from mlops_basics.stats.paired.spending import alpha_at  # noqa: E402
from mlops_basics.table.learning import LabelledRows  # noqa: E402

Measured = list[tuple[str, float, float]]  # what, ratio, bar

TEST_EACH = 5  # every fifth row of the first batches is kept from the first release
BEST_WINDOW = "best window"
EACH_TESTED = "each release tested"
NEVER = "keep"
SHOWN = (PRODUCTION, *POLICIES, BEST_WINDOW, EACH_TESTED)
DRIFTING, STILL = ("seasonal", "gradual", "abrupt"), "no drift"
MEAN_BAR, WORST_BAR = 1.03, 1.06
DRIFT_BAR, STILL_BAR = 1.0, 1.02


@dataclass
class SharedFits(Fits):
    """Keeps its models from look to look, and counts those that each look by itself would fit."""

    asked: set[Any] = field(default_factory=set)
    counted: int = 0

    def of(
        self, recipe: Recipe, batches: Sequence[str], before: tuple[str, int] | None = None
    ) -> Model | None:
        cut = before if before is not None and before[0] in batches else None
        self.asked.add((recipe.digest, tuple(sorted(batches)), cut))
        return super().of(recipe, batches, before)

    def end_look(self) -> None:
        self.counted += len(self.asked)
        self.asked.clear()


@dataclass(frozen=True)
class Followed:
    """One stream with one seed.

    Attributes:
        unit: Of the losses.
        losses: Mean loss of each tested batch, by ``SHOWN``.
        policies: Of production, one after another, the one it began with first.
        releases: Since the first.
        releases_of_all: As many at most are due under `all`, which waits for a tenth more rows.
        switches: Of the policy.
        held_back: Refreshes that were vetoed.
        fits: That the looks would make if each kept its models to itself, as processes do.
        seconds: All of it, the fixed schedules included.
    """

    unit: str
    losses: dict[str, list[float]]
    policies: list[str]
    releases: int
    releases_of_all: int
    switches: int
    held_back: int
    fits: int
    seconds: float

    @property
    def means(self) -> dict[str, float]:
        """Mean over the batches, each counting the same."""
        return {name: fmean(values) for name, values in self.losses.items()}

    @property
    def best(self) -> str:
        """The fixed policy that was best in hindsight."""
        return min(POLICIES, key=lambda name: self.means[name])

    def over(self, name: str) -> float:
        """Production's mean loss over another's."""
        return self.means[PRODUCTION] / self.means[name]


class TestedReleases:
    """A test for each release: after each batch a challenger has to be shown to be better.

    It learns from four fifths of all rows so far, and is compared on the others: on those that came
    after the model in production where they are enough, with the level and the spending of alpha
    that the gate of `kedro run` has.
    """

    def __init__(self, stream: Stream, release: Release) -> None:
        self._table = release.table
        self._recipe = stream.recipe
        is_test = np.arange(len(stream.rows)) % TEST_EACH == 0
        self._test = stream.rows.where(is_test)
        self._fits = Fits(stream.rows.where(~is_test), release)
        self._params = configured(DecisionParams)
        self._champion, self._challenges = release.model, 0
        self._fresh_from = stream.training

    def loss(self, rows: LabelledRows) -> float:
        """Mean loss of what it has in production."""
        return float(policy_losses(self._scores(self._champion, rows)).mean())

    def challenge(self, past: Sequence[str]) -> None:
        """Promote a model of all these batches if it is shown to be better."""
        challenger = self._fits.of(self._recipe, past)
        rows = self._test.of(past[self._fresh_from :])
        if len(rows) < self._params.min_fresh_rows:
            rows = self._test.of(past)
        assert challenger is not None, "nothing can be learned from the first batches"
        old, new = self._scores(self._champion, rows), self._scores(challenger, rows)
        metric, delta = "log_loss", 1.0
        if self._table.task == "regression":
            metric, delta = "huber", huber_delta(old.y, old.predicted)
        self._challenges += 1
        compared = compare_scores(
            metric,
            old,
            new,
            rows.groups,
            alpha_at(self._challenges, self._params.alpha),
            0.0,
            np.random.default_rng(0),
            delta,
        )
        if compared.p_value <= compared.alpha:
            self._champion, self._challenges, self._fresh_from = challenger, 0, len(past)

    def _scores(self, model: Model, rows: LabelledRows) -> Scores:
        return score_target(model, rows.features.read(), rows.target, self._table)


def run(stream: Stream) -> Followed:
    """Follow a stream from its first release to its last batch."""
    begun = time.perf_counter()
    params = configured(MonitoringParams)
    names = stream.names
    known = names[: stream.training]
    release = first_release(stream)
    assert release.fitted_rows is not None
    growth = len(stream.rows) / len(release.fitted_rows)
    fits = SharedFits(stream.rows, release)
    state = replay(begin_state(release, stream.recipe, known, params), fits, params)
    policies, actions, held_back = [state.policy], [], 0
    # What the first batches have chosen is released by the first look, before another batch comes.
    state, release = _carry_out(state, release, fits, actions)
    losses: dict[str, list[float]] = {name: [] for name in SHOWN}
    tested = TestedReleases(stream, first_release(stream))
    for count, name in enumerate(names[stream.training :], start=stream.training):
        state, found = follow(state, fits, [Entered(name)], params)
        losses[PRODUCTION].append(found.tested[0].losses[PRODUCTION])
        held_back += bool(found.vetoed)
        state, release = _carry_out(state, release, fits, actions)
        if state.policy != policies[-1]:
            policies.append(state.policy)
        fits.end_look()
        for policy, loss in fixed_losses(stream, fits, names[:count], name).items():
            losses[policy].append(loss)
        losses[BEST_WINDOW].append(_by_last_batch(losses))
        losses[EACH_TESTED].append(tested.loss(stream.rows.of([name])))
        tested.challenge(names[: count + 1])
    return Followed(
        unit=LOSS_NAMES[stream.task],
        losses=losses,
        policies=policies,
        releases=sum(action in RELEASES for action in actions),
        releases_of_all=int(math.log(growth) / math.log(1.1)),
        switches=actions.count("switch"),
        held_back=held_back,
        fits=fits.counted,
        seconds=time.perf_counter() - begun,
    )


def _carry_out(
    state: PolicyState, release: Release, fits: SharedFits, actions: list[str]
) -> tuple[PolicyState, Release]:
    """Make the release that is due, and note its action; nothing where none is."""
    if state.plan is None:
        return state, release
    actions.append(state.plan.action)
    release, learned_rows = _released(release, fits, state.plan.recipe, state.plan.batches)
    after = adopted(MonitoringState(policy=state), release.manifest.version, learned_rows).policy
    assert after is not None
    fits.release = release
    return after, release


def first_release(stream: Stream) -> Release:
    """What a run on the first batches releases: fitted on all but its test rows."""
    first = stream.rows.of(stream.names[: stream.training])
    is_test = np.arange(len(first)) % TEST_EACH == 0
    test = first.where(is_test)
    release = release_of(first.where(~is_test), recipe=stream.recipe, classes=stream.classes)
    scores = score_target(release.model, test.features.read(), test.target, release.table)
    clip = error_clip(scores)
    info = MonitoringReference(
        rows=len(test), thinned=1, losses=tuple(watched_losses(scores, clip)), clip=clip
    )
    return replace(
        release, reference=ReleaseReference(info, {}, pd.DataFrame(), test.features.read())
    )


def fixed_losses(stream: Stream, fits: Fits, past: Sequence[str], name: str) -> dict[str, float]:
    """Mean loss on a batch of each policy that was fitted again after the batch before it."""
    rows = stream.rows.of([name])
    means: dict[str, float] = {}
    for policy in POLICIES:
        model = fits.of(stream.recipe, learns_from(policy, past, past[: stream.training]))
        assert model is not None, f"{policy} cannot be fitted before {name}"
        losses = losses_in_parts(model, rows.features, rows.target, fits.release.table)
        means[policy] = float(losses.mean())
    return means


def _released(
    before: Release, fits: Fits, recipe: Recipe, batches: Sequence[str]
) -> tuple[Release, int]:
    """The release of a plan, and its labelled rows."""
    learned, model = fits.learned(batches), fits.of(recipe, batches)
    assert model is not None, f"nothing can be learned from {batches}"
    version = str(int(before.manifest.version) + 1)
    release = replace(
        before,
        manifest=before.manifest.model_copy(update={"version": version}),
        model=model,
        recipe=recipe,
        fitted_rows=learned.hashes,
    )
    return release, len(learned)


def _by_last_batch(losses: Mapping[str, Sequence[float]]) -> float:
    """The loss of the window that was best on the batch before; on the first batch that of all."""
    windows = [name for name in POLICIES if name != NEVER]
    return losses[min(windows, key=lambda name: sum(losses[name][-2:-1]))][-1]


def show(results: Mapping[str, Sequence[Followed]]) -> None:
    """Print what each stream gave with each seed, and production over the best fixed policy."""
    head = ["stream", "seed", PRODUCTION, "never", *POLICIES[1:], BEST_WINDOW, EACH_TESTED]
    head += ["releases", "switches", "held back", "fits", "s", "policies of production"]
    print("Mean loss on the next batch; the best fixed policy is in brackets.")
    print(_line(head))
    print(_line(["---"] * len(head)))
    for name, of_seeds in results.items():
        for seed, one in enumerate(of_seeds):
            means = [
                f"[{value:.4g}]" if policy == one.best else f"{value:.4g}"
                for policy, value in one.means.items()
            ]
            counts = [str(n) for n in (one.releases, one.switches, one.held_back, one.fits)]
            cells = [*means, *counts, f"{one.seconds:.0f}", " > ".join(one.policies)]
            print(_line([f"{name} ({one.unit})", str(seed), *cells]))
    print(
        "\nProduction over the best fixed policy in hindsight, by seed; "
        f"over '{BEST_WINDOW}'; over '{EACH_TESTED}'"
    )
    for name, of_seeds in results.items():
        by_seed = ", ".join(f"{one.over(one.best):.3f}" for one in of_seeds)
        others = (BEST_WINDOW, EACH_TESTED)
        over = "; ".join(f"{fmean(one.over(other) for one in of_seeds):.3f}" for other in others)
        print(f"{name:20} {by_seed}; {over}")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def bars(results: Mapping[str, Sequence[Followed]]) -> Measured:
    """Ratios of losses with their bars, all at most; each the mean over the seeds."""
    over_best = {
        name: fmean(one.over(one.best) for one in of_seeds) for name, of_seeds in results.items()
    }
    worst = max(over_best, key=lambda name: over_best[name])
    measured: Measured = [
        ("policies: production over the best, mean", fmean(over_best.values()), MEAN_BAR),
        (f"policies: production over the best, worst: {worst}", over_best[worst], WORST_BAR),
    ]
    of_drift = {**dict.fromkeys(DRIFTING, DRIFT_BAR), STILL: STILL_BAR}
    for name, bar in of_drift.items():
        if name in results:
            ratio = fmean(one.over("all") for one in results[name])
            measured.append((f"policies: production over all, {name}", ratio, bar))
    if STILL in results:
        ratio = fmean(one.releases / one.releases_of_all for one in results[STILL])
        measured.append((f"policies: releases over those of growth by a tenth, {STILL}", ratio, 1))
    return measured


def follow_all(seeds: int, names: Sequence[str] | None = None) -> dict[str, list[Followed]]:
    """Every stream with every seed from 0 on; all streams without names."""
    results: dict[str, list[Followed]] = {}
    for name, make in chosen_streams(names).items():
        for seed in range(seeds):
            print(f"  {name}, seed {seed} ...", file=sys.stderr, flush=True)
            results.setdefault(name, []).append(run(make(seed)))
    return results


def measure(seeds: int) -> Measured:
    """Follow all streams, print the table, and return the bars."""
    results = follow_all(seeds)
    show(results)
    return bars(results)


def main() -> None:
    """Follow the streams, print the table, and exit non-zero where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="of each stream, from 0 on")
    parser.add_argument("--streams", help=f"separated by commas, of: {', '.join(STREAMS)}")
    parser.add_argument("--json", type=Path, help="file for the loss of each batch")
    given = parser.parse_args()
    results = follow_all(given.seeds, given.streams.split(",") if given.streams else None)
    show(results)
    if given.json:
        content = {name: [asdict(one) for one in of_seeds] for name, of_seeds in results.items()}
        given.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    print()
    sys.exit(tell(bars(results)))


if __name__ == "__main__":
    main()
