"""What doctor says of a study."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omicstore.cli import app

RUN = CliRunner()

STUDY = """\
study:
  dataset: tiny
  cohorts: [AAA]
  references: {}
  sources:
  - {path: raw/a.tsv, format: matrix, modality: rna, cohort: AAA, unit: tpm}
  - {path: raw/b.tsv, format: clinical-table, cohort: AAA}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(study: Path) -> str:
    lines = RUN.invoke(app, ["doctor"], prog_name="omicstore").stdout.splitlines()
    return next(line for line in lines if line[5:].startswith("study:"))


def test_a_study_without_its_files_cannot_be_built(study: Path) -> None:
    assert said(study).startswith("BAD  study: absent: ")


def test_who_has_pulled_a_store_needs_no_files(study: Path, tiny_store: Path) -> None:
    shutil.copytree(tiny_store, study / "data" / "store")
    assert said(study) == (
        "ok   study: 2 sources, 1 cohort; no source file is here, so the store can be read and not built"
    )


def test_some_files_and_not_others_are_a_mistake(study: Path, tiny_store: Path) -> None:
    shutil.copytree(tiny_store, study / "data" / "store")
    (study / "raw").mkdir()
    (study / "raw" / "a.tsv").write_text("x\n")
    assert "b.tsv" in said(study)
    assert said(study).startswith("BAD")
