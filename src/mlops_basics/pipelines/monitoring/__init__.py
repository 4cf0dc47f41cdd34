"""The monitoring pipeline."""

from .pipeline import create_hearing_pipeline, create_pipeline

__all__ = ["create_hearing_pipeline", "create_pipeline"]
