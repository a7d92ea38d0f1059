"""Methylation, RPPA, miRNA and copy number of the GDC; what sheets say; recognition. The made files have made values."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from omicstore.errors import SourceError
from omicstore.readers import people, profile_ids, read
from omicstore.readers.gdc_clinical import recognise as recognise_clinical
from omicstore.readers.gdc_cnv import recognise as recognise_cnv
from omicstore.readers.gdc_expression import recognise as recognise_rna
from omicstore.readers.gdc_methylation import recognise as recognise_meth
from omicstore.readers.gdc_mirna import recognise as recognise_mirna
from omicstore.readers.gdc_rppa import recognise as recognise_rppa
from omicstore.readers.recognise import look
from omicstore.sources import Source

MADE = Path(__file__).parents[1] / "made" / "gdc"
SAMPLES = ["TCGA-4Z-AA7M-01A", "TCGA-4Z-AA7N-01A", "TCGA-4Z-AA7O-01A"]


def source(path: Path, kind: str, modality: str, unit: str, **more: object) -> Source:
    return Source(path, kind, modality, "BLCA", unit, **more)  # type: ignore[arg-type]


def meth(path: Path, **more: object) -> Source:
    return source(path, "gdc-methylation", "meth", "beta", **more)


def test_betas_come_a_profile_at_a_time_and_as_often_as_asked() -> None:
    (raw,) = read(meth(MADE / "methylation_made"))
    assert (raw.ids, raw.values) == (SAMPLES, None)
    assert raw.blocks is not None
    first, again = list(raw.blocks.read()), list(raw.blocks.read())
    assert [block.shape for block in first] == [(1, len(raw.features))] * 3
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    sheet = pl.read_csv(MADE / "methylation_made" / "gdc_sample_sheet.made.tsv", separator="\t")
    for sample, block in zip(raw.ids, first, strict=True):
        row = sheet.row(by_predicate=pl.col("Sample ID") == sample, named=True)
        file = MADE / "methylation_made" / row["File ID"] / row["File Name"]
        cells = [line.split("\t") for line in file.read_text().splitlines()]
        assert raw.features == [name for name, _ in cells]
        expected = np.array([np.nan if value == "NA" else float(value) for _, value in cells], np.float32)
        np.testing.assert_array_equal(block[0], expected)


def test_two_arrays_in_one_folder_are_two_matrices(tmp_path: Path) -> None:
    for i, probes in enumerate(
        (["cg00000029", "cg00000108"], ["cg00000292", "cg00002426", "cg00003994"], ["cg00000029", "cg00000108"])
    ):
        text = "".join(f"{p}\t0.{i + 1}\n" for p in probes)
        (tmp_path / f"TCGA-XX-A00{i}-01A-11D-A000-05.methylation_array.sesame.level3betas.txt").write_text(text)
    small, large = read(meth(tmp_path))
    assert (small.ids[0], len(small.ids), len(small.features)) == ("TCGA-XX-A000-01A-11D-A000-05", 2, 2)
    assert (len(large.ids), len(large.features)) == (1, 3)
    assert small.warnings == ["the files are of 2 arrays: 2 and 1 profiles, a matrix each"]


def test_a_file_of_betas_that_was_cut_short(tmp_path: Path) -> None:
    probes = [f"cg{i:08d}" for i in range(300)]
    for i, n in enumerate((300, 250)):
        name = f"TCGA-XX-A00{i}-01A.methylation_array.sesame.level3betas.txt"
        (tmp_path / name).write_text("".join(f"{p}\t0.5\n" for p in probes[:n]))
    (raw,) = read(meth(tmp_path))
    with pytest.raises(SourceError, match=r"its 250 features are not those of .*: 50 missing, e\.g\. cg00000250"):
        raw.hold()


def test_real_level_3_file(real_data: Path) -> None:
    folder = real_data / "fixtures" / "xena_gdc_files" / "TCGA-BRCA" / "Raw_Data" / "methylation450"
    (raw,) = read(Source(folder, "gdc-methylation", "meth", "BRCA", "beta"))
    raw.hold()
    assert raw.ids == ["TCGA-E2-A9RU-01A-11D-A41Q-05"]
    assert raw.values is not None
    assert raw.values.shape == (1, 214)
    np.testing.assert_allclose(raw.values[0, :2], [0.107603024102067, np.nan], rtol=1e-6)


def test_level_3_of_the_legacy_archive_has_two_header_lines(tmp_path: Path) -> None:
    path = tmp_path / "jhu-usc.edu_BLCA.HumanMethylation450.1.lvl-3.TCGA-4Z-AA7M-01A-11D-A391-05.txt"
    path.write_text(
        "Hybridization REF\tTCGA-4Z-AA7M\tTCGA-4Z-AA7M\n"
        "Composite Element REF\tBeta_value\tGene_Symbol\ncg00000029\t0.25\tRBL2\ncg00000108\tNA\tC3orf35\n"
    )
    (raw,) = read(meth(tmp_path))
    raw.hold()
    assert (raw.ids, raw.features) == (["TCGA-4Z-AA7M-01A-11D-A391-05"], ["cg00000029", "cg00000108"])
    assert raw.values is not None
    assert raw.values[0, 0] == 0.25


def test_an_antibody_that_a_batch_lacks_is_missing_there() -> None:
    (raw,) = read(source(MADE / "rppa_made", "gdc-rppa", "prot", "log2_ratio"))
    assert (raw.ids, raw.features) == (SAMPLES, ["14-3-3_beta", "53BP1", "ERALPHA", "HER2_pY1248", "P53"])
    assert raw.values is not None
    assert np.isnan(raw.values[:, 4]).tolist() == [True, False, False]


def test_antibodies_of_one_target_keep_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "TCGA-XX-A001-01A_RPPA_data.tsv"
    path.write_text(
        "AGID\tlab_id\tcatalog_number\tset_id\tpeptide_target\tprotein_expression\n"
        "AGID1\t1\tx\tOld\tHER2\t0.5\nAGID2\t2\ty\tNew\tHER2\t-0.5\nAGID3\t3\tz\tNew\tP53\t1\n"
    )
    (raw,) = read(source(path, "gdc-rppa", "prot", "log2_ratio"))
    assert (raw.ids, raw.features) == (["TCGA-XX-A001-01A"], ["HER2 (AGID1)", "HER2 (AGID2)", "P53"])


@pytest.mark.parametrize(("unit", "sums"), [("rpm", 1e6), ("counts", None)])
def test_mirna_by_unit(unit: str, sums: float | None) -> None:
    (raw,) = read(source(MADE / "mirna_made", "gdc-mirna", "mirna", unit))
    assert (raw.ids, raw.features[0]) == (SAMPLES, "hsa-let-7a-1")
    assert raw.values is not None
    if sums is not None:
        np.testing.assert_allclose(raw.values.sum(axis=1), sums, rtol=1e-5)
    else:
        assert (raw.values == raw.values.round()).all()


def test_real_mirna_file_needs_a_sheet(real_data: Path) -> None:
    folder = real_data / "fixtures" / "xena_gdc_files" / "TCGA-BRCA" / "Raw_Data" / "mirna"
    with pytest.raises(SourceError, match=r"nothing says whose its 1 file is"):
        read(source(folder, "gdc-mirna", "mirna", "rpm"))


def test_copy_number_is_of_the_tumour_of_a_pair() -> None:
    one = source(MADE / "cnv_made", "gdc-cnv", "cnv", "copy_number")
    (raw,) = read(one)
    assert raw.ids == SAMPLES == profile_ids(one)
    assert raw.values is not None
    seen = raw.values[~np.isnan(raw.values)]
    assert (seen == seen.round()).all()
    assert np.isnan(raw.values).any()


def test_the_aliquots_of_a_carts_metadata_come_before_the_samples_of_its_sheet(tmp_path: Path) -> None:
    folder = tmp_path / "rppa"
    shutil.copytree(MADE / "rppa_made", folder)
    files = [p for p in sorted(folder.rglob("*_RPPA_data.tsv")) if SAMPLES[0] in p.name]
    entity = {"entity_submitter_id": f"{SAMPLES[0]}-21-A43A-20", "entity_type": "aliquot", "case_id": "1"}
    record = {"file_id": files[0].parent.name, "file_name": files[0].name, "associated_entities": [entity]}
    (folder / "metadata.cart.2025-01-01.json").write_text(json.dumps([record]))
    (raw,) = read(source(folder, "gdc-rppa", "prot", "log2_ratio"))
    assert raw.ids == [f"{SAMPLES[0]}-21-A43A-20", *SAMPLES[1:]]
    assert people(source(folder, "gdc-rppa", "prot", "log2_ratio")) is None


def test_a_sheet_tells_who_is_who_where_ids_are_no_barcodes(tmp_path: Path) -> None:
    """CPTAC: cases and samples under names of their own, aliquots that say nothing, pairs of tumour and normal."""
    head = "File ID\tFile Name\tProject ID\tCase ID\tSample ID\tSample Type\tAliquot ID\tPreservation Method\n"
    rows = [
        "u1\ta.mirnas.quantification.txt\tCPTAC-3\tC3L-00001\tC3L-00001-02\tPrimary Tumor\tCPT0001580009\tSnap Frozen\n",
        "u2\tb.mirnas.quantification.txt\tCPTAC-3\tC3L-00002\tC3L-00002-01\tSolid Tissue Normal\tCPT0002\tFFPE\n",
    ]
    for i, name in ((1, "a"), (2, "b")):
        (tmp_path / f"u{i}").mkdir()
        (tmp_path / f"u{i}" / f"{name}.mirnas.quantification.txt").write_text(
            "miRNA_ID\tread_count\treads_per_million_miRNA_mapped\tcross-mapped\nhsa-mir-21\t1\t10.5\tN\n"
        )
    (tmp_path / "gdc_sample_sheet.tsv").write_text(head + "".join(rows))
    one = Source(tmp_path, "gdc-mirna", "mirna", "LUAD", "rpm")
    (raw,) = read(one)
    assert raw.ids == ["CPT0001580009", "CPT0002"]
    assert raw.profile_info is not None
    assert raw.profile_info.rows() == [("CPT0001580009", False), ("CPT0002", True)]
    told = people(one)
    assert told is not None
    assert told.rows() == [
        ("C3L-00001", "C3L-00001-02", "C3L-00001", "primary", True),
        ("CPT0001580009", "C3L-00001-02", "C3L-00001", "primary", False),
        ("CPT0002", "C3L-00002-01", "C3L-00002", "normal", False),
    ]


def test_a_file_of_two_tumours_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "cnv"
    shutil.copytree(MADE / "cnv_made", folder)
    sheet = folder / "gdc_sample_sheet.made.tsv"
    sheet.write_text(sheet.read_text().replace(f"{SAMPLES[0]}, TCGA-4Z-AA7M-10A", f"{SAMPLES[0]}, TCGA-4Z-AA7N-01A"))
    (raw,) = read(source(folder, "gdc-cnv", "cnv", "copy_number"))
    assert raw.ids == SAMPLES[1:]
    assert raw.drops.counts == {"file of several samples": 1}


FOLDERS = {
    "star_counts_made": (recognise_rna, "gdc-star-counts", "rna", "tpm"),
    "methylation_made": (recognise_meth, "gdc-methylation", "meth", "beta"),
    "rppa_made": (recognise_rppa, "gdc-rppa", "prot", "log2_ratio"),
    "mirna_made": (recognise_mirna, "gdc-mirna", "mirna", "rpm"),
    "cnv_made": (recognise_cnv, "gdc-cnv", "cnv", "copy_number"),
    "clinical_made": (recognise_clinical, "gdc-clinical", None, None),
    "clinical.made.tar.gz": (recognise_clinical, "gdc-clinical", None, None),
    "clinical.made.json": (recognise_clinical, "gdc-clinical", None, None),
    "clinical_old_names_made.tsv": (recognise_clinical, "gdc-clinical", None, None),
}


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_each_is_recognised_by_its_own_reader_alone(name: str) -> None:
    head = look(MADE / name)
    own, kind, modality, unit = FOLDERS[name]
    guess = own(head)
    assert guess is not None
    assert (guess.format, guess.modality, guess.unit) == (kind, modality, unit)
    assert guess.cohort == ("BLCA" if modality else None)
    assert [other for other, *_ in FOLDERS.values() if other is not own and other(head) is not None] == []


@pytest.mark.parametrize("name", ["isoforms", "segments", "no_counts", "clinical_without_table"])
def test_others_are_not(bad: Path, name: str) -> None:
    heads = [look(bad / "gdc" / name), *(look(p) for p in sorted((bad / "gdc" / name).rglob("*.*")) if p.is_file())]
    assert [test(head) for test, *_ in FOLDERS.values() for head in heads if test(head) is not None] == []


def test_lines_that_end_as_on_windows_and_without_a_last_line_feed(tmp_path: Path) -> None:
    betas = tmp_path / "TCGA-XX-A001-01A.methylation_array.sesame.level3betas.txt"
    betas.write_bytes(b"cg00000029\t0.25\r\ncg00000108\tNA\r\ncg00000109\t0.75")
    (raw,) = read(meth(tmp_path))
    raw.hold()
    assert raw.features == ["cg00000029", "cg00000108", "cg00000109"]
    np.testing.assert_array_equal(raw.values, np.array([[0.25, np.nan, 0.75]], np.float32))


def test_rarer_tokens_for_missing_and_those_of_the_study_file(tmp_path: Path) -> None:
    betas = tmp_path / "TCGA-XX-A001-01A.methylation_array.sesame.level3betas.txt"
    betas.write_text("cg00000029\tnan\ncg00000108\tNULL\ncg00000109\tgone\ncg00000165\t0.5\n")
    (raw,) = read(meth(tmp_path, missing=("gone",)))
    raw.hold()
    np.testing.assert_array_equal(raw.values, np.array([[np.nan, np.nan, np.nan, 0.5]], np.float32))
    with pytest.raises(SourceError, match=r"line 3, column 'beta': 'gone' is no number"):
        read(meth(tmp_path))
