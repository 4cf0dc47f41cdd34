"""Tests of what the monitor says of a class that a release hardly ever finds."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from mlops_basics.pipelines.monitoring.unfound import unfound_classes
from mlops_basics.schemas import Watch
from tests.support.watched import file_of, look, rows_of

#: 40 test rows of 'no', all right, and 20 of 'yes', of which 4 are found.
ERRORS = pd.DataFrame({"error": [0.0] * 44 + [1.0] * 16, "class": [0] * 40 + [1] * 20})


def told(losses: pd.DataFrame, loss="error") -> list[str]:
    """The warnings of release 7."""
    watch = Watch(version="7", loss=loss, sequential={})
    return unfound_classes(watch, SimpleNamespace(losses=losses), ("no", "yes"))


def test_a_class_that_is_hardly_found_is_told_with_what_watches_it():
    """The rare one alone, with its rows and the parameter."""
    (line,) = told(ERRORS)
    assert line.startswith("Release 7 hardly ever finds 'yes': 4 of its 20 test rows.")
    assert "`monitoring: {loss: brier}`" in line


@pytest.mark.parametrize(
    ("losses", "loss"),
    [
        (ERRORS.assign(brier=ERRORS["error"]), "brier"),
        (ERRORS.drop(columns="class"), "error"),  # an older release, or a regression
        (ERRORS.tail(9), "error"),
        (ERRORS.assign(error=0.0), "error"),
    ],
    ids=["probabilities are watched", "classes are unknown", "too few rows", "all are found"],
)
def test_nothing_is_told_otherwise(losses, loss):
    """Where another loss is watched, or nothing is known or wrong."""
    assert told(losses, loss) == []


def test_a_look_tells_it(release):
    """Among the warnings of the page and the summary."""
    losses = release.reference.losses.assign(error=1.0)
    blind = replace(release, reference=replace(release.reference, losses=losses))
    warnings = look(blind, [file_of("c.csv", rows_of())]).verdict.warnings
    assert any("hardly ever finds 'tall'" in line for line in warnings)
    assert not look(release, [file_of("c.csv", rows_of())]).verdict.warnings
