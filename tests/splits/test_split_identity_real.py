"""Near-duplicate profiles among real tumours: what is known to be there is found, and nothing else."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import yaml

import omicstore
from omicstore.build.store import build_study
from omicstore.splits import SplitSpec, make
from omicstore.splits.similar import near_duplicates, similar_profiles

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.splits.similar import Similar

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def build(root: Path, real_data: Path, cohorts: list[str], sources: list[dict[str, object]]) -> Path:
    refs = real_data / "refs"
    study = {
        "dataset": "tcga",
        "cohorts": cohorts,
        "references": {
            "genes": {"path": str(refs / "gencode.v22.annotation.gene.probeMap.gz"), "format": "xena-probemap"},
            "symbols": {"path": str(refs / "hgnc_complete_set.txt.gz"), "format": "hgnc"},
        },
        "sources": sources,
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump({"study": study}))
    build_study(root, lambda _: None)
    return root / "data" / "store"


def similar(root: Path) -> Similar:
    with omicstore.open(root) as store:
        return similar_profiles(store)


def pairs(found: Similar) -> set[tuple[str, str]]:
    return set(near_duplicates(found.pairs, 0.999).select("left_patient", "right_patient").iter_rows())


@pytest.fixture(scope="module")
def proteins(real_data, tmp_path_factory) -> Path:
    """RPPA of five cohorts; and that of BRCA once more, as Firehose has it, under names that nobody else has."""
    root = tmp_path_factory.mktemp("proteins")
    text = gzip.decompress((real_data / "tcga" / "BRCA" / "BRCA.rppa.tsv.gz").read_bytes())
    (root / "again.tsv").write_bytes(text.replace(b"TCGA-", b"SIMU-"))
    tcga = real_data / "tcga"
    own = {
        c: {"path": str(tcga / c / f"{c}.rppa.tsv.gz"), "format": "firehose-rppa"} for c in ("BLCA", "CHOL", "COADREAD")
    }
    own |= {
        "BRCA": {"path": str(tcga / "BRCA" / "RPPA.gz"), "format": "xena-matrix"},
        "AGAIN": {"path": str(root / "again.tsv"), "format": "firehose-rppa"},
    }
    sources = [{**entry, "modality": "prot", "cohort": cohort, "unit": "log2_ratio"} for cohort, entry in own.items()]
    return build(root, real_data, sorted(own), sources)


def test_the_same_tumours_of_two_portals_are_found_and_nobody_else(proteins):
    found = similar(proteins)
    known = {("TCGA-CM-6164", "TCGA-D5-6898"), ("TCGA-A2-A0SV", "TCGA-A2-A0SW"), ("SIMU-A2-A0SV", "SIMU-A2-A0SW")}
    # A2-A0SV and A2-A0SW are one profile under two names, of each portal.
    crossed = {("SIMU-A2-A0SV", "TCGA-A2-A0SW"), ("SIMU-A2-A0SW", "TCGA-A2-A0SV")}
    with omicstore.open(proteins) as store:
        people = store.table("profiles").filter("chosen").select("cohort", "patient_id").unique()
    again = people.filter(pl.col("cohort") == "AGAIN")["patient_id"].str.slice(5).to_list()
    brca = set(people.filter(pl.col("cohort") == "BRCA")["patient_id"].str.slice(5).to_list())
    same = {(f"SIMU-{p}", f"TCGA-{p}") for p in again if p in brca}
    assert len(same) == 410
    assert pairs(found) == same | known | crossed
    across = found.pairs.filter((pl.col("kind") == "across") & pl.col("left_patient").str.starts_with("SIMU"))
    own = across.filter(pl.col("left_patient").str.slice(5) == pl.col("right_patient").str.slice(5))
    assert own["r"].min() > 0.9


def test_a_profile_under_two_names_is_one_person_in_a_split(proteins):
    with omicstore.open(proteins) as store:
        split = make(store, SplitSpec(name="cv", strategy="grouped_kfold", cohorts=("COADREAD",)))
    assert split.body["identity"]["groups_of_several"] == {"TCGA-CM-6164": 2}
    evidence = split.edges.filter(pl.col("kind") == "near_duplicate")["evidence"].to_list()
    assert len(evidence) == 1
    assert evidence[0].startswith("prot r=0.995, next 0.4")


def test_of_kidney_tumours_one_pair_stands_out(real_data, tmp_path):
    source = {
        "path": str(real_data / "tcga" / "KIDNEY" / "tcga_kidney_all_clean.csv.zip"), "format": "mcat-table",
        "modality": "rna", "cohort": "KIPAN", "unit": "zscore", "select": "_rnaseq$", "upstream_fit": "per_cohort",
    }  # fmt: skip
    agilent = {
        "path": str(real_data / "tcga" / "KIRP" / "agilent_mrna.tsv.gz"), "format": "matrix", "modality": "rna",
        "cohort": "KIRP", "unit": "log2_ratio", "platform": "agilent",
    }  # fmt: skip
    root = build(tmp_path, real_data, ["KIPAN", "KIRP"], [source, agilent])
    found = similar(root)
    assert pairs(found) == {("TCGA-BP-4994", "TCGA-BP-4995")}
    assert found.compared["rna"]["pairs_of_batches"] == 3
    with omicstore.open(root) as store:
        split = make(store, SplitSpec(name="cv", strategy="grouped_kfold", cohorts=("KIPAN",)))
    # All but one of the sixteen on the array are in the other table too, under the same name.
    assert split.body["identity"]["cohorts"] == {
        "patients_of_two_cohorts": 15,
        "shared": {"KIPAN and KIRP": 15},
        "by_name": ["KIPAN and KIRP"],
    }


def test_cell_lines_of_related_people_are_not_taken_for_one(real_data, tmp_path):
    ccle = real_data / "ccle"
    section = yaml.safe_load((real_data / "studies" / "ccle.yaml").read_text())["study"]
    section["references"] = {
        "symbols": {"path": str(real_data / "refs" / "hgnc_complete_set.txt.gz"), "format": "hgnc"}
    }
    section["sources"] = [
        {"path": str(ccle / "CCLE_RPPA_20181003.csv.gz"), "format": "matrix", "modality": "prot", "cohort": "CCLE",
         "unit": "log2_ratio"},
    ]  # fmt: skip
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"study": section}))
    build_study(tmp_path, lambda _: None)
    assert pairs(similar(tmp_path / "data" / "store")) == set()


def test_real_rna_normalised_again_is_found(real_data, tmp_path):
    """Half of the tumours of TCGA-BLCA again, as counts per upper quartile with another length of each gene."""
    rna = pl.read_csv(real_data / "tcga" / "BLCA" / "toil_log2tpm.csv.gz", infer_schema_length=0)
    names = rna[rna.columns[0]].to_list()
    tpm = np.maximum(np.exp2(rna[:, 1:].cast(pl.Float64).to_numpy()) - 0.001, 0)
    rng = np.random.default_rng(0)
    again = (
        tpm[::2] * np.exp(rng.normal(0, 1, tpm.shape[1])) * np.exp(rng.normal(0, 0.1, (len(tpm[::2]), tpm.shape[1])))
    )
    again /= np.quantile(again, 0.75, axis=1, keepdims=True) / 1000
    table = pl.DataFrame(again.round(4), schema=rna.columns[1:]).insert_column(
        0, pl.Series("id", [n.replace("TCGA", "SIMU") for n in names[::2]])
    )
    table.write_csv(tmp_path / "again.csv")
    first = {
        "path": str(real_data / "tcga" / "BLCA" / "toil_log2tpm.csv.gz"), "format": "matrix", "modality": "rna",
        "cohort": "BLCA", "unit": "log2(tpm+0.001)",
    }  # fmt: skip
    second = {
        "path": str(tmp_path / "again.csv"),
        "format": "matrix",
        "modality": "rna",
        "cohort": "AGAIN",
        "unit": "fpkm_uq",
    }
    found = pairs(similar(build(tmp_path / "study", real_data, ["AGAIN", "BLCA"], [first, second])))
    same = {(n.replace("TCGA", "SIMU"), n) for n in names[::2]}
    assert found <= same
    assert len(found) >= 0.95 * len(same)
