"""Feature axes: where one stands in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["axis_positions"]


def axis_positions(axis: pl.Series, union: pl.Series) -> NDArray[np.int64]:
    """Return where each feature of an axis stands in the union; both are sorted, so the result is ascending.

    Examples
    --------
    >>> import polars as pl
    >>> axis_positions(pl.Series(["b", "d"]), pl.Series(["a", "b", "c", "d"]))
    array([1, 3])
    """
    return np.flatnonzero(union.is_in(axis.implode()).to_numpy()).astype(np.int64)
