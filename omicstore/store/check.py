"""What must hold of a matrix before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.diskmatrix import row_blocks
from omicstore.errors import StoreError
from omicstore.modalities import get_modality

if TYPE_CHECKING:
    from omicstore.store.writer import MatrixPart

__all__ = ["refuse_broken"]


def refuse_broken(part: MatrixPart, where: str) -> None:
    """Raise `StoreError` if a matrix is none, is empty or infinite, or does not fit its axes."""
    if get_modality(part.modality).kind != "matrix":
        raise StoreError(f"{where}: {part.modality} is no matrix", expected="a modality of samples by features")
    if part.values.shape != (part.rows.height, part.features.height):
        n, width = part.values.shape
        raise StoreError(f"{where} is {n} x {width}, its axes are {part.rows.height} x {part.features.height}")
    if 0 in part.values.shape:
        empty = "samples" if part.values.shape[0] == 0 else "features"
        raise StoreError(
            f"{where} has 0 {empty}", expected="at least one", run="look at the reasons in the provenance record"
        )
    for name, axis in (("sample_id", part.rows), ("feature_id", part.features)):
        if axis[name].null_count() or axis[name].n_unique() != axis.height:
            raise StoreError(f"{where}: {name} is missing or there twice", expected="each once")
    ids = part.features["feature_id"]
    if not ids.is_sorted():
        raise StoreError(f"{where}: its features are not sorted by feature_id")
    for start, block in row_blocks(part.values):
        bad = np.argwhere(np.isinf(block))
        if not bad.size:
            continue
        sample, feature = part.rows["sample_id"][start + int(bad[0, 0])], ids[int(bad[0, 1])]
        raise StoreError(
            f"{where} is infinite at sample {sample}, feature {feature}",
            expected="finite numbers, or NaN where missing",
        )
