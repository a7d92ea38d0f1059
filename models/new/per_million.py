"""FPKM to TPM, which is exact wherever a file has the whole transcriptome.

FPKM and its upper-quartile form are a gene's reads per base, times a factor of the sample. TPM is the same with the
factor that makes a sample's genes add up to one million (Li and Dewey 2011, BMC Bioinformatics 12:323), so
``tpm = fpkm / sum(fpkm) * 1e6``: the factor falls out. The sum is over all genes; of a few chosen ones it says nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import SourceError
from omicstore.harmonize.ranges import check_range
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from omicstore.readers.table import RawTable

__all__ = ["FEWEST", "PER_LENGTH", "to_tpm"]

#: Units that are reads per base but for a factor of the sample.
PER_LENGTH = frozenset({"fpkm", "fpkm_uq"})

#: Genes that a whole annotation has at least: GENCODE's have 55,000 to 63,000, those of proteins alone 20,000.
FEWEST = 40_000


def to_tpm(raw: RawTable) -> str:
    """Turn a matrix in FPKM, or a logarithm of it, into TPM in place, and return a sentence on it.

    Raises
    ------
    SourceError
        If a sample has fewer than `FEWEST` genes, or no gene at all that is read, or a value is out of range.
    """
    unit = parse_unit(raw.source.unit or "")
    raw.hold()
    assert raw.values is not None
    check_range(raw, unit)
    linear = unit.to_linear(raw.values, raw.decimals).astype(np.float64)
    genes, total = (~np.isnan(linear)).sum(axis=1), np.nansum(linear, axis=1)
    fewest = int(genes.min(initial=FEWEST))
    if fewest < FEWEST:
        raise SourceError(
            raw.source.path,
            f"its unit is {unit.base.name} and it has {fewest:,} genes, and the model was trained on tpm: to convert "
            "one to the other takes the sum over the whole transcriptome",
            expected=f"a file of all genes ({FEWEST:,} or more), or tpm",
            run="give the whole table that the genes were chosen from, or take TPM from the pipeline",
        )
    if not total.all():
        nothing = raw.ids[int(np.flatnonzero(total == 0)[0])]
        raise SourceError(raw.source.path, f"every gene of {nothing} is 0", expected="measured values")
    raw.values = (linear * (1e6 / total)[:, None]).astype(np.float32)
    raw.source = replace(raw.source, unit="tpm")
    return f"{unit.text} was converted to tpm: the {fewest:,} genes of each sample add up to one million"
