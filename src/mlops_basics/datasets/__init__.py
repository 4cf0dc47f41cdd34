"""The catalog's own dataset types: the only code that reads and writes outside Kedro's types."""

from .artifact import ArtifactDataset
from .model import SklearnModelDataset
from .search_monitor import SearchMonitorDataset
from .source import SourceDataset

__all__ = ["ArtifactDataset", "SearchMonitorDataset", "SklearnModelDataset", "SourceDataset"]
