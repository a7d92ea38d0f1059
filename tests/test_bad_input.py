"""Bad input, from the command line: one message, exit code 1, no traceback, and the store as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import omicstore
from omicstore.cli import app

HGNC = "hgnc_id\tsymbol\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
PROBES = "probe_id\tchrom_hg38\tbeg_hg38\tentrez_id\tsymbol_hgnc\tgene_group\n"
GENES = "id\tgene\tchrom\tchromStart\tchromEnd\tstrand\n"
SITES = (
    "TSS Code,Source Site,Disease type\nXX,Somewhere,Bladder Urothelial Carcinoma\nA1,UCSF,Breast invasive carcinoma\n"
)

GOOD = "sample\tTCGA-XX-A001-01A\tTCGA-XX-A002-01A\nTP53\t1.5\t60.5\nEGFR\t1.0\t2.0\n"

#: File in tests/bad -> what is different from a plain RNA matrix, and a part of the one message.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "truncated.tsv.gz": ({}, "the file is truncated"),
    "damaged.tsv.gz": ({}, "the gzip data is damaged"),
    "mixed_delimiters.tsv": ({}, "line 3: the line has 1 cell"),
    "one_column.txt": ({}, "is one cell"),
    "short_line.tsv": ({}, "line 3: the line has 3 cells"),
    "duplicate_column.csv": ({}, "the feature 'TP53' comes 2 times"),
    "word_in_number.tsv": ({}, "line 3, column 'TCGA-XX-A002-01A': 'high' is no number"),
    "infinite.tsv": ({}, "'-inf' is infinite"),
    "beta_of_1.7.tsv": ({"modality": "meth", "unit": "beta", "platform": "hm450"}, "1.7 cannot be beta"),
    "mixed_ids.csv": ({}, "1 of 3 samples have no barcode"),
    "empty.tsv": ({}, "the file is empty"),
    "no_rows.tsv": ({}, "no row: 0 samples"),
    "wrong_cohort.tsv": ({}, "wrong cohort: the tissue source sites of 2 of 2 barcodes"),
    "not_a_matrix.csv": ({}, "no column holds numbers"),
    "web_page.tsv": ({}, "this is a web page or XML"),
    "two_members.zip": ({}, "the zip file holds 2 files"),
    "unclear_orientation.csv": ({}, "cannot tell which ids are samples"),
    "wrong_unit.mirnaseq.tsv": (
        {"format": "firehose-mirnaseq", "modality": "mirna", "unit": "rpm"},
        "it holds read_count",
    ),
    "TCGA-XX-A001-01Z-00-DX1.h5": ({"format": "patches-h5", "modality": "patches", "unit": None}, "no whole HDF5 file"),
    "no_endpoint.tsv": ({"format": "xena-survival", "modality": None, "unit": None}, "there is no endpoint"),
}


def write_study(root: Path, source: dict[str, Any], *, sites: str = "sites.csv") -> None:
    references = {
        "genes": {"path": "genes.tsv", "format": "xena-probemap"},
        "symbols": {"path": "hgnc.tsv", "format": "hgnc"},
        "probes": [{"path": "probes.tsv", "format": "probe-table", "platform": "hm450"}],
        "sites": {"path": sites, "format": "tcga-tss"},
    }
    study = {"dataset": "toy", "cohorts": ["BLCA"], "references": references, "sources": [source]}
    (root / "params.yaml").write_text(yaml.safe_dump({"study": study}))


def source_of(path: Path | str, **different: Any) -> dict[str, Any]:
    values = {"path": str(path), "format": "matrix", "modality": "rna", "cohort": "BLCA", "unit": "tpm"} | different
    return {key: value for key, value in values.items() if value is not None}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study whose store has been built from good input; the working folder."""
    (tmp_path / "genes.tsv").write_text(
        GENES
        + "ENSG00000141510.16\tTP53\tchr17\t7661779\t7687550\t-\nENSG00000146648.15\tEGFR\tchr7\t55019032\t55207338\t+\n"
    )
    (tmp_path / "hgnc.tsv").write_text(
        HGNC + "HGNC:1\tTP53\t\t\t7157\tENSG00000141510\nHGNC:2\tEGFR\t\t\t1956\tENSG00000146648\n"
    )
    (tmp_path / "probes.tsv").write_text(
        PROBES + "cg00000029\tchr17\t7661779\t7157\tTP53\tTSS200\ncg00000108\tchr7\t55019032\t1956\tEGFR\tBody\n"
    )
    (tmp_path / "sites.csv").write_text(SITES)
    (tmp_path / "good.tsv").write_text(GOOD)
    write_study(tmp_path, source_of("good.tsv"))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["build"])
    assert done.exit_code == 0, done.output
    return tmp_path


def tree(root: Path) -> dict[str, bytes]:
    store = root / "data" / "store"
    files = (p for p in sorted(store.rglob("*")) if p.is_file() and not p.relative_to(store).parts[0].startswith("."))
    return {p.relative_to(store).as_posix(): p.read_bytes() for p in files}


def refused(root: Path, message: str) -> None:
    """Building ends in one message and exit code 1, and the store is as it was."""
    before, release = tree(root), omicstore.open(root / "data" / "store").release
    done = CliRunner().invoke(app, ["build"])
    assert done.exit_code == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert tree(root) == before
    with omicstore.open(root / "data" / "store") as store:
        assert store.release == release
        assert store.query(cohort="BLCA", modalities=["rna"]).to_numpy("rna").shape == (2, 2)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_bad_file_ends_in_one_message(built: Path, bad: Path, name: str) -> None:
    different, message = CASES[name]
    shutil.copy(bad / name, built / name)
    write_study(built, source_of(name, **different))
    refused(built, message)


def test_site_codes_read_as_missing(built: Path, bad: Path) -> None:
    shutil.copy(bad / "tss_na_missing.csv", built)
    write_study(built, source_of("good.tsv"), sites="tss_na_missing.csv")
    refused(built, "one of them may be the site 'NA', read as missing")


def test_a_second_try_on_the_same_bad_file_is_refused_too(built: Path, bad: Path) -> None:
    shutil.copy(bad / "word_in_number.tsv", built)
    write_study(built, source_of("word_in_number.tsv"))
    refused(built, "'high' is no number")
    refused(built, "'high' is no number")
    done = CliRunner().invoke(app, ["assemble"])
    assert done.exit_code == 1
    assert "cohort BLCA has not been built from its plan as it is now" in done.stderr


def test_a_mended_file_is_built_after_a_failure(built: Path, bad: Path) -> None:
    shutil.copy(bad / "word_in_number.tsv", built / "again.tsv")
    write_study(built, source_of("again.tsv"))
    refused(built, "'high' is no number")
    (built / "again.tsv").write_text(GOOD.replace("60.5", "70.5"))
    done = CliRunner().invoke(app, ["build"])
    assert done.exit_code == 0, done.output
    with omicstore.open(built / "data" / "store") as store:
        assert store.query(cohort="BLCA", modalities=["rna"]).to_numpy("rna").max() == 70.5


def test_every_bad_file_is_tried(bad: Path) -> None:
    assert {p.name for p in bad.iterdir() if p.is_file()} == set(CASES) | {"tss_na_missing.csv"}


def test_a_missing_reference_is_named(built: Path) -> None:
    study = yaml.safe_load((built / "params.yaml").read_text())
    del study["study"]["references"]["symbols"], study["study"]["references"]["genes"]
    (built / "params.yaml").write_text(yaml.safe_dump(study))
    refused(built, "study.references.")
