"""The project's context without a run, for commands that only look at the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession


def load_context(
    project_path: Path | None, env: str | None, runtime_params: dict[str, Any]
) -> KedroContext:
    """Load the context, which also points MLflow at the configured server.

    Args:
        project_path: Root of the project; None: found from the working folder.
        env: A folder of conf/.
        runtime_params: As in ``kedro run --params``.
    """
    session: Any = KedroSession.create(project_path, env=env, runtime_params=runtime_params)
    context: KedroContext = session.load_context()
    return context
