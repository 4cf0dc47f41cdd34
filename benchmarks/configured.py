"""What a simulated decision takes beside what is simulated: parameters, a run without faults."""

from __future__ import annotations

import functools
from pathlib import Path

from kedro.config import OmegaConfigLoader

from mlops_basics.schemas import DecisionParams, Metrics, OverfitCheck, RefitReport

CONF = Path(__file__).resolve().parents[1] / "conf"


@functools.cache
def configured() -> DecisionParams:
    """What conf/base says of the decision."""
    loader = OmegaConfigLoader(str(CONF), "base", base_env="base")
    return DecisionParams.model_validate(loader["parameters"]["decision"])


REFIT = RefitReport(rule="train_valid", rows=0)
NO_METRICS = Metrics(rows=0, confidence=0.95, metrics={})
FITS = OverfitCheck(
    gap=0,
    low=0,
    high=0,
    confidence=0.95,
    tolerance=0.25,
    train_loss=0,
    valid_loss=0,
    baseline_loss=1,
    overfitted=False,
    reason="",
)
