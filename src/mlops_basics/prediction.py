"""What a release predicts from: a batch's features as the model takes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_basics.errors import DataError
from mlops_basics.features import typed_features
from mlops_basics.schemas import Batch, TableInfo


def batch_features(batch: Batch, table: TableInfo) -> pd.DataFrame:
    """The features of a batch, shape (rows, features); rows with missing values included.

    Raises:
        DataError: If the batch cannot be read, lacks a column of the model, or holds text where
            the model needs numbers.
    """
    if batch.fault:
        raise DataError(batch.fault)
    try:
        features = typed_features(batch.table, table.features)
    except DataError as error:
        raise DataError(f"The batch '{batch.name}' does not fit the model: {error}") from error
    for name in table.features:
        values = features[name]
        if values.isna().all():
            # without a value there is no type to be seen
            features[name] = values.astype("float64" if name in table.numeric else "str")
        elif name in table.numeric and values.dtype != np.float64:
            stray = values.dropna().iloc[0]
            raise DataError(
                f"The batch '{batch.name}' does not fit the model: its column '{name}' must hold "
                f"numbers, but holds {stray!r}. Mend the batch."
            )
    return features
