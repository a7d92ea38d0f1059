from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import omicstore
from models.batch import MultiOmicsBatch
from models.bench import modis_paired
from models.bench.registry import Asked
from models.modis import paired_rows
from models.modis.config import make_config
from models.modis.paired import KNOWING, NAME, PAIRED, paired_scores, train_and_ask
from models.modis.paired_rows import Fold, Protocol, read_fold, unpaired
from omicstore.errors import StudyError, UsageError

if TYPE_CHECKING:
    from models.bench.result import Scores
    from omicstore.store.reader import Store

CONFIG = make_config("small", {"hidden": 12, "wide_hidden": 12, "latent": 4, "adversary": 16, "max_epochs": 2})
PROTOCOL = Protocol("AAA", ("rna", "prot"), "stage", CONFIG, bootstrap=30)


@pytest.fixture
def root(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny study, in which few rows make a class."""
    monkeypatch.setattr(paired_rows, "_FEWEST", 8)
    return Path(shutil.copytree(study, tmp_path / "study"))


@pytest.fixture
def store(root: Path) -> Iterator[Store]:
    with omicstore.open(root / "data" / "store") as opened:
        yield opened


@pytest.fixture
def fold(store: Store, root: Path) -> Fold:
    return read_fold(store, root / "splits" / "default", 0, PROTOCOL)


def test_each_row_keeps_one_modality_that_it_has_and_modalities_share_evenly() -> None:
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(60)]
    whole = MultiOmicsBatch.from_arrays({m: rng.normal(size=(60, 3)) for m in "abc"}, ids, ids)
    alone = unpaired(whole, np.random.default_rng(1))
    assert (alone.present.sum(dim=1) == 1).all()
    assert alone.present.sum(dim=0).tolist() == [20, 20, 20]
    assert not torch.equal(alone.present, unpaired(whole, np.random.default_rng(2)).present)
    # Where one modality was hardly measured, the others share what it leaves.
    few = replace(whole, present=whole.present & torch.tensor([[i < 5, True, True] for i in range(60)]))
    alone = unpaired(few, np.random.default_rng(1))
    assert (alone.present & ~few.present).sum() == 0
    assert alone.present.sum(dim=1).tolist() == [1] * 60
    first, second, third = alone.present.sum(dim=0).tolist()
    assert first == 5
    assert abs(second - third) <= 1


def test_a_fold_is_unpaired_where_it_trains_and_complete_where_it_is_judged(store: Store, fold: Fold) -> None:
    assert (fold.train.present.sum(dim=1) == 1).all()
    assert (fold.val.present.sum(dim=1) == 1).all()
    assert fold.test.present.all()
    assert int(fold.whole.present.all(dim=1).sum()) > len(fold.whole) / 2
    assert fold.train.sample_id == fold.whole.sample_id
    assert not set(fold.test.patient_id) & {*fold.train.patient_id, *fold.val.patient_id}
    assert fold.classes == ("Stage I", "Stage II", "Stage III")
    stage = dict(store.table("patients").select("patient_id", "stage").iter_rows())
    for part in (fold.train, fold.val, fold.test):
        assert fold.names(part.targets.label.numpy()) == [stage[patient] for patient in part.patient_id]


def test_what_a_row_does_not_keep_is_never_read(fold: Fold) -> None:
    def spoilt(part: MultiOmicsBatch) -> MultiOmicsBatch:
        values = {
            m: torch.where(part.has(m)[:, None], own, torch.full_like(own, 1e6)) for m, own in part.values.items()
        }
        return replace(part, values=values)

    plain = train_and_ask(fold, PROTOCOL, seed=0)
    other = train_and_ask(replace(fold, train=spoilt(fold.train), val=spoilt(fold.val)), PROTOCOL, seed=0)
    for pair, guess in plain.translated.items():
        np.testing.assert_array_equal(guess, other.translated[pair])
    for m in ("rna", "prot"):
        np.testing.assert_array_equal(plain.classes[m], other.classes[m])


def test_all_methods_answer_for_the_same_rows_and_pairs_help(store: Store, root: Path) -> None:
    classes: Scores = {}
    translations: Scores = {}
    about = paired_scores(
        store,
        root / "splits" / "default",
        replace(PROTOCOL, seeds=(0, 1)),
        classes,
        translations,
        folds=[0],
        say=lambda _: None,
    )
    assert set(classes) == {"AAA: stage from rna", "AAA: stage from prot"}
    assert set(translations) == {"AAA: rna to prot", "AAA: prot to rna"}
    for methods in translations.values():
        assert set(methods) == {"train mean", KNOWING, "logistic + class mean", PAIRED, NAME}
        assert set(methods[NAME]) == {"fold 0, seed 0", "fold 0, seed 1"}
        # Proteins follow genes in this study; the stages mean nothing.
        assert methods[PAIRED]["fold 0"]["r2"][0] > 0.3 > methods[KNOWING]["fold 0"]["r2"][0]
    for methods in classes.values():
        assert set(methods) == {"majority class", "logistic", "random forest", "kNN5", NAME}
        for parts in methods.values():
            for measured in parts.values():
                assert {"accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "auroc"} <= set(measured)
                assert all(values.shape == (31,) for values in measured.values())
    (own,) = about
    assert own["n_judged"] >= own["n_judged_labelled"] > 0
    assert abs(own["n_train"]["rna"] - own["n_train"]["prot"]) <= 1


def test_the_table_takes_the_cohorts_that_the_study_has(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with pytest.raises(UsageError, match="has none of the cohorts CCLE, BLCA"):
        modis_paired.TABLE.make(Asked(root, None, None, None, quick=True, say=said.append))
    assert len(said) == 2
    cohorts = (("tiny", "AAA", ("rna", "prot"), "stage", False), ("other", "CCC", ("rna", "prot"), "stage", True))
    monkeypatch.setattr(modis_paired, "_COHORTS", cohorts)
    body = modis_paired.TABLE.make(Asked(root, None, None, None, quick=True, say=said.append))
    assert body["simulated"] is True
    assert set(body["release"]) == {"AAA"}
    assert len(body["rows"]) == 2 * 5 * 3 + 2 * 5 * 6
    mean = {(r["task"], r["method"], r["measure"]): r["mean"] for r in body["rows"]}
    for row in body["differences"]:
        own, other = (mean[row["task"], row[name], row["measure"]] for name in ("method", "against"))
        assert row["mean"] == pytest.approx(own - other, abs=3e-6)


def test_too_few_classes_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired_rows, "_FEWEST", 1000)
    with (
        omicstore.open(root / "data" / "store") as store,
        pytest.raises(StudyError, match="have 0 kinds of stage with 1000 rows"),
    ):
        read_fold(store, root / "splits" / "default", 0, PROTOCOL)
