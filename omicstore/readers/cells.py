"""Cells that are numbers: what they may look like, and the error where one is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from omicstore.readers.delimited import Layout

__all__ = ["MISSING", "bad_cell", "decimals_of", "is_finite", "is_number", "mask_sentinels", "sentinels"]

#: What stands for a missing number, beside an empty cell; `nan` in any case is a number to the parser.
MISSING: tuple[str, ...] = ("NA", "N/A", "#N/A", "n/a", "NULL", "null", "None", "[Not Available]", "[Not Applicable]")

_LARGEST = float(np.finfo(np.float32).max)


def is_number(text: str) -> bool:
    """Whether a cell is a number as the parser takes it."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and text.isascii()


def is_finite(text: str) -> bool:
    """Whether a cell is a number that float32 can hold, or nan."""
    return is_number(text) and not abs(float(text)) > _LARGEST


def bad_cell(layout: Layout, line: int, column: int, text: str) -> SourceError:
    """Return the error of a cell that is no finite number."""
    shown = text if len(text) <= 40 else text[:37] + "..."
    infinite = is_number(text)
    return SourceError(
        layout.path,
        f"{shown!r} is {'infinite' if infinite else 'no number'}",
        line=line,
        column=layout.header[column] or column + 1,
        expected="a finite number, an empty cell or NA",
        run=f"mend the cell, or, where it stands for a missing value, add missing: [{text!r}] in the study file",
    )


def sentinels(missing: Sequence[str]) -> list[tuple[np.float32, np.float32]]:
    """Return, for each token that is a number, the range of numbers that it means.

    A plain number means itself. One in scientific notation means whatever rounds to it at the digits it has: files
    that say they write 1e-12 for missing are found to write 1.01E-12.

    Examples
    --------
    >>> [(float(low), float(high)) for low, high in sentinels(["-9", "NA"])]
    [(-9.0, -9.0)]
    >>> low, high = sentinels(["1e-12"])[0]
    >>> bool(low < 1.01e-12 < high)
    True
    """
    found = []
    for token in missing:
        if is_finite(token):
            value = float(token)
            mantissa, _, power = token.lower().partition("e")
            digits = len(mantissa.partition(".")[2])
            half = 0.5 * 10.0 ** (int(power) - digits) if power else 0.0
            found.append((np.float32(value - half), np.float32(value + half)))
    return found


def decimals_of(cells: Iterable[str]) -> int | None:
    """Return the most decimals that numbers are written with, powers of ten counted in.

    Examples
    --------
    >>> decimals_of(["0.25", "-1.5e-03", "7", "NA"])
    4
    """
    most: int | None = None
    for cell in cells:
        mantissa, _, power = cell.strip().lower().partition("e")
        if not mantissa or not (mantissa[-1].isdigit() or mantissa[-1] == "."):
            continue
        digits = len(mantissa.partition(".")[2])
        shift = int(power) if power.lstrip("+-").isdigit() else 0
        most = max(most or 0, digits - shift)
    return most


def mask_sentinels(values: NDArray[np.float32], missing: Sequence[str]) -> int:
    """Make the numbers that stand for missing values NaN, in place; return how many there were."""
    count = 0
    for low, high in sentinels(missing):
        found = (values >= low) & (values <= high)
        values[found] = np.nan
        count += int(found.sum())
    return count
