"""AnnData files of scverse (h5ad): samples in obs, features in var.

omicstore's own exports say in ``uns["omicstore"]`` what they hold; of other files the study file says modality and
unit. ``part:`` takes a layer, or ``raw``, in place of X. anndata reads the tables and sparse matrices, h5py the dense
ones: only what is needed, some samples at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.errors import SourceError
from omicstore.modalities import MODALITIES
from omicstore.readers.anndata_group import described, facts_of, names_of, opened, read_group
from omicstore.readers.anndata_matrix import matrix_of
from omicstore.readers.recognise import Guess

if TYPE_CHECKING:
    from omicstore.readers.recognise import Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["expand", "profile_ids", "read", "recognise"]

_HDF5 = b"\x89HDF\r\n\x1a\n"


def expand(source: Source) -> list[Source]:
    """Return the source with the modality, unit, upstream fit and platform that the file or the study says.

    Raises
    ------
    SourceError
        If the file is no AnnData, or has no such layer.
    StudyError
        If nothing tells modality or unit.
    """
    with opened(source.path, "anndata") as file:
        matrix_of(source.path, file, source.part)
        return [described(source, facts_of(file), whole=source.part is None)]


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read X, or the layer that ``part:`` names.

    Raises
    ------
    SourceError
        If the file is damaged or no AnnData, there is no such layer, it holds no numbers, or a feature comes twice.
    """
    del sampling  # obs are samples, whatever their ids look like
    with opened(source.path, "anndata") as file:
        return [read_group(source, file, source.part)]


def profile_ids(source: Source) -> list[str]:
    """Return the names of the samples."""
    with opened(source.path, "anndata") as file:
        return names_of(source.path, file, "obs")


def recognise(head: Head) -> Guess | None:
    """Tell an AnnData by what it says of itself."""
    if head.is_dir or not head.start.startswith(_HDF5):
        return None
    try:
        with opened(head.path, "anndata") as file:
            facts = facts_of(file)
    except SourceError:
        return None
    modality, cohort = facts.get("modality"), facts.get("cohorts", "")
    return Guess(
        "h5ad",
        modality=modality if modality in MODALITIES else None,
        unit=facts.get("unit"),
        cohort=cohort if cohort and "," not in cohort else None,
        specific=10,
    )
