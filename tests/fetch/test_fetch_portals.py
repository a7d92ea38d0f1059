"""What each portal is asked, what is written beside the files, and what a person sees at the command line."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from omicstore.cli import app
from omicstore.errors import FetchError
from omicstore.fetch import bring, gdc, references, xena
from omicstore.fetch.http import Http
from omicstore.formats import FORMATS
from omicstore.modalities import get_modality
from omicstore.sources import REFERENCE_FORMATS, load_study
from omicstore.units import parse_unit

RUN = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
TABLES = [t for t in references.TABLES.values() if t.url]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run ``omicstore fetch`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: RUN.invoke(app, ("fetch", *words), prog_name="omicstore")


@pytest.fixture
def blca(portal: Any) -> Any:
    """A portal with files of BLCA."""
    for i in range(5):
        portal.add_gdc(f"{i}.rna_seq.augmented_star_gene_counts.tsv", b"rna%d" % i, sample=f"TCGA-4Z-AA7{i}-01A")
    for i, array in enumerate(["Illumina Human Methylation 450", "Illumina Human Methylation 27"]):
        portal.add_gdc(
            f"{i}.methylation_array.sesame.level3betas.txt", b"meth%d" % i, data_type="Methylation Beta Value",
            data_format="TXT", platform=array, sample=f"TCGA-4Z-AA7{i}-01A",
        )  # fmt: skip
    portal.add_gdc("secret.tsv", b"controlled", access="controlled")
    portal.add_gdc("other.tsv", b"other", project="TCGA-LUSC")
    portal.files["/clinical_tar"] = b"a tar"
    return portal


def hub(portal: Any, *names: str) -> None:
    for name in names:
        portal.files[f"/{name}"] = name.encode()


def test_what_is_declared_is_known_to_the_readers() -> None:
    datasets = [d for h in xena.HUBS.values() for d in h.datasets.values()]
    for one in [*(o for o in gdc.OFFERS.values() if o.format), *datasets]:
        assert one.format in FORMATS
        if one.modality:
            assert get_modality(one.modality).name == one.modality
            assert parse_unit(one.unit or "")
        else:
            assert FORMATS[one.format].kind == "table"
    assert {t.format for t in references.TABLES.values()} <= set(REFERENCE_FORMATS)
    assert len(gdc.TCGA) == 33


class TestGdc:
    def test_asks_for_open_files_of_one_kind_page_by_page(self, blca: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gdc, "PAGE", 2)
        with Http(threading.Event()) as http:
            plan = gdc.plan(http, ["blca"], ["rna"], blca.url)
        assert len(plan.items) == 5
        bodies = [body for _, path, _, body in blca.requests if path == "/files"]
        assert [body["from"] for body in bodies] == [0, 2, 4]
        asked = {c["content"]["field"]: c["content"]["value"] for c in bodies[0]["filters"]["content"]}
        assert asked == {
            "cases.project.project_id": ["TCGA-BLCA"], "access": ["open"],
            "data_type": ["Gene Expression Quantification"], "analysis.workflow_type": ["STAR - Counts"],
        }  # fmt: skip

    def test_lays_files_out_as_gdc_client_does(self, blca: Any, tmp_path: Path) -> None:
        with Http(threading.Event()) as http:
            bring(gdc.plan(http, ["TCGA-BLCA"], ["rna", "meth", "clinical"], blca.url), tmp_path)
        first = blca.gdc[0]
        assert (tmp_path / "TCGA-BLCA/rna" / first["file_id"] / first["file_name"]).read_bytes() == b"rna0"
        assert sorted(p.name for p in (tmp_path / "TCGA-BLCA").iterdir()) == [
            "clinical", "meth-hm27", "meth-hm450", "rna"
        ]  # fmt: skip
        with (tmp_path / "TCGA-BLCA/rna/gdc_sample_sheet.tsv").open() as handle:
            sheet = {row["File ID"]: row for row in csv.DictReader(handle, delimiter="\t")}
        assert sheet[first["file_id"]] == {
            "File ID": first["file_id"], "File Name": first["file_name"],
            "Data Category": "Transcriptome Profiling", "Data Type": "Gene Expression Quantification",
            "Project ID": "TCGA-BLCA", "Case ID": "TCGA-4Z-AA70", "Sample ID": "TCGA-4Z-AA70-01A",
            "Sample Type": "Primary Tumor", "Preservation Method": "", "Aliquot ID": "TCGA-4Z-AA70-01A-11R-A39I-07",
        }  # fmt: skip
        manifest = (tmp_path / "TCGA-BLCA/rna/gdc_manifest.txt").read_text().splitlines()
        assert manifest[0] == "id\tfilename\tmd5\tsize\tstate"
        assert f"{first['file_id']}\t{first['file_name']}\t{first['md5sum']}\t4\treleased" in manifest

    def test_study_loads(self, blca: Any, tmp_path: Path) -> None:
        with Http(threading.Event()) as http:
            bring(gdc.plan(http, ["TCGA-BLCA"], ["rna", "meth", "clinical"], blca.url), tmp_path)
        study = load_study(tmp_path / "study.yaml")
        assert (study.dataset, study.cohorts) == ("tcga", ("BLCA",))
        told = {
            s.path.relative_to(tmp_path).as_posix(): (s.format, s.modality, s.unit, s.platform) for s in study.sources
        }
        assert told == {
            "TCGA-BLCA/clinical/clinical.project-TCGA-BLCA.tar.gz": ("gdc-clinical", None, None, None),
            "TCGA-BLCA/meth-hm27": ("gdc-methylation", "meth", "beta", "hm27"),
            "TCGA-BLCA/meth-hm450": ("gdc-methylation", "meth", "beta", "hm450"),
            "TCGA-BLCA/rna": ("gdc-star-counts", "rna", "tpm", None),
        }
        assert all(s.licence and s.path.exists() for s in study.sources)

    def test_what_gdc_no_longer_lists_is_set_aside(self, blca: Any, run: Any, tmp_path: Path) -> None:
        asked = ("gdc", "--project", "BLCA", "--modalities", "rna", "--endpoint", blca.url, "--out", str(tmp_path))
        assert run(*asked).exit_code == 0
        old = f"TCGA-BLCA/rna/{blca.gdc[0]['file_id']}/{blca.gdc[0]['file_name']}"
        own = tmp_path / "TCGA-BLCA/rna/own/own.rna_seq.augmented_star_gene_counts.tsv"
        own.parent.mkdir()
        own.write_text("not ours to move")
        blca.gdc.pop(0)
        new = blca.add_gdc("new.tsv", b"rna0, again")
        done = run(*asked)
        assert done.exit_code == 0
        assert "1 file of earlier fetches that GDC no longer lists: moved to" in done.stderr
        assert (tmp_path / "superseded" / old).read_bytes() == b"rna0"
        assert not (tmp_path / old).parent.exists()
        assert (tmp_path / "TCGA-BLCA/rna" / new / "new.tsv").exists()
        assert own.exists()
        assert "moved" not in run(*asked).stderr

    def test_the_next_command_can_be_pasted(self, blca: Any, run: Any) -> None:
        done = run("gdc", "--project", "BLCA", "--modalities", "rna", "--endpoint", blca.url, "--out", "my data")
        assert "omicstore init DIR --sources 'my data/study.yaml'" in done.stdout

    def test_a_list_that_ends_early_is_told(self, blca: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def cut(self: Any, body: Any) -> Any:
            return {"data": {"hits": blca.gdc[:2] if body["from"] == 0 else [], "pagination": {"total": 5}}}

        monkeypatch.setattr(blca.server.RequestHandlerClass, "files", cut)
        with Http(threading.Event()) as http, pytest.raises(FetchError, match="ends after 2 of 5"):
            gdc.plan(http, ["BLCA"], ["rna"], blca.url)

    def test_a_name_that_leaves_the_folder_is_refused(self, portal: Any, run: Any, tmp_path: Path) -> None:
        portal.add_gdc("../../../evil.tsv", b"x")
        done = run("gdc", "--project", "BLCA", "--modalities", "rna", "--endpoint", portal.url)
        assert (done.exit_code, "names a file '../../../evil.tsv'" in done.stderr) == (1, True)
        assert not list(tmp_path.iterdir())

    def test_projects_of_other_programmes_are_asked_for(self, blca: Any, run: Any) -> None:
        done = run("gdc", "--project", "CPTAC-33", "--endpoint", blca.url)
        assert (done.exit_code, done.stderr) == (
            2,
            "error: unknown project 'CPTAC-33'. Expected one of CPTAC-3, TCGA-OV.\n",
        )

    def test_no_json_is_told(self, portal: Any, run: Any) -> None:
        def page(handler: Any, data: bytes) -> bool:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/html")
            handler.send_header("Content-Length", "6")
            handler.end_headers()
            handler.wfile.write(b"<html>")
            return True

        portal.goes_wrong("/files", page)
        done = run("gdc", "--project", "BLCA", "--modalities", "rna", "--endpoint", portal.url)
        assert done.exit_code == 1
        assert "/files answers with text/html, which is no JSON" in done.stderr


class TestXena:
    def test_study_has_checksums_and_units(self, portal: Any, run: Any, tmp_path: Path) -> None:
        hub(portal, "TCGA-BRCA.star_tpm.tsv.gz", "TCGA-BRCA.survival.tsv.gz", "TCGA-BRCA.methylation450.tsv.gz")
        done = run("xena", "--cohort", "brca", "--endpoint", portal.url, "--out", "d")
        assert done.exit_code == 0, done.stderr
        assert done.stdout == "3 files fetched into d (81 B)\nNext: omicstore init DIR --sources d/study.yaml\n"
        assert "BRCA prot: the hub has none of this cohort" in done.stderr
        study = load_study(tmp_path / "d/study.yaml")
        told = {(s.modality, s.unit, s.platform, s.format) for s in study.sources}
        assert ("rna", "log2(tpm+1)", None, "xena-matrix") in told
        assert ("meth", "beta", "hm450", "xena-matrix") in told
        assert all(s.sha256 and s.url and s.path.exists() for s in study.sources)

    def test_legacy_hub_escapes_the_slash(self, portal: Any, run: Any, tmp_path: Path) -> None:
        hub(portal, "TCGA.COADREAD.sampleMap/HiSeqV2.gz", "survival/COADREAD_survival.txt")
        done = run(
            "xena", "--cohort", "COADREAD", "--hub", "legacy", "--modalities", "rna,survival", "--endpoint", portal.url
        )
        assert done.exit_code == 0, done.stderr
        kept = [p.relative_to(tmp_path / "data/raw").as_posix() for p in tmp_path.rglob("*") if p.is_file()]
        assert {"COADREAD/legacy/HiSeqV2.gz", "COADREAD/legacy/COADREAD_survival.txt"} <= set(kept)

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("--cohort", "BRAC"), 2, "unknown cohort 'BRAC'. Expected one of BRCA, ACC, SARC."),
            (("--cohort", "BRCA", "--modalities", "rnaa"), 2, "unknown modality 'rnaa'. Expected one of rna, mirna."),
            (("--cohort", "BRCA", "--hub", "legcy"), 2, "unknown hub 'legcy'. Expected one of legacy, gdc."),
            ((), 2, "no cohort is named. Expected --cohort BRCA, or several joined by commas."),
            (("--cohort", " , "), 2, "--cohort names nothing. Expected --cohort NAME, or NAME,NAME."),
            (("--cohort", "BRCA", "--modalities", "rna"), 1, "the gdc hub has no rna of BRCA. Expected at least one"),
            (("--cohort", "BRCA", "--jobs", "0"), 2, "Invalid value for '--jobs'"),
        ],
    )
    def test_mistakes(self, portal: Any, run: Any, tmp_path: Path, words: Any, code: int, message: str) -> None:
        done: Result = run("xena", *words, "--endpoint", portal.url)
        assert done.exit_code == code
        assert done.stderr.startswith(f"error: {message}")
        assert not list(tmp_path.iterdir())


class TestReferences:
    def test_join_the_study_of_the_sources(self, portal: Any, run: Any, tmp_path: Path) -> None:
        for table in TABLES:
            portal.files[table.url.partition(".com")[2]] = table.name.encode()
        done = run("references", "--endpoint", portal.url)
        assert done.exit_code == 0, done.stderr
        assert "GDC shows it only as a web page" in done.stderr
        assert "  references:\n    genes: {path: references/gencode.v36" in done.stdout
        assert not (tmp_path / "data/raw/study.yaml").exists()  # a study needs a source
        hub(portal, "TCGA-BRCA.star_tpm.tsv.gz")
        assert run("xena", "--cohort", "BRCA", "--modalities", "rna", "--endpoint", portal.url).exit_code == 0
        study = load_study(tmp_path / "data/raw/study.yaml")
        assert [(r.kind, r.format, r.platform) for r in study.references] == [
            ("genes", "xena-probemap", None), ("probes", "xena-probemap", "hm27"),
            ("probes", "xena-probemap", "hm450"), ("symbols", "hgnc", None),
        ]  # fmt: skip
        assert all(r.path.is_file() for r in study.references)

    def test_one_that_moved_is_told(self, portal: Any, run: Any) -> None:
        done = run("references", "--tables", "genes", "--endpoint", portal.url)
        assert done.exit_code == 1
        assert "gencode.v36.annotation.gtf.gene.probemap is not there any more" in done.stderr


class TestCommand:
    def test_a_dry_run_lists_and_writes_nothing(self, blca: Any, run: Any, tmp_path: Path) -> None:
        done = run("gdc", "--project", "BLCA", "--endpoint", blca.url, "--dry-run")
        assert done.exit_code == 0, done.stderr
        rows = [line.split() for line in done.stdout.splitlines()]
        assert rows[1][:7] == ["TCGA-BLCA", "rna", "5", "20", "B", "0", "gdc-star-counts"]
        assert "8 files, 30 B, and 1 file of unknown size, would go to data/raw; 0 files already here," in done.stdout
        assert not list(tmp_path.iterdir())
        assert not [p for p in blca.downloads() if p.startswith(("/data", "/clinical"))]

    def test_json(self, blca: Any, run: Any) -> None:
        words = ("gdc", "--project", "BLCA", "--modalities", "rna", "--endpoint", blca.url, "--json")
        body = json.loads(run(*words, "--dry-run").stdout)
        assert (body["files"], body["here"], body["bytes"]) == (5, 0, 20)
        assert body["parts"][0]["items"][0].keys() == {"path", "url", "bytes", "md5", "here"}
        assert json.loads(run(*words).stdout)["fetched"] == 5
        assert json.loads(run(*words).stdout) | {"section": ""} == {
            "out": "data/raw", "fetched": 0, "kept": 5, "bytes": 0, "superseded": 0, "study": "data/raw/study.yaml",
            "section": "",
        }  # fmt: skip
        assert json.loads(run(*words, "--dry-run").stdout)["here"] == 5

    def test_a_study_file_that_a_person_changed_is_left(self, blca: Any, run: Any, tmp_path: Path) -> None:
        words = ("gdc", "--project", "BLCA", "--modalities", "rna", "--endpoint", blca.url)
        run(*words)
        study = tmp_path / "data/raw/study.yaml"
        mine = study.read_text().replace("unit: tpm", "unit: counts")
        study.write_text(mine)
        done = run(*words)
        assert "data/raw/study.yaml was changed by hand and is left as it is; it would now be:" in done.stdout
        assert "unit: tpm" in done.stdout
        assert study.read_text() == mine

    def test_help_names_every_modality(self, run: Any) -> None:
        told = run("gdc", "--help").stdout.replace("\n", " ")
        assert all(name in told for name in gdc.OFFERS)
        told = run("xena", "--help").stdout.replace("\n", " ")
        assert all(name in told for h in xena.HUBS.values() for name in (h.name, *h.datasets))
        assert all(name in run("references", "--help").stdout for name in references.TABLES)

    def test_without_httpx(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "httpx", None)
        done = run("gdc", "--project", "BLCA")
        assert done.exit_code == 2
        assert done.stderr == (
            "error: this needs the package httpx, which is not installed. To mend it: pip install 'omicstore[fetch]'\n"
        )


def test_interrupted_then_run_again(portal: Any, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(400_000)
    identity = portal.add_gdc("a.tsv", data)
    hold = threading.Event()

    def stall(handler: Any, data: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:150_000])
        handler.wfile.flush()
        hold.wait(20)
        handler.close_connection = True
        return True

    portal.goes_wrong(f"/data/{identity}", stall)
    words = [sys.executable, "-c", "from omicstore.cli import main; main()", "fetch", "gdc", "--project", "BLCA"]
    words += ["--modalities", "rna", "--endpoint", portal.url]
    first = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ)
    part = tmp_path / f"data/raw/TCGA-BLCA/rna/{identity}/a.tsv.part"
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size == 150_000) and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=20)
    hold.set()
    assert first.returncode == 130
    assert "what came is kept in data/raw; the same command goes on from there" in said
    assert "Traceback" not in said
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert again.stdout.startswith("1 file fetched into data/raw (400 kB)")
    assert portal.asked(f"/data/{identity}")[-1]["range"] == "bytes=150000-"
    assert (part.parent / "a.tsv").read_bytes() == data
