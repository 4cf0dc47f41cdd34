"""What the promotion decision is worth, measured with the project's own functions.

Writes docs/proof.html and docs/proof.md: ``python benchmarks/run.py --only proof``. Each part has
random numbers of its own, so that a test can make one part again and find it in the files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import (
    asked,
    bars,
    copies,
    days,
    dependent_days,
    fitted_reports,
    folds,
    many_classes,
    proof_page,
    simulate,
    years,
)
from benchmarks.configured import FITS, NO_METRICS, REFIT, configured
from benchmarks.proof_page import Bars, Curves, Paragraph, Part, Table
from benchmarks.rate import Rate, percent
from mlops_basics.pipelines.model_evaluation import gate
from mlops_basics.pipelines.model_evaluation.nodes import decide
from mlops_basics.schemas import ROW_HASH_COLUMN, Challenge, Champion, Decision
from mlops_basics.scoring.scores import Scores
from mlops_basics.stats.paired.spending import alpha_at

Floats = NDArray[np.float64]

DOCS = Path(__file__).resolve().parents[1] / "docs"
SEED = 8
SIZES = (100, 1_000, 10_000)
GAINS = (-0.02, -0.01, 0.0, 0.01, 0.02)
LIVES = {100: 20_000, 1_000: 10_000, 10_000: 2_000}  # challenges simulated, by rows
YEARS, YEAR_ROWS = 4_000, 1_000
WHOLE_LIVES = 100  # whole decisions, guards included, by rows and gain
LEVEL_ROWS, LEVEL_LIVES = (30, 100, 300, 1_000), 500_000
CHALLENGES = (1, 26, 52)

GATE, BY_ACCURACY = "this gate, challenge {k}", "this gate set to accuracy, challenge {k}"
PEERS = {
    "`new >= old` in accuracy": simulate.new_at_least_old,
    "accuracy >= champion's + 0.005": simulate.ahead_by_step,
    "accuracy >= 0.80 (fixed)": simulate.over_threshold,
    "McNemar at 5 % every time": lambda n, gain: simulate.mcnemar_at(n, gain, 0.05),
}
YEAR_NAMES = {
    "gate": "this gate",
    "gate by accuracy": "this gate set to accuracy",
    "McNemar at 5 %": "McNemar at 5 % every time",
    "champion + 0.005": "accuracy >= champion's + 0.005",
    "new >= old": "`new >= old` in accuracy",
    "accuracy >= 0.80": "accuracy >= 0.80 (fixed)",
}


@dataclass(frozen=True)
class Year:
    """A year by one rule: whether it promotes at all, and how often."""

    ever: Rate
    promotions: float
    error: float


def mean(year: Year) -> str:
    """Promotions a year with their standard error."""
    places = 2 if year.error >= 0.005 else 3
    return f"{year.promotions:.{places}f} ± {year.error:.{places}f}"


def generator(*part: int) -> np.random.Generator:
    """The random numbers of one part of the proof."""
    return np.random.default_rng([SEED, *part])


def challenges(n: int, gain: float, lives: int | None = None) -> simulate.Challenges:
    """Simulated challenges of the default test."""
    return simulate.challenge(gain, n, lives or LIVES[n], generator(1, n, GAINS.index(gain)))


def exact_rows(n: int) -> dict[str, list[Rate]]:
    """Chance of a promotion by the rules that look at accuracy, for each true gain; exact."""
    rows = {
        BY_ACCURACY.format(k=k): [Rate(simulate.mcnemar_at(n, g, alpha_at(k))) for g in GAINS]
        for k in CHALLENGES
    }
    return rows | {name: [Rate(rule(n, g)) for g in GAINS] for name, rule in PEERS.items()}


def gate_row(k: int, by_gain: list[simulate.Challenges]) -> list[Rate]:
    """Chance of a promotion by the default test, for each true gain; simulated."""
    return [Rate(simulated.share(alpha_at(k)), len(simulated.p_values)) for simulated in by_gain]


def year(gain: float, count: int = YEARS) -> dict[str, Year]:
    """A year of weekly challengers with this true gain over the first champion."""
    promotions = simulate_year(gain, count)
    return {
        name: Year(
            Rate(float(np.mean(by_year > 0)), count),
            float(by_year.mean()),
            float(by_year.std(ddof=1) / math.sqrt(count)),
        )
        for name, by_year in promotions.items()
    }


def simulate_year(gain: float, count: int) -> dict[str, NDArray[np.int64]]:
    """Promotions per year, by rule."""
    return years.simulate_years(gain, YEAR_ROWS, count, generator(2, GAINS.index(gain)))


def whole_decisions(n: int, gain: float, lives: int = WHOLE_LIVES) -> list[Decision]:
    """First challenges decided by the pipeline's own node, guards included."""
    rng = generator(3, n, GAINS.index(gain))
    noises = np.array([simulate.noise_of(0.0), simulate.noise_of(gain)])
    return [decision(*simulate.draw(rng, noises, n), 1) for _ in range(lives)]


