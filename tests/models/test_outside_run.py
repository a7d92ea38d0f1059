"""Methods in environments of their own: what goes there, what comes back, and what is said where nothing does."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.evaluate.concordance import harrell
from models.outside.customics import CUSTOMICS, customics_risks
from models.outside.flexynesis import FLEXYNESIS, flexynesis_risks
from models.outside.run import Followed, Outside, OutsideError, matrices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(3)
READ = """
import json, sys
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
given = dict(np.load(folder / "given.npz"))
settings = json.loads((folder / "settings.json").read_text())
"""
ANSWER = "np.savez(folder / 'answer.npz', **answer)\n"


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Outside]:
    """Return what makes a method of this interpreter and a script."""
    monkeypatch.setenv("OMICSTORE_FAKE_PYTHON", sys.executable)
    (tmp_path / "jobs").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "jobs"))

    def make(script: str) -> Outside:
        worker = tmp_path / "worker.py"
        worker.write_text(script)
        return Outside("Fake", "fake==1", "OMICSTORE_FAKE_PYTHON", str(worker))

    return make


def followed(n: int, *, planted: bool = False) -> Followed:
    """Patients of whom something that all genes follow, if planted, shortens the time."""
    z, rna, meth = RNG.normal(size=n), RNG.normal(size=(n, 30)), RNG.normal(size=(n, 20))
    time = RNG.exponential(500 * np.exp(-1.5 * z) if planted else 500, size=n) + 1
    rna += z[:, None]
    return Followed({"rna": rna, "meth": meth}, time, (RNG.random(n) < 0.8).astype(float))


def test_arrays_go_there_and_come_back(outside: Callable[[str], Outside], tmp_path: Path) -> None:
    rows = followed(5)
    rows.views["rna"][2, 1] = np.nan
    answer = "answer = {k: v for k, v in given.items()} | {'settings': np.array(settings['epochs'])}\n"
    found = outside(READ + answer + ANSWER).run(rows.arrays("train") | matrices("new", rows.views), {"epochs": [3, 4]})
    assert found["settings"].tolist() == [3, 4]
    assert found["train.time"] == pytest.approx(rows.time, rel=1e-6)
    assert found["train.event"].tolist() == rows.event.tolist()
    for part in ("train", "new"):
        assert found[f"{part}.view.rna"] == pytest.approx(np.nan_to_num(rows.views["rna"]), abs=1e-6)
    assert found["train.view.rna"][2, 1] == 0
    assert list((tmp_path / "jobs").iterdir()) == []


def test_the_worker_works_in_its_folder_and_sees_no_python_variables(
    outside: Callable[[str], Outside], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    here = "answer = {'own': np.array(Path.cwd() == folder), 'path': np.array(str(folder.parents[1]) in sys.path)}\n"
    found = outside(READ + here + ANSWER).run({}, {})
    assert found["own"] == 1
    assert found["path"] == 0


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise SystemExit(3)", "Fake ended with exit code 3, saying: nothing"),
        ("print('first')\nraise ValueError('no such gene')", "exit code 1, saying: ValueError: no such gene"),
        ("pass", "Fake ended without an answer. Expected answer.npz"),
        (READ + "answer = {'risk': np.array([1.0, np.nan])}\n" + ANSWER, "answered risk with values that are no"),
    ],
)
def test_a_worker_that_fails_is_quoted_and_leaves_nothing(
    outside: Callable[[str], Outside], tmp_path: Path, script: str, message: str
) -> None:
    with pytest.raises(OutsideError, match=message):
        outside(script).run({}, {})
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_worker_that_hangs_is_ended(outside: Callable[[str], Outside], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.outside.run._LIMIT", 0.5)
    with pytest.raises(OutsideError, match="took over 0.5 seconds"):
        outside("import time\ntime.sleep(60)").run({}, {})


def test_without_an_interpreter_the_way_to_one_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(FLEXYNESIS.variable, raising=False)
    assert FLEXYNESIS.absent == "OMICSTORE_FLEXYNESIS_PYTHON names no interpreter that has flexynesis==1.1.14"
    with pytest.raises(OutsideError, match=r"python -m venv .venv-flexynesis && .*pip install torch==2.13.0 flexynes"):
        FLEXYNESIS.run({}, {})
    monkeypatch.setenv(CUSTOMICS.variable, str(tmp_path / "nowhere"))
    assert "nowhere, which cannot be executed" in str(CUSTOMICS.absent)


def test_samples_without_every_modality_are_left_out_where_it_learns() -> None:
    rows = followed(6)
    rows.views["meth"][1] = np.nan
    rows.views["rna"][4] = np.nan
    rows.views["rna"][0, 0] = np.nan
    whole = rows.whole()
    assert whole.time.tolist() == rows.time[[0, 2, 3, 5]].tolist()
    assert np.isnan(whole.views["rna"][0, 0])


def test_customics_is_given_three_parts_and_answers_two(
    outside: Callable[[str], Outside], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "answer = {p: given[f'{p}.view.rna'][:, 0] * sum(settings['epochs']) for p in ('val', 'new')}\n"
    script += "assert len(given['train.time']) == len(given['train.view.meth']) == 7 and 'new.time' not in given\n"
    monkeypatch.setattr("models.outside.customics.CUSTOMICS", outside(READ + script + ANSWER))
    train, val, new = followed(8), followed(5), followed(4)
    train.views["rna"][3] = np.nan
    on_val, risk = customics_risks(train, val, new.views, epochs=(2, 3), seed=1)
    assert on_val == pytest.approx(5 * val.views["rna"][:, 0], rel=1e-5)
    assert risk == pytest.approx(5 * new.views["rna"][:, 0], rel=1e-5)


def test_flexynesis_is_given_searches_and_answers_each_group(
    outside: Callable[[str], Outside], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
answer = {}
for name in given:
    if name.startswith("new"):
        part = name.split(".")[0]
        answer[part] = given[name].sum(axis=1) + given[f"known{part[3]}.time"].sum()
"""
    monkeypatch.setattr("models.outside.flexynesis.FLEXYNESIS", outside(READ + script + ANSWER))
    first, second, new = followed(8), followed(5), followed(4)
    rna, meth = {"rna": new.views["rna"]}, {"meth": new.views["meth"]}
    searches = [(replace(first, views={"rna": first.views["rna"]}), [rna]), (second, [meth, rna])]
    found = flexynesis_risks(searches, rounds=1, epochs=1, seed=0)
    assert [len(groups) for groups in found] == [1, 2]
    assert found[0][0] == pytest.approx(rna["rna"].sum(axis=1) + first.time.sum(), rel=1e-5)
    assert found[1][0] == pytest.approx(meth["meth"].sum(axis=1) + second.time.sum(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(CUSTOMICS.absent is not None, reason=str(CUSTOMICS.absent))
def test_customics_itself_learns_a_planted_risk() -> None:
    train, val, new = (followed(n, planted=True) for n in (193, 60, 100))
    on_val, risk = customics_risks(train, val, new.views, epochs=(20,), seed=0)
    again = customics_risks(train, val, new.views, epochs=(20,), seed=0)
    assert (on_val == again[0]).all()
    assert len(on_val) == 60
    assert harrell(new.time, new.event, risk, np.ones((1, 100)))[0] > 0.65


@pytest.mark.slow
@pytest.mark.skipif(FLEXYNESIS.absent is not None, reason=str(FLEXYNESIS.absent))
def test_flexynesis_itself_learns_a_planted_risk_and_searches_alike_each_time() -> None:
    known, new = followed(250, planted=True), followed(100, planted=True)
    (alone,) = flexynesis_risks([(known, [new.views])], rounds=2, epochs=60, seed=0)
    both = flexynesis_risks([(known, [new.views])] * 2, rounds=2, epochs=60, seed=0)
    assert both[0][0] == pytest.approx(alone[0])
    assert both[1][0] == pytest.approx(alone[0])
    assert harrell(new.time, new.event, alone[0], np.ones((1, 100)))[0] > 0.65
