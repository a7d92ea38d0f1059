"""A cohort in which nobody is measured is not built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from omicstore.build.store import build_study
from omicstore.errors import StudyError

if TYPE_CHECKING:
    from pathlib import Path


def test_tables_alone_make_no_cohort(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("id,age\nTCGA-AB-0001,60\n")
    (tmp_path / "params.yaml").write_text(
        "study:\n  cohorts: [LAB]\n  sources:\n    - {path: patients.csv, format: clinical-table, cohort: LAB}\n"
    )
    with pytest.raises(StudyError, match="no source measures anybody of LAB: there are tables of patients alone"):
        build_study(tmp_path, lambda _: None)
    assert not (tmp_path / "data" / "store" / "store.json").exists()
