"""What a modality becomes in cBioPortal: the type of its profile, its identifier, and how its rows are named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from omicstore.export.text import plain_ids, shortest
from omicstore.modalities import MODALITIES
from omicstore.units import LINEAR_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from omicstore.store.cohort import Cohort

__all__ = ["Profile", "profile_of", "rows_of"]

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Profile:
    """A molecular profile.

    Attributes
    ----------
    modality
        What of ours it is.
    kind, datatype, stable_id
        genetic_alteration_type, datatype and stable_id of its meta file.
    name, description
        For a person; the description ends with the unit.
    cases
        The suffix of its case list.
    assay
        generic_assay_type, of a generic assay.
    text
        Turns its values to text.
    """

    modality: str
    kind: str
    datatype: str
    stable_id: str
    name: str
    description: str
    cases: str
    assay: str = ""
    text: Callable[[pl.Series], pl.Series] = shortest


#: Stable ids of expression profiles, of the few that its documentation names; rna_seq_mrna for other units.
_EXPRESSION = {"rsem_normalized": "rna_seq_v2_mrna", "intensity": "mrna"}

#: (modality, unit) -> type, datatype, stable id, case list.
_PLACES: dict[tuple[str, str], tuple[str, str, str, str]] = {
    ("rna", "zscore"): ("MRNA_EXPRESSION", "Z-SCORE", "rna_seq_mrna_median_all_sample_Zscores", "rna_seq_mrna"),
    ("rna", "log2_ratio"): ("MRNA_EXPRESSION", "CONTINUOUS", "mrna", "mrna"),
    ("prot", "log2_ratio"): ("PROTEIN_LEVEL", "LOG2-VALUE", "rppa", "rppa"),
    ("prot", "zscore"): ("PROTEIN_LEVEL", "Z-SCORE", "rppa_Zscores", "rppa"),
    ("cnv", "log2_ratio"): ("COPY_NUMBER_ALTERATION", "LOG2-VALUE", "log2CNA", "log2CNA"),
    ("cnv", "copy_number"): ("COPY_NUMBER_ALTERATION", "CONTINUOUS", "linear_CNA", "cna"),
    ("cnv", "gistic"): ("COPY_NUMBER_ALTERATION", "DISCRETE", "gistic", "cna"),
}

_ASSAYS = {"metab": "METABOLITE", "mirna": "MIRNA", "mut": "MUTATED_GENE", "prot": "PROTEIN", "rna": "MRNA"}


def profile_of(cohort: Cohort, modality: str) -> Profile:
    """Return what a modality becomes."""
    facts, title = cohort.facts(modality), MODALITIES[modality].title
    unit = facts.get("unit", "")
    base = re.sub(r"^\w+\(|\+.*$", "", unit)
    about = f"{title}, {'unit: ' + unit if unit else 'of mixed or unknown units'}"
    if modality == "mut" and unit == "mutated":
        about = f"Genes with a mutation: true or false. The variants are not told, so this is no MAF; {about}"
        place = ("GENERIC_ASSAY", "BINARY", "mutated_genes", "mutated_genes")
        return Profile(modality, *place[:3], title, about, place[3], _ASSAYS["mut"], _as_truth)
    if modality == "rna" and base in LINEAR_UNITS:
        stable_id = _EXPRESSION.get(base, "rna_seq_mrna")
        return Profile(modality, "MRNA_EXPRESSION", "CONTINUOUS", stable_id, title, about, "rna_seq_mrna")
    array = facts.get("platform")
    if modality == "meth" and array in ("hm27", "hm450"):
        name = f"methylation_{array}"
        return Profile(modality, "METHYLATION", "CONTINUOUS", name, title, about, name)
    found = _PLACES.get((modality, unit))
    if found is not None:
        text = _as_integer if found[1] == "DISCRETE" else shortest
        return Profile(modality, *found[:3], title, about, found[3], text=text)
    assay = "METHYLATION" if modality.startswith("meth") else _ASSAYS.get(modality, modality.upper())
    return Profile(modality, "GENERIC_ASSAY", "LIMIT-VALUE", f"{modality}_values", title, about, modality, assay)


def rows_of(cohort: Cohort, profile: Profile) -> tuple[list[str], list[list[str]], NDArray[np.int64], list[str]]:
    """Name the rows of a data file.

    Returns
    -------
    header : list of str
        The columns that name a row.
    keys : list of list of str
        The cells in these columns of each row that is written.
    kept : numpy.ndarray
        Which features these are.
    left_out : list of str
        A sentence, if there are others.
    """
    features = cohort.features(profile.modality).with_row_index("at")
    if profile.kind == "GENERIC_ASSAY":
        ids = features["feature_id"].to_list()
        named = [name for name in ("symbol", "source_name", "feature_id") if name in features.columns]
        titles = features.select(pl.coalesce(named)).to_series().str.replace_all(r"\s", " ")
        entities = [list(row) for row in zip(plain_ids(ids, _UNFIT), ids, titles, strict=True)]
        return ["ENTITY_STABLE_ID", "NAME", "DESCRIPTION"], entities, features["at"].to_numpy(), []
    if profile.kind == "PROTEIN_LEVEL":
        known = features.drop_nulls("symbol")
        names = [[f"{row['symbol'].replace(';', ' ')}|{row['feature_id']}"] for row in known.iter_rows(named=True)]
        left_out = _left_out(profile, features.height, known.height, "no gene, which cBioPortal wants of a protein")
        return ["Composite.Element.REF"], names, known["at"].to_numpy(), left_out
    entrez = pl.col("entrez") if "entrez" in features.columns else pl.lit(None, pl.String)
    genes = features.select("at", symbol="symbol", entrez=entrez)
    known = genes.filter(pl.col("symbol").is_not_null() | pl.col("entrez").is_not_null())
    once = known.unique(["symbol", "entrez"], keep="first", maintain_order=True)
    left_out = _left_out(profile, features.height, once.height, "no symbol or Entrez id of their own")
    keys = [[symbol or "", entrez or ""] for _, symbol, entrez in once.iter_rows()]
    return ["Hugo_Symbol", "Entrez_Gene_Id"], keys, once["at"].to_numpy(), left_out


def _left_out(profile: Profile, n: int, kept: int, why: str) -> list[str]:
    return [] if n == kept else [f"{n - kept:,} of {n:,} features of {profile.modality} have {why}; they are left out"]


def _as_truth(values: pl.Series) -> pl.Series:
    return (values != 0).cast(pl.String)


def _as_integer(values: pl.Series) -> pl.Series:
    return values.round().cast(pl.Int8).cast(pl.String)
