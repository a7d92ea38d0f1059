"""The registry of modalities: one declaration each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omicstore.errors import UnknownNameError

__all__ = ["MATRIX_MODALITIES", "MODALITIES", "Modality", "get_modality"]


@dataclass(frozen=True, slots=True)
class Modality:
    """What omicstore knows of a modality.

    Attributes
    ----------
    name
        The name in queries and paths.
    title
        The name in tables that a person reads.
    kind
        ``matrix`` (samples by features), ``patches`` (many vectors per slide) or ``text``.
    level
        What one row belongs to.
    unit
        The canonical unit where a source can be converted to it.
    low, high
        The range of the canonical unit; None where it has no bound.
    namespace
        What a feature id is.
    calls
        Whether the values are calls of a few levels: two people may well have the same, and one person a single level.
    """

    name: str
    title: str
    kind: Literal["matrix", "patches", "text"]
    level: Literal["sample", "slide", "patient"]
    unit: str | None
    low: float | None
    high: float | None
    namespace: str
    calls: bool = False

    @property
    def side_by_side(self) -> bool:
        """Whether two platforms measure different things of a sample, not the same things twice."""
        return self.namespace in ("antibody", "metabolite")


MODALITIES: dict[str, Modality] = {
    m.name: m
    for m in (
        Modality("rna", "RNA expression", "matrix", "sample", "tpm", 0.0, None, "ensembl_gene"),
        Modality("meth", "DNA methylation, gene level", "matrix", "sample", "beta", 0.0, 1.0, "ensembl_gene"),
        Modality("meth_probe", "DNA methylation, probes", "matrix", "sample", "beta", 0.0, 1.0, "illumina_probe"),
        Modality("prot", "Protein abundance", "matrix", "sample", "log2_ratio", None, None, "antibody"),
        Modality("metab", "Metabolite abundance", "matrix", "sample", "intensity", 0.0, None, "metabolite"),
        Modality("mirna", "miRNA expression", "matrix", "sample", "rpm", 0.0, None, "mirbase"),
        Modality("cnv", "Copy number", "matrix", "sample", "log2_ratio", None, None, "ensembl_gene", calls=True),
        Modality("mut", "Mutations", "matrix", "sample", "mutated", 0.0, 1.0, "ensembl_gene", calls=True),
        Modality("patches", "Slide patch features", "patches", "slide", None, None, None, "encoder"),
        Modality("report", "Pathology reports", "text", "patient", None, None, None, "text"),
    )
}

MATRIX_MODALITIES: tuple[str, ...] = tuple(m.name for m in MODALITIES.values() if m.kind == "matrix")


def get_modality(name: str) -> Modality:
    """Return the declaration of a modality, whatever the case of its name.

    Raises
    ------
    UnknownNameError
        If there is no such modality; names the nearest ones.

    Examples
    --------
    >>> get_modality("RNA").unit
    'tpm'
    """
    found = MODALITIES.get(name.strip().lower())
    if found is None:
        raise UnknownNameError("modality", name, MODALITIES)
    return found
