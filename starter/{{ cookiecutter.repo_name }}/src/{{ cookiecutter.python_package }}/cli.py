"""The commands of mlops-basics; a function below ``@cli.command()`` is one more."""

from mlops_basics.cli import cli

__all__ = ["cli"]
