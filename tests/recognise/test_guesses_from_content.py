"""What is told from ids and values alone is right, or said to be unsure; whichever way round the file is."""

from __future__ import annotations

import gzip
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from omicstore.harmonize.antibody_genes import ANTIBODY_GENES
from omicstore.recognise import Finding, recognise
from omicstore.recognise.ids import kind_of_features, kind_of_profiles
from omicstore.recognise.names import named

SYMBOLS = sorted({gene for genes in ANTIBODY_GENES.values() for gene in genes})
PROTEINS = sorted({f"{name.title()}_pS{i}" for i, name in enumerate(list(ANTIBODY_GENES)[:100], 9)})
FEATURES = {
    "ensembl": [f"ENSG{i:011d}" for i in range(150)],
    "symbol": SYMBOLS[:150],
    "symbol|entrez": [f"{s}|{i}" for i, s in enumerate(SYMBOLS[:150], 1)],
    "illumina_probe": [f"cg{i:08d}" for i in range(150)],
    "antibody": PROTEINS,
    "mirna": [f"hsa-mir-{i}" for i in range(1, 150)],
    "metabolite": [f"C{i:05d}" for i in range(1, 120)],
}
PROFILES = {
    "tcga aliquot": [f"TCGA-AA-{i:04d}-01A-11R-A39I-07" for i in range(40)],
    "tcga patient": [f"TCGA-AA-{i:04d}" for i in range(40)],
    "ccle": [f"LINE{i}_LUNG" for i in range(40)],
    "cptac": [f"C3L-{i:05d}" for i in range(40)],
    "numbered": [f"Pat-{i}" for i in range(40)],
}


