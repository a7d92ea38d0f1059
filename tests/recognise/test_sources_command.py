"""``omicstore sources``: what it prints, what it writes, how it ends, and the study that comes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from omicstore.cli import app
from omicstore.sources import load_study

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})

GENES = ["TP53", "EGFR", "KRAS", "MYC", "PTEN", "BRCA1", "ATM", "RB1", "KIT", "MET"]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the made-up files of a small lab, in which the tests run."""
    folder = tmp_path / "lab"
    folder.mkdir()
    people = [f"P{i:03d}" for i in range(1, 31)]
    rows = [f"{p},{40 + i},{'FM'[i % 2]},{10 + i},{i % 2}" for i, p in enumerate(people)]
    (folder / "patients.csv").write_text("patient_id,age,sex,os_months,os_status\n" + "\n".join(rows) + "\n")
    counts = [f"{g}\t" + "\t".join(str(10 * i + 31 * j) for j in range(len(people))) for i, g in enumerate(GENES)]
    (folder / "counts.tsv").write_text("gene\t" + "\t".join(people) + "\n" + "\n".join(counts) + "\n")
    (folder / "notes.md").write_text("# what we did\n")
    (folder / "probemap.tsv").write_text(
        "id\tgene\tchrom\tchromStart\tchromEnd\tstrand\n"
        + "".join(f"ENSG{i:011d}.1\t{g}\tchr1\t{i}\t{i + 1}\t+\n" for i, g in enumerate(GENES, 1))
    )
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> Any:
    return RUN.invoke(app, ["sources", *words], prog_name="omicstore")


