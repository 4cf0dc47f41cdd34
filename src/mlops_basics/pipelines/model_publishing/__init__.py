"""The model_publishing pipeline."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