def _expression(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return amounts as genes have them: most small, some large, some none."""
    level = rng.normal(1.5, 2.0, shape[1])
    values: NDArray[np.float64] = np.exp(level + rng.normal(0, 0.6, shape))
    return np.where(rng.random(shape) < 0.1, 0.0, values)


def _make(unit: str, rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    amounts = _expression(rng, shape)
    made = {
        "tpm": lambda: amounts,
        "counts": lambda: np.round(amounts * 50),
        "log2(tpm+1)": lambda: np.log2(amounts + 1),
        "log2(tpm+0.001)": lambda: np.log2(amounts + 0.001),
        "log2(counts+1)": lambda: np.log2(np.round(amounts * 50) + 1),
        "zscore": lambda: (z := rng.normal(size=shape)) - z.mean(axis=0),
        "log2_ratio": lambda: rng.normal(0, rng.uniform(0.2, 0.8), shape),
        "gistic": lambda: rng.choice([-2.0, -1, 0, 1, 2], shape, p=[0.05, 0.2, 0.5, 0.2, 0.05]),
        "mutated": lambda: (rng.random(shape) < 0.1).astype(float),
        "beta": lambda: rng.beta(0.5, 0.5, shape),
        "m_value": lambda: rng.normal(rng.normal(0, 3, shape[1]), 0.5, shape),
        "rpm": lambda: amounts * 40,
        "log2(rpm+1)": lambda: np.log2(amounts * 40 + 1),
        "intensity": lambda: np.exp(rng.normal(8, 3, shape)),
        "log10(intensity)": lambda: rng.normal(rng.uniform(4, 7, shape[1]), 0.3, shape),
    }
    return made[unit]()


GENES = ("ensembl", "symbol", "symbol|entrez")
CASES = [
    *((kind, "rna", unit) for kind in GENES for unit in ("tpm", "counts", "log2(tpm+1)", "log2(tpm+0.001)", "zscore")),
    *((kind, "rna", unit) for kind in GENES for unit in ("log2(counts+1)", "log2_ratio")),
    *((kind, "cnv", unit) for kind in GENES for unit in ("gistic", "log2_ratio")),
    *((kind, "mut", "mutated") for kind in GENES),
    *((kind, "meth", "beta") for kind in (*GENES, "illumina_probe")),
    ("illumina_probe", "meth", "m_value"),
    ("antibody", "prot", "log2_ratio"),
    ("antibody", "prot", "zscore"),
    *(("mirna", "mirna", unit) for unit in ("rpm", "log2(rpm+1)", "counts")),
    *(("metabolite", "metab", unit) for unit in ("intensity", "log10(intensity)", "zscore")),
]


@settings(max_examples=80, deadline=None)
@given(
    case=st.sampled_from(CASES),
    profiles=st.sampled_from(sorted(PROFILES)),
    in_rows=st.booleans(),
    seed=st.integers(0, 10**6),
    decimals=st.integers(3, 8),
)
def test_a_matrix_is_told_right_or_said_to_be_unsure(
    case: tuple[str, str, str], profiles: str, in_rows: bool, seed: int, decimals: int
) -> None:
    kind, modality, unit = case
    values = _make(unit, np.random.default_rng(seed), (len(PROFILES[profiles]), len(FEATURES[kind])))
    rows, columns = (FEATURES[kind], PROFILES[profiles]) if in_rows else (PROFILES[profiles], FEATURES[kind])
    cells = (values.T if in_rows else values).round(decimals)
    lines = [
        "\t".join([r, *(f"{v:g}" if v == int(v) else repr(float(v)) for v in row)])
        for r, row in zip(rows, cells, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.tsv"
        path.write_text("\t".join(["id", *columns]) + "\n" + "\n".join(lines) + "\n")
        found = recognise(path)
    assert found is not None
    assert (found.kind, found.format) == ("source", "matrix")
    assert found.orientation == ("features_in_rows" if in_rows else "features_in_columns")
    assert (found.features, found.profiles) == (kind, profiles)
    told = {"modality": found.modality, "unit": found.unit}
    wrong = {name for name, true in (("modality", modality), ("unit", unit)) if told[name] != true}
    assert wrong <= set(found.unsure), (told, unit)


@pytest.mark.parametrize("kind", sorted(FEATURES))
def test_features_are_told_from_their_ids(kind: str) -> None:
    assert kind_of_features(FEATURES[kind])[0] == kind


@pytest.mark.parametrize("kind", sorted(PROFILES))
def test_profiles_are_told_from_their_ids(kind: str) -> None:
    assert kind_of_profiles(PROFILES[kind]) == (kind, 1.0)


@pytest.mark.parametrize(
    ("path", "cohort"),
    [
        ("tcga/BLCA/rna.tsv", "BLCA"),
        ("x/TCGA-CHOL.mirna.tsv", "CHOL"),
        ("nationwidechildrens.org_clinical_patient_luad.txt", "LUAD"),
        ("x/KIDNEY/reports.csv", "KIPAN"),
        ("x/CCLE_RPPA_20181003.csv.gz", "CCLE"),
        ("x/our_data_acc.csv", None),  # three small letters are no disease
        ("x/counts.csv", None),
    ],
)
def test_cohorts_are_read_from_names(path: str, cohort: str | None) -> None:
    assert named(Path("/somewhere") / path).cohort == cohort


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        (
            "patient_id,age,creatinine,glucose,cholesterol\nA7,61,1.1,88,190\nB2,44,0.9,97,201\n",
            "source",
            "clinical-table",
        ),
        ("id,time,event\nS1,12,1\nS2,40,0\nS3,7,1\n", "source", "clinical-table"),
        ("gene,log2FoldChange,pvalue,padj\nTP53,1.2,0.01,0.05\nEGFR,-0.3,0.4,0.6\n", "other", "results of a test"),
        ("x,y\n1,2\n3,4\n", "unknown", "a table in which no column or row names samples"),
        ("cg00000029\ncg00000108\ncg00000109\n", "reference", "probe-list"),
        ("TP53\nEGFR\nKRAS\n", "other", "a list of symbol ids"),
        ("a b c\n1 2 3\n", "unknown", "the header 'a b c' is one cell"),
        ("<?xml version='1.0'?><a/>", "other", "XML"),
    ],
)
def test_small_tables(tmp_path: Path, text: str, kind: str, told: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    found = recognise(path)
    assert found is not None
    assert found.kind == kind
    assert (found.format or found.reason).startswith(told)


def _of_genes(folder: Path, name: str, values: NDArray[np.float64]) -> Finding:
    path = folder / name
    rows = [",".join([gene, *(f"{v:g}" for v in row)]) for gene, row in zip(FEATURES["symbol"], values, strict=False)]
    path.write_text("\n".join([",".join(["gene", *PROFILES["numbered"]]), *rows]))
    found = recognise(path)
    assert found is not None
    return found


def test_values_that_do_not_fit_the_name_are_unsure(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (len(FEATURES["symbol"]), len(PROFILES["numbered"]))
    assert "modality" in _of_genes(tmp_path, "methylation.csv", rng.beta(0.5, 0.5, shape) * 100).unsure
    copies = _of_genes(tmp_path, "copy_number.csv", rng.integers(0, 5, shape).astype(float))
    assert (copies.modality, copies.unit) == ("cnv", "copy_number")
    calls = _of_genes(tmp_path, "copy_number_low.csv", rng.integers(0, 3, shape).astype(float))
    assert "unit" in calls.unsure
    amounts = _expression(rng, shape)
    assert _of_genes(tmp_path, "log10_tpm.csv", np.log10(amounts + 1)).unit == "log10(tpm+1)"
    assert _of_genes(tmp_path, "tpm_log1p.csv", np.log1p(amounts)).unit == "ln(tpm+1)"


def test_what_is_no_table_is_named_with_what_to_do(tmp_path: Path) -> None:
    def told(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        found = recognise(tmp_path / name)
        assert found is not None
        return found.reason

    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", "")
        book.writestr("xl/workbook.xml", "")
    several = (tmp_path / "b.xlsx").read_bytes()
    assert told("a.xlsx", several) == "a spreadsheet: save the sheet as CSV"
    assert told("a.zip", several).startswith("a zip file of several files: unpack it")
    assert told("a.xls", b"\xd0\xcf\x11\xe0" + bytes(99)) == "a spreadsheet: save the sheet as CSV"
    archive = gzip.compress(bytes(257) + b"ustar" + bytes(250))
    assert told("a.tsv.gz", archive).startswith("an archive (tar): unpack it")
    assert told("b.tsv.gz", gzip.compress(b"")) == "an empty file"
    title = "Our cohort\n" + "\n".join(["gene,P1,P2,P3", "TP53,1,2,3", "EGFR,1,2,3"])
    assert told("a.csv", title.encode()).startswith("'Our cohort' is no header")
