from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import torch

import omicstore
from models.datamodule import CohortDataModule
from models.files import hash_ids
from models.loaders import SeededBatches
from omicstore.errors import LeakageError, SplitError
from omicstore.splits import SplitSpec, load, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from omicstore.store.reader import Store


def made(store: Store, study: Path, **more: object) -> CohortDataModule:
    return CohortDataModule(
        store,
        study / "splits" / "default",
        0,
        modalities=["rna", "prot"],
        cohorts=["AAA", "BBB"],
        batch_size=8,
        seed=3,
        **more,
    )


def test_parts_are_those_of_the_manifest_and_share_no_patient(store: Store, study: Path) -> None:
    data, manifest = made(store, study), load(study / "splits" / "default")
    patients = []
    for part in ("train", "val", "test"):
        rows = data.part(part)
        assert set(rows.sample_id) <= set(manifest.part(0, part))
        assert not any(s.endswith("-11") for s in rows.sample_id)
        patients.append(set(rows.patient_id))
    assert len(set.union(*patients)) == sum(map(len, patients))
    assert data.state.manifest_hash == manifest.manifest_hash
    assert data.state.fitted_on_row_hash == hash_ids(sorted(data.part("train").sample_id))


def test_values_went_through_the_state(store: Store, study: Path) -> None:
    data = made(store, study)
    train, val = data.part("train"), data.part("val")
    assert abs(float(train.values["rna"][train.target_mask("rna")].mean())) < 1e-4
    assert val.values["rna"].shape[1] == data.axes["rna"] == len(data.state.features("rna"))
    raw = store.query(cohort=["AAA", "BBB"], modalities=["rna", "prot"])
    ids = raw.samples["sample_id"].to_list()
    rows = [ids.index(s) for s in val.sample_id]
    expected = data.state.apply("prot", raw.to_numpy("prot")[rows], raw.features("prot")["feature_id"].to_list())
    np.testing.assert_array_equal(val.values["prot"].numpy(), expected)


@pytest.mark.parametrize(("part", "same"), [("test", True), ("val", True), ("train", False)])
def test_state_knows_the_training_rows_and_no_others(
    store: Store, study: Path, tmp_path: Path, write_study: Callable[..., None], part: str, same: bool
) -> None:
    data = made(store, study)
    chosen = [s for s, has in zip(data.part(part).sample_id, data.part(part).has("rna").tolist(), strict=True) if has]
    write_study(tmp_path, triple={chosen[0]} if part == "train" else set(chosen))
    with omicstore.open(tmp_path / "data" / "store") as other:
        changed = made(other, tmp_path)
        assert changed.part("train").sample_id == data.part("train").sample_id
        before, after = (state.describe() for state in (data.state, changed.state))
    # The manifest names the release, and that is another one.
    assert before.pop("manifest_hash") != after.pop("manifest_hash")
    assert (before == after) is same
    assert all(before["modalities"]["prot"][k] == after["modalities"]["prot"][k] for k in ("output_hash", "features"))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_with_any_number_of_workers(store: Store, study: Path, workers: int) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    data = made(store, study, num_workers=workers)
    torch.manual_seed(5)
    loader = data.train_dataloader()
    seen = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        seen.append([b.sample_id for b in loader])
    assert torch.equal(torch.rand(1), expected)
    plain = made(store, study)
    for epoch, batches in enumerate(seen):
        sampler = SeededBatches(len(plain.part("train")), 8, seed=3)
        sampler.set_epoch(epoch)
        assert batches == [plain.part("train").take(rows).sample_id for rows in sampler]
    assert seen[0] != seen[1]
    assert sorted(s for b in seen[0] for s in b) == sorted(plain.part("train").sample_id)


def test_held_out_rows_need_the_state_of_that_fold(store: Store, study: Path) -> None:
    state = made(store, study).state
    other = CohortDataModule(store, study / "splits" / "default", 1, modalities=["rna", "prot"], state=state)
    with pytest.raises(LeakageError, match="the fitted state is one of fold 0"):
        other.part("val")
    with pytest.raises(LeakageError, match="the fitted state is one of fold 0"):
        other.part("train")


def test_only_reading_the_test_part_is_logged(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "study"
    shutil.copytree(study, copy)
    log = copy / "splits" / "default" / "test_reads.jsonl"
    log.unlink(missing_ok=True)
    with omicstore.open(copy / "data" / "store") as store:
        data = made(store, copy)
        data.part("train")
        data.part("val")
        assert not log.exists()
        data.part("test")
    assert json.loads(log.read_text())["fold"] == 0


def test_follow_up_is_found_and_absent_follow_up_is_nan(store: Store, study: Path) -> None:
    rows = made(store, study, endpoint="OS").part("train")
    known = store.table("outcomes").filter(pl.col("endpoint") == "OS")
    times = dict(zip(known["patient_id"], known["time_days"], strict=True))
    assert rows.targets.time.tolist() == pytest.approx([times[p] for p in rows.patient_id])
    assert torch.isnan(made(store, study, endpoint="DSS").part("train").targets.time).all()
    assert torch.isnan(made(store, study).part("train").targets.event).all()


def test_rows_at_random_train_for_the_price_list_alone(store: Store, study: Path) -> None:
    asked = {"strategy": "random", "k": 4, "cohorts": ["AAA", "BBB"]}
    parts = {"modalities": ["rna", "prot"], "cohorts": ["AAA", "BBB"]}
    for name, more in (("random", {}), ("prices", {"price_list": True})):
        make(store, SplitSpec.from_params(asked | more | {"name": name}), study / "splits" / name)
    with pytest.raises((LeakageError, SplitError)):
        CohortDataModule(store, study / "splits" / "random", 0, **parts).part("train")
    data = CohortDataModule(store, study / "splits" / "prices", 0, **parts)
    train, test = (set(data.part(part).patient_id) for part in ("train", "test"))
    assert train
    assert test
