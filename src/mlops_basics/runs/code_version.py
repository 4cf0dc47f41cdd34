"""What a run was made with: commit, lock, Python, libraries, the user's own packages."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mlops_basics.config.own_code import own_packages
from mlops_basics.schemas import Code

#: Libraries whose version can change a model or its predictions.
LIBRARIES = (
    "kedro",
    "mlflow",
    "mlops-basics",  # where it is installed; a checkout is told by its commit
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skops",
    "skrub",
)


def describe_code(project_path: Path) -> Code:
    """Describe the code and the environment that run now.

    Args:
        project_path: Root of the project; it need not be a git repository.
    """
    commit = _git(project_path, "rev-parse", "HEAD")
    status = _git(project_path, "status", "--porcelain")
    lock = project_path / "requirements.txt"
    return Code(
        git_commit=commit or None,
        git_dirty=None if status is None else bool(status),
        lock_sha256=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None,
        python=platform.python_version(),
        own_code=own_packages(project_path / "src"),
        libraries={name: found for name in LIBRARIES if (found := installed(name))},
    )


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers, or None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def installed(name: str) -> str | None:
    """The version of a library; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