def asked(*words: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return body


class TestWhatItSays:
    def test_a_table_then_the_doubts_then_a_section(self, lab: Path) -> None:
        done = run("counts.tsv", "patients.csv", "notes.md")
        assert done.exit_code == 3
        lines = done.stdout.splitlines()
        assert lines[0].split()[:6] == ["file", "format", "modality", "unit", "cohort", "samples"]
        assert lines[1].split()[:8] == ["counts.tsv", "matrix", "rna", "counts", "LAB", "?", "columns", "30"]
        assert lines[2].split()[:2] == ["patients.csv", "clinical-table"]
        assert "  notes.md: a document" in lines
        assert any(line.startswith("  counts.tsv: cohort: nothing says whose samples these are") for line in lines)
        section = yaml.safe_load("\n".join(lines[lines.index("study:") :]))
        assert section["study"]["sources"][0]["unit"] == "counts"
        assert "      cohort: LAB  # ? nothing says whose samples these are" in lines
        assert max(map(len, lines[: lines.index("study:")])) <= 80

    def test_json(self, lab: Path) -> None:
        body = asked("counts.tsv", "notes.md")
        assert set(body) == {"files", "study", "warnings"}
        counts, notes = body["files"]
        assert (counts["kind"], counts["format"], counts["n_samples"]) == ("source", "matrix", 30)
        assert counts["unsure"] == {"cohort": "nothing says whose samples these are; choose a name for them"}
        assert (notes["kind"], notes["format"], notes["reason"]) == ("other", None, "a document")
        assert body["study"]["sources"][0]["path"] == "counts.tsv"
        assert body["warnings"] == ["1 guess in 1 file, marked with ?: check them before a build"]

    def test_a_folder_is_looked_through(self, lab: Path) -> None:
        (lab / "more").mkdir()
        (lab / "patients.csv").rename(lab / "more" / "patients.csv")
        (lab / ".hidden.csv").write_text("x")
        (lab / "more" / "circle").symlink_to(lab)
        found = {Path(file["path"]).name: file["kind"] for file in asked(".")["files"]}
        assert found == {
            "counts.tsv": "source",
            "patients.csv": "source",
            "probemap.tsv": "reference",
            "notes.md": "other",
        }

    def test_what_nothing_fits_is_no_source_and_unsure(self, lab: Path) -> None:
        (lab / "blob.dat").write_bytes(bytes(range(256)))
        done = run("blob.dat")
        assert done.exit_code == 3
        assert "  blob.dat: a binary file of no known format ?" in done.stdout

    def test_a_cohort_is_sure_where_a_table_of_sites_tells_it(self, lab: Path) -> None:
        ids = "\t".join(f"TCGA-ZZ-{i:04d}-01A" for i in range(20))
        (lab / "rna.tsv").write_text(f"gene\t{ids}\n" + "".join(f"{g}{chr(9)}{chr(9).join('9' * 20)}\n" for g in GENES))
        (lab / "sites.csv").write_text("TSS Code,Source Site,Disease type\nZZ,Here,Cholangiocarcinoma\n")
        assert "cohort" in asked("rna.tsv")["files"][0]["unsure"]
        told = asked("rna.tsv", "--references", "sites.csv")["files"][0]
        assert told["cohort"] == "CHOL"
        assert "cohort" not in told["unsure"]

    def test_no_more_than_the_first_part_is_read(self, lab: Path) -> None:
        with (lab / "large.tsv").open("w") as file:
            file.write("gene\tP001\tP002\n")
            for i in range(400_000):
                file.write(f"ENSG{i:011d}\t{i}\t{i + 40}\n")
            file.write("a line with too many cells\t1\t2\t3\t4\n")
        assert asked("large.tsv")["files"][0]["format"] == "matrix"


class TestMistakes:
    def test_a_path_that_is_not_there_names_the_nearest(self, lab: Path) -> None:
        done = run("patient.csv")
        assert done.exit_code == 2
        assert "error: patient.csv does not exist. Expected a file or folder, such as" in done.stderr
        assert "patients.csv" in done.stderr

    def test_damaged_files_have_a_message_each_and_the_others_are_told(self, lab: Path) -> None:
        (lab / "empty.csv").touch()
        (lab / "page.tsv").write_text("<!DOCTYPE html><html>503</html>")
        (lab / "cut.tsv.gz").write_bytes(bytes.fromhex("1f8b0800000000000003"))
        os.mkfifo(lab / "pipe.csv")
        done = run(".")
        assert done.exit_code == 1
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert [line.split(": ")[1] for line in errors] == ["cut.tsv.gz", "empty.csv", "page.tsv", "pipe.csv"]
        assert "error: empty.csv: the file is empty." in errors[1]
        assert "this is a web page, which a portal sends where it cannot send the file" in errors[2]
        assert "Traceback" not in done.stderr
        assert "counts.tsv" in done.stdout

    def test_a_folder_without_a_file(self, lab: Path) -> None:
        (lab / "nothing").mkdir()
        done = run("nothing")
        assert (done.exit_code, done.stderr) == (3, "warning: there is no file\n")

    def test_strict_makes_a_guess_a_failure_and_writes_nothing(self, lab: Path) -> None:
        assert run("counts.tsv", "--out", "study.yaml", "--strict").exit_code == 1
        assert not (lab / "study.yaml").exists()


class TestTheFile:
    def test_it_is_written_once_and_not_over_another(self, lab: Path) -> None:
        assert run("counts.tsv", "--out", "deep/study.yaml").exit_code == 3
        text = (lab / "deep" / "study.yaml").read_text()
        assert load_study(lab / "deep" / "study.yaml").sources[0].path == lab / "counts.tsv"
        again = run("counts.tsv", "--out", "deep/study.yaml")
        assert again.exit_code == 3
        assert "is as it would be written" in again.stderr
        other = run("counts.tsv", "patients.csv", "--out", "deep/study.yaml")
        assert other.exit_code == 2
        assert "deep/study.yaml exists already" in other.stderr
        assert (lab / "deep" / "study.yaml").read_text() == text

    def test_a_dry_run_writes_nothing(self, lab: Path) -> None:
        done = run("counts.tsv", "--out", "study.yaml", "--dry-run")
        assert "Would write study.yaml" in done.stderr
        assert not (lab / "study.yaml").exists()

    def test_there_must_be_a_source(self, lab: Path) -> None:
        done = run("notes.md", "--out", "study.yaml")
        assert done.exit_code == 1
        assert "no source is among these files" in done.stderr
        assert "notes.md: a document" in " ".join(done.stdout.split())


class TestTheWholeWay:
    def test_files_of_a_lab_become_a_store(self, lab: Path) -> None:
        """From a folder to a store in three commands."""
        assert run(".", "--out", "study.yaml").exit_code == 3
        for words in (["init", "st", "--sources", "study.yaml"], ["build"], ["query", "--json"]):
            done = RUN.invoke(app, words, prog_name="omicstore")
            assert done.exit_code == 0, done.stderr
            os.chdir(lab / "st")
        found = json.loads(done.stdout)
        assert (found["cohorts"], found["n_patients"]) == (["LAB"], 30)
        assert found["modalities"]["rna"]["unit"] == "counts"
        import omicstore

        with omicstore.open("data/store") as store:
            assert store.table("outcomes").filter(pl.col("endpoint") == "OS").height == 30

    @pytest.mark.slow
    def test_real_files_of_a_cohort_become_a_store(self, real_data: Path, tmp_path: Path, monkeypatch: Any) -> None:
        """The numbers are those of a study file written by hand."""
        monkeypatch.chdir(tmp_path)
        references = ["tcga_tss.csv", "hgnc_complete_set.txt.gz", "gencode.v22.annotation.gene.probeMap.gz"]
        files = sorted(map(str, (real_data / "tcga" / "BLCA").glob("*.gz")))
        files += [str(real_data / "tcga" / "TCGA-CDR.csv.gz"), str(real_data / "refs" / "hm450_annotation.tsv.gz")]
        asks = [word for name in references for word in ("--references", str(real_data / "refs" / name))]
        assert run(*files, *asks, "--out", "study.yaml").exit_code == 0
        for words in (["init", "st", "--sources", "study.yaml"], ["build"], ["query", "--json"]):
            done = RUN.invoke(app, words, prog_name="omicstore")
            assert done.exit_code == 0, done.stderr
            os.chdir(tmp_path / "st")
        found = json.loads(done.stdout)
        assert {m: held["n_samples"] for m, held in found["modalities"].items() if m in ("rna", "meth")} == {
            "rna": 360,
            "meth": 412,
        }
