"""What a person does wrong at the command line: each ends in one message, an exit code and nothing written."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import omicstore
import omicstore.export.parquet
from omicstore.cli import app

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


@pytest.fixture
def run(tiny_store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a command on the tiny store, or on another, from an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str, store: Path | str = tiny_store, columns: int = 80) -> Result:
        words = (*words, "--store", str(store))
        return RUN.invoke(app, words, prog_name="omicstore", env={"COLUMNS": str(columns)})

    return call


@pytest.fixture
def copy(tiny_store: Path, tmp_path: Path) -> Path:
    """A copy of the tiny store to break, in a folder whose name has a space and an umlaut."""
    place = tmp_path / "stüdy copy" / "store"
    shutil.copytree(tiny_store, place)
    return place


class TestEmptyNames:
    """A shell variable that is not set is no wish for everything."""

    @pytest.mark.parametrize(
        ("option", "found"),
        [
            ("--cohort", "cohort names nothing"),
            ("--modalities", "modalities names nothing"),
            ("--genes", "genes names nothing"),
            ("--sample-type", "sample_type names nothing"),
            ("--require", "require names nothing"),
            ("--where", "where is ''"),
        ],
    )
    @pytest.mark.parametrize("value", ["", " , "])
    def test_are_refused(self, run: Any, option: str, found: str, value: str) -> None:
        if option == "--where":
            value = value.replace(",", " ")
        done = run("query", option, value)
        assert done.exit_code == 2
        assert done.stderr.startswith(f"error: {found.replace(repr(''), repr(value))}. Expected ")

    def test_a_store_without_a_name(self, run: Any) -> None:
        done = run("query", store="")
        assert (done.exit_code, done.stderr.startswith("error: the store's name is empty.")) == (2, True)

    def test_a_split_without_a_name(self, run: Any) -> None:
        done = run("query", "--split", "", "--fold", "0", "--part", "train")
        assert (done.exit_code, done.stderr.startswith("error: the split is ''.")) == (2, True)

    def test_an_identifier_without_a_name(self, run: Any) -> None:
        done = run("ids", " ")
        assert (done.exit_code, done.stderr.startswith("error: an identifier is empty.")) == (2, True)

    def test_the_working_folder_is_no_new_folder(self, run: Any) -> None:
        assert run("export", "--out", ".").exit_code == run("export", "--out", "").exit_code == 2


class TestWhere:
    @pytest.mark.parametrize(
        ("where", "message"),
        [
            ("true) OR (true", "cannot be evaluated: Parser Error"),
            ("true) UNION SELECT 1 --", "cannot be evaluated: Parser Error"),
            ("age_years", "'age_years' gives a number. Expected a condition"),
            ("sex", "'sex' gives text. Expected a condition"),
            ("sex = female", "write it in single quotes"),
            ("age < 50", "unknown column in --where 'age'. Expected one of age_years."),
            ("sex IN (SELECT sex FROM read_csv('/etc/passwd'))", "Permission Error"),
        ],
    )
    def test_what_is_no_condition(self, run: Any, where: str, message: str) -> None:
        done = run("query", "--where", where)
        assert done.exit_code == 2
        assert message in done.stderr

    def test_quotes_come_back_as_a_person_types_them(self, run: Any) -> None:
        shown = run("query", "--cohort", "AAA", "--where", "sex = 'female'").stdout
        assert """--where "sex = 'female'" --store""" in shown


class TestGeneSet:
    def test_what_the_store_lacks_is_a_warning(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "set.gmt").write_text("\ufeffset\tabout\tGENE1\tGENE2\tNOPE\n", encoding="utf-8")
        done = run("query", "--cohort", "AAA", "--modalities", "rna", "--gene-set", "set.gmt", "--json")
        body = json.loads(done.stdout)
        assert done.exit_code == 3
        assert body["modalities"]["rna"]["n_features"] == 2
        assert body["warnings"] == ["2 of 3 genes are there; none of the modalities has NOPE"]

    def test_a_mark_of_byte_order_and_comments(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "set.txt").write_text("\ufeffGENE1\r\n> a comment\r\n# another\r\nGENE2\r\n", encoding="utf-8")
        done = run("query", "--cohort", "AAA", "--modalities", "rna", "--gene-set", "set.txt", "--json")
        assert json.loads(done.stdout)["modalities"]["rna"]["n_features"] == 2

    @pytest.mark.parametrize("words", [(), ("--genes", "NOPE,GENE1")])
    def test_a_name_that_was_typed_or_a_set_of_which_nothing_is_there(
        self, run: Any, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        (tmp_path / "set.txt").write_text("NOPE\n")
        done = run("query", "--cohort", "AAA", "--modalities", "rna", "--gene-set", "set.txt", *words)
        assert done.exit_code == 2
        assert done.stderr.startswith("error: unknown gene 'NOPE'.")
        assert "omicstore ids NOPE tells what became of it" in done.stderr

    def test_genes_of_reports(self, run: Any) -> None:
        done = run("query", "--cohort", "AAA", "--modalities", "report", "--genes", "GENE1")
        assert done.exit_code == 2
        assert "none of the modalities has any" in done.stderr


#: So few samples that their numbers do not come from the index.
FEW = ("export", "--cohort", "AAA", "--where", "site = 'A1'")


class TestBrokenStore:
    def test_store_json_without_entries(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "store.json").write_text('{"format": "omicstore.store/1", "release": "0"}')
        done = run("query", store=tmp_path)
        assert done.exit_code == 1
        assert "is not what omicstore writes: it lacks dataset, simulated," in done.stderr

    @pytest.mark.parametrize("how", ["absent", "cut", "changed"])
    @pytest.mark.parametrize(
        ("pattern", "words"),
        [
            ("catalog/patients*", ("columns",)),
            ("catalog/patients*", ("sql", "SELECT * FROM patients")),
            ("index/samples*", ("query",)),
            ("index/modality=rna*", ("sql", "SELECT * FROM rna")),
            ("cohort=AAA/modality=meth/values*", (*FEW, "--modalities", "meth", "--out", "out")),
            ("cohort=AAA/modality=rna/features*", ("export", "--cohort", "AAA", "--modalities", "rna", "--out", "out")),
        ],
    )
    def test_a_file_that_cannot_be_read(
        self, run: Any, copy: Path, tmp_path: Path, pattern: str, words: tuple[str, ...], how: str
    ) -> None:
        (path,) = copy.glob(pattern)
        content = path.read_bytes()
        if how == "absent":
            path.unlink()
        elif how == "cut":
            path.write_bytes(content[: len(content) // 2])
        else:
            half = len(content) // 2
            path.write_bytes(content[:4] + bytes(b ^ 0x5A for b in content[4:half]) + content[half:])
        done = run(*words, store=copy)
        if how == "absent" and pattern.startswith("index/modality"):
            assert done.exit_code == 0, "the matrices say the same as the index"
            return
        assert done.exit_code == 1, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "Error" not in done.stderr.partition("(")[0]
        assert done.stderr.endswith("dvc checkout, or build the store again\n")
        assert ("To mend it: omicstore pull" in done.stderr) == (how == "absent")
        assert not (tmp_path / "out").exists()

    def test_doctor_looks_at_every_file(self, run: Any, copy: Path) -> None:
        assert "store: release" in run("doctor", store=copy).stdout
        (path,) = copy.glob("cohort=AAA/modality=rna/values*")
        path.write_bytes(path.read_bytes()[:-4])
        done = run("doctor", store=copy)
        assert done.exit_code == 1
        assert f"absent or cut short: cohort=AAA/modality=rna/{path.name}" in done.stdout


class TestDisk:
    @pytest.mark.parametrize(
        ("number", "message"),
        [
            (errno.ENOSPC, "the disk is full"),
            (errno.EROFS, "the file system is read-only"),
            (errno.EACCES, "permission"),
        ],
    )
    def test_one_message_and_nothing_left(
        self, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
    ) -> None:
        def save(tables: object, path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError(number, "as the system says it")

        monkeypatch.setattr(omicstore.export.parquet, "save_all", save)
        done = run("export", "--cohort", "AAA", "--modalities", "rna", "--out", "out")
        assert done.exit_code == 1
        assert done.stderr.startswith(f"error: {message}")
        assert "To mend it: " in done.stderr
        assert list(tmp_path.iterdir()) == []


class TestExport:
    def test_a_format_that_can_hold_nothing_of_it(self, run: Any, tmp_path: Path) -> None:
        done = run("export", "--cohort", "AAA", "--modalities", "report", "--format", "npz", "--out", "out")
        assert done.exit_code == 1
        assert done.stderr.startswith("error: nothing would be written: report is no matrix and npz cannot hold it")
        assert list(tmp_path.iterdir()) == []

    def test_query_can_try_its_export(self, run: Any, tmp_path: Path) -> None:
        done = run("query", "--cohort", "AAA", "--out", "out", "--dry-run")
        assert (done.exit_code, done.stderr) == (0, "would write out (parquet)\n")
        assert list(tmp_path.iterdir()) == []

    def test_an_export_is_no_split(self, run: Any) -> None:
        run("export", "--cohort", "AAA", "--modalities", "rna", "--out", "out")
        done = run("query", "--split", "nope", "--fold", "0", "--part", "train")
        assert "there are out" not in done.stderr


class TestWidth:
    @pytest.mark.parametrize("columns", [40, 60, 80, 200])
    @pytest.mark.parametrize("words", [("query", "--scale", "log2p1"), ("columns",), ("info",)])
    def test_nothing_is_cut(self, run: Any, words: tuple[str, ...], columns: int) -> None:
        shown = run(*words, columns=columns).stdout
        assert "\u2026" not in shown

    def test_a_line_in_a_pipe_is_neither_wrapped_nor_padded(
        self, run: Any, monkeypatch: pytest.MonkeyPatch, tiny_store: Path
    ) -> None:
        monkeypatch.delenv("COLUMNS", raising=False)
        statement = "SELECT * FROM patients LIMIT 2"
        lines = CliRunner().invoke(app, ["sql", statement, "--store", str(tiny_store)]).stdout.splitlines()
        assert len(lines) == 3
        assert all(line == line.rstrip() for line in lines)

    def test_a_scaled_unit(self, run: Any) -> None:
        shown = run("query", "--cohort", "AAA", "--modalities", "rna", "--scale", "log2p1").stdout
        assert "log2(tpm+1)" in shown

    def test_cells_of_sql(self, run: Any) -> None:
        shown = run("sql", "SELECT 0.1::FLOAT AS a, true AS b, NULL AS c, '[red]' AS d").stdout
        assert shown.splitlines()[1].split() == ["0.1", "true", "[red]"]

    def test_wide_rows_of_sql_are_records(self, run: Any) -> None:
        lines = run("sql", "SELECT * FROM patients LIMIT 2").stdout.splitlines()
        assert lines[0].startswith("patient_id: ")
        assert lines.count("") == 1
        wide = run("sql", "SELECT * FROM patients LIMIT 2", columns=400).stdout.splitlines()
        assert len(wide) == 3


def test_init_names_a_cohort_without_a_source(tmp_path: Path) -> None:
    (tmp_path / "rna.tsv").write_text("gene\tA\nTP53\t1\n")
    (tmp_path / "study.yaml").write_text(
        "study:\n  dataset: x\n  cohorts: [AAA]\n"
        "  sources:\n  - {path: rna.tsv, format: matrix, modality: rna, cohort: BBB, unit: tpm}\n"
    )
    done = RUN.invoke(app, ["init", str(tmp_path / "new"), "--sources", str(tmp_path / "study.yaml")])
    assert done.exit_code == 1
    assert "no source is of cohort AAA; they are of BBB" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["plan", "assemble", "build"])
def test_a_stage_can_be_tried(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").write_text(
        "study:\n  dataset: x\n  cohorts: [AAA]\n"
        "  sources:\n  - {path: rna.tsv, format: matrix, modality: rna, cohort: AAA, unit: tpm}\n"
    )
    monkeypatch.chdir(tmp_path)
    done = RUN.invoke(app, [name, "--dry-run"])
    assert (done.exit_code, done.stdout) == (0, f"would {name} AAA from 1 file\n")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_simulate_can_be_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert RUN.invoke(app, ["simulate", "raw", "--dry-run"]).stdout == "would write simulated data to raw\n"
    done = RUN.invoke(app, ["simulate", "raw", "--scale", "0"])
    assert (done.exit_code, done.stderr.startswith("error: the scale of the simulation is 0.0. Expected a")) == (
        2,
        True,
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "is not YAML"),
        (b"[1]", "is not a mapping"),
        (b"simulate: 5\nsplit: 5", " is 5. Expected a mapping"),
        (b"simulate: {scale: x}", "the scale of the simulation is 'x'"),
        (b"simulate: {seed: -1}", "the seed of the simulation is -1"),
    ],
)
def test_a_params_file_with_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    commands = [["simulate", "raw"]] if b"scale" in content or b"seed" in content else [["simulate"], ["split", "show"]]
    for words in commands:
        done = RUN.invoke(app, words)
        assert done.exit_code in (1, 2)
        assert message in done.stderr
        assert "traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_python_refuses_what_is_no_name(tiny_store: Path) -> None:
    with omicstore.open(tiny_store) as store:
        for wrong in ({"cohort": 5}, {"cohort": ["AAA", 5]}, {"genes": []}, {"modalities": []}, {"where": 5}):
            with pytest.raises(omicstore.errors.UsageError):
                store.query(**wrong)
        with pytest.raises(omicstore.errors.UnknownNameError, match="unknown modality with features 'x'"):
            store.union_features("x")
        assert store.query(modalities="meth", require=None, sample_type=None).question.require == "any"
