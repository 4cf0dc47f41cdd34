"""The MLflow server that the project points at, as one object that can be handed in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Tracking:
    """What is asked of the server; each call goes to the one that MLflow's settings name then."""

    def client(self) -> MlflowClient:
        """A client of the server."""
        from mlflow import MlflowClient

        return MlflowClient()

    def load_text(self, uri: str) -> str:
        """The content of an artifact, such as ``runs:/<id>/manifest.json``."""
        from mlflow.artifacts import load_text

        return str(load_text(uri))

    def download(self, uri: str, folder: Path) -> Path:
        """Write a folder of artifacts below ``folder``; where MLflow has put it."""
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(uri, dst_path=str(folder)))


MLFLOW = Tracking()
