"""The catalog's own dataset types: the only code that reads and writes outside Kedro's types."""

from .artifact import ArtifactDataset
from .challenge import ChallengeDataset
from .champion import ChampionDataset
from .model import SklearnModelDataset
from .registered_version import RegisteredVersionDataset
from .release import ProductionDataset, ReleaseDataset
from .search_monitor import SearchMonitorDataset
from .source import SourceDataset

__all__ = [
    "ArtifactDataset",
    "ChallengeDataset",
    "ChampionDataset",
    "ProductionDataset",
    "RegisteredVersionDataset",
    "ReleaseDataset",
    "SearchMonitorDataset",
    "SklearnModelDataset",
    "SourceDataset",
]
