"""The commands that read a store: what they print, their JSON and how they end."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

import omicstore
import omicstore.export.csv
from omicstore.cli import app

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


@pytest.fixture
def run(tiny_store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a command on the tiny store from an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str, **options: Any) -> Result:
        return RUN.invoke(app, [*words, "--store", str(tiny_store)], prog_name="omicstore", **options)

    return call


def asked(run: Any, *words: str) -> dict[str, Any]:
    """What a command says with --json."""
    body: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return body


class TestQuery:
    def test_json(self, run: Any, tiny_store: Path) -> None:
        found = asked(run, "query", "--cohort", "aaa", "--modalities", "RNA,meth")
        with omicstore.open(tiny_store) as store:
            cohort = store.query(cohort="AAA", modalities=["rna", "meth"])
            assert found == cohort.summary()
        for key in (
            "release",
            "cohorts",
            "sample_type",
            "n_patients",
            "n_samples",
            "n_complete",
            "modalities",
            "warnings",
        ):
            assert key in found
        assert set(found["modalities"]["rna"]) == {"n_samples", "n_profiles", "n_features", "unit", "units"}

    def test_names_joined_by_commas_or_repeated(self, run: Any) -> None:
        joined = asked(run, "query", "--cohort", "AAA,BBB", "--modalities", "rna,meth")
        apart = ("--cohort", "AAA", "--cohort", "bbb", "--modalities", "rna", "--modalities", "meth")
        assert asked(run, "query", *apart) == joined

    def test_what_a_person_reads(self, run: Any) -> None:
        done = run("query", "--cohort", "AAA", "--modalities", "rna,meth")
        body = asked(run, "query", "--cohort", "AAA", "--modalities", "rna,meth")
        assert done.exit_code == 0
        lines = [line.rstrip() for line in done.stdout.splitlines()]
        assert lines[0] == f"AAA: {body['n_samples']} primary samples of {body['n_patients']} patients"
        assert lines[1].startswith("simulated data")
        rna = body["modalities"]["rna"]
        share = f"{100 * rna['n_samples'] / body['n_samples']:.0f}%"
        assert lines[3].split() == ["rna", str(rna["n_samples"]), share, "30", "tpm"]
        assert f"{body['n_complete']} samples have both modalities." in lines
        assert "left out by sample type: 4 normal; --sample-type all takes everything" in lines
        assert max(map(len, lines[:8])) <= 80
        assert "\x1b" not in done.stdout

    def test_quiet_leaves_out_the_hints(self, run: Any) -> None:
        done = run("query", "--cohort", "AAA", "--quiet")
        assert done.stdout.startswith("AAA: ")
        assert "Export it" not in done.stdout

    def test_the_command_it_names_writes_what_it_found(self, run: Any, tmp_path: Path) -> None:
        words = ["query", "--cohort", "AAA", "--modalities", "rna", "--genes", "GENE3,GENE4", "--where", "sex = 'male'"]
        shown = run(*words, "--sample-type", "all", "--require", "all", "--scale", "log2p1").stdout
        line = next(line for line in shown.splitlines() if line.startswith("  omicstore export"))
        done = RUN.invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, done.stderr
        frame = pl.read_parquet(tmp_path / "aaa-export" / "rna.parquet")
        assert frame.columns == ["sample_id", "ENSG00000000003", "ENSG00000000004"]

    def test_the_python_it_shows_finds_the_same(self, run: Any) -> None:
        words = ["query", "--cohort", "AAA", "--modalities", "rna", "--where", "sex = 'male'", "--require", "all"]
        shown = run(*words).stdout.splitlines()
        held: dict[str, Any] = {}
        exec("\n".join(line.strip() for line in shown[shown.index("In Python:") + 1 :]), held)
        assert held["cohort"].summary() == asked(run, *words)
        assert held["arrays"]["rna"].shape == (held["cohort"].samples.height, 30)

    def test_a_modality_that_a_cohort_lacks_is_a_warning(self, run: Any) -> None:
        done = run("query", "--cohort", "AAA,CCC", "--modalities", "prot", "--json")
        assert done.exit_code == 3
        assert json.loads(done.stdout)["warnings"] == ["prot: not measured in CCC; the column is empty there"]
        assert done.stderr == "warning: prot: not measured in CCC; the column is empty there\n"

    def test_strict(self, run: Any, tmp_path: Path) -> None:
        words = ("--cohort", "AAA,CCC", "--modalities", "prot", "--strict", "--out", "out")
        for command in ("query", "export"):
            done = run(command, *words)
            assert done.exit_code == 1
            assert "error: there were warnings, and --strict makes a warning a failure" in done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_what_is_left_out_by_default_is_no_warning(self, run: Any) -> None:
        done = run("query", "--cohort", "AAA", "--json")
        assert (done.exit_code, json.loads(done.stdout)["warnings"], done.stderr) == (0, [], "")

    def test_out(self, run: Any, tmp_path: Path) -> None:
        done = run("query", "--cohort", "AAA", "--modalities", "rna", "--out", "out")
        assert done.exit_code == 0
        assert done.stderr == "wrote out (parquet)\n"
        assert "Export it" not in done.stdout
        assert (tmp_path / "out" / "rna.parquet").is_file()

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("genes.txt", "# my genes\nGENE3\nGENE4  # again\n\nGENE3\n"),
            ("genes.csv", "GENE3, GENE4"),
            ("genes.gmt", "one\thttp://x\tGENE3\ntwo\tnothing\tGENE4\tGENE3\n"),
        ],
    )
    def test_gene_set(self, run: Any, tmp_path: Path, name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        found = asked(run, "query", "--cohort", "AAA", "--modalities", "rna", "--gene-set", name)
        assert found["modalities"]["rna"]["n_features"] == 2

    @pytest.mark.parametrize("width", [60, 80, 200])
    def test_any_width(self, tiny_store: Path, width: int) -> None:
        words = ["query", "--cohort", "AAA,BBB,CCC", "--allow-mixed-units", "--store", str(tiny_store)]
        done = RUN.invoke(app, words, env={"COLUMNS": str(width)})
        table = done.stdout.splitlines()[2:8]
        assert max(len(line.rstrip()) for line in table) <= width
        assert "tpm (AAA, BBB); zscore (CCC)" in " ".join(done.stdout.split()) or width == 60


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (["--cohort", "AAB"], 2, "unknown cohort 'AAB'. Expected one of AAA."),
            (["--modalities", "ran"], 2, "unknown modality 'ran'. Expected one of rna, mirna."),
            (["--cohort", "AAA", "--genes", "GEEN12"], 2, "unknown gene 'GEEN12'. Expected one of GENE12, "),
            (
                ["--cohort", "AAA", "--sample-type", "primry"],
                2,
                "unknown sample type 'primry'. Expected one of primary, ",
            ),
            (["--cohort", "AAA", "--scale", "log2"], 2, "unknown scale 'log2'. Expected one of log2p1, "),
            (["--cohort", "AAA", "--where", "sxe = 'x'"], 2, "unknown column in --where 'sxe'. Expected one of "),
            (
                ["--cohort", "AAA", "--gene-set", "no.txt"],
                2,
                "--gene-set no.txt: No such file or directory. Expected a text",
            ),
            (["--cohort", "AAA", "--split", "five"], 1, "there is no split 'five'."),
            (["--modalities", "rna"], 1, "rna has different units: tpm in AAA, BBB; zscore in CCC."),
        ],
    )
    @pytest.mark.parametrize("command", ["query", "export"])
    def test_message_and_exit_code(
        self, run: Any, tmp_path: Path, command: str, words: list[str], code: int, message: str
    ) -> None:
        extra = ["--out", "out"] if command == "export" else []
        done = run(command, *words, *extra)
        assert (done.exit_code, done.stdout) == (code, "")
        assert done.stderr.startswith(f"error: {message}")
        assert done.stderr.count("\n") == 1
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("words", [["query"], ["info"], ["columns"], ["sql", "SELECT 1"], ["ids", "X"]])
    def test_no_store(self, tmp_path: Path, words: list[str]) -> None:
        done = RUN.invoke(app, [*words, "--store", str(tmp_path / "none")])
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(
            f"error: there is no store at {tmp_path}/none. Expected a folder with store.json."
        )

    @pytest.mark.parametrize("content", ["{", "[]", '{"format": "omicstore.store/99"}'])
    @pytest.mark.parametrize("command", ["query", "info", "columns"])
    def test_a_broken_store(self, tiny_store: Path, tmp_path: Path, command: str, content: str) -> None:
        shutil.copytree(tiny_store, tmp_path / "store")
        (tmp_path / "store" / "store.json").write_text(content)
        done = RUN.invoke(app, [command, "--store", str(tmp_path / "store")])
        assert (done.exit_code, done.stdout) == (1, "")
        expected = (
            "has the format 'omicstore.store/99'. Expected omicstore.store/1."
            if "99" in content
            else "store.json is not"
        )
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1


class TestExport:
    @pytest.mark.parametrize("name", ["parquet", "csv", "npz", "h5mu"])
    def test_every_format(self, run: Any, tmp_path: Path, name: str) -> None:
        done = run("export", "--cohort", "AAA", "--modalities", "rna,meth", "--format", name, "--out", "out")
        assert (done.exit_code, done.stderr) == (0, f"wrote out ({name})\n")
        assert (tmp_path / "out" / "manifest.json").is_file()

    def test_json(self, run: Any) -> None:
        body = asked(run, "export", "--cohort", "AAA", "--modalities", "rna", "--format", "csv", "--out", "out")
        assert (body["out"], body["format"], body["written"]) == ("out", "csv", True)
        assert body["modalities"]["rna"]["n_features"] == 30

    def test_dry_run_writes_nothing(self, run: Any, tmp_path: Path) -> None:
        done = run("export", "--cohort", "AAA", "--out", "out", "--dry-run")
        assert (done.exit_code, done.stderr) == (0, "would write out (parquet)\n")
        assert list(tmp_path.iterdir()) == []

    def test_a_mistyped_format(self, run: Any) -> None:
        done = run("export", "--cohort", "AAA", "--format", "parqet", "--out", "out")
        assert (done.exit_code, done.stderr) == (
            2,
            (
                "error: unknown format 'parqet'. Expected one of parquet, mae. To mend it: "
                "choose from parquet, arrow, csv, h5ad, h5mu, npz, safetensors, cbioportal, mae\n"
            ),
        )

    def test_overwrite(self, run: Any) -> None:
        words = ("export", "--cohort", "AAA", "--modalities", "rna", "--out", "out")
        assert run(*words).exit_code == 0
        done = run(*words)
        assert done.exit_code == 1
        assert done.stderr.startswith("error: out holds an earlier export.")
        assert run(*words, "--overwrite").exit_code == 0

    def test_what_a_format_cannot_hold_is_a_warning_if_it_was_named(self, run: Any) -> None:
        words = ("export", "--cohort", "AAA", "--format", "npz", "--overwrite", "--out", "out")
        assert run(*words).exit_code == 0
        assert run(*words, "--modalities", "rna,report").exit_code == 3

    def test_ctrl_c_leaves_nothing(self, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def write(cohort: Any, folder: Path) -> list[str]:
            (folder / "rna.csv.gz").write_bytes(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(omicstore.export.csv, "write", write)
        done = run("export", "--cohort", "AAA", "--format", "csv", "--out", "out")
        assert (done.exit_code, done.stdout, done.stderr) == (130, "", "interrupted\n")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")]
    )
    def test_a_signal_leaves_nothing(
        self, tiny_store: Path, tmp_path: Path, number: signal.Signals, code: int, said: str
    ) -> None:
        assert stopped(tiny_store, tmp_path / "out", number) == (code, said)
        assert list(tmp_path.iterdir()) == []

    def test_what_a_killed_export_left_is_swept_by_the_next(self, run: Any, tiny_store: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert stopped(tiny_store, out, signal.SIGKILL) == (-signal.SIGKILL, "")
        assert [path.suffix for path in tmp_path.iterdir()] == [".new"]
        assert run("export", "--cohort", "AAA", "--modalities", "rna", "--out", "out").exit_code == 0
        assert list(tmp_path.iterdir()) == [out]


def stopped(store: Path, out: Path, number: signal.Signals) -> tuple[int, str]:
    """The exit code of an export that is sent a signal while it writes, and what it says."""
    code = (
        "import sys, time\nimport omicstore.export.csv as csv\nfrom omicstore.cli import main\n"
        "def write(cohort, folder):\n    (folder / 'half').touch()\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "csv.write = write\nmain()"
    )
    words = ["export", "--cohort", "AAA", "--format", "csv", "--out", str(out), "--store", str(store)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    return process.returncode, errors


class TestInfo:
    def test_json(self, run: Any, tiny_store: Path) -> None:
        done = run("info", "--json")
        body = json.loads(done.stdout)
        assert set(body) == {"release", "dataset", "simulated", "modalities", "cohorts", "warnings", "notes"}
        assert set(body["cohorts"]["AAA"]) == {"n_patients", "n_samples", "sample_types", "modalities"}
        for name in ("n_patients", "n_samples", "n_profiles", "n_features", "unit", "availability_percent"):
            assert name in body["cohorts"]["AAA"]["modalities"]["rna"]
        with omicstore.open(tiny_store) as store:
            mine = store.query(cohort="AAA", modalities="rna", sample_type="all").samples
        rna = body["cohorts"]["AAA"]["modalities"]["rna"]
        assert (rna["n_samples"], rna["n_patients"]) == (mine.height, mine["patient_id"].n_unique())

    def test_units_that_differ_are_a_warning(self, run: Any) -> None:
        done = run("info")
        assert done.exit_code == 3
        assert done.stderr == (
            "warning: rna has different units, so a query over these cohorts is refused: tpm in AAA, BBB; zscore in CCC\n"
        )

    def test_what_a_person_reads(self, run: Any) -> None:
        lines = run("info").stdout.splitlines()
        assert lines[1].startswith("simulated data")
        assert lines[2].split() == ["cohort", "patients", "samples", "rna", "meth", "prot", "metab"]
        assert lines[3].split()[:3] == ["AAA", "40", "44"]
        assert lines[5].split()[-2:] == ["38", "88%"]
        assert max(len(line.rstrip()) for line in lines) <= 80

    def test_warnings_of_the_build_are_counted(self, store_factory: ModuleType, tmp_path: Path) -> None:
        data = store_factory.make_cohort("AAA")
        data.tables["provenance"] = data.tables["provenance"].with_columns(warnings=pl.lit('["one", "two"]'))
        data.write(tmp_path, "AAA")
        store_factory.assemble(tmp_path, ["AAA"], dataset="real", simulated=False)
        done = RUN.invoke(app, ["info", "--store", str(tmp_path)])
        assert done.exit_code == 0
        assert "6 warnings from the build: omicstore sql " in done.stdout
        assert "simulated" not in done.stdout


class TestColumns:
    def test_json(self, run: Any) -> None:
        body = asked(run, "columns")
        by_name = {row["column"]: row for row in body["columns"]}
        assert by_name["sex"]["levels"] == {"female": 60, "male": 60}
        assert by_name["sex"]["type"] == "text"
        assert by_name["age_years"]["type"] == "number"
        assert by_name["age_years"]["min"] < by_name["age_years"]["max"]
        assert by_name["race"]["n_filled"] == 0
        assert by_name["sample_id"]["levels"] is None

    def test_what_a_person_reads(self, run: Any) -> None:
        done = run("columns")
        assert done.exit_code == 0
        assert "female 60, male 60" in done.stdout
        assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 80


class TestSql:
    def test_rows(self, run: Any) -> None:
        done = run("sql", "SELECT cohort, count(*) AS n FROM patients GROUP BY cohort ORDER BY cohort")
        assert done.exit_code == 0
        assert [line.split() for line in done.stdout.splitlines()] == [
            ["cohort", "n"],
            ["AAA", "40"],
            ["BBB", "40"],
            ["CCC", "40"],
        ]

    def test_json_holds_all_rows_and_no_nan(self, run: Any) -> None:
        body = asked(run, "sql", "SELECT i, 'nan'::DOUBLE AS x, 1.5::DECIMAL(4, 1) AS d FROM range(60) t(i) ORDER BY i")
        assert (body["n_rows"], body["columns"], body["types"]) == (
            60,
            ["i", "x", "d"],
            ["BIGINT", "DOUBLE", "DECIMAL(4,1)"],
        )
        assert body["rows"][59] == [59, None, 1.5]

    def test_limit(self, run: Any) -> None:
        done = run("sql", "SELECT * FROM rna ORDER BY ALL", "--limit", "3")
        assert len(done.stdout.splitlines()) == 4
        assert done.stderr == "only the first 3 rows; --limit N shows more, --json all\n"

    @pytest.mark.parametrize("statement", ["DESCRIBE patients", "PIVOT patients ON sex USING count(*)", "SHOW TABLES"])
    def test_what_reads_is_let_through(self, run: Any, statement: str) -> None:
        assert run("sql", statement).exit_code == 0

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("SELEC 1", 'error: Parser Error: syntax error at or near "SELEC"'),
            ("SELECT sxe FROM patients", 'error: Binder Error: Referenced column "sxe" not found'),
            ("CREATE TABLE x AS SELECT 1", "error: 'CREATE TABLE x AS SELECT 1' is no query. Expected one statement"),
            ("SELECT 1; SELECT 2", "error: 'SELECT 1; SELECT 2' is no query."),
            ("COPY patients TO 'out.csv'", "error: \"COPY patients TO 'out.csv'\" is no query."),
        ],
    )
    def test_mistakes(self, run: Any, tmp_path: Path, statement: str, message: str) -> None:
        done = run("sql", statement)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(message)
        assert done.stderr.count("\n") == 1
        assert list(tmp_path.iterdir()) == []

    def test_no_file_can_be_read(self, run: Any) -> None:
        assert run("sql", "SELECT * FROM read_text('/etc/hostname')").exit_code == 2


class TestIds:
    def test_a_patient_and_the_profiles_that_were_not_chosen(self, run: Any) -> None:
        done = run("ids", "simu.a1.aa00")
        assert done.exit_code == 0
        lines = done.stdout.splitlines()
        assert lines[1] == "  patient SIMU-A1-AA00 of cohort AAA"
        where = "SIMU-A1-AA00-01B-rna of rna.tsv"
        told = "  AAA rna: profile SIMU-A1-AA00-01B-rna of sample SIMU-A1-AA00-01, not chosen (later vial); "
        assert told + where in lines

    def test_a_gene_in_every_matrix_that_has_it(self, run: Any) -> None:
        found = asked(run, "ids", "gene3")["ids"]["gene3"]
        there = {(row["cohort"], row["modality"], row["feature_id"]) for row in found}
        expected = {
            ("AAA", m, i) for m, i in (("rna", "ENSG00000000003"), ("meth", "ENSG00000000003"), ("prot", "AB003"))
        }
        assert there == expected | {("CCC", "rna", "ENSG00000000003")}

    def test_nowhere(self, run: Any) -> None:
        done = run("ids", "GENE3", "nothing-like-it")
        assert done.exit_code == 1
        assert "found nowhere: not in the store" in done.stdout

    def test_what_was_dropped_and_what_a_retired_symbol_means(
        self, store_factory: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = store_factory.make_cohort("AAA")
        data.tables["provenance"] = data.tables["provenance"].with_columns(
            drops=pl.lit('{"unknown gene": 13}'), examples=pl.lit('{"unknown gene": ["?|100130426"]}')
        )
        data.write(tmp_path / "data" / "store", "AAA")
        store_factory.assemble(tmp_path / "data" / "store", ["AAA"], dataset="tiny", simulated=True)
        (tmp_path / "hgnc.tsv").write_text(
            "hgnc_id\tsymbol\tname\tstatus\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
            "HGNC:1\tGENE3\tgene 3\tApproved\t\tOLD3\t33\tENSG00000000003\n"
        )
        (tmp_path / "rna.tsv").write_text("gene\tA\nGENE3\t1\n")
        (tmp_path / "params.yaml").write_text(
            "study:\n  references:\n    symbols: {path: hgnc.tsv, format: hgnc}\n"
            "  sources:\n  - {path: rna.tsv, format: matrix, modality: rna, cohort: AAA, unit: tpm}\n"
        )
        monkeypatch.chdir(tmp_path)
        done = RUN.invoke(app, ["ids", "OLD3", "?|100130426"])
        assert done.exit_code == 0, done.output
        assert "  gene GENE3, ENSG00000000003, Entrez 33 (the study's references)" in done.stdout
        assert "  AAA rna: feature ENSG00000000003, symbol GENE3" in done.stdout
        assert "  AAA rna: dropped from rna.tsv: unknown gene (one of 13)" in done.stdout
