"""What MkDocs calls while it builds the site; it finds modules of this folder while it loads it."""

from __future__ import annotations

from typing import Any

from reference_tables import filled_in


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the tables of the reference."""
    return filled_in(markdown)
