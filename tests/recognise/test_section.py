"""The study section that is made of what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from omicstore.recognise import Finding, Part, make_section, section_text, survey
from omicstore.sources import load_study


def source(path: str, form: str = "matrix", **facts: Any) -> Finding:
    """Return what was found of a matrix of the cohort AAA, unless it says otherwise."""
    facts = {"modality": "rna", "unit": "tpm", "cohort": "AAA", "profiles": "tcga aliquot"} | facts
    return Finding(Path("/data") / path, "source", form, **facts)


def section(*findings: Finding) -> dict[str, Any]:
    made = make_section(findings, Path("/data"))
    assert made is not None
    body: dict[str, Any] = yaml.safe_load(section_text(made))["study"]
    return body


def test_paths_are_seen_from_the_file_and_the_section_reads_back(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    finding = source("x", keys={"id": "Gene: name", "missing": ["1e-12"]}, unsure={"unit": "tpm or fpkm; ask"})
    finding.path = tmp_path / "rna, all #1.tsv"
    made = make_section([finding], tmp_path / "deep")
    assert made is not None
    text = section_text(made)
    assert "      unit: tpm  # ? tpm or fpkm\n" in text
    (tmp_path / "deep" / "study.yaml").write_text(text)
    (read,) = load_study(tmp_path / "deep" / "study.yaml").sources
    assert (read.path, read.id, read.missing) == (finding.path, "Gene: name", ("1e-12",))


def test_nothing_is_made_of_no_source() -> None:
    assert make_section([Finding(Path("a.md"), "other", reason="a document")], Path()) is None


def test_tumour_and_normal_at_the_end_of_ids_become_a_rule_for_samples() -> None:
    body = section(
        source("a.csv", modality="metab", unit="intensity", profiles="paired", orientation="features_in_rows")
    )
    assert body["samples"]["types"] == {"T": "primary", "N": "normal"}
    assert body["sources"][0]["orientation"] == "features_in_rows"


def test_a_table_of_patients_goes_with_their_tumours_and_normals() -> None:
    ids = tuple(f"P{i:02d}_{kind}" for i in range(4) for kind in "TN")
    paired = source("a.csv", profiles="paired", orientation="features_in_rows", ids=ids)
    patients = {"modality": None, "unit": None, "profiles": "numbered"}
    theirs = source("b.csv", "clinical-table", **patients, ids=("P00", "P01"))
    others = source("c.csv", "clinical-table", **patients, ids=("X9", "X8"))
    for findings in ((paired, theirs), (paired, theirs, theirs), (paired, theirs, others)):
        made = make_section(findings, Path("/data"))
        assert made is not None
        assert made.body["samples"]["types"] == {"T": "primary", "N": "normal"}
        assert [found for found, _ in made.left_out] == [f for f in findings if f is others]


def test_files_that_name_no_sample_are_left_out_beside_others() -> None:
    nameless = source("counts", "gdc-star-counts", unsure={"samples": "there is no sample sheet"})
    made = make_section([nameless, source("b.tsv")], Path("/data"))
    assert made is not None
    assert made.left_out == [(nameless, "there is no sample sheet")]
    assert len(section(nameless)["sources"]) == 1


def test_cell_lines_become_a_rule_for_samples_with_their_tissue() -> None:
    body = section(source("a.csv", modality="prot", unit="log2_ratio", profiles="ccle", cohort="CCLE"))
    assert body["samples"] == {
        "from": "id",
        "patient": "id",
        "sample_type": "cell_line",
        "tissue": {"from": "id", "pattern": "_(.+)$"},
        "cohort": "CCLE",
    }


def test_barcodes_need_no_rule() -> None:
    assert "samples" not in section(source("a.csv"), source("b.gz", "tcga-cdr", cohort=None, modality=None, unit=None))


def test_ids_of_two_kinds_are_no_one_study() -> None:
    made = make_section([source("a.csv"), source("b.csv"), source("c.csv", profiles="numbered")], Path("/data"))
    assert made is not None
    assert [entry["path"] for entry in made.body["sources"]] == ["a.csv", "b.csv"]
    assert "  # left out: /data/c.csv: its samples' ids are of another kind" in section_text(made)


def test_of_two_units_the_canonical_one_stays() -> None:
    made = make_section([source("a.csv", unit="log2(fpkm+1)"), source("b.csv", unit="log2(tpm+1)")], Path("/data"))
    assert made is not None
    assert [entry["path"] for entry in made.body["sources"]] == ["b.csv"]
    assert made.left_out[0][1] == "rna of AAA in fpkm, which others have in tpm; a cohort of its own can hold it"


def test_of_a_table_with_several_modalities_those_that_do_not_clash_stay() -> None:
    parts = [
        Part("rna", "zscore", None),
        Part("cnv", "gistic", None),
        Part("mut", "mutated", None),
        Part(None, None, None),
    ]
    mcat = source("m.zip", "mcat-table", modality=None, unit=None, parts=parts)
    assert [(s["path"], s.get("modality")) for s in section(mcat)["sources"]] == [("m.zip", None)]
    both = section(source("b.csv"), mcat)["sources"]
    assert [(s["path"], s.get("modality")) for s in both] == [("b.csv", "rna"), ("m.zip", "cnv"), ("m.zip", "mut")]


def test_the_last_release_of_a_reference_stays_and_all_probe_tables_do() -> None:
    found = [
        Finding(Path(f"/data/{name}"), "reference", form, reference=kind, keys=keys)
        for name, form, kind, keys in (
            ("v36", "xena-probemap", "genes", {}),
            ("v22", "xena-probemap", "genes", {}),
            ("hm450", "probe-table", "probes", {"platform": "hm450"}),
            ("hm27", "xena-probemap", "probes", {"platform": "hm27"}),
        )
    ]
    refs = section(source("a.csv"), *found)["references"]
    assert refs["genes"]["path"] == "v36"
    assert [probes["platform"] for probes in refs["probes"]] == ["hm27", "hm450"]


def test_the_study_above_tells_sites(tmp_path: Path) -> None:
    ids = "\t".join(f"TCGA-ZZ-{i:04d}-01A" for i in range(20))
    (tmp_path / "rna.tsv").write_text(f"gene\t{ids}\nTP53\t{chr(9).join('9' * 20)}\nEGFR\t{chr(9).join('8' * 20)}\n")
    (tmp_path / "sites.csv").write_text("TSS Code,Source Site,Disease type\nZZ,Here,Cholangiocarcinoma\n")
    study = {
        "references": {"sites": {"path": "sites.csv", "format": "tcga-tss"}},
        "sources": [{"path": "rna.tsv", "format": "matrix", "modality": "rna", "cohort": "CHOL", "unit": "counts"}],
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"study": study}))
    (found,) = survey([tmp_path / "rna.tsv"], study=tmp_path)
    assert (found.cohort, "cohort" in found.unsure) == ("CHOL", False)


def test_folders_that_hold_folders_of_one_format_are_not_taken_as_one(tmp_path: Path) -> None:
    for cohort in ("BRCA", "LUAD"):
        folder = tmp_path / "downloads" / cohort
        folder.mkdir(parents=True)
        for name in ("a.maf", "b.maf"):
            (folder / name).write_text(
                "Hugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode\nTP53\tSilent\tTCGA-AA-0001-01A\n"
            )
    found = survey([tmp_path / "downloads"])
    assert [(f.path.name, f.format, f.cohort) for f in found] == [("BRCA", "maf", "BRCA"), ("LUAD", "maf", "LUAD")]


def test_a_part_without_a_unit_is_left_to_the_user() -> None:
    parts = [Part("prot", "log2_ratio", "proteomics"), Part("rna", None, "transcriptomics")]
    made = make_section([source("j.tsv", "cptac", modality=None, unit=None, parts=parts)], Path("/data"))
    assert made is not None
    assert [(s["path"], s["modality"]) for s in made.body["sources"]] == [("j.tsv", "prot")]
    assert "  # left out: /data/j.tsv: its rna: say the unit, with part: and unit:" in section_text(made)


def test_every_made_file_of_a_format_is_recognised_as_it() -> None:
    """Each folder is named as its format; the GDC's holds several."""
    made = Path(__file__).parents[1] / "made"
    for folder in ("cbioportal", "cptac", "linkedomics", "gdc"):
        found = [f for f in survey([made / folder]) if f.kind in ("source", "damaged", "unknown")]
        assert found
        assert {f.kind for f in found} == {"source"}
        assert {(f.format or "").partition("-")[0] for f in found} == {folder}


def test_reports_with_barcodes_go_with_matrices_that_have_them(tmp_path: Path) -> None:
    words = "Specimen received fresh, labelled with the name of the patient. " * 5
    rows = [f'TCGA-AA-{i:04d}.pdf,"{words}"' for i in range(5)]
    (tmp_path / "reports.csv").write_text("file,text\n" + "\n".join(rows) + "\n")
    found = survey([tmp_path / "reports.csv"])
    assert (found[0].format, found[0].keys) == ("reports", {"text": "text"})
    made = make_section([source("a.csv"), *found], tmp_path)
    assert made is not None
    assert [entry["format"] for entry in made.body["sources"]] == ["matrix", "reports"]
