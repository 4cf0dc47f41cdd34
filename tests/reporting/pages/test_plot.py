"""Tests of the page that MLflow shows of one plot."""

from __future__ import annotations

import re

import plotly.graph_objects as go

from mlops_basics.reporting.figures.search import search_figure
from mlops_basics.reporting.pages.plot import plot_page
from tests.support.artifacts import make_trials
from tests.support.parsed_page import ParsedPage


def test_the_page_of_a_plot_is_small_and_says_what_to_do_without_a_network():
    """plotly.js is fetched, by its hash, from the one place that the page may load from."""
    figure = search_figure(make_trials(), "log_loss")
    page = plot_page("search_plot", figure)
    assert len(page) < 30_000 + 8 * len(figure.to_json())
    assert re.findall(r'src="([^"]+)"', page)[0].startswith("https://cdn.plot.ly/plotly-")
    assert 'integrity="sha' in page
    assert "script-src 'unsafe-inline' https://cdn.plot.ly;" in page
    assert "Each mark is a trial" in page
    assert "report.html" in page
    assert page == plot_page("search_plot", figure)


def test_a_figure_of_a_users_own_node_adds_no_markup():
    """Its texts and its name may hold anything; it has no reading aid."""
    evil = "</script><img src=x onerror=alert(1)>"
    figure = go.Figure(go.Pie(labels=[evil], values=[1]), layout={"title": {"text": evil}})
    page = ParsedPage(plot_page(evil, figure))
    assert "img" not in page.tags
