"""The catalog's own dataset types: the only code that reads and writes outside Kedro's types."""

from .arrays import ArraysDataset
from .artifact import ArtifactDataset
from .challenge import ChallengeDataset
from .champion import ChampionDataset
from .metrics import MetricsDataset
from .model import SklearnModelDataset
from .monitoring_state import MonitoringStateDataset
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
    "ProductionDataset",
    "RegisteredVersionDataset",
    "ReleaseDataset",
    "SafeCSVDataset",
    "SearchMonitorDataset",
    "SklearnModelDataset",
    "SourceDataset",
]
