"""The catalog's own dataset types: the only code that reads and writes outside Kedro's types.

Each is imported when it is asked for: a command that reads a source needs no MLflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arrays import ArraysDataset
    from .artifact import ArtifactDataset
    from .challenge import ChallengeDataset
    from .champion import ChampionDataset
    from .metrics import MetricsDataset
    from .model import SklearnModelDataset
    from .monitoring_state import MonitoringStateDataset
    from .parts import PartsDataset
    from .registered_version import RegisteredVersionDataset
    from .release import ProductionDataset, ReleaseDataset
    from .safe_csv import SafeCSVDataset
    from .search_monitor import SearchMonitorDataset
    from .source import SourceDataset

__all__ = [
    "ArraysDataset",
    "ArtifactDataset",
    "ChallengeDataset",
    "ChampionDataset",
    "MetricsDataset",
    "MonitoringStateDataset",
    "PartsDataset",
    "ProductionDataset",
    "RegisteredVersionDataset",
    "ReleaseDataset",
    "SafeCSVDataset",
    "SearchMonitorDataset",
    "SklearnModelDataset",
    "SourceDataset",
]

_MODULES = {
    "ArraysDataset": "arrays",
    "ArtifactDataset": "artifact",
    "ChallengeDataset": "challenge",
    "ChampionDataset": "champion",
    "MetricsDataset": "metrics",
    "MonitoringStateDataset": "monitoring_state",
    "PartsDataset": "parts",
    "ProductionDataset": "release",
    "RegisteredVersionDataset": "registered_version",
    "ReleaseDataset": "release",
    "SafeCSVDataset": "safe_csv",
    "SearchMonitorDataset": "search_monitor",
    "SklearnModelDataset": "model",
    "SourceDataset": "source",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
