"""The proof for users: its simulation against closed forms, and its committed figures."""

import html
import math
import re

import numpy as np
import pytest
from benchmarks import copies, days, proof, proof_page, simulate, years
from scipy import stats

from mlops_basics.stats.paired.compare import compare_losses
from mlops_basics.stats.paired.groups import group_sums
from mlops_basics.stats.paired.mcnemar import PairedCounts, mcnemar
from mlops_basics.stats.paired.spending import alpha_at
from mlops_basics.stats.paired.sums import PairedSums

MARKDOWN = (proof.DOCS / "proof.md").read_text(encoding="utf-8")
HTML = (proof.DOCS / "proof.html").read_text(encoding="utf-8")


def _cells(line):
    return [cell.strip() for cell in line.strip("| \n").split(" | ")]


def _rows(caption):
    """The rows of the table under a caption, by their first cell."""
    after = MARKDOWN.split(f"*{caption}", 1)[1].split("\n\n")[1]
    return {cells[0]: cells[1:] for cells in map(_cells, after.splitlines()[2:])}


def test_accuracies_and_disagreement_are_as_stated():
    """The stated truths hold exactly, and the models that are drawn have them."""
    for gain in proof.GAINS:
        noise = simulate.noise_of(gain)
        assert simulate.true_accuracy(noise) == pytest.approx(simulate.ACCURACY + gain, abs=1e-9)
    assert simulate.disagreement_with(0.0) == pytest.approx(simulate.DISAGREEMENT, abs=1e-6)
    noises, rows = np.array([simulate.noise_of(0.0), simulate.noise_of(0.02)]), 400_000
    y, p = simulate.draw(np.random.default_rng(0), noises, rows)
    right = (p > 0.5) == y
    for share, truth in (
        (right[0].mean(), 0.82),
        (right[1].mean(), 0.84),
        ((right[0] != right[1]).mean(), simulate.disagreement_with(0.02)),
    ):
        assert abs(share - truth) < 4 * math.sqrt(truth * (1 - truth) / rows)


def test_independent_noises_disagree_as_by_the_arcsine_law():
    """Orthants of a normal pair: with enormous noise two models agree by their correlation."""
    for r in (0.0, 0.5, 0.9):
        expected = math.acos(r) / math.pi
        assert simulate.true_disagreement(1e6, 1e6, r) == pytest.approx(expected, abs=2e-4)


