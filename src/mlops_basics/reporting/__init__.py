"""Plotly figures, HTML reports and the terminal's summary of a run."""
