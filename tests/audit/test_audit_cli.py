"""``omicstore audit``: what it prints, what it answers to what is no split and no model, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from chain_study import edit_json, edit_statistic
from typer.testing import CliRunner

from omicstore.audit import Finding
from omicstore.audit.html import to_html
from omicstore.audit.render import checked, plain
from omicstore.audit.run import CHECKS, Audit
from omicstore.cli import app

if TYPE_CHECKING:
    from pathlib import Path

CHAIN = "release,split,people,state,checkpoint,evaluation,retractions"


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["audit", *args])


@pytest.fixture
def here(chained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study, as the working folder; only for reading."""
    monkeypatch.chdir(chained)
    return chained


def test_a_clean_chain_ends_with_0_and_says_what_was_checked(here: Path) -> None:
    done = run("aro", "--only", CHAIN)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{here}/artifacts/aro: model aro; split default, fold 0; release ")
    assert re.search(
        r"^release +the store's files are those of its release id +pass +release ", done.stdout, re.MULTILINE
    )
    assert lines[-1].startswith(f"Checked: {CHAIN.replace(',', ', ')} (none of them found anything). A pass says")
    assert "no leak" not in done.stdout.lower()
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "target", ["default", "splits/default", "splits/default/manifest.json", "splits/default/assignments.parquet"]
)
def test_a_split_is_named_by_its_name_its_folder_or_a_file(here: Path, target: str) -> None:
    done = run(target, "--only", "split")
    assert (done.exit_code, done.stdout.splitlines()[0].split(";")[0].split(": ")[1]) == (
        0,
        "split default, folds 0, 1, 2",
    )


@pytest.mark.parametrize(
    "target", ["aro", "artifacts/aro", "artifacts/aro/weights.safetensors", "artifacts/aro/state/0/default.json"]
)
def test_a_model_is_named_by_its_name_its_folder_or_a_file(here: Path, target: str) -> None:
    done = run(target, "--only", "checkpoint", "--json")
    assert (done.exit_code, json.loads(done.stdout)["model"]) == (0, "aro")


def test_json_is_one_object(here: Path) -> None:
    body = json.loads(run("aro", "--json", "--only", "split,L1").stdout)
    assert body["format"] == "omicstore.audit/1"
    assert body["ok"] is True
    assert [f["id"] for f in body["findings"]] == ["split", "L1"]
    assert set(body["findings"][0]) == {"id", "what", "status", "severity", "how", "evidence"}


def test_a_failure_comes_first_in_detail_and_ends_with_1(tampered: Path) -> None:
    edit_statistic(tampered, "rna/2/mean", 0, 1.0)
    done = run(str(tampered / "artifacts/aro"), "--only", CHAIN)
    assert done.exit_code == 1
    first = done.stdout.splitlines()[2:4]
    assert first[0] == "FAIL state: the transforms are what the training rows give"
    assert first[1].startswith("  default.safetensors does not have the arrays_sha256")
    assert "error: state: default.safetensors does not have" in done.stderr
    assert "(FAIL state)" in done.stdout.splitlines()[-1]
    assert json.loads(run(str(tampered / "artifacts/aro"), "--only", "state", "--json").stdout)["ok"] is False


def test_a_warning_ends_with_3_and_with_strict_1(tampered: Path) -> None:
    release = json.loads((tampered / "data/store/store.json").read_bytes())["release"]
    event = {
        "event": "retract",
        "kind": "release",
        "release": release,
        "name": "v1",
        "reason": "wrong",
        "replaced_by": "v2",
    }
    with (tampered / "releases/log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(event) + "\n")
    done = run(str(tampered / "splits/default"), "--only", "retractions")
    assert done.exit_code == 3
    assert "warning: retractions: release v1 is retracted: wrong; use v2 instead" in done.stderr
    assert run(str(tampered / "splits/default"), "--only", "retractions", "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("arro", "unknown split or trained model 'arro'. Expected one of aro"),
        ("defualt", "unknown split or trained model 'defualt'. Expected one of default"),
        ("data/store", "data/store is a store. Expected a split (splits/NAME) or a trained model (artifacts/MODEL)"),
        ("data/store/store.json", "data/store/store.json is a store."),
        (".", ". is a study."),
        ("params.yaml", "params.yaml is a study."),
        ("reports/evaluation.json", "reports/evaluation.json is an evaluation."),
        ("releases", "releases is neither a split nor a model."),
    ],
)
def test_what_cannot_be_audited_is_told_what_it_is(here: Path, target: str, answer: str) -> None:
    done = run(target)
    assert (done.exit_code, answer in done.stderr) == (2, True), done.stderr


