"""The catalog's own dataset types: the only code that reads and writes outside Kedro's types."""

from fsspec import register_implementation

from .arrays import ArraysDataset
from .artifact import ArtifactDataset
from .challenge import ChallengeDataset
from .champion import ChampionDataset
from .model import SklearnModelDataset
from .monitoring_state import MonitoringStateDataset
from .registered_version import RegisteredVersionDataset
from .release import ProductionDataset, ReleaseDataset
from .safe_csv import SafeCSVDataset
from .search_monitor import SearchMonitorDataset
from .source import SourceDataset

# By name, so that s3fs is imported only when something is on S3. Kedro's own datasets and pandas
# open s3:// through fsspec's registry: time-outs, retries and fresh listings are theirs, too.
for _protocol in ("s3", "s3a"):
    register_implementation(
        _protocol, "mlops_basics.storage.s3_file_system.S3FileSystem", clobber=True
    )

__all__ = [
    "ArraysDataset",
    "ArtifactDataset",
    "ChallengeDataset",
    "ChampionDataset",
    "MonitoringStateDataset",
    "ProductionDataset",
    "RegisteredVersionDataset",
    "ReleaseDataset",
    "SafeCSVDataset",
    "SearchMonitorDataset",
    "SklearnModelDataset",
    "SourceDataset",
]
