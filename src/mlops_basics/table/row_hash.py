"""A 64-bit hash of each row's values that does not depend on how the table was stored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_basics.errors import LineageError
from mlops_basics.schemas import ROW_HASH_COLUMN, Hashes, Part, Parts

from .engine import map_parts, reduce_parts
from .value_codes import MISSING, mix, text_codes, value_codes

_AT_ONCE = 1_000_000  # rows
_DIGEST_SALTS = (np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB))


def row_hashes(table: pd.DataFrame, columns: Sequence[str]) -> Hashes:
    """Hash each row's values in ``columns``.

    Equal values have equal hashes whatever their storage, see ``value_codes``: 1, 1.0, True and the
    text "1" are one value, and so are a time and its ISO text, a 32-bit float and its decimal, and
    every kind of missing value. So a row keeps its hash when it is read from CSV or from Parquet,
    or when another row turns an integer column into one of floats or of text. Other values have
    other hashes, whole numbers of 19 digits and texts that look like numbers among them.

    Args:
        table: Rows to hash; neither the index nor the order of rows and columns matters.
        columns: Names of the columns to hash, in any order.

    Returns:
        Array of shape (rows,).

    Raises:
        DataError: If a column holds lists or the like.
    """
    total = np.full(len(table), MISSING, dtype=np.uint64)
    for column in sorted(columns):
        name = text_codes(np.array([column], dtype=object))[0]
        total = mix(total ^ mix(value_codes(table[column]) ^ name))
    return total


def hashes_of_parts(table: Parts, columns: Sequence[str]) -> Hashes:
    """``row_hashes`` of all parts of a table, shape (rows,)."""
    return np.concatenate(list(map_parts(partial(_hashes_of_part, columns), table.parts)))


def repeated_rows(hashes: Hashes) -> int:
    """How many rows have the hash of an earlier one."""
    in_order = np.sort(hashes)
    return int((in_order[1:] == in_order[:-1]).sum())


def with_values(hashes: Hashes, values: pd.Series) -> Hashes:
    """A hash of each row's hash and its value, shape (rows,); in little memory."""
    found = np.empty_like(hashes)
    for begin in range(0, len(hashes), _AT_ONCE):
        rows = slice(begin, begin + _AT_ONCE)
        found[rows] = mix(hashes[rows] ^ mix(value_codes(values.iloc[rows])))
    return found


def _hashes_of_part(columns: Sequence[str], part: Part) -> Hashes:
    return row_hashes(part.read(columns), columns)


def content_digest(hashes: Hashes) -> str:
    """A digest of rows that does not depend on their order, and adds up over parts of a table.

    Two sums, modulo 2^64, of differently mixed hashes: as multisets of equal hashes they agree, of
    others with a probability of about 2^-64, the hashes' own width. A sum, not an exclusive or, in
    which two equal rows would cancel each other [1]. It is no protection against someone who
    looks for a collision.

    Args:
        hashes: Of the rows, shape (rows,).

    References:
        [1] D. Clarke, S. Devadas, M. van Dijk, B. Gassend and G. E. Suh, "Incremental multiset
            hash functions and their application to memory integrity checking", ASIACRYPT 2003.
    """
    return _digest_text([int(mix(hashes ^ salt).sum(dtype=np.uint64)) for salt in _DIGEST_SALTS])


def digest_of_parts(table: Parts, columns: Sequence[str]) -> str:
    """``content_digest`` of all rows of a table, by the hashes of ``columns``."""
    digest = partial(_digest_of_part, columns)
    return reduce_parts(digest, lambda one, other: joined_digest([one, other]), table.parts)


def _digest_of_part(columns: Sequence[str], part: Part) -> str:
    return content_digest(_hashes_of_part(columns, part))


def rows_of_digest(hashes: Hashes, digest: str) -> int:
    """How many of the first rows have this ``content_digest``; 0 where none have.

    Args:
        hashes: Of the rows, shape (rows,).
        digest: Of rows that may be the first of these.
    """
    wanted = np.array(_sums(digest), dtype=np.uint64)
    sums = [np.cumsum(mix(hashes ^ salt), dtype=np.uint64) for salt in _DIGEST_SALTS]
    ends = np.flatnonzero((sums[0] == wanted[0]) & (sums[1] == wanted[1]))
    return int(ends[-1]) + 1 if ends.size else 0


