"""A challenger that is fitted to what runs show of the same rows; and what guards let through.

The champion states the true probabilities: whoever differs from it is worse on the next rows, by
the log loss and beyond any doubt. Each probe adds a noise of its own to the champion's log-odds, as
a model does that has learned accidents. What is shown of the probes says along which of these
noises the same rows look better; then these are added up, and the sum challenges, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks import bars, simulate
from benchmarks.bars import Bar
from benchmarks.configured import FITS, NO_METRICS, REFIT, configured
from benchmarks.proof_page import Paragraph, Part
from benchmarks.rate import Rate
from mlops_basics.pipelines.model_evaluation import gate
from mlops_basics.pipelines.model_evaluation.nodes import decide
from mlops_basics.schemas import Challenge, Champion, Decision, DecisionParams
from mlops_basics.scoring.scores import Scores
from mlops_basics.stats.paired.spending import alpha_at

Floats = NDArray[np.float64]

SEED, ROWS, LIVES = 19, 1_000, 200
PROBES = (50, 100, 200)
SPREAD, NOISE = 2.0, 0.1  # of the true log-odds, and of a probe's noise
STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)  # with which the fitted sum is added, a challenge each
RARE_LIVES, CALIBRATED_LIVES = 100, 200
RARE = 0.02  # share of the rare class


#: What a run shows of a refused challenger, as a score that is the higher the better it looks; None
#: where it shows nothing.
Shown = Callable[[int, float, float], float | None]


def metrics_shown(_number: int, gain: float, _p_value: float) -> float | None:
    """Test metrics, each time: the gain is the difference of two of them."""
    return gain


def p_value_shown(_number: int, _gain: float, p_value: float) -> float | None:
    """The decision with two digits of its p-value, each time."""
    return -float(special.ndtri(min(float(f"{p_value:.2g}"), 0.999)))


def as_told(number: int, gain: float, p_value: float) -> float | None:
    """What a run tells now: all of the first challenge, then yes or no."""
    challenge = Challenge(
        champion_version="1",
        number=number,
        challenge_id="",
        repeated=False,
        mlflow_run_id=None,
    )
    made = Decision(
        promote=False,
        outcome="kept",
        reasons=("", ""),
        champion_version="1",
        challenge=challenge,
        metric="log_loss",
        unit="nats",
        rows=ROWS,
        which_rows="",
        total_alpha=0.05,
        rule="superiority",
        min_gain=0.0,
        gain=gain,
        p_value=p_value,
    )
    return made.shown().gain


def is_promoted(probes: int, shown: Shown, rng: np.random.Generator) -> bool:
    """Whether any challenger of such a life is promoted, the probes and those fitted to them."""
    z = SPREAD * rng.standard_normal(ROWS)
    y = (rng.random(ROWS) < special.expit(z)).astype(np.int64)
    noises = rng.standard_normal((probes, ROWS))
    champion = simulate.log_losses(y, special.expit(z)[None])[0]
    losses = simulate.log_losses(y, special.expit(z + NOISE * noises))
    gains, p_values = (champion - losses).mean(axis=1), simulate.loss_p_values(champion, losses)
    if any(p <= alpha_at(k) for k, p in enumerate(p_values, start=1)):
        return True
    seen = [shown(k, *each) for k, each in enumerate(zip(gains, p_values, strict=True), start=1)]
    known = np.array([score is not None for score in seen])
    scores = np.array([score for score in seen if score is not None])
    fitted = (scores - scores.mean() if len(scores) > 1 else np.ones(1)) @ noises[known]
    fitted /= fitted.std()
    last = simulate.log_losses(y, special.expit(z + np.outer(STRENGTHS, fitted)))
    p_values = simulate.loss_p_values(champion, last)
    return any(p <= alpha_at(probes + k) for k, p in enumerate(p_values, start=1))


@functools.cache
def fitted(probes: int, shown: Shown, lives: int = LIVES) -> Rate:
    """How often such a life ends in the promotion of a challenger that is worse."""
    made = [
        is_promoted(probes, shown, np.random.default_rng([SEED, probes, life]))
        for life in range(lives)
    ]
    return Rate(float(np.mean(made)), lives)


def separate_guards() -> DecisionParams:
    """The overall guards, each at a level of 5 % of its own."""
    names = ("accuracy", "macro_f1", "roc_auc")
    params = configured()
    return params.model_copy(update={"guards": names, "guard_alpha": len(names) * 0.05})


def decided(y: NDArray[np.int64], p: Floats, params: DecisionParams) -> Decision:
    """A first challenge of model 1 against model 0, from probabilities (models, rows, classes)."""
    scores = [Scores("multiclass", y, q.argmax(axis=1), q) for q in p]
    table = gate.gate_table(np.arange(len(y), dtype=np.uint64), *scores)
    classes = tuple(str(k) for k in range(p.shape[2]))
    request = gate.request_challenge(Champion("1"), table, "simulated rows", classes, FITS, params)
    challenge = Challenge(
        champion_version="1", number=1, challenge_id="", repeated=False, mlflow_run_id=None
    )
    return decide(table, request, challenge, NO_METRICS, REFIT, params)


def rare_class(rows: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """A challenger three points better on two classes; the rare one's recall falls from .8 to .6.

    Returns:
        Classes, shape (rows,), and probabilities, shape (2, rows, 3).
    """
    y = rng.choice(3, size=rows, p=[0.5 - RARE / 2, 0.5 - RARE / 2, RARE])
    common, own = rng.standard_normal(rows), rng.standard_normal((2, rows))
    luck = special.ndtr(np.sqrt(0.8) * common + np.sqrt(0.2) * own)
    recalls = np.array([[0.85, 0.85, 0.8], [0.88, 0.88, 0.6]])
    p = np.full((2, rows, 3), 0.07)
    for model in range(2):
        missed = luck[model] >= recalls[model][y]
        predicted = np.where(missed, (y + rng.integers(1, 3, rows)) % 3, y)
        p[model, np.arange(rows), predicted] = 0.86
    return y, p


def better_calibrated(rows: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """A challenger that is equally accurate; the champion doubles its log-odds."""
    noise = simulate.noise_of(0.0)
    y, p = simulate.draw(rng, np.array([noise, noise]), rows)
    p[0] = special.expit(2 * special.logit(p[0]))
    return y, np.stack([1 - p, p], axis=2)


World = Callable[[int, np.random.Generator], tuple[NDArray[np.int64], Floats]]


def outcomes(world: World, rows: int, params: DecisionParams, lives: int) -> dict[str, Rate]:
    """How often first challenges of such a world end in each way."""
    made = [
        decided(*world(rows, np.random.default_rng([SEED, rows, life])), params).outcome
        for life in range(lives)
    ]
    return {name: Rate(made.count(name) / lives, lives) for name in ("promoted", "guard_veto")}


def rows() -> Iterator[Bar]:
    """Every case, as it was and as it is."""
    for probes in PROBES:
        yield Bar(
            f"fitted to test metrics, promoted after {probes + len(STRENGTHS)} challenges",
            fitted(probes, metrics_shown),
            fitted(probes, as_told),
            0.05,
        )
    yield Bar(
        f"fitted to p-values alone, promoted after {PROBES[-1] + len(STRENGTHS)} challenges",
        fitted(PROBES[-1], p_value_shown),
        fitted(PROBES[-1], as_told),
        0.05,
    )
    cases: tuple[tuple[str, World, str, int, int, float | None], ...] = (
        # Forty rows of the class: that it is worse can hardly be shown. No bar.
        ("rare class from .8 to .6, promoted", rare_class, "promoted", 2_000, RARE_LIVES, None),
        ("rare class from .8 to .6, promoted", rare_class, "promoted", 10_000, RARE_LIVES, 0.05),
        (
            "equally accurate, better calibrated, vetoed",
            better_calibrated,
            "guard_veto",
            1_000,
            CALIBRATED_LIVES,
            0.05,
        ),
    )
    for case, world, outcome, size, lives, goal in cases:
        before, after = (
            outcomes(world, size, params, lives)[outcome]
            for params in (separate_guards(), configured())
        )
        yield Bar(f"{case}, {size:,} rows", before, after, goal)


def part(found: Sequence[Bar]) -> Part:
    """The part of the page that these figures are in."""
    return Part(
        "A challenger that is fitted to what runs show",
        (
            bars.table("How often it happens", found),
            Paragraph(
                "What it means. Here the champion states the true probabilities, so that every "
                "other model is worse. Challengers that add a noise of their own are tried on the "
                "same 1,000 rows; what is shown of them says which noises happen to look better "
                "there, and their sum challenges, too. With test metrics, or a gain, or a p-value, "
                "of each run such a challenger is promoted: any figure is enough. So a run shows "
                "the figures of a champion's first challenge and of what is promoted; of later "
                "challengers that are refused it shows validation metrics and the decision, a yes "
                "or no. `kedro releases --show-test RUN_ID` shows the rest and is written down as "
                "a use of the rows, which lowers the level of the next challenge; whoever fits "
                "challengers to what it shows is not protected. Neither are those who open a run's "
                "files: it is a guard against fooling oneself."
            ),
            Paragraph(
                "The guards: before, each metric vetoed at a level of 5 % of its own; now all "
                "share one, and the class whose recall has fallen most is among them. The rare "
                "class "
                "has 2 % of the rows: 40 of 2,000 can hardly show that its recall has fallen from "
                f"80 to 60 %, 200 of 10,000 can. {LIVES} lives of a fitted challenger, "
                f"{RARE_LIVES} of a rare class, {CALIBRATED_LIVES} of a better calibrated "
                "challenger; `python benchmarks/run.py --only reports`."
            ),
        ),
    )


def measure() -> bars.Measured:
    """Print a line a case; returns each with its bar."""
    found = []
    for row in rows():
        print("  ".join(row.cells), flush=True)
        found.append(row)
    return bars.measured(found)[0]


if __name__ == "__main__":
    measure()
