"""MuData: one AnnData per modality, for the scverse tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.export.h5ad import fill
from omicstore.export.matrices import matrices_of
from omicstore.extras import extra
from omicstore.store.scverse import to_mudata

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.cohort import Cohort

__all__ = ["write"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``cohort.h5mu``: what `Cohort.to_mudata` gives, with the values read and written a block at a time."""
    modalities, left_out = matrices_of(cohort, "h5mu")
    mudata = extra("mudata")
    path = folder / "cohort.h5mu"
    with mudata.set_options(pull_on_update=False):  # the obs are complete; the old default warns when it is written
        mudata.write_h5mu(path, to_mudata(cohort, values=False))
    for modality in modalities:
        fill(path, f"mod/{modality}", cohort, modality)
    return left_out
