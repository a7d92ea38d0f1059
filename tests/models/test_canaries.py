"""Every known leak is caught where it is planted, and none is raised where there is none."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

import omicstore
from models.canaries.cli import _short_of, _show
from models.canaries.run import TRUE_OF, canaries, one_seed
from models.canaries.study import write_study
from omicstore.audit.run import CHECKS
from omicstore.cli import main
from omicstore.cli.common import Output
from omicstore.errors import UnknownNameError, UsageError
from omicstore.files import canonical_json
from omicstore.simulate.leaks import CANARIES, draw_case
from omicstore.splits import check, hindrances, make

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    """Two seeds at full strength, in this process."""
    return canaries(len(SEEDS), [1.0])


def missed(table: dict[str, Any]) -> dict[str, list[int]]:
    return {line["name"]: seeds for line in table["canaries"] if (seeds := line["at"]["1"]["missed_seeds"])}


def test_every_leak_at_full_strength_is_caught(table: dict[str, Any]) -> None:
    assert [line["name"] for line in table["canaries"]] == list(CANARIES)
    assert not missed(table)


def test_nothing_is_raised_in_clean_cases(table: dict[str, Any]) -> None:
    for kind, checks in table["clean"].items():
        assert set(checks) == set(CHECKS)
        raised = {name: own["example"] for name, own in checks.items() if own["raised"] and name not in TRUE_OF[kind]}
        assert not raised


def test_every_check_that_a_canary_needs_is_made_of_clean_cases(table: dict[str, Any]) -> None:
    for name, canary in CANARIES.items():
        kind = "by year" if canary.temporal else "by site"
        assert table["clean"][kind][canary.finding]["made"] == len(SEEDS), name


@pytest.mark.parametrize("name", ["L1", "L2", "L3", "L6", "L7 aliases", "L8", "L13", "swaps", "wrong_cohort"])
def test_what_is_found_is_what_was_planted(table: dict[str, Any], name: str) -> None:
    line = next(line for line in table["canaries"] if line["name"] == name)
    assert line["at"]["1"]["named"] == len(SEEDS)


def test_the_split_of_a_clean_case_is_the_one_that_omicstore_makes(tmp_path: Path) -> None:
    case = draw_case(0)
    folder = write_study(tmp_path / "study", case)
    with omicstore.open(tmp_path / "study" / "data" / "store") as store:
        again = make(store, case.spec)
        assert json.loads((folder / "manifest.json").read_bytes()) == again.body
        assert not hindrances(again, check(folder, store))


@pytest.mark.slow
def test_the_table_does_not_depend_on_the_number_of_processes() -> None:
    names = ["L1", "L11"]
    one = canaries(2, [0.5], names, jobs=1)
    assert canonical_json(one) == canonical_json(canaries(2, [0.5, 0.5], names, jobs=2))
    assert set(one["clean"]["by site"]) == {"L1", "L11"}


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert one_seed(0, ["L11"], [1.0], ["L11"]).caught["L11"]["1"]["status"] == "fail"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("seeds", "strengths", "jobs"), [(0, [1.0], 1), (1, [], 1), (1, [0.0], 1), (1, [1.5], 1), (1, [1.0], 0)]
)
def test_what_cannot_be_planted_is_refused(seeds: int, strengths: list[float], jobs: int) -> None:
    with pytest.raises(UsageError, match="at least one seed and one job, and strengths over 0 and up to 1"):
        canaries(seeds, strengths, jobs=jobs)


def test_an_unknown_canary_is_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown canary 'L14'\. Expected one of L1, L10"):
        canaries(1, [1.0], ["L14"])


def run(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


def test_the_command_prints_the_table_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "canaries.json"
    words = ["canaries", "--seeds", "1", "--strengths", "1", "--only", "L11", "--jobs", "1"]
    assert run(*words, "--out", str(file)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Caught,", "of", "1", "seeds"]
    assert next(line for line in lines if line.strip().startswith("L11")).split()[-3:] == ["1", "20", "models"]
    assert run(*words, "--json") == 0
    body = json.loads(capsys.readouterr().out)
    assert canonical_json(body) == file.read_bytes()
    assert run(*words[:-2], "--strengths", "1,x") == 2
    assert "the strengths are '1,x'" in capsys.readouterr().err


def test_the_counted_table_fits_into_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    body = json.loads((Path(__file__).parents[2] / "benchmarks" / "canaries.json").read_text(encoding="utf-8"))
    _show(Output(), body)
    shown = capsys.readouterr().out
    assert "…" not in shown
    for line in body["canaries"]:
        counts = r" +".join(str(line["at"][level]["caught"]) for level in ("0.25", "0.5", "1"))
        assert re.search(rf"^{re.escape(line['name'])}  .* {counts} ", shown, flags=re.MULTILINE), line["name"]


def test_what_falls_short_is_said() -> None:
    line = {
        "name": "L1",
        "at": {"1": {"caught": 18, "missed_seeds": [3, 7]}, "0.5": {"caught": 2, "missed_seeds": [0]}},
    }
    alarms = {"L2": {"raised": 2, "example": "P1 is in train and test"}, "L3": {"raised": 1, "example": ""}}
    true = {"L3": {"raised": 20, "example": "", "true": "sites"}}
    said = _short_of({"seeds": 20, "canaries": [line], "clean": {"by site": alarms, "by year": true}})
    assert said == [
        "L1 is caught in 18 of 20 seeds at full strength",
        "L2 is raised in 2 of 20 clean cases split by site: P1 is in train and test",
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_of_twenty_seeds() -> None:
    table = canaries(20, [1.0], jobs=2)
    assert not missed(table)
    for kind, checks in table["clean"].items():
        alarms = {name: own["raised"] for name, own in checks.items() if name not in TRUE_OF[kind]}
        assert max(alarms.values()) <= 1, alarms