def test_an_export_is_told_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": "omicstore.export/1"}')
    done = run(str(tmp_path))
    assert (done.exit_code, "is an export (omicstore.export/1)" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("args", "code", "answer"),
    [
        (("aro", "--only", "L31"), 2, "unknown check 'L31'. Expected one of L13, L3, L1."),
        (("aro", "--only", "statee"), 2, "Expected one of state"),
        (("aro", "--only", " , "), 2, "--only names nothing"),
        (("aro", "--store", "s3://bucket/store"), 2, "s3://bucket/store is not on this machine"),
        (("aro", "--store", "splits"), 1, "splits holds no store. Expected splits/store.json"),
        (("aro", "--html", "splits"), 2, "--html splits is a folder"),
        ((), 2, "CHECKPOINT|MANIFEST"),
    ],
)
def test_a_wrong_option_is_answered(here: Path, args: tuple[str, ...], code: int, answer: str) -> None:
    done = run(*args)
    assert (done.exit_code, answer in done.stderr) == (code, True), done.stderr


def test_checks_are_named_in_any_case(here: Path) -> None:
    body = json.loads(run("aro", "--only", "l13, SPLIT", "--json").stdout)
    assert [f["id"] for f in body["findings"]] == ["split", "L13"]


def test_another_store_may_be_named(chained: Path, tmp_path: Path) -> None:
    shutil.copytree(chained / "data/store", tmp_path / "copy")
    shutil.copytree(chained / "splits/default", tmp_path / "default")
    alone = json.loads(run(str(tmp_path / "default"), "--only", "release", "--json").stdout)
    assert alone["findings"][0]["status"] == "not_applicable"
    done = run(str(tmp_path / "default"), "--store", str(tmp_path / "copy"), "--only", "release", "--json")
    assert json.loads(done.stdout)["findings"][0]["status"] == "pass"


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]


def test_html_is_one_page_without_scripts_or_anything_from_elsewhere(tampered: Path, tmp_path: Path) -> None:
    edit_json(
        tampered / "splits/default/manifest.json", lambda b: b["strategy"].update(name="<script>alert(1)</script>")
    )
    out = tmp_path / "deep" / "audit.html"
    done = run(str(tampered / "artifacts/aro"), "--only", CHAIN, "--html", str(out))
    assert done.exit_code == 1
    assert f"written to {out}" in done.stderr
    page, seen = out.read_text(encoding="utf-8"), _Seen()
    seen.feed(page)
    assert not {"script", "link", "img", "iframe"} & set(seen.tags)
    assert seen.links == []
    assert "prefers-color-scheme: dark" in page
    assert page.index("manifest.json does not have its manifest_hash") < page.index("<h2>Checks</h2>")
    assert all(f"<td>{name}</td>" in page for name in CHAIN.split(","))


def test_offenders_are_text_in_html() -> None:
    evil = Finding("L1", "a<b", "fail", "error", "", {"offenders": ["<script>x</script>"], "n_offenders": 7})
    page = to_html(Audit({"target": "<t>", "release": None, "split": None, "folds": [], "model": None}, [evil]))
    assert "<script>" not in page
    assert "<li>&lt;script&gt;x&lt;/script&gt;</li><li>and 6 more</li>" in page


def test_numbers_of_numpy_and_nan_are_no_trouble_for_json() -> None:
    odd = {"a": np.float32(0.5), "b": np.nan, "c": np.arange(2), "d": {"y", "x"}, 3: (np.int64(1), None), "e": object}
    assert plain(odd) == {"a": 0.5, "b": None, "c": [0, 1], "d": ["x", "y"], "3": [1, None], "e": "<class 'object'>"}
    json.dumps(plain(odd), allow_nan=False)


def test_the_last_line_names_every_check_and_never_says_that_there_is_no_leak() -> None:
    kinds = [
        ("pass", "error"),
        ("fail", "error"),
        ("fail", "warning"),
        ("waived", "error"),
        ("not_applicable", "error"),
    ]
    found = [Finding(f"X{i}", "", status, severity) for i, (status, severity) in enumerate(kinds)]
    line = checked(Audit({}, found))
    assert line.startswith("Checked: X0, X1, X2, X3 (FAIL X1; warning X2; waived X3). Not made: X4. A pass says that")
    assert checked(Audit({}, [])).startswith("Checked: nothing. ")


def test_every_check_of_the_table_can_be_imported() -> None:
    from importlib import import_module

    for where in CHECKS.values():
        module, name = where.split(":")
        assert callable(getattr(import_module(module), name))