def joined_digest(parts: Sequence[str]) -> str:
    """The digest of all rows of some parts, from the parts' own digests."""
    if len(parts) == 1:
        return parts[0]
    pairs = [_sums(part) for part in parts]
    return _digest_text([sum(pair[at] for pair in pairs) for at in (0, 1)])


def find_run(parts: Sequence[str], whole: str) -> slice | None:
    """Where neighbouring parts are all the rows of a whole, by their digests.

    Args:
        parts: Digests, in their order.
        whole: The digest that they have to add up to.

    Returns:
        The first run of two parts at least, None where there is none.
    """
    before = {joined_digest([]): 0}  # how many parts the rows up to here are
    total = joined_digest([])
    for end, part in enumerate(parts, start=1):
        total = joined_digest([total, part])
        begin = before.get(
            _digest_text([t - w for t, w in zip(_sums(total), _sums(whole), strict=True)])
        )
        if begin is not None and end - begin > 1:
            return slice(begin, end)
        before.setdefault(total, end)
    return None


def _sums(digest: str) -> tuple[int, int]:
    return int(digest[:16], 16), int(digest[16:], 16)


def _digest_text(sums: Sequence[int]) -> str:
    return "".join(f"{value % 2**64:016x}" for value in sums)


def salted_fractions(hashes: Hashes, salt: str) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1), one a hash, independent between salts.

    Args:
        hashes: Array of shape (rows,).
        salt: Any text.
    """
    key = text_codes(np.array([salt], dtype=object))[0]
    return (mix(hashes ^ mix(np.asarray(key))) >> np.uint64(11)).astype(np.float64) / 2.0**53


def smallest_hashes(
    hashes: Hashes, among: npt.NDArray[np.bool_], salt: str, most: int | None
) -> npt.NDArray[np.bool_]:
    """A sample of rows that depends on the rows alone, not on their order or their files.

    Args:
        hashes: Of all rows, shape (rows,).
        among: Those whose number is bounded, shape (rows,).
        salt: Any text.
        most: How many of these are kept at most; None for all. Rows of one hash are kept together.

    Returns:
        A mask of shape (rows,): as large a share of the other rows.
    """
    if most is None or int(among.sum()) <= most:
        return np.ones(len(hashes), dtype=bool)
    fractions = salted_fractions(hashes, f"{salt} max_rows")
    return np.asarray(fractions < np.partition(fractions[among], most)[most])


def rows_by_hash(
    table: Parts, wanted: pd.DataFrame, target: str
) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
    """The rows of a table that belong to those of another, whatever the order of the table.

    Rows belong together by their hash; of several with one hash, the n-th to the n-th.

    Args:
        table: Rows with their hash and target.
        wanted: Rows with their hash and target, shape (n, columns).
        target: Name of the target column.

    Returns:
        Rows of ``table``, shape (n, columns of the table), in the order of ``wanted``; and their
        positions in it, shape (n,).

    Raises:
        LineageError: If a row of ``wanted`` lacks its counterpart, or one of its hash occurs
            another number of times, or has another target.
    """
    hashes, keys = (rows[ROW_HASH_COLUMN].to_numpy(dtype=np.uint64) for rows in (table, wanted))
    candidates = np.flatnonzero(np.isin(hashes, keys))
    candidates = candidates[np.argsort(hashes[candidates], kind="stable")]
    order = np.argsort(keys, kind="stable")
    remedy = "Run again what divides the rows: kedro run --pipeline data_preprocessing"
    if not np.array_equal(hashes[candidates], keys[order]):
        raise LineageError(
            f"{len(keys)} rows do not belong to the table that they are looked up in: it holds "
            f"{len(candidates)} rows with their hashes. {remedy}"
        )
    positions = np.empty(len(keys), dtype=np.intp)
    positions[order] = candidates
    rows = table.take(positions)
    differs = rows[target].to_numpy() != wanted[target].to_numpy()
    if differs.any():
        raise LineageError(
            f"{int(differs.sum())} of {len(keys)} rows have another target '{target}' in the table "
            f"that they are looked up in. {remedy}"
        )
    return rows, positions
