"""Challengers in a real MLflow store, and small real releases."""

from tests.support.challengers import database, store, workshop  # noqa: F401 (fixtures)
from tests.support.releases import folder, quick_checks, small  # noqa: F401 (fixtures)
