"""Checks of arguments, with one message form: ``<name> must be <rule>, got <value!r>``."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def level(alpha: float, name: str = "alpha") -> float:
    """A level strictly between 0 and 0.5."""
    if not 0 < alpha < 0.5:
        raise ValueError(f"{name} must be between 0 and 0.5, got {alpha!r}")
    return float(alpha)


def gain_in_shares(value: float) -> float:
    """A gain in a share (accuracy, AUC) that has to be exceeded: between -1 and 1."""
    if not -1 < value < 1:
        raise ValueError(f"min_gain must be between -1 and 1, got {value!r}")
    return float(value)


def finite(value: float, name: str) -> float:
    """A finite number."""
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return float(value)


def count(value: int, name: str, at_least: int = 0) -> int:
    """A whole number not less than ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        raise ValueError(f"{name} must be an integer not less than {at_least}, got {value!r}")
    return int(value)


def vector(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """A one-dimensional array of finite floats."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got {array.shape!r}")
    if not np.isfinite(array).all():
        bad = float(array[~np.isfinite(array)][0])
        raise ValueError(f"{name} must be finite, got {bad!r}")
    return array


def codes(values: ArrayLike, name: str, n_classes: int) -> NDArray[np.integer]:
    """A one-dimensional array of integer class codes 0 ... n_classes - 1."""
    array = np.asarray(values)
    if array.dtype == np.bool_ or array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got {array.shape!r}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be integer class codes, got {str(array.dtype)!r}")
    if array.size and (array.min() < 0 or array.max() >= n_classes):
        bad = int(array.max() if array.max() >= n_classes else array.min())
        raise ValueError(f"{name} must be in 0 ... {n_classes - 1}, got {bad!r}")
    return array


def same_length(name: str, length: int, expected: int) -> None:
    """Two inputs that describe the same rows have as many rows."""
    if length != expected:
        raise ValueError(f"{name} must be of length {expected}, got {length!r}")
