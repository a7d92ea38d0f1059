"""An outcome never becomes a feature: not by a format named wrongly, not as a column among measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from omicstore.build.store import build_study
from omicstore.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

HUB = "sample\t_EVENT\t_TIME_TO_EVENT\t_OS_IND\t_OS\nTCGA-W5-AA2G-01A\t1\t10\t1\t10\nTCGA-W5-AA2H-01A\t0\t20\t0\t20\n"
MIXED = "sample\tA\tB\tOS.time\nTCGA-W5-AA2G-01A\t0.1\t0.2\t10\nTCGA-W5-AA2H-01A\t0.3\t0.4\t20\n"


def _build(tmp_path: Path, text: str, form: str, modality: str, unit: str, **more: object) -> None:
    (tmp_path / "table.tsv").write_text(text)
    source = {"path": "table.tsv", "format": form, "modality": modality, "cohort": "CHOL", "unit": unit} | more
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"study": {"cohorts": ["CHOL"], "sources": [source]}}))
    build_study(tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("form", "modality", "unit"),
    [
        ("firehose-rppa", "prot", "log2_ratio"),
        ("firehose-mirnaseq", "mirna", "rpm"),
        ("matrix", "prot", "log2_ratio"),
        ("matrix", "mirna", "rpm"),
        ("matrix", "metab", "intensity"),
    ],
)
def test_a_table_of_follow_up_is_no_matrix(tmp_path: Path, form: str, modality: str, unit: str) -> None:
    with pytest.raises(SourceError, match="4 of its 4 features are follow-up, e.g. _EVENT, _TIME_TO_EVENT, _OS_IND"):
        _build(tmp_path, HUB, form, modality, unit)
    assert not (tmp_path / "data" / "store" / "store.json").exists()


def test_one_column_of_follow_up_among_measurements_is_refused_until_it_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="1 of its 3 features are follow-up, e.g. OS.time"):
        _build(tmp_path, MIXED, "matrix", "prot", "log2_ratio")
    _build(tmp_path, MIXED, "matrix", "prot", "log2_ratio", drop=["^OS"])
