"""Which pretrained encoders have seen the patients that are split (a part of leak L6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.slides.exposure import Exposure, overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.spec import SplitSpec

__all__ = ["Pretrained", "pretrained"]


@dataclass(frozen=True, slots=True)
class Pretrained:
    """An encoder whose features a cohort has.

    Attributes
    ----------
    cohort, modality
        Of the features.
    exposure
        The encoder, and what it has seen.
    seen_here
        Those of the data sets that it has seen which hold the cohort's patients.
    """

    cohort: str
    modality: str
    exposure: Exposure
    seen_here: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types; ``unknown`` where nobody says what the encoder has seen."""
        seen = self.exposure.seen
        return {
            "encoder": self.exposure.encoder,
            "features": f"{self.modality} of {self.cohort}",
            "seen": "unknown" if seen is None else list(seen),
            "says": self.exposure.source,
        }


def pretrained(catalogue: Catalogue, cohorts: Sequence[str], spec: SplitSpec) -> list[Pretrained]:
    """Return the encoders of the features that a split uses, sorted.

    A cohort's patients are of the programme that its study names, and of TCGA where their ids are barcodes of TCGA.
    """
    own = catalogue.provenance
    if "encoder" not in own.columns:  # no source of the store has an encoder
        return []
    own = own.filter(pl.col("cohort").is_in(list(cohorts)) & pl.col("encoder").is_not_null())
    if spec.modalities:
        own = own.filter(pl.col("modality").is_in(list(spec.modalities)))
    found = []
    for cohort, modality, said in own.select("cohort", "modality", "encoder").unique().sort(pl.all()).iter_rows():
        exposure = Exposure.of_json(said)
        seen_here = overlap(exposure.seen or (), _programmes(catalogue, cohort), cohort)
        found.append(Pretrained(cohort, modality, exposure, tuple(seen_here)))
    return found


def _programmes(catalogue: Catalogue, cohort: str) -> list[str]:
    named = catalogue.patients.filter(pl.col("cohort") == cohort)["dataset"].drop_nulls().unique().to_list()
    ids = catalogue.profiles.filter(pl.col("cohort") == cohort)["patient_id"]
    return [*named, "TCGA"] if ids.str.starts_with("TCGA-").any() else named
