"""MuData: one AnnData per modality, for the scverse tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.errors import MissingExtraError
from omicstore.modalities import MATRIX_MODALITIES

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.cohort import Cohort

__all__ = ["write"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``cohort.h5mu``: what `Cohort.to_mudata` gives."""
    try:
        import mudata
    except ImportError:
        raise MissingExtraError("mudata", "scverse") from None
    data = cohort.to_mudata()
    with mudata.set_options(pull_on_update=False):  # the obs are complete; the old default warns when it is written
        mudata.write_h5mu(folder / "cohort.h5mu", data)
    others = [m for m in cohort.modalities if m not in MATRIX_MODALITIES]
    return [f"{modality} is no matrix and h5mu cannot hold it; --format parquet can" for modality in others]
