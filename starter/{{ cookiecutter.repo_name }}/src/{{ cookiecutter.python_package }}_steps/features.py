"""Feature steps, which `features` in conf/base/globals.yml names: part of the model itself."""

import pandas as pd


def count_missing(table: pd.DataFrame) -> pd.DataFrame:
    """Add how many values of a row are missing: an example to replace or remove."""
    return table.assign(missing_values=table.isna().sum(axis=1).astype("float64"))
