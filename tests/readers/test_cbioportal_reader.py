"""Study folders of cBioPortal: the meta files say what is read, and nothing vanishes unsaid."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from omicstore.harmonize.samples import SampleMap
from omicstore.readers import expand, has_outcomes, people, profile_ids, read
from omicstore.readers.cbioportal import recognise
from omicstore.readers.cbioportal_meta import read_study
from omicstore.readers.recognise import look
from omicstore.sources import Source, Study

if TYPE_CHECKING:
    from omicstore.readers.table import RawTable

MADE = Path(__file__).parents[1] / "made" / "cbioportal" / "made_study"


@pytest.fixture
def whole() -> Source:
    return Source(MADE, "cbioportal", cohort="METABRIC", labels={"subtype": "SUBTYPE"})


def matrix(part: str, folder: Path = MADE) -> RawTable:
    (source,) = expand(Source(folder, "cbioportal", cohort="METABRIC", part=part))
    (raw,) = read(source)
    assert raw.values is not None
    assert profile_ids(source) == raw.ids
    return raw


def test_parts(whole: Source) -> None:
    assert [(p.modality, p.unit, p.part, p.platform) for p in expand(whole)] == [
        ("rna", "tpm", "made_mrna_seq_tpm", None),
        ("meth", "beta", "methylation_hm450", "hm450"),
        ("prot", "log2_ratio", "rppa", None),
        ("metab", "intensity", "metabolites", None),
        ("cnv", "gistic", "gistic", None),
        ("mut", "mutated", "mutations", None),
        (None, None, "clinical", None),
    ]


def test_a_source_may_pick_a_modality_or_a_part() -> None:
    source = Source(MADE, "cbioportal", modality="cnv", cohort="METABRIC")
    assert [p.part for p in expand(source)] == ["gistic", "clinical"]
    source = Source(MADE, "cbioportal", cohort="METABRIC", part="mrna", unit="log2(intensity)")
    assert [(p.modality, p.unit) for p in expand(source)] == [("rna", "log2(intensity)")]
    source = Source(MADE, "cbioportal", cohort="METABRIC", part="made_mrna_seq_tpm_zscores")
    assert [(p.unit, p.upstream_fit) for p in expand(source)] == [("zscore", "per_cohort")]
    assert [p.part for p in expand(Source(MADE, "cbioportal", part="clinical"))] == ["clinical"]


def test_entrez_names_the_gene() -> None:
    raw = matrix("made_mrna_seq_tpm")
    assert raw.features == ["TP53|7157", "EGFR|1956", "PTEN|5728", "HER2|2064"]
    assert raw.ids == ["MB-0001", "MB-0002", "MB-0002-MET", "MB-0003", "MB-0004"]
    assert raw.values is not None
    np.testing.assert_array_equal(raw.values[1], [1, 2, 3, 4])


def test_missing_calls_stay_missing() -> None:
    values = matrix("gistic").values
    assert values is not None
    np.testing.assert_array_equal(values[:, 0], [-2, -1, 0, 0, np.nan])


def test_proteins_bring_their_genes() -> None:
    raw = matrix("rppa")
    assert raw.features == ["HER2_pY1248", "Akt_pS473"]
    assert raw.feature_info is not None
    assert raw.feature_info["symbol"].to_list() == ["ERBB2", "AKT1;AKT2;AKT3"]


def test_limits_of_generic_assays_are_counted() -> None:
    raw = matrix("metabolites")
    assert raw.features == ["lactate", "citrate"]
    np.testing.assert_array_equal(raw.values, [[100.5, 3], [8000, np.nan], [20, 1]])
    assert raw.warnings == ["2 cells hold a limit such as > 8 and were read as the limit"]


def test_mutations_of_the_samples_that_were_sequenced() -> None:
    raw = matrix("mutations")
    assert raw.ids == ["MB-0001", "MB-0002", "MB-0003"]  # MB-0003 has a silent one alone, MB-0004 was not sequenced
    assert raw.features == ["PTEN|5728", "TP53|7157"]
    np.testing.assert_array_equal(raw.values, [[1, 1], [0, 1], [0, 0]])
    assert raw.feature_info is not None
    told = dict(raw.feature_info.iter_rows())
    assert json.loads(told["TP53|7157"]) == {"Missense_Mutation": 1, "Nonsense_Mutation": 1, "Silent": 1}
    assert raw.drops.counts == {"consequence unknown: Fusion": 1, "protein not changed: Silent": 2}


def test_without_a_case_list_silence_says_nothing(tmp_path: Path) -> None:
    study = shutil.copytree(MADE, tmp_path / "study")
    (study / "case_lists" / "cases_sequenced.txt").unlink()
    raw = matrix("mutations", study)
    assert raw.ids == ["MB-0001", "MB-0002", "MB-0003"]  # those that the file names
    assert raw.warnings == [
        (
            "the study has no list of the samples that were sequenced (case_lists/cases_sequenced.txt): "
            "those without any mutation are not known"
        )
    ]


def test_genes_off_a_panel_are_unknown(tmp_path: Path) -> None:
    study = shutil.copytree(MADE, tmp_path / "study")
    (study / "meta_gene_panel_matrix.txt").write_text(
        "genetic_alteration_type: GENE_PANEL_MATRIX\ndatatype: GENE_PANEL_MATRIX\n"
        "data_filename: data_gene_panel_matrix.txt\n"
    )
    (study / "data_gene_panel_matrix.txt").write_text("SAMPLE_ID\tmutations\nMB-0002\tSMALL\nMB-0004\tABSENT\n")
    (study / "data_gene_panel_small.txt").write_text("stable_id: SMALL\ngene_list: TP53\tEGFR\n")
    raw = matrix("mutations", study)
    assert raw.ids == ["MB-0001", "MB-0002", "MB-0003", "MB-0004"]
    assert raw.features == ["PTEN|5728", "TP53|7157", "EGFR"]
    np.testing.assert_array_equal(raw.values, [[1, 1, 0], [np.nan, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert raw.warnings == ["the genes of panel ABSENT are not in the folder: those that it lacks read as not mutated"]


def test_clinical(whole: Source) -> None:
    found = {}
    for raw in read(expand(whole)[-1]):
        found.setdefault(raw.kind, []).append(raw)
    patients, samples = (raw.frame for raw in found["clinical"])
    assert patients.select("raw_id", "sex", "age_years").row(0) == ("MB-0001", "female", 61.5)
    assert samples.columns == ["raw_id", "SAMPLE_TYPE", "SUBTYPE"]
    (outcome,) = found["outcome"]
    rows = {(r[0], r[1]): r[2:] for r in outcome.frame.iter_rows()}
    assert rows["MB-0001", "OS"] == (10 * 30.4375, 1)
    assert rows["MB-0001", "PFI"] == (4 * 30.4375, 1)
    assert rows["MB-0001", "DSS"] == (10 * 30.4375, 1)
    assert rows["MB-0004", "OS"] == (0.0, 0)
    assert ("MB-0003", "OS") not in rows
    (label,) = found["label"]
    assert label.frame["label"].to_list() == ["LumA", "Basal", "Basal", "LumB", "LumA"]
    assert has_outcomes(whole)


def test_every_file_is_read_or_said_to_be_left_out(whole: Source) -> None:
    parts = expand(whole)
    drops = read(parts[-1])[0].drops
    left_out = {
        name for reason, names in drops.examples.items() if reason.startswith("file left out") for name in names
    }
    study = read_study(MADE)
    taken = {part.part for part in parts}
    for profile in study.profiles:
        assert profile.kind == "CLINICAL" or {profile.id, profile.data.name} & (taken | left_out)
    assert left_out == {"data_drug.txt", "data_gsva.txt", "data_seg.txt", "mrna", "made_mrna_seq_tpm_zscores"}


def test_the_study_says_whose_the_samples_are(whole: Source) -> None:
    who = people(whole)
    assert who is not None
    assert dict(who.select("raw_id", "patient_id").iter_rows())["MB-0002-MET"] == "MB-0002"
    mapped = SampleMap(Study("made", ("METABRIC",), (whole,)), "METABRIC")
    sample = mapped.sample("MB-0002-MET")
    assert sample is not None
    assert (sample.patient_id, sample.sample_id, sample.sample_type) == ("MB-0002", "MB-0002-MET", "metastasis")
    inferred = mapped.sample("MB-0004")
    assert inferred is not None
    assert (inferred.sample_type, inferred.sample_type_inferred) == ("primary", True)
    barcode = mapped.sample("TCGA-A1-A0SB-01")
    assert barcode is not None
    assert barcode.patient_id == "TCGA-A1-A0SB"
    assert mapped.sample("MB-9999") is None


@pytest.mark.parametrize(
    ("stable_id", "datatype", "name", "unit"),
    [
        ("rna_seq_v2_mrna", "CONTINUOUS", "mRNA expression (RNA Seq V2 RSEM)", "rsem_normalized"),
        ("ccle_mrna_tpm", "CONTINUOUS", "Expression", "tpm"),
        ("mrna_seq_fpkm", "CONTINUOUS", "mRNA expression", "fpkm"),
        ("mrna_seq_fpkm_uq", "CONTINUOUS", "mRNA expression", "fpkm_uq"),
        ("rna_seq_mrna", "CONTINUOUS", "RNA expression in RPKM", "fpkm"),
        ("mrna_seq_read_counts", "CONTINUOUS", "mRNA expression", "counts"),
        ("mrna", "CONTINUOUS", "log2(TPM + 1) of genes", "log2(tpm+1)"),
        ("mrna", "CONTINUOUS", "mRNA expression (Agilent microarray)", "log2_ratio"),
        ("mrna", "LOG2-VALUE", "log2 transformed TPM", None),
        ("mrna_U133", "CONTINUOUS", "mRNA expression (U133 microarray only)", None),
        ("rna_seq_v2_mrna_median_Zscores", "Z-SCORE", "z-scores", "zscore"),
    ],
)
def test_units_of_expression(tmp_path: Path, stable_id: str, datatype: str, name: str, unit: str | None) -> None:
    (tmp_path / "meta_x.txt").write_text(
        f"genetic_alteration_type: MRNA_EXPRESSION\ndatatype: {datatype}\nstable_id: {stable_id}\n"
        f"profile_name: {name}\ndata_filename: data_x.txt\n"
    )
    (tmp_path / "data_x.txt").write_text("Hugo_Symbol\tA\nTP53\t1\n")
    assert [p.unit for p in read_study(tmp_path).profiles] == [unit]


def test_recognised() -> None:
    guess = recognise(look(MADE))
    assert guess is not None
    assert (guess.format, guess.sure) == ("cbioportal", True)
    assert "rna comes from part made_mrna_seq_tpm, tpm" in guess.notes
    assert recognise(look(MADE / "data_cna.txt")) is None
    assert recognise(look(MADE.parent)) is None


def test_long_calls_and_windows_line_ends(tmp_path: Path) -> None:
    study = shutil.copytree(MADE, tmp_path / "study")
    meta = study / "meta_cna.txt"
    meta.write_text(meta.read_text().replace("DISCRETE", "DISCRETE_LONG"))
    wide = pl.read_csv(study / "data_cna.txt", separator="\t", infer_schema=False)
    long = wide.unpivot(index=["Hugo_Symbol", "Entrez_Gene_Id"], variable_name="Sample_Id", value_name="Value")
    long.write_csv(study / "data_cna.txt", separator="\t")
    for path in study.rglob("*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before, after = matrix("gistic"), matrix("gistic", study)
    order = [after.features.index(name) for name in before.features]
    assert after.ids == before.ids
    assert before.values is not None
    assert after.values is not None
    np.testing.assert_array_equal(after.values[:, order], before.values)
    clinical = [expand(Source(folder, "cbioportal", cohort="METABRIC"))[-1] for folder in (MADE, study)]
    for one, other in zip(*(read(part) for part in clinical), strict=True):
        assert one.frame is not None
        assert one.frame.equals(other.frame)
    assert matrix("mutations", study).features == matrix("mutations").features


def test_real_study(real_data: Path) -> None:
    folder = real_data / "fixtures" / "cbioportal_study" / "tests" / "test_data" / "study_es_0"
    source = Source(folder, "cbioportal", cohort="BRCA")
    shapes = {p.part: read(p)[0].values.shape for p in expand(source) if p.modality is not None}
    assert shapes == {"mrna": (526, 6), "methylation_hm27": (311, 8), "log2CNA": (778, 7), "mutations": (31, 19)}
    (calls,) = read(expand(Source(folder, "cbioportal", cohort="BRCA", part="gistic"))[0])
    long = pl.read_csv(folder / "data_cna_discrete.txt", separator="\t", infer_schema=False)
    assert calls.values is not None
    assert int(np.isfinite(calls.values).sum()) == long.height - calls.drops.counts["second value of a gene and sample"]
    (mutations,) = read(next(p for p in expand(source) if p.modality == "mut"))
    at = mutations.ids.index("TCGA-A1-A0SB-02")  # on TESTPANEL2, which has 11 genes
    assert mutations.values is not None
    assert int(np.isfinite(mutations.values[at]).sum()) == 11
