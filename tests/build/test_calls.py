"""Copy number and mutations from their files into the store and out again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import omicstore
from omicstore.build.store import build_study
from omicstore.sources import Source, Study
from omicstore.splits.identity import CONTINUOUS
from omicstore.study.peek import measured_samples
from validation.report import check_store

MADE = Path(__file__).parents[1] / "made"

HGNC = "hgnc_id\tsymbol\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
GENES = (("TP53", "", "7157", "ENSG00000141510"), ("EGFR", "", "1956", "ENSG00000146648"),
         ("PTEN", "", "5728", "ENSG00000171862"), ("ERBB2", "HER2", "2064", "ENSG00000141736"))  # fmt: skip

MCAT = """\
case_id,slide_id,oncotree_code,survival_months,censorship,TP53_rnaseq,EGFR_rnaseq,TP53_cnv,EGFR_cnv,ERBB2_cnv,HER2_cnv,TP53_mut
TCGA-A1-A001,s1.svs,BRCA,10,0,0.5,-1.5,-2,1,0,0,1
TCGA-A1-A001,s2.svs,BRCA,10,0,0.5,-1.5,-2,1,0,0,1
TCGA-A1-A002,s3.svs,BRCA,20,1,1.5,0.25,0,0,2,2,0
TCGA-A1-A003,s4.svs,BRCA,30,1,-0.5,1,0,0,2,2,0
"""


def build(root: Path, cohort: str, source: dict[str, Any]) -> omicstore.Store:
    rows = "".join(f"HGNC:{i}\t{s}\t{alias}\t\t{e}\t{g}\n" for i, (s, alias, e, g) in enumerate(GENES))
    (root / "hgnc.tsv").write_text(HGNC + rows)
    study = {
        "dataset": "made",
        "cohorts": [cohort],
        "references": {"symbols": {"path": "hgnc.tsv", "format": "hgnc"}},
        "sources": [{"cohort": cohort} | source],
    }
    (root / "params.yaml").write_text(yaml.safe_dump({"study": study}))
    build_study(root, lambda _: None)
    return omicstore.open(root / "data" / "store")


@pytest.fixture
def mcat(tmp_path: Path) -> omicstore.Store:
    (tmp_path / "table.csv").write_text(MCAT)
    source = {"path": "table.csv", "format": "mcat-table", "labels": {"subtype": "oncotree_code"}}
    return build(tmp_path, "BRCA", source)


def test_a_table_of_three_modalities(mcat: omicstore.Store) -> None:
    found = mcat.query(modalities=["rna", "cnv", "mut"], genes=["TP53", "EGFR"])
    assert {m: mcat.body["matrices"]["BRCA"][m]["unit"] for m in mcat.modalities} == {
        "rna": "zscore",
        "cnv": "gistic",
        "mut": "mutated",
    }
    np.testing.assert_array_equal(found.to_numpy("cnv"), [[-2, 1], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found.to_numpy("mut"), [[1], [0], [0]])
    provenance = mcat.table("provenance")
    assert provenance["name"].to_list() == [f"table.csv, {part}" for part in ("cnv", "tables", "mut", "tables", "rna")]
    assert provenance["modality"].to_list() == ["cnv", "label", "mut", "outcome", "rna"]
    assert mcat.table("outcomes").height == 3


def test_calls_that_two_patients_share_are_no_copies(mcat: omicstore.Store) -> None:
    assert not {"cnv", "mut"} & set(CONTINUOUS)
    report = check_store(mcat)
    status = {check["id"]: check["status"] for check in report["checks"]}
    assert status["duplicate-profile"] == status["sample-varies"] == "pass"
    assert status["calls-in-range"] == "pass"


def test_init_sees_who_is_in_a_study(tmp_path: Path) -> None:
    source = Source(MADE / "cbioportal" / "made_study", "cbioportal", cohort="METABRIC")
    seen = {m.modality: len(m.samples["METABRIC"]) for m in measured_samples(Study("made", ("METABRIC",), (source,)))}
    assert seen == {"rna": 4, "meth": 4, "prot": 2, "metab": 2, "cnv": 4, "mut": 3}  # without the metastasis
    (tmp_path / "table.csv").write_text(MCAT)
    source = Source(tmp_path / "table.csv", "mcat-table", cohort="BRCA")
    seen = {m.modality: len(m.samples["BRCA"]) for m in measured_samples(Study("made", ("BRCA",), (source,)))}
    assert seen == {"rna": 3, "cnv": 3, "mut": 3}


def test_a_study_of_cbioportal(tmp_path: Path) -> None:
    shutil.copytree(MADE / "cbioportal" / "made_study", tmp_path / "study")
    for part in ("rppa", "metabolites", "methylation_hm450"):
        next(p for p in (tmp_path / "study").glob("meta_*.txt") if f"stable_id: {part}\n" in p.read_text()).unlink()
    store = build(tmp_path, "METABRIC", {"path": "study", "format": "cbioportal"})
    found = store.query(modalities=["rna", "cnv", "mut"], genes=["TP53", "ERBB2"], sample_type="all")
    assert found.samples["sample_id"].to_list() == ["MB-0001", "MB-0002", "MB-0002-MET", "MB-0003", "MB-0004"]
    np.testing.assert_array_equal(found.to_numpy("cnv")[:, 0], [-2, -1, 0, 0, np.nan])
    np.testing.assert_array_equal(found.to_numpy("mut")[:, 0], [1, 1, np.nan, 0, np.nan])
    np.testing.assert_array_equal(found.to_numpy("rna")[1], [1, 4])  # ERBB2 is the file's HER2|2064
    patients = dict(store.table("profiles").select("sample_id", "patient_id").iter_rows())
    assert patients["MB-0002-MET"] == "MB-0002"
    with store.sql() as con:
        told = con.sql("SELECT consequences FROM features WHERE modality = 'mut' AND symbol = 'TP53'").fetchall()
        long = con.sql("SELECT sum(value) FROM mut").fetchall()
    assert json.loads(told[0][0]) == {"Missense_Mutation": 1, "Nonsense_Mutation": 1, "Silent": 1}
    assert long == [(3.0,)]


def test_a_store_without_mutations_says_nothing_of_consequences(tmp_path: Path) -> None:
    (tmp_path / "rna.tsv").write_text("gene\tTCGA-A1-A001-01A\nTP53\t1\n")
    source = {"path": "rna.tsv", "format": "matrix", "modality": "rna", "unit": "tpm"}
    store = build(tmp_path, "BRCA", source)
    assert "consequences" not in store.union_features("rna").columns
