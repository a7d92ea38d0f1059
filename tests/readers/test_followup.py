"""Follow-up of tables that people keep themselves comes out in days; what is unclear is not guessed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from omicstore.errors import SourceError, StudyError, UnknownNameError
from omicstore.readers import read
from omicstore.sources import FollowUp, Source, load_study

if TYPE_CHECKING:
    from pathlib import Path


def _outcomes(tmp_path: Path, text: str, **said: Any) -> list[tuple[Any, ...]]:
    path = tmp_path / "patients.csv"
    path.write_text(text)
    tables = read(Source(path, "clinical-table", cohort="LAB", **said))
    frames = [t.frame for t in tables if t.kind == "outcome" and t.frame is not None]
    return [row for f in frames for row in f.select("raw_id", "endpoint", "time_days", "event").sort("raw_id").rows()]


@pytest.mark.parametrize(
    ("header", "cells", "days", "endpoint"),
    [
        ("OS.time,OS", ("30", "1"), 30.0, "OS"),
        ("os_days,os_event", ("30", "dead"), 30.0, "OS"),
        ("OS_MONTHS,OS_STATUS", ("2", "1:DECEASED"), 60.875, "OS"),
        ("overall_survival_time_in_years,overall_survival_status", ("1", "Dead"), 365.25, "OS"),
        ("PFS_MONTHS,PFS_STATUS", ("1", "1:PROGRESSION"), 30.4375, "PFI"),
        ("dfs_days,dfs_event", ("10", "yes"), 10.0, "DFI"),
        ("os_days,vital_status", ("10", "Dead"), 10.0, "OS"),
    ],
)
def test_names_of_the_field(tmp_path: Path, header: str, cells: tuple[str, str], days: float, endpoint: str) -> None:
    assert _outcomes(tmp_path, f"id,{header}\nP1,{','.join(cells)}\n") == [("P1", endpoint, days, 1)]


@pytest.mark.parametrize("header", ["os_time,os", "time,event", "os_days,outcome", "survival,status"])
def test_what_has_no_unit_or_no_event_is_no_follow_up(tmp_path: Path, header: str) -> None:
    assert _outcomes(tmp_path, f"id,{header}\nP1,30,1\n") == []


def test_the_study_file_says_which_columns(tmp_path: Path) -> None:
    said = {"OS": FollowUp("time", "event", "years")}
    assert _outcomes(tmp_path, "id,time,event\nP1,2,0\nP2,,1\n", outcomes=said) == [("P1", "OS", 730.5, 0)]
    with pytest.raises(SourceError, match="'tiem'"):
        _outcomes(tmp_path, "id,time,event\nP1,2,0\n", outcomes={"OS": FollowUp("tiem", "event")})


def _study(tmp_path: Path, section: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(
        "study:\n  cohorts: [LAB]\n  sources:\n"
        f"    - {{path: a.csv, format: clinical-table, cohort: LAB, outcomes: {section}}}\n"
    )
    return path


@pytest.mark.parametrize(
    ("section", "error", "words"),
    [
        ("{OSS: {time: a, event: b}}", UnknownNameError, "OSS"),
        ("{OS: {time: a}}", StudyError, "outcomes.OS has no event"),
        ("{OS: {time: a, event: b, unit: weeks}}", UnknownNameError, "weeks"),
        ("{OS: {tiem: a, event: b}}", UnknownNameError, "tiem"),
    ],
)
def test_mistakes_in_the_study_file(tmp_path: Path, section: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        load_study(_study(tmp_path, section))


def test_it_survives_the_plan(tmp_path: Path) -> None:
    from omicstore.build.plan import load_plan, plan

    (tmp_path / "a.csv").write_text("id,t,e\nTCGA-AB-0001,3,1\n")
    _study(tmp_path, "{OS: {time: t, event: e, unit: months}}")
    plan(tmp_path)
    assert load_plan(tmp_path, "LAB").study.sources[0].outcomes == {"OS": FollowUp("t", "e", "months")}
