"""Values that the unit of a source cannot have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from omicstore.errors import SourceError
from omicstore.units import TOLERANCE, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.readers.table import RawTable

__all__ = ["check_range", "first_outside", "refuse"]


def check_range(raw: RawTable, unit: Unit) -> None:
    """Refuse infinite values, and values that are outside the range of the unit by more than rounding can do.

    Raises
    ------
    SourceError
        Names the profile, the feature and the value.
    """
    if raw.values is not None and (place := first_outside(raw.values, unit, raw.decimals)) is not None:
        refuse(raw, unit, *place, float(raw.values[place]))


def first_outside(values: NDArray[np.float32], unit: Unit, decimals: int | None) -> tuple[int, int] | None:
    """Return the first row with a value that `unit` cannot have, and the first such column of it; None if all can."""
    if not values.size:
        return None
    # Every conversion is increasing, so the extremes tell whether any value is out of range; fmin and fmax skip NaN.
    ends = np.array([np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)], dtype=np.float32)
    if not _outside(ends, unit, decimals).any():
        return None
    return next(
        (row, int(bad[0]))
        for row in range(len(values))
        if (bad := np.flatnonzero(_outside(values[row], unit, decimals))).size
    )


def refuse(raw: RawTable, unit: Unit, profile: int, feature: int, value: float) -> NoReturn:
    """Raise the error of a value that is out of range."""
    found = f"profile {raw.ids[profile]!r}, feature {raw.features[feature]!r}: {value:g} cannot be {unit.text}"
    if unit.log is not None:
        linear = unit.to_linear(np.array([value], dtype=np.float32), raw.decimals)[0]
        found += f" (it would be {float(linear):.3g} {unit.stored})"
    raise SourceError(raw.source.path, found, expected=_text(unit), run="correct the unit of the source, or the file")


def _outside(values: NDArray[np.float32], unit: Unit, decimals: int | None) -> NDArray[np.bool_]:
    linear = unit.to_linear(values, decimals)
    outside = np.isinf(linear) | np.isinf(values)
    if unit.base.low is not None:
        outside |= linear < unit.base.low - TOLERANCE
    if unit.base.high is not None:
        outside |= linear > unit.base.high + TOLERANCE
    return outside


def _text(unit: Unit) -> str:
    low, high = unit.base.low, unit.base.high
    if low is None:
        return f"finite values of {unit.stored}"
    if high is None:
        return f"finite values of {unit.stored} of at least {low:g}"
    return f"values of {unit.stored} in [{low:g}, {high:g}]"
