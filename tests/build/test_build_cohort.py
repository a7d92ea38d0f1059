"""What the tables of a cohort say reaches its matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
import yaml

import omicstore
from omicstore.build.store import build_study
from omicstore.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

GENES = "id\tgene\tchrom\tchromStart\tchromEnd\tstrand\nENSG00000141510.15\tTP53\tchr17\t1\t2\t-\n"


def profiles_of(root: Path) -> pl.DataFrame:
    build_study(root, lambda _: None)
    with omicstore.open(root / "data" / "store") as store:
        return store.table("profiles").filter(pl.col("modality") == "rna")


def test_a_clinical_table_says_which_vial_is_formalin_fixed(tmp_path: Path) -> None:
    ids = ["TCGA-4Z-0001-01A", "TCGA-4Z-0001-01B", "TCGA-4Z-0002-01A", "TCGA-4Z-0002-01B"]
    (tmp_path / "rna.tsv").write_text("\t".join(["gene", *ids]) + "\nENSG00000141510.15\t1\t2\t3\t60\n")
    (tmp_path / "genes.tsv").write_text(GENES)
    rows = [f"{ids[0]}\tmale\tTrue", f"{ids[1]}\tmale\tFalse", f"{ids[2]}\tmale\tFalse"]
    header = "submitter_id.samples\tgender.demographic\tis_ffpe.samples"
    (tmp_path / "phenotype.tsv").write_text("\n".join([header, *rows, ""]))
    study = {
        "dataset": "tiny",
        "cohorts": ["BLCA"],
        "references": {"genes": {"path": "genes.tsv", "format": "xena-probemap"}},
        "sources": [
            {"path": "rna.tsv", "format": "matrix", "modality": "rna", "cohort": "BLCA", "unit": "tpm"},
            {"path": "phenotype.tsv", "format": "xena-clinical", "cohort": "BLCA"},
        ],
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"study": study}))
    found = profiles_of(tmp_path).sort("profile_id").select("ffpe", "chosen", "reason").rows()
    assert found == [(True, False, "FFPE"), (False, True, None), (False, True, None), (None, False, "later vial")]


@pytest.mark.timeout(120)
def test_simulated_vials_that_are_formalin_fixed_are_passed_over(tmp_path: Path) -> None:
    section = yaml.safe_load(simulate(tmp_path, scale=0.5).read_text())["study"]
    section["cohorts"] = ["BRCA"]
    section["sources"] = [
        source
        for source in section["sources"]
        if source.get("cohort") == "BRCA" and (source.get("modality") == "rna" or source["format"] == "xena-clinical")
    ]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"study": section}))
    profiles = profiles_of(tmp_path)
    phenotype = pl.read_csv(tmp_path / "BRCA" / "SIMU-BRCA.GDC_phenotype.tsv.gz", separator="\t", infer_schema=False)
    said = dict(phenotype.select("submitter_id.samples", pl.col("is_ffpe.samples") == "True").iter_rows())
    assert dict(profiles.select("raw_id", "ffpe").iter_rows()) == {i: said.get(i) for i in profiles["raw_id"]}
    fixed = profiles.filter("ffpe")
    assert fixed.height
    assert set(fixed["reason"]) == {"FFPE"}
    assert "later vial" in set(profiles["reason"])
