"""The folds that tables are made on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import StudyError
from omicstore.splits import SplitSpec, catalogue_of, import_folds, make, read_published, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from omicstore.store.reader import Store

__all__ = ["FOLDS", "folds_by_patient", "folds_by_site", "folds_by_tissue", "import_split", "tissue_folds"]

#: As many as the figures that tables quote were reached with, and the seed that says which is which.
FOLDS, _SEED = 5, 17


def folds_by_patient(root: Path, store: Store, cohorts: Sequence[str], k: int = FOLDS) -> Path:
    """Make the split ``bench-patient`` of a study, in which no patient (or cell line) is split; return its folder."""
    return _make(root, store, "bench-patient", "grouped_kfold", cohorts, k)


def folds_by_site(root: Path, store: Store, cohorts: Sequence[str], k: int = FOLDS) -> Path:
    """Make the split ``bench-site`` of a study, in which sites are kept whole; return its folder."""
    return _make(root, store, "bench-site", "site_preserved_kfold", cohorts, k)


def _make(root: Path, store: Store, name: str, strategy: str, cohorts: Sequence[str], k: int) -> Path:
    folder = root / "splits" / name
    make(store, SplitSpec(name=name, strategy=strategy, k=k, seed=_SEED, cohorts=tuple(cohorts)), folder)
    return folder


def folds_by_tissue(root: Path, store: Store, cohorts: Sequence[str], k: int = FOLDS) -> Path:
    """Make the split ``bench-tissue`` of a study, whose test parts hold whole tissues; return its folder.

    Val is cut from the other tissues by patients. The folds are written to ``splits/bench-tissue.csv`` in the layout of
    published ones, and imported from there. Patients without a tissue are in no fold.

    Raises
    ------
    StudyError
        If the store knows fewer tissues than there are folds.
    """
    people = store.table("patients").filter(pl.col("cohort").is_in(list(cohorts))).drop_nulls("tissue")
    sizes = {str(tissue): int(n) for tissue, n in people.group_by("tissue").len().iter_rows()}
    if len(sizes) < k:
        raise StudyError(
            f"the patients of {', '.join(cohorts)} are of {len(sizes)} tissues",
            expected=f"at least {k}, one for each fold",
            run="name the tissue in study.samples of params.yaml, and build again",
        )
    fold = tissue_folds(sizes, k)
    table = people.sort("patient_id").select(
        submitter_id="patient_id", CV5_tissue=pl.col("tissue").replace_strict(fold, return_dtype=pl.Int64)
    )
    file = root / "splits" / "bench-tissue.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    table.write_csv(file)
    return import_split(root, store, file, "bench-tissue", "preserved-site-cv")


def import_split(root: Path, store: Store, path: Path, name: str, origin: str) -> Path:
    """Import published folds into a study under a name; return the split's folder.

    Parameters
    ----------
    root, store
        The study's folder and its store.
    path, origin
        The folds, and what they are: see `omicstore.splits.ORIGINS`.
    name
        What to call the split.
    """
    folds = read_published(path, origin)[0]
    folder = root / "splits" / name
    write(import_folds(catalogue_of(store, None, root), folds, name), [], folder)
    return folder


def tissue_folds(sizes: Mapping[str, int], k: int) -> dict[str, int]:
    """Deal tissues to folds, the largest first, each to the fold that has the fewest patients so far.

    Parameters
    ----------
    sizes
        Patients per tissue.
    k
        Folds.

    Examples
    --------
    >>> tissue_folds({"lung": 9, "skin": 4, "liver": 3, "bone": 3}, 2)
    {'lung': 0, 'skin': 1, 'bone': 1, 'liver': 1}
    """
    filled = [0] * k
    fold = {}
    for tissue in sorted(sizes, key=lambda t: (-sizes[t], t)):
        fold[tissue] = filled.index(min(filled))
        filled[fold[tissue]] += sizes[tissue]
    return fold