def decision(y: NDArray[np.int64], p: Floats, number: int) -> Decision:
    """The decision about model 1 against model 0, from their probabilities of class 1."""
    scores = [
        Scores("binary", y, (q > 0.5).astype(np.int64), np.stack([1 - q, q], axis=1)) for q in p
    ]
    table: pd.DataFrame = gate.gate_table(np.arange(len(y), dtype=np.uint64), *scores)
    assert ROW_HASH_COLUMN in table
    params = configured()
    request = gate.request_challenge(
        Champion("1"), table, "simulated rows", ("0", "1"), FITS, params
    )
    challenge = Challenge(
        champion_version="1",
        number=number,
        challenge_id="simulated",
        repeated=False,
        mlflow_run_id=None,
    )
    return decide(table, request, challenge, NO_METRICS, REFIT, params)


def level_rows(n: int, lives: int = LEVEL_LIVES) -> dict[str, list[str]]:
    """Chance that a no better challenger passes on n rows, at the levels of some challenges."""
    pools = {
        "two calibrated models": simulate.no_better_pool(generator(4)),
        "an overconfident challenger": simulate.overconfident_pool(),
    }
    rows = {}
    for number, (name, pool) in enumerate(pools.items()):
        p = simulate.level_p_values(pool, n, lives, generator(5, n, number))
        levels = [0.05, *(alpha_at(k) for k in CHALLENGES)]
        rates = [str(Rate(float(np.mean(p <= level)), lives)) for level in levels]
        rows[name] = [*rates, year_sum(p)]
    return rows


def spent() -> float:
    """What a year of weekly challenges spends of alpha."""
    return sum(alpha_at(k) for k in range(1, years.WEEKS + 1))


def year_sum(p: Floats) -> str:
    """Sum of the chances of a year's challenges: a bound of that of any, whatever ties them."""
    levels = np.sort([alpha_at(k) for k in range(1, years.WEEKS + 1)])
    passed = years.WEEKS - np.searchsorted(levels, p)  # challenges whose level p is within
    error = passed.std(ddof=1) / math.sqrt(len(p))
    return f"{100 * passed.mean():.2f} ± {100 * error:.2f} %"


def points(gain: float) -> str:
    """A gain in words."""
    if gain == 0:
        return "equally good"
    number = abs(round(100 * gain))
    return f"{number} point{'s' if number > 1 else ''} {'better' if gain > 0 else 'worse'}"


def size_table(n: int, by_gain: list[simulate.Challenges]) -> Table:
    """Chance of a promotion, by rule and true gain."""
    rows = {GATE.format(k=k): gate_row(k, by_gain) for k in CHALLENGES} | exact_rows(n)
    return Table(
        f"Chance that one challenge on {n:,} rows ends in a promotion, by what the challenger "
        "truly is",
        ("rule", *(points(gain) for gain in GAINS)),
        [(name, *map(str, rates)) for name, rates in rows.items()],
    )


def year_table(equal: dict[str, Year], worse: dict[str, Year]) -> Table:
    """Needless promotions in a year, by rule."""
    return Table(
        f"52 weekly challengers, the same {YEAR_ROWS:,} rows",
        (
            "rule",
            "any promotion (equal challengers)",
            "promotions a year",
            "any promotion (1 point worse)",
        ),
        [
            (
                shown,
                str(equal[name].ever),
                mean(equal[name]),
                str(worse[name].ever),
            )
            for name, shown in YEAR_NAMES.items()
        ],
    )


def whole_table() -> Table:
    """The test alone beside the whole decision, on the same lives."""
    rows = []
    for n in SIZES:
        for gain in GAINS[3:]:
            made = whole_decisions(n, gain)
            passed = sum(d.p_value is not None and d.p_value <= alpha_at(1) for d in made)
            vetoed = sum(d.outcome == "guard_veto" for d in made)
            promoted = sum(d.promote for d in made)
            rows.append((f"{n:,}", points(gain), str(passed), str(vetoed), str(promoted)))
    return Table(
        f"First challenges, {WHOLE_LIVES} each, through the pipeline's own node `decide`",
        ("rows", "challenger", "passed the test", "vetoed by a guard", "promoted"),
        rows,
    )


def level_table() -> Table:
    """The level that is kept, by rows and kind of challenger."""
    rows = [(f"{n:,}", name, *rates) for n in LEVEL_ROWS for name, rates in level_rows(n).items()]
    promised = (f"promised {percent(alpha_at(k))} (challenge {k})" for k in CHALLENGES)
    return Table(
        f"Chance that a challenger of exactly equal mean loss passes, {LEVEL_LIVES:,} lives each",
        (
            "rows",
            "challenger",
            "promised 5 %",
            *promised,
            f"sum of challenges 1 to {years.WEEKS}, promised {percent(spent())}",
        ),
        rows,
    )


