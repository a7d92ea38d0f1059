from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_runs import content, edited, run_train

import models.memory
import models.transforms.matrix
from models.batch import MultiOmicsBatch
from models.datamodule import CohortDataModule
from models.loaders import Batches
from models.memory import budget, placed
from models.streaming import StreamedRows
from models.transforms import fit_state
from models.transforms.steps import PIPELINES
from omicstore.errors import LeakageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.store.reader import Store

TINY = 1000.0


def made(store: Store, study: Path, **more: object) -> CohortDataModule:
    return CohortDataModule(
        store, study / "splits" / "default", 0, modalities=["rna", "prot"], batch_size=8, seed=3, **more
    )


def same(a: MultiOmicsBatch, b: MultiOmicsBatch) -> bool:
    """Tell whether two batches are the same to the bit."""
    assert (a.sample_id, a.patient_id, a.modalities) == (b.sample_id, b.patient_id, b.modalities)
    pairs = [(a.values[m].numpy().view(np.int32), b.values[m].numpy().view(np.int32)) for m in a.modalities]
    pairs += [(a.observed[m].numpy(), b.observed[m].numpy()) for m in a.modalities]
    pairs += [(a.present.numpy(), b.present.numpy()), (a.targets.label.numpy(), b.targets.label.numpy())]
    pairs += [(a.targets.time.numpy(), b.targets.time.numpy()), (a.targets.event.numpy(), b.targets.event.numpy())]
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs)


@pytest.mark.parametrize("transform", sorted(PIPELINES))
def test_state_and_batches_are_those_in_memory(store: Store, study: Path, transform: str) -> None:
    more = {"transform": transform, "label": "subtype", "endpoint": "OS"}
    held, streamed = made(store, study, memory=1e12, **more), made(store, study, memory=TINY, **more)
    assert (held.streams, streamed.streams) == (False, True)
    assert streamed.state.describe() == held.state.describe()
    for modality, pipeline in held.state.pipelines.items():
        for a, b in zip(pipeline.params, streamed.state.pipelines[modality].params, strict=True):
            assert all(np.array_equal(a[key], b[key]) for key in a.keys() | b.keys())
    for a, b in (
        (held.train_dataloader(), streamed.train_dataloader()),
        (held.val_dataloader(), streamed.val_dataloader()),
    ):
        for epoch in range(2):
            for loader in (a, b):
                loader.sampler.set_epoch(epoch)
            assert all(same(x, y) for x, y in zip(a, b, strict=True))
    assert isinstance(streamed.rows("train"), StreamedRows)
    assert streamed.sample_ids("val") == held.part("val").sample_id
    assert same(streamed.part("train"), held.part("train"))


