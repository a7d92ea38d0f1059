"""What must hold of real tumours: the counts in specs/cli.md and the checks that the formats were chosen for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import yaml

import omicstore
from omicstore.build.store import build_study
from omicstore.errors import MixedUnitsError, SourceError

if TYPE_CHECKING:
    from omicstore.store.reader import Store

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def study_section(real_data: Path, name: str) -> dict[str, Any]:
    """A real study's section with absolute paths."""
    folder = real_data / "studies"
    section: dict[str, Any] = yaml.safe_load((folder / f"{name}.yaml").read_text())["study"]
    references = [e for r in section["references"].values() for e in (r if isinstance(r, list) else [r])]
    for entry in [*section["sources"], *references]:
        entry["path"] = str((folder / entry["path"]).resolve())
    return section


def build(section: dict[str, Any], root: Path) -> Store:
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump({"study": section}))
    build_study(root, lambda _: None)
    return omicstore.open(root / "data" / "store")


@pytest.fixture(scope="module")
def blca(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(study_section(real_data, "blca"), tmp_path_factory.mktemp("blca"))


@pytest.fixture(scope="module")
def tcga(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(study_section(real_data, "tcga"), tmp_path_factory.mktemp("tcga"))


@pytest.fixture(scope="module")
def ccle(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(study_section(real_data, "ccle"), tmp_path_factory.mktemp("ccle"))


def counts(store: Store, cohort: str, modalities: str, **options: Any) -> tuple[int, int, dict[str, int]]:
    found = store.query(cohort=cohort, modalities=modalities.split(","), **options).summary()
    return found["n_samples"], found["n_complete"], {m: v["n_samples"] for m, v in found["modalities"].items()}


def drops(store: Store, cohort: str, modality: str) -> dict[str, int]:
    rows = store.table("provenance").filter((pl.col("cohort") == cohort) & (pl.col("modality") == modality))
    found: dict[str, int] = {}
    for text in rows["drops"].drop_nulls():
        for reason, count in json.loads(text).items():
            found[reason] = found.get(reason, 0) + count
    return found


def profiles(store: Store, cohort: str, modality: str) -> pl.DataFrame:
    return store.table("profiles").filter((pl.col("cohort") == cohort) & (pl.col("modality") == modality))


def test_blca_counts(blca: Store) -> None:
    assert counts(blca, "BLCA", "rna,meth") == (412, 360, {"rna": 360, "meth": 412})
    assert counts(blca, "blca", "RNA,meth", sample_type="all") == (434, 360, {"rna": 360, "meth": 434})


def test_blca_reports(blca: Store) -> None:
    reports = profiles(blca, "BLCA", "report")
    assert (reports.height, reports["patient_id"].n_unique()) == (412, 411)
    assert blca.query(cohort="BLCA", modalities=["report"]).summary()["modalities"]["report"]["n_samples"] == 411


def test_antibody_her2_follows_the_gene_erbb2(blca: Store) -> None:
    cohort = blca.query(cohort="BLCA", modalities=["rna", "prot"], genes=["ERBB2"], require="all")
    values = cohort.to_numpy()
    names = cohort.features("prot")["feature_id"].to_list()
    rna = np.log2(values["rna"][:, 0] + 1)
    her2 = values["prot"][:, names.index("HER2")]
    assert len(cohort.samples) == 297
    assert np.corrcoef(rna, her2)[0, 1] > 0.6


def test_exact_zeros_of_a_logged_unit(blca: Store) -> None:
    rna = blca.query(cohort="BLCA", modalities=["rna"]).to_numpy("rna")
    assert rna[np.isfinite(rna)].min() == 0.0
    assert (rna == 0).mean() > 0.01


def test_mirna_is_taken_in_the_unit_of_the_study(blca: Store) -> None:
    found = blca.query(cohort="BLCA", modalities=["mirna"], sample_type="all").summary()["modalities"]["mirna"]
    assert found["unit"] == "rpm"
    # Each of the 431 aliquots has three rows in the file, and one of them is in this unit.
    assert profiles(blca, "BLCA", "mirna").height == 431


def test_acc_gene_ids(tcga: Store) -> None:
    assert profiles(tcga, "ACC", "rna").height == 79
    row = tcga.table("provenance").filter((pl.col("cohort") == "ACC") & (pl.col("modality") == "rna")).to_dicts()[0]
    unknown = [name for names in json.loads(row["examples"]).values() for name in names if name.startswith("?|")]
    assert len(unknown) == 13
    symbols = tcga.query(cohort="ACC", modalities=["rna"]).features("rna")["symbol"].to_list()
    assert {"SLC35E2A", "SLC35E2B"} <= set(symbols)


def test_brca_counts_and_units(tcga: Store) -> None:
    n_samples, complete, by_modality = counts(tcga, "BRCA", "rna,meth")
    assert (n_samples, complete, by_modality["meth"]) == (932, 311, 348)
    with pytest.raises(MixedUnitsError, match="rna has different units: tpm in BLCA; zscore in BRCA"):
        tcga.query(cohort=["BLCA", "BRCA"], modalities=["rna"])
    mixed = tcga.query(cohort=["BLCA", "BRCA"], modalities=["rna"], allow_mixed_units=True).summary()
    assert mixed["modalities"]["rna"]["unit"] is None


def test_coadread_replicates(tcga: Store) -> None:
    n_samples, complete, _ = counts(tcga, "COADREAD", "rna,meth")
    assert (n_samples, complete) == (331, 11)
    rna = profiles(tcga, "COADREAD", "rna")
    assert (rna.height, rna["chosen"].sum()) == (320, 317)
    assert rna.filter(~pl.col("chosen"))["reason"].to_list() == ["indistinguishable"] * 3


def test_lusc_normals_are_left_out_by_default(tcga: Store) -> None:
    default = counts(tcga, "LUSC", "meth")[0]
    everything = counts(tcga, "LUSC", "meth", sample_type="all")[0]
    assert everything - default == 42


def test_outcomes_are_of_the_study_and_unions_agree(tcga: Store, real_data: Path) -> None:
    cdr = pl.read_csv(real_data / "tcga" / "TCGA-CDR.csv.gz", columns=["type"])
    assert cdr["type"].n_unique() == 30
    outcomes, patients = tcga.table("outcomes"), tcga.table("patients")
    assert set(outcomes["patient_id"]) <= set(patients["patient_id"])
    assert outcomes.filter((pl.col("cohort") == "COADREAD") & (pl.col("source").is_not_null())).height > 300
    assert set(outcomes["endpoint"]) == {"OS", "DSS", "PFI", "DFI"}


def test_every_profile_is_accounted_for(tcga: Store) -> None:
    chosen = tcga.table("profiles").filter("chosen")
    assert chosen.select("cohort", "modality", "sample_id").is_duplicated().sum() == 0
    left_out = tcga.table("profiles").filter(~pl.col("chosen"))
    assert left_out["reason"].null_count() == 0


def test_ccle_counts(ccle: Store) -> None:
    assert counts(ccle, "CCLE", "prot,metab") == (939, 888, {"prot": 899, "metab": 928})
    metab = ccle.query(cohort="CCLE", modalities=["metab"])
    assert metab.summary()["modalities"]["metab"]["unit"] == "intensity"
    assert metab.summary()["modalities"]["metab"]["n_features"] == 225


def test_tj_rcc_sets_two_platforms_side_by_side(real_data: Path, tmp_path: Path) -> None:
    store = build(study_section(real_data, "tj_rcc"), tmp_path)
    assert counts(store, "TJRCC", "metab") == (100, 100, {"metab": 100})
    assert counts(store, "TJRCC", "metab", sample_type="all") == (150, 150, {"metab": 150})
    metab = store.query(cohort="TJRCC", modalities=["metab"], sample_type="all")
    # 309 by GC and 767 by LC: no two names of one platform are surely one compound, and platforms are never merged.
    assert metab.features("metab")["platform"].value_counts(sort=True).rows() == [("lc-ms", 767), ("gc-ms", 309)]
    columns = profiles(store, "TJRCC", "metab")
    assert (columns.height, columns["chosen"].sum()) == (300, 300)
    gc = (metab.features("metab")["platform"] == "gc-ms").to_numpy()
    values = metab.to_numpy("metab")
    assert np.isfinite(values[:, gc]).any(axis=1).all()
    assert np.isfinite(values[:, ~gc]).any(axis=1).all()
    assert faults(store) == []


def test_kidney_counts(real_data: Path, tmp_path: Path) -> None:
    store = build(study_section(real_data, "kidney"), tmp_path)
    n_samples, complete, by_modality = counts(store, "KIPAN", "rna,report")
    assert (by_modality["rna"], complete) == (605, 556)
    assert n_samples == store.table("patients").height == 905
    assert {p["unit"] for p in store.body["matrices"]["KIPAN"].values()} == {"zscore"}
    assert set(store.table("labels")["task"]) == {"subtype"}
    assert faults(store) == []


def faults(store: Store) -> list[str]:
    """The checks that a store fails with an error."""
    from validation.report import check_store

    return [c["id"] for c in check_store(store)["checks"] if c["status"] == "error"]


def kirp_section(real_data: Path, platform: str | None) -> dict[str, Any]:
    section = study_section(real_data, "tcga")
    section["cohorts"] = ["KIRP"]
    section["sources"] = [s for s in section["sources"] if s.get("cohort") == "KIRP" and s["modality"] == "meth"]
    del section["sources"][0]["platform"]
    if platform:
        section["sources"][0]["platform"] = platform
    return section


def test_the_27k_array_is_recognised(real_data: Path, tmp_path: Path) -> None:
    store = build(kirp_section(real_data, None), tmp_path)
    assert store.table("profiles")["platform"].unique().to_list() == ["hm27"]


def test_a_wrong_platform_is_refused(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="hm27") as caught:
        build(kirp_section(real_data, "hm450"), tmp_path)
    assert caught.value.exit_code == 1
    assert not (tmp_path / "data" / "store" / "store.json").exists()


def test_two_clean_builds_are_byte_identical(real_data: Path, tmp_path: Path) -> None:
    section = study_section(real_data, "ccle")
    first, second = tmp_path / "first", tmp_path / "second"
    build(section, first)
    build(section, second)
    assert tree(first / "data" / "store") == tree(second / "data" / "store")
    shutil.rmtree(first)


def tree(root: Path) -> dict[str, bytes]:
    files = (p for p in sorted(root.rglob("*")) if p.is_file() and not p.relative_to(root).parts[0].startswith("."))
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}
