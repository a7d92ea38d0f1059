"""What the references say of genes, probes, antibodies and metabolites, and what a study's rule says of samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from omicstore.explain.trace import Tracer
from omicstore.harmonize.references import References
from omicstore.sources import load_study

HGNC = (
    "hgnc_id\tsymbol\tname\tstatus\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
    "HGNC:1\tMARCHF1\tx\tApproved\tRNF171\tMARCH1\t55016\tENSG00000145416\n"
    "HGNC:2\tMTARC1\tx\tApproved\tMOSC1\tMARC1\t64757\tENSG00000186205\n"
    "HGNC:3\tTP53\tx\tApproved\tp53\t\t7157\tENSG00000141510\n"
)
PROBES = (
    "probe_id\tchromosome\tstart\tentrez\tsymbol\tgene_group\n"
    "cg00000001\tchr1\t10\t7157\tTP53\tTSS200\n"
    "cg00000002\tchr1\t20\t7157\tTP53\t3'UTR\n"
    "cg00000003\tchr1\t30\t\t\t\n"
)
METABOLITES = "Query,Match,HMDB,PubChem,KEGG\nglucose,D-Glucose,HMDB0000122,1,C00031\n"


def tracer(folder: Path, samples: str = "") -> Tracer:
    (folder / "hgnc.tsv").write_text(HGNC)
    (folder / "probes.tsv").write_text(PROBES)
    (folder / "metabolites.csv").write_text(METABOLITES)
    (folder / "x.tsv").write_text("id\ta\nTP53\t1\n")
    (folder / "params.yaml").write_text(
        "study:\n  cohorts: [AAA]\n  references:\n    symbols: {path: hgnc.tsv, format: hgnc}\n"
        "    probes: {path: probes.tsv, format: probe-table, platform: hm450}\n"
        "    metabolites: {path: metabolites.csv, format: metabolite-table}\n"
        f"{samples}  sources:\n  - {{path: x.tsv, format: matrix, modality: rna, cohort: AAA, unit: tpm}}\n"
    )
    study = load_study(folder / "params.yaml")
    return Tracer(None, study, References.load(study))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TP53", "gene TP53, ENSG00000141510, Entrez 7157 (the study's references): the approved symbol"),
        ("7157", "gene TP53, ENSG00000141510, Entrez 7157 (the study's references): by its Entrez id"),
        ("MARCH1", "gene MARCHF1, ENSG00000145416, Entrez 55016 (the study's references): a previous symbol of it"),
        ("MOSC1", "gene MTARC1, ENSG00000186205, Entrez 64757 (the study's references): an alias of it"),
        ("1-Mar", "as a gene: ambiguous Excel date: MARCHF1 (ENSG00000145416), MTARC1 (ENSG00000186205)"),
        ("?|10431", "as a gene: Entrez id unknown; its rows are dropped"),
        ("ENSG00000999999.1", "no gene of the study's references: retired, or not in that release of the annotation"),
        ("ENSG00000141510.9_PAR_Y",
         "gene TP53, ENSG00000141510, Entrez 7157 (the study's references): the copy on X of what was asked for"),
        ("cg00000001", "hm450 probe cg00000001: gene TP53, TSS200, chr1:10; counts for the gene"),
        ("cg00000002", "hm450 probe cg00000002: gene TP53, 3'UTR, chr1:20; dropped: 3'UTR does not count"),
        ("cg00000003", "hm450 probe cg00000003: gene -, chr1:30; dropped: no gene"),
        ("HER2_pY1248-R-C", "antibody HER2_pY1248: gene ERBB2, phosphorylated at Y1248; R-C: caution"),
        ("Akt_pT308", "antibody Akt_pT308: genes AKT1, AKT2, AKT3, phosphorylated at T308"),
        ("Glucose", "metabolite Glucose: KEGG C00031, HMDB HMDB0000122 (the study's references)"),
        ("C00031", "metabolite C00031: D-Glucose (the study's references)"),
    ],
)  # fmt: skip
def test_what_the_references_say(tmp_path: Path, name: str, expected: str) -> None:
    assert expected in [found["text"] for found in tracer(tmp_path).trace(name)]


@pytest.mark.parametrize(
    ("rule", "name", "patient"),
    [
        (r"{from: id, pattern: '^(?P<patient>MB-\d{4})$', sample_type: primary}", "MB-0002", "MB-0002"),
        (r"{from: id, pattern: '^(?P<patient>C3[LN]-\d{5})(?:-\d\d)?$', sample_type: primary}", "C3N-00002-01", "C3N-00002"),
        (r"{from: id, pattern: '^(?P<patient>ACH-\d{6})$', sample_type: cell_line}", "ACH-000001", "ACH-000001"),
        (r"{from: id, pattern: '^(?P<patient>[A-Z0-9]+)_', sample_type: cell_line}", "A549_LUNG", "A549"),
        (r"{from: id, pattern: '^subject (?P<patient>\w+)$'}", "subject x9", "x9"),
    ],
)  # fmt: skip
def test_ids_of_other_programmes_go_by_the_study_file(tmp_path: Path, rule: str, name: str, patient: str) -> None:
    found = tracer(tmp_path, f"  samples: {rule}\n").trace(name)
    (said,) = [f for f in found if f["kind"] == "sample rule"]
    assert (said["patient_id"], said["cohort"]) == (patient, "AAA")


def test_a_table_of_samples_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text("column,sample_id,patient_id,cohort\nK1 T,K1-T,K1,AAA\n")
    found = tracer(tmp_path, "  samples: {path: samples.csv}\n").trace("K1 T")
    assert [f["text"] for f in found] == ["by study.samples: sample K1-T of patient K1, cohort AAA"]


def test_without_a_study_only_the_form_speaks() -> None:
    alone = Tracer(None, None, None)
    assert [f["kind"] for f in alone.trace("MB-0002")] == ["form"]
    assert alone.is_known(alone.trace("MB-0002"))
    assert alone.trace("nothing-like-it") == []


def test_a_symbol_in_small_letters_is_no_alias(tmp_path: Path) -> None:
    assert [f["how"] for f in tracer(tmp_path).trace("tp53") if f["kind"] == "gene"] == ["the approved symbol"]


def test_a_mistyped_probe_names_probes(tmp_path: Path) -> None:
    assert tracer(tmp_path).nearest("cg0000003")[0] == "cg00000003"
    assert tracer(tmp_path).nearest("glucose-like") == []
