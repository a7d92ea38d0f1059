"""Plans change when, and only when, something that the cohort depends on does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from omicstore.build.files import FileHashes
from omicstore.build.plan import load_plan, plan
from omicstore.errors import StudyError, UnknownNameError
from omicstore.files import write_if_changed

STUDY = """\
study:
  dataset: toy
  cohorts: [AAA, BBB]
  sources:
    - {path: raw/a.tsv, format: matrix, modality: rna, cohort: AAA, unit: tpm}
    - {path: raw/b.tsv, format: matrix, modality: rna, cohort: BBB, unit: tpm}
    - {path: raw/outcomes.csv, format: tcga-cdr}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    for name in ("a.tsv", "b.tsv", "outcomes.csv"):
        (tmp_path / "raw" / name).write_text(f"content of {name}\n")
    (tmp_path / "params.yaml").write_text(STUDY)
    return tmp_path


def plans(root: Path) -> dict[str, bytes]:
    return {p.stem: p.read_bytes() for p in sorted((root / "plan").glob("*.json"))}


def test_planning_twice_changes_nothing(study: Path) -> None:
    assert plan(study) == {"AAA": True, "BBB": True}
    before = plans(study)
    assert plan(study) == {"AAA": False, "BBB": False}
    assert plans(study) == before


def test_a_changed_file_changes_only_the_plans_that_use_it(study: Path) -> None:
    plan(study)
    (study / "raw" / "b.tsv").write_text("other\n")
    assert plan(study) == {"AAA": False, "BBB": True}
    (study / "raw" / "outcomes.csv").write_text("other\n")
    assert plan(study) == {"AAA": True, "BBB": True}


def test_adding_a_cohort_leaves_the_other_plans_as_they_are(study: Path) -> None:
    plan(study)
    before = plans(study)
    (study / "raw" / "c.tsv").write_text("c\n")
    text = STUDY.replace("[AAA, BBB]", "[AAA, BBB, CCC]")
    text += "    - {path: raw/c.tsv, format: matrix, modality: rna, cohort: CCC, unit: tpm}\n"
    (study / "params.yaml").write_text(text)
    assert plan(study) == {"AAA": False, "BBB": False, "CCC": True}
    assert {k: v for k, v in plans(study).items() if k != "CCC"} == before


def test_the_plan_of_a_removed_cohort_goes(study: Path) -> None:
    plan(study)
    (study / "params.yaml").write_text(STUDY.replace("[AAA, BBB]", "[AAA]"))
    plan(study)
    assert list(plans(study)) == ["AAA"]


def test_a_plan_reads_back_as_the_study_it_was_made_from(study: Path) -> None:
    plan(study)
    planned = load_plan(study, "AAA")
    assert [s.path.name for s in planned.study.sources] == ["a.tsv", "outcomes.csv"]
    assert planned.study.sources[0].unit == "tpm"
    assert planned.bytes(planned.study.sources[0]) == len("content of a.tsv\n")


def test_a_file_that_changed_since_the_plan_is_refused(study: Path) -> None:
    plan(study)
    (study / "raw" / "a.tsv").write_text("changed\n")
    with pytest.raises(StudyError, match=r"a\.tsv changed since the plan was made.*omicstore plan"):
        load_plan(study, "AAA")


def test_a_mistyped_cohort_names_the_nearest(study: Path) -> None:
    plan(study)
    with pytest.raises(UnknownNameError, match="unknown cohort 'AAB'. Expected one of AAA"):
        load_plan(study, "AAB")


def test_a_missing_file_is_named(study: Path) -> None:
    (study / "raw" / "a.tsv").unlink()
    with pytest.raises(StudyError, match=r"a\.tsv does not exist"):
        plan(study)


def test_a_wrong_checksum_is_refused(study: Path) -> None:
    text = STUDY.replace("cohort: AAA, unit: tpm", f"cohort: AAA, unit: tpm, sha256: {'ab' * 32}")
    (study / "params.yaml").write_text(text)
    with pytest.raises(StudyError, match="has sha256 .* Expected abab"):
        plan(study)


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file, memory = tmp_path / "f", tmp_path / "m.json"
    file.write_bytes(b"one")
    hashes = FileHashes(memory)
    first = hashes.describe(file)
    hashes.save()
    # The same size and time of change: the memory answers, though the bytes are others.
    stat = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert FileHashes(memory).describe(file) == first
    file.write_bytes(b"three")
    assert FileHashes(memory).describe(file) != first


def test_a_broken_memory_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"one")
    memory = tmp_path / "m.json"
    memory.write_text("{half")
    hashes = FileHashes(memory)
    hashes.describe(tmp_path / "f")
    hashes.save()
    assert str(tmp_path / "f") in json.loads(memory.read_text())


def test_a_folder_changes_with_any_file_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    (folder / "a.h5").write_bytes(b"a")
    before = FileHashes(tmp_path / "m").describe(folder)
    (folder / "b.h5").write_bytes(b"b")
    assert FileHashes(tmp_path / "m").describe(folder) != before


def test_writing_the_same_bytes_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x" / "f"
    assert write_if_changed(path, b"a")
    stamp = path.stat().st_mtime_ns
    assert not write_if_changed(path, b"a")
    assert path.stat().st_mtime_ns == stamp
    assert [p.name for p in path.parent.iterdir()] == ["f"]
