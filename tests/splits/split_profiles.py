"""Small stores of people whose profiles are alike as those of one tissue are, with copies where a test puts them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.store.writer import assemble, write_cohort

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

GENES = 400

_LINEAR = ("tpm", "fpkm_uq", "rsem_normalized")


def people(seed: int, n: int, genes: int = GENES) -> NDArray[np.float64]:
    """Return (n, genes) log2 amounts: eight factors that all people share in different degree, and their own."""
    loadings = np.random.default_rng(99).normal(size=(8, genes)) / np.sqrt(8)
    rng = np.random.default_rng([7, seed])
    return 8 + rng.normal(size=(n, 8)) @ loadings + rng.normal(size=(n, genes))


def renormalised(values: NDArray[np.float64], seed: int, noise: float) -> NDArray[np.float64]:
    """Return the same people quantified again: a factor per sample, and an error per value."""
    rng = np.random.default_rng([8, seed])
    return values + rng.normal(0, 0.5, (len(values), 1)) + rng.normal(0, noise, values.shape)


def zscored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the z-score of each gene over the cohort."""
    return (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)


@dataclass(frozen=True)
class Cohort:
    """A cohort of one RNA matrix.

    `values` are log2 amounts, or z-scores where `unit` says so. `offsets` is the seed of what the pipeline adds to each
    gene, none where 0. Patients are called after the cohort unless `names` says otherwise.
    """

    name: str
    values: NDArray[np.float64]
    unit: str = "tpm"
    offsets: int = 0
    names: str | None = None
    platforms: Sequence[str] | None = None
    normals: Sequence[int] = ()
    first_feature: int = 0
    order: tuple[int, ...] | None = None

    def shuffled(self, seed: int) -> Cohort:
        """Return the same people, whose rows lie in another order."""
        return replace(self, order=tuple(np.random.default_rng(seed).permutation(len(self.values)).tolist()))

    def write(self, root: Path) -> None:
        n, width = self.values.shape
        values = self.values
        if self.unit in _LINEAR:
            if self.offsets:
                values = values + np.random.default_rng([9, self.offsets]).normal(0, 2, width)
            values = np.exp2(values) - 1
            np.maximum(values, 0, out=values)
        order = list(self.order or range(n))
        patients = [f"{self.names or self.name}-{i:02d}" for i in range(n)]
        samples = [f"{p}-{self.name}" for p in patients]
        features = pl.DataFrame(
            {"feature_id": [f"ENSG{i:011d}" for i in range(self.first_feature, self.first_feature + width)]}
        )
        profiles = pl.DataFrame(
            {
                "profile_id": [f"{s}-rna" for s in samples], "sample_id": samples, "patient_id": patients,
                "cohort": self.name, "modality": "rna", "chosen": True, "site": [p[-1] for p in patients],
                "sample_type": ["normal" if i in self.normals else "primary" for i in range(n)],
                "platform": list(self.platforms or [None] * n),
            },
            schema_overrides={"platform": pl.String},
        )[order]  # fmt: skip
        part = SimpleNamespace(
            modality="rna", unit=self.unit, upstream_fit="none", platform=None, features=features,
            values=values[order].astype(np.float32), rows=profiles.select("sample_id", "profile_id"),
        )  # fmt: skip
        tables = {"profiles": profiles, "patients": profiles.select("patient_id", "cohort", "site").unique()}
        write_cohort(root, self.name, matrices=iter([part]), tables=tables)


def write(root: Path, *cohorts: Cohort) -> None:
    """Write a store of these cohorts."""
    for cohort in cohorts:
        cohort.write(root)
    assemble(root, sorted(c.name for c in cohorts), dataset="tiny", simulated=True)
