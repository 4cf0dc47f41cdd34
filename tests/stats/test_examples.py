"""The examples in the docstrings of the statistics: what they show is what comes out."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from mlops_basics import stats

MODULES = [
    module.name
    for module in pkgutil.walk_packages(stats.__path__, f"{stats.__name__}.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    """Each as a reader would type it."""
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    """The tests above would pass without any."""
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in MODULES]
    assert sum(len(found.examples) for module in modules for found in finder.find(module)) > 100
