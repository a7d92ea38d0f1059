"""What the simulator measures, in the features and with the sample map of a built store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.identifiers import parse_barcode
from omicstore.simulate.leaks.case import Measured
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from omicstore.simulate.aliquots import Aliquots
    from omicstore.simulate.assays import Assays
    from omicstore.simulate.panels import Antibodies

__all__ = ["measure_all"]

#: A gene that is hardly expressed has a few reads in so many of the samples.
STRAY_SHARE = 0.06

_FROM_BARCODE = (
    "sample_id", "patient_id", "sample_type", "sample_type_code", "sample_type_inferred", "vial", "portion", "analyte",
    "plate", "center", "site",
)  # fmt: skip


def measure_all(assays: Assays, aliquots: Mapping[str, Aliquots], antibodies: Antibodies) -> dict[str, Measured]:
    """Measure a cohort's aliquots.

    Parameters
    ----------
    assays
        The cohort's instruments.
    aliquots
        Of rna, meth and prot.
    antibodies
        Of the protein array.

    Returns
    -------
    rna (tpm), meth (beta, the mean of the probes of a gene's promoter) and prot (log2_ratio).
    """
    genes = assays.genes.frame.with_columns(feature_id="ensembl").drop("version", "hgnc", "alias", "previous")
    meth, measured = _per_gene(assays, assays.methylation(aliquots["meth"]))
    seen = genes["symbol"].gather(antibodies.gene)
    proteins = pl.DataFrame({"feature_id": antibodies.names, "symbol": seen})
    prot = assays.proteins(aliquots["prot"], antibodies.gene, antibodies.phospho, centred=False)
    return {
        "rna": _measured(aliquots["rna"], _with_stray_reads(assays, assays.rna(aliquots["rna"])), genes, "tpm"),
        "meth": _measured(aliquots["meth"], meth, genes[measured], "beta", "hm450"),
        "prot": _measured(aliquots["prot"], prot, proteins, "log2_ratio", "rppa"),
    }


def _measured(
    aliquots: Aliquots, values: NDArray[np.float64], features: pl.DataFrame, unit: str, platform: str | None = None
) -> Measured:
    order = features["feature_id"].arg_sort().to_numpy()
    numbers = np.ascontiguousarray(values[:, order], dtype=np.float32)
    return Measured(_sample_map(aliquots), numbers, features[order], unit, platform=platform)


def _sample_map(aliquots: Aliquots) -> pl.DataFrame:
    codes = [(name, parse_barcode(name)) for name in aliquots.ids]
    rows = [
        {"profile_id": name, "ffpe": bool(ffpe)} | {c: getattr(code, c) for c in _FROM_BARCODE}
        for (name, code), ffpe in zip(codes, aliquots.ffpe, strict=True)
    ]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col("analyte").cast(pl.String))


def _per_gene(assays: Assays, beta: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the mean beta value of each gene's promoter, and the genes that have a probe there."""
    gene = np.where(assays.probes.promoter, assays.probes.gene, -1)
    measured = np.unique(gene[gene >= 0])
    member = (gene[:, None] == measured[None, :]).astype(np.float64)
    total, count = np.nan_to_num(beta) @ member, (~np.isnan(beta)).astype(np.float64) @ member
    return np.where(count > 0, total / np.maximum(count, 1.0), np.nan), measured


def _with_stray_reads(assays: Assays, tpm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give genes that are hardly expressed a few reads here and there, as sequencing does."""
    rng = stream(assays.seed, assays.people.design.name, "stray reads")
    stray = np.exp(rng.normal(-2.5, 0.8, tpm.shape)) * (rng.random(tpm.shape) < STRAY_SHARE)
    return np.where(assays.programmes.base <= -9.0, tpm + stray, tpm)
