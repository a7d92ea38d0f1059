"""The study file: what is read, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from omicstore.errors import StudyError, UnknownNameError
from omicstore.sources import load_study

GOOD = "{path: a.tsv, format: matrix, modality: rna, cohort: blca, unit: tpm}"


def write(tmp_path: Path, source: str = GOOD, extra: str = "") -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(f"study:\n  dataset: toy\n{extra}  sources:\n    - {source}\n")
    return path


def test_cohorts_are_guessed_and_upper_case(tmp_path: Path) -> None:
    study = load_study(write(tmp_path))
    assert study.cohorts == ("BLCA",)
    assert study.sources[0].cohort == "BLCA"


def test_paths_are_relative_to_the_study_file(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, "{path: ../x/a.tsv, format: matrix, modality: rna, cohort: A, unit: tpm}"))
    assert study.sources[0].path == tmp_path.parent / "x" / "a.tsv"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("{path: a, format: matirx, modality: rna, cohort: A, unit: tpm}", UnknownNameError, "unknown format.*'matirx'. Expected one of matrix"),
        ("{path: a, format: matrix, modality: rnaa, cohort: A, unit: tpm}", UnknownNameError, "unknown modality 'rnaa'. Expected one of rna"),
        ("{path: a, format: matrix, modalty: rna, cohort: A, unit: tpm}", UnknownNameError, "unknown key.*'modalty'. Expected one of modality"),
        ("{path: a, format: matrix, modality: rna, cohort: A}", StudyError, "a has no unit. Expected unit: tpm"),
        ("{path: a, format: matrix, modality: rna, unit: tpm}", StudyError, "no cohort is named"),
        ("{path: a, format: matrix, cohort: A, unit: tpm}", StudyError, "a has no modality"),
        ("{path: a, format: matrix, modality: rna, cohort: A, unit: tpm, sha256: 12}", StudyError, "sha256 is 12. Expected 64 hex"),
        ("{format: matrix, cohort: A}", StudyError, r"study.sources\[0\] has no path"),
        ("{path: a, format: matrix, modality: rna, cohort: A, unit: tpm, orientation: sideways}", UnknownNameError, "unknown orientation"),
    ],
)  # fmt: skip
def test_a_wrong_source_is_refused(tmp_path: Path, source: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_study(write(tmp_path, source))


def test_files_that_are_no_study_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="does not exist"):
        load_study(tmp_path / "none.yaml")
    path = tmp_path / "study.yaml"
    path.write_text("a: [")
    with pytest.raises(StudyError, match="is not YAML"):
        load_study(path)
    path.write_text("a: 1")
    with pytest.raises(StudyError, match="has no section 'study'"):
        load_study(path)


@pytest.mark.real
def test_the_real_studies_load(real_data: Path) -> None:
    for name in ("blca", "tcga", "ccle", "kidney", "tj_rcc"):
        study = load_study(real_data / "studies" / f"{name}.yaml")
        assert all(source.path.exists() for source in study.sources), name
