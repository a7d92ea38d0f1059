"""The price list: what leaks pays, and what does not leak does not."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import balanced_accuracy_score
from store_factory import make_cohort

import omicstore
from models.price.measure import balanced_accuracy
from models.price.run import price
from models.price.settings import PriceSettings
from models.price.show import price_table
from omicstore.errors import LeakageError, StudyError, UnknownNameError
from omicstore.store.splitfile import PARTS
from omicstore.store.writer import assemble

PARAMS: dict[str, Any] = {
    "split": {"name": "default", "strategy": "grouped_kfold", "k": 3, "seed": 1},
    "train": {
        "model": "aro", "preset": "small", "modalities": ["rna"],
        "config": {"hidden": 48, "max_epochs": 40, "transform": "default", "input_dropout": 0.0},
    },
    "evaluate": {"bootstrap": 40},
    "price": {"strategies": ["random", "grouped_kfold", "site_preserved_kfold"], "sample_type": "all", "label": "coin"},
}  # fmt: skip


def _study(root: Path, effect: str) -> Path:
    """Write a study in which RNA tells the person (or the hospital) and the label was drawn per person (or hospital)."""
    root.mkdir()
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    data = make_cohort("AAA", seed=3, n_patients=60, n_normals=60, modalities=("rna",), missing=0.0)
    rng = np.random.default_rng(5)
    rna, patients = data.parts["rna"], data.tables["patients"]
    column = "patient_id" if effect == "person" else "site"
    levels = patients[column].unique().sort().to_list()
    marks = {level: rng.normal(0, 2, rna.values.shape[1]) for level in levels}
    coin = dict(zip(levels, rng.permutation([i % 2 for i in range(len(levels))]), strict=True))
    known = dict(patients.select("patient_id", column).iter_rows()) if column != "patient_id" else {}
    for i, sample in enumerate(rna.rows["sample_id"]):
        patient = sample[:-3]
        level = known.get(patient, patient)
        rna.values[i] = np.exp(3 + marks[level] + rng.normal(0, 0.2, rna.values.shape[1]))
    data.tables["labels"] = pl.DataFrame(
        {
            "patient_id": patients["patient_id"], "cohort": "AAA", "task": "coin", "source": "tiny",
            # At a hospital one in five lies on the other side, so that no part has one class alone.
            "label": [
                f"side {coin[known.get(p, p)] ^ (bool(known) and i // 6 % 5 == 0)}"
                for i, p in enumerate(patients["patient_id"])
            ],
        }
    )  # fmt: skip
    data.write(root / "data" / "store", "AAA")
    assemble(root / "data" / "store", ["AAA"], dataset="tiny", simulated=True)
    return root


def _priced(root: Path) -> dict[str, Any]:
    with omicstore.open(root / "data" / "store") as store:
        return price(root, store, say=lambda _: None)


@pytest.fixture(scope="module")
def by_person(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = _study(tmp_path_factory.mktemp("person") / "study", "person")
    return root, _priced(root)


def _of(body: dict[str, Any], method: str = "aro") -> dict[str, dict[str, Any]]:
    return {row["strategy"]: row for row in body["tasks"]["label"]["rows"] if row["method"] == method}


def test_rows_at_random_pay_for_who_a_person_is(by_person: tuple[Path, dict[str, Any]]) -> None:
    found = _of(by_person[1])
    assert found["random"]["low"] > 0.55
    assert found["random"]["price"]["low"] > 0
    for honest in ("grouped_kfold", "site_preserved_kfold"):
        assert found[honest]["low"] < 0.55, "the coin cannot be known of people who were not seen"


def test_patients_apart_still_pay_for_the_hospital(tmp_path: Path) -> None:
    root = _study(tmp_path / "study", "site")
    settings = PARAMS["price"] | {"strategies": ["grouped_kfold", "site_preserved_kfold"]}
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"price": settings}))
    found = _of(_priced(root))
    assert found["grouped_kfold"]["low"] > 0.55
    assert found["grouped_kfold"]["price"]["low"] > 0
    assert found["site_preserved_kfold"]["low"] < 0.55


def test_what_is_written(by_person: tuple[Path, dict[str, Any]]) -> None:
    root, body = by_person
    assert json.loads((root / "reports" / "price.json").read_text()) == body
    assert body["tasks"].keys() == {"label"}
    assert _of(body, "majority")["random"]["value"] == 0.5
    for row in body["tasks"]["label"]["rows"]:
        assert row["low"] <= row["value"] <= row["high"]
        assert len(row["by_fold"]) == 3
        assert row["n_test"] == 120, "each sample is tested once"
    svg = (root / "reports" / "price.svg").read_text()
    assert svg.count("Simulated data") == 1
    assert all(title in svg for title in ("random rows", "patients apart", "sites apart"))


def test_the_tables_fit_into_a_terminal(by_person: tuple[Path, dict[str, Any]]) -> None:
    body = json.loads(json.dumps(by_person[1]).replace('"aro"', '"clinical + aro"'))
    for name, found in body["tasks"].items():
        console = Console(width=80, file=io.StringIO())
        console.print(price_table(name, found))
        lines = console.file.getvalue().splitlines()
        assert len(lines) == 2 + len(found["rows"])
        for row, line in zip(found["rows"], lines[2:], strict=True):
            assert f"{row['method']} " in line
            assert f" {row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}] " in line
            assert ("price" in row) == ("+" in line.rpartition("]  ")[2] or "-" in line.rpartition("]  ")[2])


def test_random_rows_are_read_for_the_price_list_alone(by_person: tuple[Path, dict[str, Any]]) -> None:
    root, _ = by_person
    manifest = json.loads((root / "splits" / "price" / "random" / "manifest.json").read_text())
    assert manifest["strategy"]["price_list"] is True
    reads = (root / "splits" / "price" / "random" / "test_reads.jsonl").read_text().splitlines()
    assert {json.loads(line)["reader"] for line in reads} == {"omicstore price: aro"}
    with omicstore.open(root / "data" / "store") as store:
        for part in PARTS[1:]:
            with pytest.raises(LeakageError):
                store.query(split=root / "splits" / "price" / "random", fold=0, part=part)


def test_again_the_same_numbers(by_person: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    root = _study(tmp_path / "study", "person")
    settings = PARAMS["price"] | {"strategies": ["grouped_kfold"]}
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"price": settings}))
    again, first = _of(_priced(root))["grouped_kfold"], _of(by_person[1])["grouped_kfold"]
    assert again["by_fold"] == first["by_fold"]
    assert "price" not in again, "there is nothing to compare with"


def test_what_the_data_cannot_bear_is_said(tmp_path: Path) -> None:
    root = _study(tmp_path / "study", "person")
    settings = PARAMS["price"] | {"strategies": ["cross_cohort"]}
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"price": settings}))
    body = _priced(root)
    assert body["tasks"]["label"]["rows"] == []
    assert "cohort" in body["tasks"]["label"]["not_applicable"]["cross_cohort"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(1, 3)), min_size=1, max_size=30))
def test_balanced_accuracy_is_that_of_scikit_learn(rows: list[tuple[str, str, int]]) -> None:
    truth, guess, n = (np.array(column) for column in zip(*rows, strict=True))
    ours = balanced_accuracy(truth, guess, np.stack([np.ones(len(n)), n]))
    seen = np.isin(guess, truth)  # scikit-learn warns of classes that are only guessed
    if seen.all() and len(set(truth)) > 1:
        theirs = [balanced_accuracy_score(truth, guess), balanced_accuracy_score(truth, guess, sample_weight=n)]
        assert ours == pytest.approx(theirs)
    assert ours[0] == pytest.approx(np.mean([(guess[truth == c] == c).mean() for c in set(truth)]))


@pytest.mark.parametrize(
    ("section", "error", "said"),
    [
        ({"strategies": ["grouped"]}, UnknownNameError, "split strategy in price.strategies 'grouped'"),
        ({"strategies": "random"}, StudyError, "price.strategies of params.yaml is 'random'"),
        ({"folds": 3}, StudyError, "the section price of params.yaml has folds"),
    ],
)
def test_a_wrong_section(section: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=re.escape(said)):
        PriceSettings.of({"price": section})


def test_without_a_section_it_is_as_usual() -> None:
    assert PriceSettings.of({}).strategies[0] == "random"
