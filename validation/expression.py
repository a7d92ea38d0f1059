"""Sex as the expression of XIST and of genes of the Y chromosome shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from validation.checks.units import AMOUNTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Y_GENES", "expressed_sex"]

#: Genes of the male-specific region of Y that most tissues of men express.
Y_GENES: tuple[str, ...] = ("DDX3Y", "EIF1AY", "KDM5D", "NLGN4Y", "PRKY", "RPS4Y1", "TXLNGY", "USP9Y", "UTY", "ZFY")

#: So many times more of one than of the other is needed for a call.
_RATIO = 8.0

#: This share of a sample's median expression counts as background, so that two low values give no call.
_BACKGROUND = 0.25


def expressed_sex(values: NDArray[np.float32], features: pl.DataFrame, unit: str) -> pl.DataFrame:
    """Call the sex of each sample from its expression.

    Female where XIST is at least eight times the mean of the genes of Y, male the other way round, after adding a
    background that grows with the sample's median expressed gene; null where neither holds, as in tumours that lost
    one of the two. The call needs no unit in particular, as long as it is an amount.

    Parameters
    ----------
    values
        (n, F) float32, NaN where missing.
    features
        F rows with the column symbol.
    unit
        Of the values.

    Returns
    -------
    DataFrame
        n rows: expressed (female, male or null), xist, y_genes (the mean over them; null where none is there). No rows
        where the unit is no amount or neither XIST nor a gene of Y is there.
    """
    symbols = features["symbol"].fill_null("").to_list()
    at_xist = [i for i, symbol in enumerate(symbols) if symbol == "XIST"]
    at_y = [i for i, symbol in enumerate(symbols) if symbol in Y_GENES]
    if unit not in AMOUNTS or not (at_xist or at_y):
        return pl.DataFrame(schema={"expressed": pl.String, "xist": pl.Float64, "y_genes": pl.Float64})
    background = np.array([_BACKGROUND * _median_expressed(row) for row in values])
    xist, y_genes = (_mean(values[:, at]) for at in (at_xist, at_y))
    above_x, above_y = (np.nan_to_num(x, nan=0.0) + background for x in (xist, y_genes))
    female = above_x >= _RATIO * above_y
    male = above_y >= _RATIO * above_x
    call = np.where(female, "female", np.where(male, "male", ""))
    frame = pl.DataFrame({"expressed": call, "xist": xist, "y_genes": y_genes})
    return frame.with_columns(
        pl.col("expressed").replace("", None), pl.col("xist", "y_genes").fill_nan(None).cast(pl.Float64)
    )


def _median_expressed(row: NDArray[np.float32]) -> float:
    positive = row[row > 0]
    return float(np.median(positive)) if positive.size else 1.0


def _mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
    seen = ~np.isnan(values)
    total = np.where(seen, values, np.float32(0.0)).sum(axis=1, dtype=np.float64)
    return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)
