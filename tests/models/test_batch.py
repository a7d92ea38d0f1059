from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from models.aro.config import make_config
from models.aro.module import ARO
from models.batch import MultiOmicsBatch, Targets


def made(n: int = 12, seed: int = 0) -> MultiOmicsBatch:
    rng = np.random.default_rng(seed)
    rna, prot = rng.normal(size=(n, 7)), rng.normal(size=(n, 4))
    rna[rng.random(rna.shape) < 0.1] = np.nan
    rna[:3] = np.nan
    prot[3:6] = np.nan
    return MultiOmicsBatch.from_arrays(
        {"rna": rna, "prot": prot}, [f"s{i}" for i in range(n)], [f"p{i // 2}" for i in range(n)]
    )


def with_garbage(batch: MultiOmicsBatch, garbage: float) -> MultiOmicsBatch:
    values = {m: torch.where(batch.target_mask(m), v, torch.tensor(garbage)) for m, v in batch.values.items()}
    return replace(batch, values=values)


def test_absent_slots_are_never_read() -> None:
    batch = made()
    torch.manual_seed(0)
    model = ARO({"rna": 7, "prot": 4}, make_config("small", {"hidden": 8})).eval()
    for garbage in (0.0, 1e30, float("nan"), float("inf")):
        dirty = with_garbage(batch, garbage)
        assert torch.equal(model.encode(dirty).z, model.encode(batch).z)
        assert torch.equal(model.reconstruct(dirty, ["prot"])["prot"], model.reconstruct(batch, ["prot"])["prot"])
        assert torch.equal(model.loss(dirty), model.loss(batch))
        model.zero_grad()
        model.loss(dirty).backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_observed_but_not_present_is_not_read() -> None:
    batch = made()
    hidden = batch.hide(["prot"])
    assert not hidden.has("prot").any()
    assert hidden.input("prot").abs().sum() == 0
    assert not hidden.target_mask("prot").any()
    assert torch.equal(hidden.has("rna"), batch.has("rna"))
    assert torch.equal(batch.only(["rna"]).present, hidden.present)


def test_take_keeps_rows_together() -> None:
    batch = made()
    part = batch.take([5, 0])
    assert part.sample_id == ("s5", "s0")
    assert part.patient_id == ("p2", "p0")
    assert torch.equal(part.present, batch.present[[5, 0]])
    assert len(part.to("cpu")) == 2


def test_targets_are_unknown_until_given() -> None:
    targets = Targets.empty(2)
    assert targets.label.tolist() == [-1, -1]
    assert torch.isnan(targets.time).all()
    assert torch.isnan(targets.event).all()


def test_rows_are_read_in_pieces_one_per_patient_and_nan_where_nothing_was_measured() -> None:
    rna = np.arange(600, dtype=np.float32)[:, None]
    rna[3] = np.nan
    people = [f"p{i // 2}" for i in range(600)]
    batch = MultiOmicsBatch.from_arrays({"rna": rna}, [str(i) for i in range(600)], people)
    pieces = list(batch.pieces())
    assert max(map(len, pieces)) < 600
    assert [s for piece in pieces for s in piece.sample_id] == list(batch.sample_id)
    np.testing.assert_array_equal(np.vstack([piece.measured("rna") for piece in pieces]), rna)
    assert np.isnan(batch.hide(["rna"]).measured("rna")).all()
    assert batch.first_per_patient().sample_id == batch.sample_id[::2]
