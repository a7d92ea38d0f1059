"""A study made of a GDC download alone: from init to a query. The files have made values, the references are real."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import yaml

import omicstore
from omicstore.build.store import build_study
from omicstore.study import create_study

if TYPE_CHECKING:
    from omicstore.store.reader import Store

pytestmark = pytest.mark.real

MADE = Path(__file__).parents[1] / "made" / "gdc"
PATIENTS = ["TCGA-4Z-AA7M", "TCGA-4Z-AA7N", "TCGA-4Z-AA7O"]


@pytest.fixture(scope="module")
def store(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    root, refs = tmp_path_factory.mktemp("gdc"), real_data / "refs"
    folders = {
        "star_counts": "star-counts", "methylation": "methylation", "rppa": "rppa", "mirna": "mirna", "cnv": "cnv"
    }  # fmt: skip
    study = {
        "dataset": "tcga",
        "references": {
            "genes": {"path": str(refs / "gencode.v36.annotation.gtf.gene.probemap.gz"), "format": "xena-probemap"},
            "symbols": {"path": str(refs / "hgnc_complete_set.txt.gz"), "format": "hgnc"},
            "probes": {"path": str(refs / "hm450_annotation.tsv.gz"), "format": "probe-table", "platform": "hm450"},
            "sites": {"path": str(refs / "tcga_tss.csv"), "format": "tcga-tss"},
        },
        "sources": [
            *({"path": str(MADE / f"{f}_made"), "format": f"gdc-{k}", "cohort": "BLCA"} for f, k in folders.items()),
            {"path": str(MADE / "clinical.made.tar.gz"), "format": "gdc-clinical"},
        ],
    }
    (root / "study.yaml").write_text(yaml.safe_dump({"study": study}))
    defaults = create_study(root / "study", root / "study.yaml")
    assert defaults.sections["train"]["modalities"] == ["rna", "meth"]
    build_study(root / "study", lambda _: None)
    return omicstore.open(root / "study" / "data" / "store")


def test_all_modalities_and_units(store: Store) -> None:
    found = store.query(cohort="BLCA", modalities=["rna", "meth", "prot", "mirna", "cnv"]).summary()
    assert (found["n_patients"], found["n_complete"]) == (3, 3)
    units = {"rna": "tpm", "meth": "beta", "prot": "log2_ratio", "mirna": "rpm", "cnv": "copy_number"}
    assert {m: v["unit"] for m, v in found["modalities"].items()} == units
    sizes = {"rna": 12, "prot": 5, "mirna": 4, "cnv": 12}
    assert {m: found["modalities"][m]["n_features"] for m in sizes} == sizes


def test_tpm_of_a_gene_is_that_of_its_file(store: Store) -> None:
    folder = MADE / "star_counts_made"
    sheet = pl.read_csv(folder / "gdc_sample_sheet.made.tsv", separator="\t")
    expected = []
    for patient in PATIENTS:
        row = sheet.row(by_predicate=pl.col("Case ID") == patient, named=True)
        lines = (folder / row["File ID"] / row["File Name"]).read_text().splitlines()
        expected.append(float(next(line for line in lines if "\tTP53\t" in line).split("\t")[6]))
    found = store.query(cohort="BLCA", modalities=["rna"], genes=["TP53"]).to_numpy("rna")
    np.testing.assert_array_equal(found[:, 0], np.array(expected, np.float32))


def test_follow_up_and_patients(store: Store) -> None:
    outcomes = store.table("outcomes").select("patient_id", "endpoint", "time_days", "event").sort("patient_id")
    assert outcomes.rows() == [(PATIENTS[0], "OS", 950.0, 0), (PATIENTS[1], "OS", 512.0, 1)]
    assert store.table("patients").get_column("stage").to_list() == ["Stage III", "Stage IV", "Stage II"]


def test_what_was_left_out_is_told(store: Store) -> None:
    drops = {row["modality"]: row["drops"] or "" for row in store.table("provenance").to_dicts()}
    assert '"summary row":4' in drops["rna"]
    assert '"copy in the pseudoautosomal region of Y":1' in drops["rna"]
    assert '"no OS":1' in drops["outcome"]
