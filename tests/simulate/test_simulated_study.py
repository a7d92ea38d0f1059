"""The simulated study: what its files must be, and that what is in them can be found again."""

from __future__ import annotations

import filecmp
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from omicstore.simulate import COHORTS, HAZARD, LATENTS, simulate
from omicstore.sources import load_study

TRUTH = {"log2(tpm+1)": lambda x: np.exp2(x) - 1, "log2(tpm+0.001)": lambda x: np.exp2(x) - 0.001, "tpm": lambda x: x}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study at scale 1."""
    return simulate(tmp_path_factory.mktemp("demo")).parent


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def read(path: Path, **options) -> pl.DataFrame:
    separator = "," if ".csv" in path.suffixes else "\t"
    return pl.read_csv(path, separator=separator, infer_schema_length=None, **options)


def test_same_bytes_whatever_the_hash_seed(tmp_path):
    program = "import sys, pathlib, omicstore.simulate as s; s.simulate(pathlib.Path(sys.argv[1]), scale=0.15)"
    for name, hash_seed in (("a", "1"), ("b", "2")):
        env = os.environ | {"PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], check=True, env=env)
    names = files(tmp_path / "a")
    assert names == files(tmp_path / "b")
    _, differ, errors = filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", names, shallow=False)
    assert not differ
    assert not errors


def test_another_seed_gives_other_patients(tmp_path):
    first = simulate(tmp_path / "a", seed=1, scale=0.1).parent
    second = simulate(tmp_path / "b", seed=2, scale=0.1).parent
    patients = [set(pl.read_parquet(p / "truth" / "patients.parquet")["patient_id"]) for p in (first, second)]
    assert not patients[0] & patients[1]


def test_a_second_run_leaves_nothing_of_the_first(tmp_path):
    simulate(tmp_path / "a", seed=1, scale=0.1)
    simulate(tmp_path / "a", seed=2, scale=0.1)
    simulate(tmp_path / "b", seed=2, scale=0.1)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_small_and_complete(demo):
    assert sum((demo / name).stat().st_size for name in files(demo)) < 15e6
    study = load_study(demo / "study.yaml")
    assert study.simulated
    assert study.dataset == "simulated"
    assert study.cohorts == tuple(design.name for design in COHORTS)
    for entry in (*study.sources, *study.references):
        assert entry.path.exists(), entry.path
    listed = {p for s in study.sources for p in ([s.path] if s.path.is_file() else s.path.iterdir())}
    listed |= {r.path for r in study.references} | {demo / "study.yaml", demo / "README.txt"}
    assert {demo / name for name in files(demo)} - listed == set((demo / "truth").iterdir())
    formats = {s.format for s in study.sources}
    assert formats >= {"matrix", "xena-matrix", "xena-clinical", "xena-survival", "firehose-rppa", "firehose-clinical"}
    assert formats >= {"clinical-table", "tcga-cdr", "reports", "patches-h5"}


def test_nobody_can_take_it_for_real(demo):
    assert (demo / "README.txt").read_text().startswith("SIMULATED DATA")
    assert (demo / "study.yaml").read_text().startswith("# SIMULATED DATA")
    for name in files(demo):
        content = (demo / name).read_bytes()
        text = gzip.decompress(content) if name.endswith(".gz") else content
        assert b"TCGA-" not in text, name
        assert b"TCGA." not in text, name
    assert pl.read_parquet(demo / "truth" / "samples.parquet")["patient_id"].str.starts_with("SIMU-").all()


def test_compressed_files_carry_neither_clock_nor_name(demo):
    for path in demo.rglob("*.gz"):
        head = path.read_bytes()[:10]
        assert head[3] == 0, "flags: a file name in the header"
        assert head[4:8] == b"\0\0\0\0", "modification time"


def test_sites_belong_to_one_cohort_and_one_is_called_na(demo):
    sites = read(demo / "references" / "simulated_tss.csv")
    assert sites["TSS Code"].is_unique().all()
    disease = dict(sites.select("TSS Code", "Disease type").iter_rows())
    assert disease["NA"] == "Uterine Corpus Endometrial Carcinoma"
    patients = pl.read_parquet(demo / "truth" / "patients.parquet")
    patients = patients.with_columns(site=pl.col("patient_id").str.split("-").list.get(1))
    for design in COHORTS:
        here = patients.filter(cohort=design.name)
        counts = here["site"].value_counts()["count"]
        assert here["site"].n_unique() >= 12
        assert counts.max() > 4 * counts.min()
        assert {disease[s] for s in here["site"]} == {design.disease}
    assert patients.filter(site="NA").height > 5


def test_availability_is_that_of_the_design(demo):
    truth = pl.read_parquet(demo / "truth" / "patients.parquet")
    for source in load_study(demo / "study.yaml").sources:
        if source.modality not in ("meth", "patches"):
            continue
        design = next(d for d in COHORTS if d.name == source.cohort)
        if source.modality == "patches":
            ids = [p.name[:12] for p in source.path.glob("*.h5")]
        else:
            ids = [c.replace(".", "-")[:12] for c in read(source.path, n_rows=1).columns[1:]]
        count = truth.filter(cohort=source.cohort).height
        expected = design.availability[source.modality]
        # Patients without RNA always have methylation, which lifts the share a little.
        assert expected - 0.01 <= len(set(ids)) / count <= expected + 0.2


def test_rna_is_convertible_and_has_the_sexes_right(demo):
    genes = read(demo / "references" / "simulated.gene.probemap.gz")
    on_y = genes.filter((pl.col("chrom") == "chrY") & ~pl.col("id").str.ends_with("_PAR_Y"))["gene"].to_list()
    sex = dict(read(demo / "SIMU-CDR.csv.gz").select("bcr_patient_barcode", "gender").iter_rows())
    for source in load_study(demo / "study.yaml").sources:
        if source.modality != "rna":
            continue
        frame = read(source.path)
        values = TRUTH[source.unit](frame.drop(frame.columns[0]).to_numpy())
        assert values.min() > -1e-4
        assert values.max() > 50
        if source.cohort == "GBM":
            male = np.array([sex[p] == "MALE" for p in frame.to_series(0)])
            y = TRUTH[source.unit](frame.select(on_y).to_numpy())
            assert y[~male].max() < 0.01
            assert (np.median(y[male], axis=0) > 1).all()


def test_methylation_is_beta_with_gaps_and_a_silent_x(demo):
    probes = read(demo / "references" / "simulated_hm450.tsv.gz")
    frame = read(demo / "GBM" / "HumanMethylation450.tsv.gz", null_values="NA")
    values = frame.drop("sample").to_numpy()
    assert np.nanmin(values) >= 0
    assert np.nanmax(values) <= 1
    assert 0.005 < np.isnan(values).mean() < 0.05
    sex = dict(read(demo / "SIMU-CDR.csv.gz").select("bcr_patient_barcode", "gender").iter_rows())
    female = np.array([sex[c[:12]] == "FEMALE" for c in frame.columns[1:]])
    promoter = (
        (probes["chrom_hg38"] == "chrX") & probes["gene_group"].fill_null("").is_in(["TSS200", "TSS1500"])
    ).to_numpy()
    half, low = np.nanmedian(values[promoter][:, female]), np.nanmedian(values[promoter][:, ~female])
    assert half > low + 0.1
    assert set(probes["gene_group"].drop_nulls()) >= {"3'UTR", "Body", "TSS200"}
    assert probes["gene_group"].null_count() > 50


def test_gene_names_exercise_the_mapping(demo):
    hgnc = read(demo / "references" / "simulated_hgnc.txt.gz", infer_schema=False)
    approved = set(hgnc["symbol"])
    old = read(demo / "GBM" / "toil_log2tpm.csv.gz").columns
    assert old[0] == ""
    assert sum(n.startswith("SIMOLD") for n in old) >= 15
    assert "SIMAMBIG" in old
    entrez = read(demo / "UCEC" / "UCEC.tpm.tsv.gz")["gene_id"]
    symbols = entrez.str.split("|").list.get(0)
    assert (symbols == "?").sum() == 8
    assert symbols.filter(symbols != "?").is_duplicated().sum() == 2
    split = read(demo / "LGG" / "LGG.log2tpm.csv.gz").columns
    assert "1-Mar" in split
    assert {"SIMG0013", "SIMOLD0013"} <= set(split)
    assert "SIMG0013" in approved
    ensembl = read(demo / "BRCA" / "SIMU-BRCA.star_tpm.tsv.gz")["Ensembl_ID"]
    assert ensembl.str.ends_with("_PAR_Y").sum() == 3


def test_replicates_are_of_every_kind(demo):
    phenotype = read(demo / "BRCA" / "SIMU-BRCA.GDC_phenotype.tsv.gz", infer_schema=False)
    second = phenotype.filter(pl.col("submitter_id.samples").str.ends_with("B"))
    assert set(second["is_ffpe.samples"]) == {"True", "False"}
    aliquots = read(demo / "UCEC" / "UCEC.tpm.tsv.gz", n_rows=1).columns[1:]
    portions = [a[:20] for a in aliquots]
    assert len(set(portions)) == len(portions) - 2, "two portions on two plates each"
    assert sum(a[13:16] == "01B" for a in aliquots) == 2
    patients = read(demo / "GBM" / "toil_log2tpm.csv.gz").to_series(0)
    assert patients.is_duplicated().sum() == 4


def test_slides_are_trident_files(demo):
    folder = demo / "LGG" / "trident" / "20x_256px_0px_overlap" / "features_simulated"
    path = min(folder.iterdir())
    with h5py.File(path) as file:
        features, coords = file["features"], file["coords"]
        assert features.shape[1] == 32
        assert features.dtype == np.float32
        assert 20 <= features.shape[0] <= 40
        assert coords.shape == (features.shape[0], 2)
        assert np.issubdtype(coords.dtype, np.integer)
        assert coords.attrs["patch_size_level0"] == 512
        assert coords.attrs["target_magnification"] == 20
        assert len(np.unique(coords[:], axis=0)) == coords.shape[0]


def test_reports_give_the_label_away_only_where_they_say_so(demo):
    truth = json.loads((demo / "truth" / "truth.json").read_text())
    subtype = dict(pl.read_parquet(demo / "truth" / "patients.parquet").select("patient_id", "subtype").iter_rows())
    for design in COHORTS:
        frame = read(demo / design.name / "path_reports.csv.gz")
        assert frame["ocr_text"].null_count() == 1
        assert "scan_without_barcode.PDF" in frame["pdf_file_name_path"]
        for name, text, states in frame.filter(pl.col("ocr_text").is_not_null()).iter_rows():
            head = text.split(truth["label_sentence"])[0]
            assert all(s not in head for s in design.subtypes)
            assert (head != text) == (states == "yes")
            assert text.startswith("SIMULATED REPORT")
            if name.startswith("SIMU"):
                assert name[:12] in text
                assert states == "no" or subtype[name[:12]] in text


def test_outcomes_have_what_real_ones_have(demo):
    outcomes = read(demo / "SIMU-CDR.csv.gz")
    study = outcomes.filter(pl.col("type") != "ACC")
    assert (outcomes["OS.time"] == 0).sum() == len(COHORTS)
    assert (outcomes["OS.time"] >= 0).all()
    assert (outcomes["PFI.time"] <= outcomes["OS.time"]).all()
    assert 0.5 <= 1 - study["OS"].mean() <= 0.6
    assert outcomes.filter(pl.col("Redaction") == "Redacted").height == 1
    assert outcomes.filter(type="GBM")["DFI"].null_count() == outcomes.filter(type="GBM").height
    known = set(pl.read_parquet(demo / "truth" / "patients.parquet")["patient_id"])
    assert len(set(outcomes["bcr_patient_barcode"]) - known) == 5
    assert set(read(demo / "BRCA" / "SIMU-BRCA.survival.tsv").columns) == {"sample", "OS", "_PATIENT", "OS.time"}


def test_truth_is_complete(demo):
    truth = json.loads((demo / "truth" / "truth.json").read_text())
    assert truth["simulated"] is True
    assert truth["hazard"] == HAZARD
    assert truth["seed"] == 7
    samples = pl.read_parquet(demo / "truth" / "samples.parquet")
    assert set(LATENTS) < set(samples.columns)
    assert samples["sample_id"].is_unique().all()
    assert pl.read_parquet(demo / "truth" / "genes.parquet").height == 800
