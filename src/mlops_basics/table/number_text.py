"""Numbers that a table holds as text because they are written otherwise than expected."""

from __future__ import annotations

import pandas as pd

#: How numbers may be written, and what to do about it.
_WAYS = (
    (
        r"[+-]?\d+,\d+|[+-]?\d{1,3}(?:[. ]\d{3})+,\d+",
        "with a decimal comma",
        "Set in globals.yml: csv: {decimal: ','}, with thousands: '.' if points divide thousands; "
        "or thousands: ',' if the commas divide thousands",
    ),
    (
        r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?",
        "with commas between thousands",
        "Set in globals.yml: csv: {thousands: ','}",
    ),
    (
        r"[+-]?[1-9]\d{0,2}(?:[ \u00a0\u2009\u202f'\u2019]\d{3})+(?:[.,]\d+)?",
        "with spaces or apostrophes between thousands",
        "Write them without, or set in globals.yml what divides thousands: csv: {thousands: ' '}",
    ),
    (r"\([\d.,]*\d\)", "with negative ones in brackets", "Write them with a minus sign"),
    (r"[\u2212\u2013]\d+(?:[.,]\d+)?", "with a long minus sign", "Write the sign as -"),
    (r"[+-]?\d+(?:[.,]\d+)?\s*%", "with a percent sign", "Write them without the sign"),
    (
        r"[+-]?\s*[$€£¥]\s*[\d.,]*\d|[\d.,]*\d\s*[$€£¥]",
        "with a sign of a currency",
        "Write them without the sign",
    ),
)
_PLAIN = r"[+-]?\d+(?:\.\d+)?"


def number_fault(texts: pd.Series, least_share: float) -> str:
    """Why a column of text seems to hold numbers, and what to do; empty if it does not.

    Args:
        texts: Its values, missing ones included.
        least_share: Of the values that have to be such numbers, or plain ones.
    """
    counts = texts.value_counts()
    if counts.empty or not any(sign.isdigit() for sign in str(counts.index[0])):
        return ""
    values = pd.Series(counts.index, dtype="str").str.strip()
    rows = counts.to_numpy()
    plain = values.str.fullmatch(_PLAIN).to_numpy(dtype=bool)
    for pattern, how, remedy in _WAYS:
        such = values.str.fullmatch(pattern).to_numpy(dtype=bool)
        if such.any() and rows[such | plain].sum() >= least_share * rows.sum():
            example = values[int(such.argmax())]
            return (
                f"The column '{texts.name}' holds numbers {how}, such as {example!r}, which are "
                f"text to a model. {remedy}; or, if they are no numbers, add the column to "
                "`text_columns`."
            )
    return ""


def number_options(texts: pd.Series, least_share: float) -> dict[str, str]:
    """The options of ``pandas.read_csv`` under which a column of text is numbers; none if none.

    Args:
        texts: As in ``number_fault``.
        least_share: As in ``number_fault``.
    """
    fault = number_fault(texts, least_share)
    values = texts.dropna().astype("str")
    if _WAYS[0][1] in fault:
        points = values.str.contains(r"\d\.\d{3}", regex=True).any()
        return {"decimal": ",", **({"thousands": "."} if points else {})}
    return {"thousands": ","} if _WAYS[1][1] in fault else {}
