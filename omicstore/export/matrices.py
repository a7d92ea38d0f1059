"""What several exporters share: which modalities a format can hold, and values written a block at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import ExportError
from omicstore.modalities import MATRIX_MODALITIES
from omicstore.progress import task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from omicstore.store.cohort import Cohort

__all__ = ["blocks", "by_feature", "matrices_of", "measured", "refuse_nothing", "text_array"]


def matrices_of(cohort: Cohort, name: str) -> tuple[list[str], list[str]]:
    """Return the modalities that are matrices, and a sentence on each that is none and so cannot be held.

    Raises
    ------
    ExportError
        If there is no matrix.
    """
    others = [m for m in cohort.modalities if m not in MATRIX_MODALITIES]
    left_out = [f"{modality} is no matrix and {name} cannot hold it; --format parquet can" for modality in others]
    refuse_nothing(cohort.matrices, left_out)
    return cohort.matrices, left_out


def refuse_nothing(held: list[str], left_out: list[str]) -> None:
    """Raise `ExportError` if no modality can be held."""
    if not held:
        raise ExportError(f"nothing would be written: {'; '.join(left_out)}")


def measured(cohort: Cohort, modality: str) -> list[str]:
    """Return the ids of the samples that have a modality."""
    return cohort.samples["sample_id"].filter(cohort.samples[f"has_{modality}"]).to_list()


def blocks(cohort: Cohort, modality: str) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the values of a modality some rows at a time, each with its place among `measured`; tells its progress."""
    total = len(measured(cohort, modality))
    with task(f"writing {modality}", total, "samples") as advance:
        start = 0
        for values in cohort.blocks(modality):
            rows = slice(start, start + len(values))
            yield rows, values
            advance(len(values))
            start = rows.stop


def by_feature(cohort: Cohort, modality: str) -> NDArray[np.float32]:
    """Return the values of a modality turned: a row per feature, a column per measured sample."""
    turned = np.empty((cohort.features(modality).height, len(measured(cohort, modality))), np.float32)
    for rows, values in blocks(cohort, modality):
        turned[:, rows] = values.T
    return turned


def text_array(values: list[str]) -> NDArray[Any]:
    """Return fixed-width text: an array of objects would be a pickle."""
    return np.asarray(values, dtype=np.str_)
