"""What a terminal shows."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table


def shown(table: Table) -> str:
    """A table as text, without the breaks that a terminal needs."""
    file = io.StringIO()
    console = Console(file=file, width=200)
    console.print(table)
    return file.getvalue()