@dataclass(frozen=True)
class Proof:
    """The finished page, and the figures that have a bar."""

    parts: tuple[Part, ...]
    lead: str
    ever: Rate  # a needless promotion by the gate within a year
    found: asked.Found


def prove() -> Proof:
    """Simulate everything, and put it into words."""
    by_size = {n: [challenges(n, gain) for gain in GAINS] for n in SIZES}
    equal, worse = year(0.0), year(-0.01)
    ever, naive = equal["gate"].ever, equal["new >= old"]
    gate_1000, gate_10000 = (gate_row(1, by_size[n]) for n in (1_000, 10_000))
    misled = percent(simulate.new_at_least_old(100, -0.01))
    lead = (
        f"52 challengers that are no better: this gate promotes at all in {ever} of such years "
        f"(promise: at most 5 %), the rule new >= old in {naive.ever}. A challenger one point of "
        f"accuracy better is promoted at its first challenge in {gate_10000[3]} cases on 10,000 "
        f"rows and in {gate_1000[3]} on 1,000; one two points better in {gate_1000[4]} on 1,000."
    )
    found = asked.Found(
        copied=copies.rows(),
        hung=list(dependent_days.rows()),
        fitted=list(fitted_reports.rows()),
        folded=folds.rows(),
        seconds=many_classes.seconds(),
    )
    parts = (
        _what(by_size, equal),
        asked.part(found),
        Part(
            "A year of retraining: promotions that were not deserved",
            (
                Bars(
                    "Years with at least one needless promotion (52 equal challengers)",
                    [(YEAR_NAMES[name], one.ever.value) for name, one in equal.items()],
                    0.05,
                    "promise: 5 %",
                ),
                year_table(equal, worse),
                Paragraph(
                    "What it means: with `new >= old` the model in production changes "
                    f"{naive.promotions:.1f} times a year for nothing, each time with the work and "
                    "the risk of a release, and each time the measured accuracy seems to have "
                    "risen: the luckiest of 53 equal models wins. A fixed threshold promotes "
                    "whatever clears it, also what is worse than the champion. This gate spends "
                    "its 5 % over the champion's whole life, and a change in production means "
                    "something."
                ),
                Paragraph(
                    f"{YEARS:,} simulated years. The promoted model becomes the champion that the "
                    "next challenger meets (and by this gate a new life begins: a year then holds "
                    "more than one life, whose promises add up). New rows each week do not help a "
                    "rule of about even odds: 52 fair coins all fall on one side with probability "
                    "below 0.01 %."
                ),
            ),
        ),
        Part(
            "One challenge: who is promoted",
            (
                Curves(
                    "Chance of a promotion on 1,000 rows",
                    GAINS,
                    {
                        "this gate, challenge 1": [r.value for r in gate_1000],
                        "this gate, challenge 26": [r.value for r in gate_row(26, by_size[1_000])],
                        **{
                            name.replace("`", ""): [rule(1_000, g) for g in GAINS]
                            for name, rule in PEERS.items()
                        },
                    },
                ),
                *(size_table(n, by_size[n]) for n in SIZES),
                Paragraph(
                    "What it means. The columns to the left are mistakes, those to the right are "
                    "finds. On 100 rows a point or two can hardly be seen: rules that often "
                    "promote there often promote what is worse (`new >= old`: "
                    f"{misled} of the challengers one point worse). On 1,000 rows this gate finds "
                    "two points nearly always and one point in about half of the first "
                    "challenges; later challenges on the same rows find less, which is the price "
                    "of the promise: collect fresh rows (a decision says which gain it could have "
                    "seen). On 10,000 rows it finds one point always, without ever having "
                    "promoted the worse one here."
                ),
                Paragraph(
                    "The gate's default test looks at the log loss of each row, not only at right "
                    "or wrong: the same challenger is found with far fewer rows than by accuracy "
                    "(compare the lines `set to accuracy`). That holds where a better model also "
                    "has better probabilities, as here: one point of accuracy comes with "
                    f"{by_size[10_000][3].gain:.3f} nats. On real tables (iris, breast cancer) the "
                    "tests in tests/stats/paired/test_error_rates.py find the same order."
                ),
                Paragraph(
                    "Figures with ± are counted in "
                    + ", ".join(f"{LIVES[n]:,} lives of {n:,} rows" for n in SIZES)
                    + " (one standard error); the others are computed exactly. The level of "
                    f"challenge 1 is {percent(alpha_at(1))}, of challenge 26 "
                    f"{percent(alpha_at(26))}, of challenge 52 {percent(alpha_at(52))}; over a "
                    "whole life they sum to 5 %."
                ),
            ),
        ),
        days.part(lambda number: generator(6, number)),
        dependent_days.part(found.hung),
        Part(
            "What the guards take away",
            (
                whole_table(),
                Paragraph(
                    "After the test, accuracy, macro F1, ROC AUC and the recall of each class may "
                    "veto a challenger that is shown to be worse by them (one level of 5 % that "
                    "they share, not spent: a veto cannot cause a promotion). All other figures "
                    "of this page are of the test alone, so that needless promotions are at most "
                    "as often as shown."
                ),
            ),
        ),
        fitted_reports.part(found.fitted),
        folds.part(found.folded, folds.levels()),
        Part(
            "Where the promise ends",
            (
                level_table(),
                Paragraph(
                    "What it means. The overconfident challenger is the hardest we know: it gains "
                    "a little on nearly all rows and loses much on few (skewness -3.4). On 30 rows "
                    "such a disaster is often not among them, and no test can know: luck may pass "
                    "more often there than its level says, and the decision says so (below 20 "
                    "rows it refuses): a year of such challengers on the same 30 rows is not "
                    "protected. On 100 rows the small levels of late challenges are still passed "
                    "a little more often than promised, those of early ones less often; the sum "
                    "over a year, which bounds the chance of any needless promotion, keeps its "
                    "promise. From 300 rows on each level is kept. Skewer losses need more rows "
                    "(see src/mlops_basics/stats/paired/compare.py: skewness 4.6 from 300 rows "
                    "on); beyond, nothing is promised."
                ),
                Paragraph(
                    "Also outside of the promise: rows that depend on each other and are not told "
                    "to belong together (the same patient under two names), and groups that do "
                    "and are no days of `time_column` (sites of one region); what persists for "
                    "weeks; rows that do not look like production; a challenger designed by "
                    "looking at the rows on which the two disagree, or at figures of them that "
                    "were shown on demand. And a true gain is a gain on rows like these, nothing "
                    "more."
                ),
            ),
        ),
    )
    return Proof(parts, lead, ever, found)


