"""FPKM of whole transcriptomes becomes TPM exactly; of chosen genes it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.new import per_million
from models.new.per_million import FEWEST, to_tpm
from omicstore.errors import SourceError
from omicstore.readers.table import RawTable
from omicstore.sources import Source


def table(values: NDArray[np.floating], unit: str) -> RawTable:
    source = Source(Path("lab.tsv"), "matrix", "rna", "NEW", unit)
    ids = [f"S{i}" for i in range(len(values))]
    genes = [f"ENSG{i:011d}" for i in range(values.shape[1])]
    return RawTable("matrix", source, "rna", ids, genes, values.astype(np.float32))


@pytest.fixture
def reads() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    return rng.negative_binomial(1, 0.01, (3, FEWEST)).astype(np.float64), rng.uniform(0.2, 20, FEWEST)


@pytest.mark.parametrize("unit", ["fpkm", "fpkm_uq", "log2(fpkm+1)", "log2(fpkm_uq+1)"])
def test_tpm_is_what_counts_and_lengths_give(reads: tuple, unit: str) -> None:
    counts, kilobases = reads
    rate = counts / kilobases
    expected = rate / rate.sum(axis=1, keepdims=True) * 1e6
    per_sample = counts.sum(axis=1) if "uq" not in unit else np.quantile(counts, 0.75, axis=1)
    fpkm = rate / per_sample[:, None] * 1e6
    raw = table(np.log2(fpkm + 1) if unit.startswith("log2") else fpkm, unit)
    said = to_tpm(raw)
    assert raw.source.unit == "tpm"
    assert "40,000 genes" in said
    assert unit in said
    assert raw.values is not None
    np.testing.assert_allclose(raw.values, expected, rtol=2e-3 if unit.startswith("log2") else 1e-5, atol=1e-3)
    np.testing.assert_allclose(raw.values.sum(axis=1, dtype=np.float64), 1e6, rtol=1e-6)


def test_chosen_genes_are_refused(reads: tuple) -> None:
    counts, _ = reads
    with pytest.raises(SourceError, match=r"fpkm and it has 39,999 genes.*whole transcriptome.*tpm"):
        to_tpm(table(counts[:, 1:], "fpkm"))


def test_genes_without_a_value_do_not_count(reads: tuple) -> None:
    counts, _ = reads
    counts[1, 7] = np.nan
    with pytest.raises(SourceError, match="39,999 genes"):
        to_tpm(table(counts, "fpkm"))


def test_odd_values_are_refused(reads: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(per_million, "FEWEST", 2)
    with pytest.raises(SourceError, match="every gene of S1 is 0"):
        to_tpm(table(np.array([[1.0, 2.0], [0.0, 0.0]]), "fpkm"))
    with pytest.raises(SourceError, match="-1"):
        to_tpm(table(np.array([[1.0, -1.0]]), "fpkm"))