@pytest.mark.parametrize("memory", [TINY, 1e12])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_the_same_with_any_number_of_workers(
    store: Store, study: Path, workers: int, memory: float
) -> None:
    plain = made(store, study, memory=1e12)
    loader = made(store, study, memory=memory, num_workers=workers).train_dataloader()
    assert loader.num_workers == workers
    state = torch.get_rng_state()
    for epoch in range(2):
        expected = plain.train_dataloader()
        expected.sampler.set_epoch(epoch)
        loader.sampler.set_epoch(epoch)
        assert all(same(a, b) for a, b in zip(loader, expected, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_training_that_streams_ends_with_the_same_bytes(study: Path, tmp_path: Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(study, root)
    edited(root, "train", config={"hidden": 16, "max_epochs": 3})
    run_train(root)
    expected = content(root / "artifacts")
    edited(root, "train", memory=TINY)
    run_train(root)
    assert content(root / "artifacts") == expected


def test_a_streamed_part_comes_through_the_state(store: Store, study: Path) -> None:
    streamed = made(store, study, memory=TINY)
    cohort = streamed._query("val", streamed.state)
    assert np.array_equal(cohort.columns("rna", 3, 5), cohort.to_numpy("rna")[:, 3:5], equal_nan=True)
    other = CohortDataModule(
        store, study / "splits" / "default", 1, modalities=["rna", "prot"], state=streamed.state, memory=TINY
    )
    with pytest.raises(LeakageError, match="the fitted state is one of fold 0"):
        other.train_dataloader()


class Slow:
    """A matrix that is not an array."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values, self.shape = values, values.shape

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asfortranarray(self.values[rows])

    def columns(self, start: int, stop: int) -> NDArray[np.float32]:
        return np.asfortranarray(self.values[:, start:stop])

    def scratch(self, columns: int) -> NDArray[np.float32]:
        return np.empty((columns, len(self.values)), np.float32).T


@pytest.mark.parametrize("transform", sorted(PIPELINES))
@given(seed=st.integers(0, 99), n=st.integers(3, 30), width=st.integers(1, 150), cells=st.sampled_from([1, 1 << 9]))
@settings(max_examples=15, deadline=None)
def test_a_fit_does_not_depend_on_where_the_numbers_lie(
    transform: str, seed: int, n: int, width: int, cells: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal(2, 1, (n, width))).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[rng.random(n) < 0.2] = np.nan
    names = [f"F{i}" for i in range(width)]
    ids = [f"S{i:02d}" for i in rng.integers(0, 2 * n, n)]
    about = {"sample_ids": ids, "split": "s", "manifest_hash": "h", "fold": 0}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(models.transforms.matrix, "_CELLS", cells)
        a, b = (
            fit_state(transform, {"rna": x}, {"rna": names}, {"rna": "tpm"}, **about) for x in (values, Slow(values))
        )
    assert a.describe() == b.describe()
    for x, y in zip(a.pipelines["rna"].params, b.pipelines["rna"].params, strict=True):
        assert all(np.array_equal(x[key], y[key], equal_nan=True) for key in x.keys() | y.keys())


def test_a_budget_is_bytes_or_a_share_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    monkeypatch.setattr(models.memory, "_SYSTEM", tmp_path / "meminfo")
    monkeypatch.setattr(models.memory, "_GROUP", tmp_path)
    assert budget(0.5) == 2000 << 10
    assert budget(12345.0) == 12345
    for name, text in (("memory.max", f"{1 << 20}"), ("memory.current", f"{1 << 19}")):
        (tmp_path / name).write_text(text)
    assert budget(0.5) == 1 << 18
    (tmp_path / "memory.max").write_text("max")
    assert budget(1.0) == 4000 << 10
    monkeypatch.setattr(models.memory, "_SYSTEM", tmp_path / "absent")
    assert budget(1.0) > 4000 << 10


@pytest.mark.parametrize(("free", "moved"), [(1 << 30, True), (100, False)])
def test_a_part_goes_to_an_accelerator_where_it_fits(
    store: Store, study: Path, monkeypatch: pytest.MonkeyPatch, free: int, moved: bool
) -> None:
    monkeypatch.setattr(torch.accelerator, "get_memory_info", lambda _: (free, 1 << 40))
    whole = made(store, study).part("train")
    there = placed(whole, torch.device("meta"))
    assert (there.present.device.type == "meta") is moved
    assert (there is whole) is not moved
    assert placed(whole, torch.device("cpu")) is whole


def test_what_lies_on_an_accelerator_is_not_shared_with_workers(
    store: Store, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strategy:
        root_device = torch.device("meta")

    class Trainer:
        strategy = Strategy()

    monkeypatch.setattr(torch.accelerator, "get_memory_info", lambda _: (1 << 30, 1 << 30))
    data = made(store, study, num_workers=2)
    data.trainer = Trainer()
    loader = data.train_dataloader()
    assert loader.num_workers == 0
    assert isinstance(loader.dataset, Batches)
    batch = loader.dataset[[3, 1]]
    assert (batch.values["rna"].device.type, tuple(batch.values["rna"].shape)) == ("meta", (2, data.axes["rna"]))
    assert batch.sample_id == tuple(data.part("train").sample_id[i] for i in (3, 1))