def _what(by_size: dict[int, list[simulate.Challenges]], equal: dict[str, Year]) -> Part:
    rates = ", ".join(f"{percent(simulate.disagreement_with(g))} ({points(g)})" for g in GAINS)
    return Part(
        "What was simulated",
        (
            Paragraph(
                "Two classes. A row's true log-odds are normal with mean 0 and standard deviation "
                f"{simulate.SPREAD:g}; the class is drawn from them. A model sees the log-odds "
                "plus noise of its own and states nearly calibrated probabilities. The champion's "
                f"noise gives it a true accuracy of exactly {100 * simulate.ACCURACY:.0f} % (the "
                f"best possible is {100 * simulate.true_accuracy(1e-9):.1f} %); a challenger's "
                "noise makes it equally good, or 1 or 2 points better or worse. The noises of any "
                f"two models have correlation {simulate.correlation():.3f}, so that equally good "
                "ones disagree on 8 % of the rows. Disagreement with the champion: " + rates + "."
            ),
            Paragraph(
                f"numpy's default generator, seed [{SEED}, part, ...]; accuracies and disagreement "
                'are integrals, so that "no better" is no estimate. Challenges are judged by '
                "the functions that the pipeline calls: PairedSums and compare_losses, "
                "needed_gains of mcnemar, and alpha_at; years and levels by a vectorised form of "
                "them that the tests compare with the originals; whole decisions by the node "
                "itself. "
                f"Regenerate: `python benchmarks/run.py --only proof`. Lives: "
                f"{equal['gate'].ever.lives:,} years; single challenges "
                f"{len(by_size[1_000][0].p_values):,} on 1,000 rows."
            ),
        ),
    )


def write(proof: Proof, folder: Path = DOCS) -> None:
    """Write both files."""
    title = "What the promotion decision is worth"
    (folder / "proof.md").write_text(
        proof_page.markdown(title, proof.lead, proof.parts), encoding="utf-8"
    )
    (folder / "proof.html").write_text(
        proof_page.html_page(title, proof.lead, proof.parts), encoding="utf-8"
    )


def measure(folder: Path = DOCS) -> tuple[bars.Measured, bars.Measured]:
    """Write the page; returns what must be at most its bar, and what must be at least."""
    proof = prove()
    write(proof, folder)
    print(f"proof: {proof.lead}")
    print(f"proof: written to {folder / 'proof.html'} and proof.md")
    most, least = bars.measured(proof.found.bars)
    return [
        ("proof: years with a needless promotion / the promised 5 %", proof.ever.value / 0.05, 1.0),
        ("200 classes: CPU seconds of a decision", proof.found.seconds, asked.MOST_SECONDS),
        *most,
    ], least