def test_ties_decide_new_at_least_old_exactly():
    """For equal models P(new >= old) is (1 + P(tie)) / 2, and P(new > old) the rest."""
    for n in (1, 10, 101):
        rate = simulate.disagreement_with(0.0)
        tie = sum(
            stats.binom.pmf(2 * j, n, rate) * stats.binom.pmf(j, 2 * j, 0.5)
            for j in range(n // 2 + 1)
        )
        assert simulate.at_least(n, 0.0, 0) == pytest.approx((1 + tie) / 2, abs=1e-12)
        assert simulate.at_least(n, 0.0, 1) == pytest.approx((1 - tie) / 2, abs=1e-12)


def test_rules_of_accuracy_by_enumeration():
    """The rules' probabilities equal those of all enumerated outcomes of 7 rows."""
    n, gain = 7, 0.02
    rate = simulate.disagreement_with(gain)
    better, worse = (rate + gain) / 2, (rate - gain) / 2
    found = dict.fromkeys(("old", "step", "mcnemar"), 0.0)
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            chance = stats.multinomial.pmf(
                [gained, lost, n - gained - lost], n, [better, worse, 1 - rate]
            )
            found["old"] += chance * (gained >= lost)
            found["step"] += chance * ((gained - lost) / n >= 0.005)
            counts = PairedCounts(n=n, both_right=0, gained=gained, lost=lost)
            found["mcnemar"] += chance * mcnemar(counts, alpha=0.05).significant
    assert simulate.new_at_least_old(n, gain) == pytest.approx(found["old"], abs=1e-12)
    assert simulate.ahead_by_step(n, gain) == pytest.approx(found["step"], abs=1e-12)
    assert simulate.mcnemar_at(n, gain, 0.05) == pytest.approx(found["mcnemar"], abs=1e-9)
    threshold = sum(stats.binom.pmf(j, n, 0.84) for j in range(n + 1) if j / n >= 0.80)
    assert simulate.over_threshold(n, gain) == pytest.approx(threshold, abs=1e-12)


def test_vectorised_p_values_are_those_of_the_gate():
    """What the years and levels use equals compare_losses and mcnemar."""
    y, p = simulate.draw(np.random.default_rng(1), np.full(6, simulate.noise_of(0.0)), 200)
    losses = simulate.log_losses(y, p)
    one_by_one = [
        compare_losses(PairedSums.from_losses(losses[0], each)).p_value for each in losses[1:]
    ]
    np.testing.assert_allclose(simulate.loss_p_values(losses[0], losses[1:]), one_by_one, rtol=1e-9)
    gained, lost = np.array([0, 3, 9, 12]), np.array([0, 5, 2, 1])
    exact = [
        mcnemar(PairedCounts(n=100, gained=int(g), lost=int(b))).p_value
        for g, b in zip(gained, lost, strict=True)
    ]
    np.testing.assert_allclose(simulate.mcnemar_p(gained, lost), exact, rtol=1e-12)


def test_days_are_judged_as_the_gate_judges_groups():
    """Testing the days' means gives the same result as group_sums with groups of equal size."""
    known = simulate.Days(30, 25, 1.0)
    noises = np.array([simulate.noise_of(0.0), simulate.noise_of(0.01)])
    y, p = simulate.draw_days(np.random.default_rng(5), noises, np.array([0.2, -0.2]), known)
    losses = simulate.log_losses(y, p)
    by_day = known.means(losses)
    found = simulate.loss_p_values(by_day[0], by_day[1:])[0]
    expected = compare_losses(group_sums(losses[0], losses[1], np.arange(750) // 25))
    assert found == pytest.approx(expected.p_value, rel=1e-9)


def test_models_that_lean_to_either_class_are_equally_good():
    """Over many days they are equally good; on a single day they are not."""
    known = simulate.Days(10_000, 50, 1.0)
    noises = np.full(2, simulate.noise_of(0.0))
    y, p = simulate.draw_days(np.random.default_rng(6), noises, np.array([0.2, -0.2]), known)
    losses = simulate.log_losses(y, p)
    gains = losses[0] - losses[1]
    by_day = known.means(gains)
    assert abs(by_day.mean()) < 4 * by_day.std() / math.sqrt(10_000)
    assert by_day.std() > 1.3 * gains.std() / math.sqrt(50)
    shares = known.means(y.astype(float))
    chance = math.sqrt(shares.var() - 0.25 / 50)  # without that of drawing 50 rows
    assert chance == pytest.approx(days.class_share_spread(1.0), abs=0.005)


def test_the_node_decides_by_the_simulated_p_value():
    """The pipeline's own node gives the p-value and the level that the page counts with."""
    y, p = simulate.draw(
        np.random.default_rng(2), np.array([simulate.noise_of(g) for g in (0.0, 0.02)]), 500
    )
    made = proof.decision(y, p, 3)
    losses = simulate.log_losses(y, p)
    assert made.p_value == pytest.approx(float(simulate.loss_p_values(losses[0], losses[1:])[0]))
    assert made.alpha == alpha_at(3)


def _year_of(right):
    right = np.array(right, dtype=bool)
    return years.Rows(1.0 - right, right)


def test_a_year_by_hand():
    """new >= old follows the champion that it makes itself; a threshold promotes what clears it."""
    rows = _year_of([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    assert years.promotions(years.RULES["new >= old"], rows) == 1
    assert years.promotions(years.RULES["accuracy >= 0.80"], rows) == 1
    assert years.promotions(years.RULES["McNemar at 5 %"], rows) == 0


def test_promotions_of_equal_models_are_records():
    """Without ties the k-th of equal models is the best so far with probability 1 / k."""
    rng, lives, models = np.random.default_rng(3), 400, 20

    def better_loss(rows, champion, later, _levels):
        return rows.losses[later].mean(axis=1) < rows.losses[champion].mean()

    noises = np.full(models, simulate.noise_of(0.0))
    counts = []
    for _ in range(lives):
        y, p = simulate.draw(rng, noises, 50)
        rows = years.Rows(simulate.log_losses(y, p), (p > 0.5) == y)
        counts.append(years.promotions(better_loss, rows))
    records = 1 / np.arange(2, models + 1)
    error = math.sqrt((records * (1 - records)).sum() / lives)
    assert abs(np.mean(counts) - records.sum()) < 4 * error


def test_lives_of_one_cluster_are_one_witness():
    """Ten equal lives in each of four clusters say what four lives do; alone they are a share."""
    together = proof.Rate.of_clusters([10, 0, 10, 0], [10] * 4)
    assert (together.value, together.lives) == (0.5, 40)
    assert together.error == pytest.approx(math.sqrt(0.25 / 3))
    alone = proof.Rate.of_clusters([1, 0] * 20, [1] * 40)
    assert alone.error == pytest.approx(math.sqrt(0.25 / 39))


def test_copies_are_decided_as_the_table_is():
    """Rows as witnesses change some decisions, copies as one of them change none."""
    before, now = copies.differing(lives=30)
    assert before.value > 0.1
    assert now.value == 0
    assert copies.years(3, 5)[1].value == 0


def test_rates_in_words():
    """Exact figures stand alone, counted ones with their standard error, extremes as counts."""
    assert str(proof.Rate(0.5)) == "50.0 %"
    assert str(proof.Rate(0.00036)) == "0.036 %"
    assert str(proof.Rate(0.5, 10_000)) == "50.0 ± 0.5 %"
    assert str(proof.Rate(0.0, 2_000)) == "0 of 2,000"
    assert str(proof.Rate(1.0)) == "> 99.9 %"


@pytest.mark.parametrize("n", proof.SIZES)
def test_committed_exact_figures(n):
    """The committed page holds what the code computes, for every rule that looks at accuracy."""
    table = _rows(f"Chance that one challenge on {n:,} rows")
    for name, rates in proof.exact_rows(n).items():
        assert table[name] == [str(rate) for rate in rates]


@pytest.mark.slow
def test_committed_figures_of_days():
    """One column made again; the promise holds by days and does not by rows."""
    found = days.simulate_spread(2, lambda number: proof.generator(6, number))
    table = _rows("Chance that an equally good challenger passes one test")
    for name, *rates in days.level_rows([found[0]]):
        assert table[name][2] == rates[0]
    ever = _rows("Years in which one of 52 equal challengers")
    by_days, by_rows = (
        [float(re.match(r"[\d.]+", cell)[0]) for cell in ever[name]]
        for name in (days.BY_DAYS, days.BY_ROWS)
    )
    assert max(by_days) <= 5
    assert by_rows[2] > 10


@pytest.mark.slow
def test_committed_simulated_figures():
    """A part of the simulation, made again with its seed, gives the committed figures."""
    table = _rows("Chance that one challenge on 100 rows")
    found = proof.challenges(100, 0.01)
    for k in proof.CHALLENGES:
        rate = proof.gate_row(k, [found])[0]
        assert table[proof.GATE.format(k=k)][proof.GAINS.index(0.01)] == str(rate)
    for name, rates in proof.level_rows(30).items():
        assert f"| 30 | {name} | {' | '.join(rates)} |" in MARKDOWN


def test_committed_year_keeps_the_promise():
    """In the committed page the gate keeps its 5 %, and the naive rule does not."""
    table = _rows("52 weekly challengers")
    ever = {name: float(re.match(r"[\d.]+", cells[0])[0]) for name, cells in table.items()}
    assert ever["this gate"] <= 5
    assert ever["this gate set to accuracy"] <= 5
    assert ever["`new >= old` in accuracy"] > 90
    lead = MARKDOWN.splitlines()[2]
    assert table["this gate"][0] in lead
    assert table["`new >= old` in accuracy"][0] in lead


def test_both_files_say_the_same():
    """Every cell of the Markdown is in the HTML, which is small and reaches no network."""
    cells = {
        cell.replace("`", "")
        for line in MARKDOWN.splitlines()
        if line.startswith("| ")
        for cell in _cells(line)
    } - {"---"}
    shown = html.unescape(re.sub("</?code>", "", HTML))
    assert [cell for cell in cells if cell not in shown] == []
    assert len(HTML) < 150_000
    assert not re.search(r"(src|href)=|https?://", HTML)


def test_the_page_shows_every_block():
    """Words with code, a table and both charts, all escaped."""
    blocks = (
        proof_page.Paragraph("`a` < b"),
        proof_page.Table("of rules", ("rule", "share"), [("`new >= old`", "1 %")]),
        proof_page.Bars("shares", [("this gate", 0.1), ("a < b", 0.5)], 0.05, "promise"),
        proof_page.Curves("gains", (-0.01, 0.0, 0.01), {"this gate": (0.0, 0.1, 0.9)}),
    )
    page = proof_page.html_page("Title", "lead `x`", [proof_page.Part("Heading", blocks)])
    for shown in (
        '<p class="lead">lead <code>x</code></p>',
        "<h2>Heading</h2>",
        "<p><code>a</code> &lt; b</p>",
        "<caption>of rules</caption>",
        '<th scope="row"><code>new &gt;= old</code></th><td>1 %</td>',
        ">a &lt; b</text>",
    ):
        assert shown in page
    assert page.count("<svg") == 2
