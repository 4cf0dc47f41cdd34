"""Kedro's project settings: those of mlops-basics, which may be added to below."""

from mlops_basics.settings import *  # noqa: F403
