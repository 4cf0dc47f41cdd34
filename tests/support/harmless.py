"""How names that come from data must be shown."""

from __future__ import annotations

import plotly.graph_objects as go


def assert_harmless(figure: go.Figure) -> None:
    """Assert that hostile names are shown as text, and no more of one than fits."""
    text = str(figure.to_dict())
    assert not any(tag in text for tag in ("<script", "</script", "<b>", "<i>", "x" * 60))
    assert "&lt;script&gt;" in text
