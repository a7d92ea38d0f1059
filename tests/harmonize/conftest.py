"""Hand-made tables and references for the harmonising tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from omicstore.harmonize.references import References
from omicstore.readers.table import RawTable
from omicstore.sources import Reference, Sampling, Source, Study, load_study

HGNC = pl.DataFrame(
    [
        ("HGNC:11998", "TP53", "P53|LFS1", None, "7157", "ENSG00000141510"),
        ("HGNC:26077", "MARCHF1", "RNF171", "MARCH1", "55016", "ENSG00000145416"),
        ("HGNC:26189", "MTARC1", None, "MOSC1|MARC1", "64757", "ENSG00000186205"),
        ("HGNC:2879", "SEPTIN1", None, "DIFF6|SEPT1", "1731", "ENSG00000180096"),
        ("HGNC:20863", "SLC35E2A", None, "SLC35E2", "9906", "ENSG00000215790"),
        ("HGNC:33941", "SLC35E2B", None, None, "728661", "ENSG00000189339"),
        ("HGNC:3430", "ERBB2", "HER2|NEU", None, "2064", "ENSG00000141736"),
        ("HGNC:1", "AAA1", "SHARED", None, "101", "ENSG00000000101"),
        ("HGNC:2", "BBB1", "SHARED", None, "102", "ENSG00000000102"),
        ("HGNC:3", "NOENS", None, None, "103", None),
    ],
    schema=["hgnc_id", "symbol", "alias_symbol", "prev_symbol", "entrez_id", "ensembl_gene_id"],
    orient="row",
)
GENES = pl.DataFrame(
    [
        ("ENSG00000141510.15", "TP53", "chr17", 7661779, 7687550, "-"),
        ("ENSG00000182378.12", "PLCXD1", "chrX", 276322, 303356, "+"),
        ("ENSG00000182378.12_PAR_Y", "PLCXD1", "chrY", 276322, 303356, "+"),
        ("ENSG00000999999.1", "RP11-1", "chr1", 1, 2, "+"),
    ],
    schema=["id", "symbol", "chromosome", "start", "end", "strand"],
    orient="row",
)
HM450 = pl.DataFrame(
    [
        *(
            (f"cg0000000{i}", "chr17", 100 + i, "7157", "TP53", g)
            for i, g in enumerate(["TSS1500", "TSS200", "Body", "3'UTR"])
        ),
        ("cg00000004", "chr17", 104, None, "ERBB2", "1stExon"),
        ("cg00000005", "chr17", 105, "103", "NOENS", "5'UTR"),
        ("cg00000006", "chr1", 106, "555555", "GONE", "Body"),
        ("cg00000007", "chr1", 107, "7157", "TP53", None),
        ("cg00000008", "chr1", 108, "7157", "TP53", "Body"),
        ("rs00000009", "chr1", 109, None, None, None),
        ("cg00000010", "chr1", 110, None, None, None),
        ("cg00000011", "chr1", 111, None, None, "Body"),
    ],
    schema=["probe_id", "chromosome", "start", "entrez", "symbol", "gene_group"],
    orient="row",
)
HM27 = pl.DataFrame(
    [
        ("cg00000001", "TP53", "chr17", 101, 102, "."),
        ("cg10000000", "TP53,ERBB2", "chr17", 1, 2, "."),
        ("cg10000001", ".", "chr17", 1, 2, "."),
        ("cg10000002", "AC1.2", "chr17", 1, 2, "."),
    ],
    schema=["id", "symbol", "chromosome", "start", "end", "strand"],
    orient="row",
)
SITES = pl.DataFrame(
    [
        ("4Z", "Barretos", "Bladder Urothelial Carcinoma"),
        ("A1", "UCSF", "Breast invasive carcinoma"),
        ("AA", "Indivumed", "Colon adenocarcinoma"),
        ("AF", "Christiana", "Rectum adenocarcinoma"),
        ("NA", "Washington", "Uterine Carcinosarcoma"),
        ("07", "TGen", "Cell Line Control"),
    ],
    schema=["code", "site", "disease"],
    orient="row",
)
METABOLITES = pl.DataFrame(
    [
        ("L-alanine", "L-Alanine", "HMDB0000161", "C00041"),
        ("Alanine", "L-Alanine", "HMDB0000161", "C00041"),
        ("Glucose", "D-Glucose", "HMDB0000122", "C00031"),
        ("Unknown 018", None, None, None),
    ],
    schema=["query", "match", "hmdb", "kegg"],
    orient="row",
)
MASK = pl.DataFrame({"probe_id": ["cg00000008"]})

FRAMES = {
    "symbols": HGNC,
    "genes": GENES,
    "hm450": HM450,
    "hm27": HM27,
    "sites": SITES,
    "metabolites": METABOLITES,
    "masks": MASK,
}


def references(*names: str) -> References:
    """References made of the frames above."""
    entries = [
        Reference("probes" if n.startswith("hm") else n, Path(n), "hgnc", n if n.startswith("hm") else None)
        for n in names
    ]
    return References(entries, lambda entry: FRAMES[entry.path.name])


@pytest.fixture
def refs() -> References:
    return references("symbols", "genes", "hm450", "hm27", "sites", "metabolites")


@pytest.fixture
def study() -> Study:
    return Study(dataset="test", cohorts=("BLCA",), sources=())


@pytest.fixture
def make_refs() -> Callable[..., References]:
    return references


@pytest.fixture
def matrix() -> Callable[..., RawTable]:
    def make(
        ids: Sequence[str],
        features: Sequence[str],
        values: Any,
        *,
        modality: str = "rna",
        unit: str = "tpm",
        cohort: str = "BLCA",
        decimals: int | None = None,
        name: str = "x.tsv",
        feature_info: pl.DataFrame | None = None,
        profile_info: pl.DataFrame | None = None,
        **source: Any,
    ) -> RawTable:
        array = np.array(values, dtype=np.float32).reshape(len(ids), len(features))
        return RawTable(
            kind="matrix",
            source=Source(path=Path(name), format="matrix", modality=modality, cohort=cohort, unit=unit, **source),
            modality=modality,
            ids=list(ids),
            features=list(features),
            values=array,
            decimals=decimals,
            feature_info=feature_info,
            profile_info=profile_info,
            rows_in=array.shape[0],
            columns_in=array.shape[1],
        )

    return make


@pytest.fixture
def sampled() -> Callable[..., Study]:
    def make(**rule: Any) -> Study:
        return Study(dataset="test", cohorts=("C",), sources=(), samples=Sampling(**rule))

    return make


@pytest.fixture(scope="session")
def real_refs(real_data: Path) -> References:
    """The references of the seven-cohort study."""
    return References.load(load_study(real_data / "studies" / "tcga.yaml"))
