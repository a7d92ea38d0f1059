from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.batch import MultiOmicsBatch, Targets
from models.components.time_bins import TimeBins
from models.imputmae.config import FineTuneConfig, make_config
from models.imputmae.module import ImpuTMAE
from models.imputmae.survival import SurvivalImpuTMAE
from models.module import CAPABILITIES

AXES = {"rna": 37, "meth": 22}
PRETRAIN = make_config(
    "small", {"hidden": 16, "layers": 2, "mlp": 32, "decoder_hidden": 16, "patch": 8, "dropout": 0.0}
)


def batch(n: int = 40) -> MultiOmicsBatch:
    """The first gene decides how long one lives; half have no methylation, and some no follow-up."""
    rng = np.random.default_rng(0)
    arrays = {m: rng.normal(size=(n, f)) for m, f in AXES.items()}
    arrays["rna"][:, :8] = arrays["rna"][:, :1]
    arrays["meth"][: n // 2] = np.nan
    time = torch.tensor(1000 * np.exp(-arrays["rna"][:, 0]) + 1, dtype=torch.float32)
    event = (torch.arange(n) % 3 > 0).float()
    time[-2:] = event[-2:] = float("nan")
    names = [f"{i:02}" for i in range(n)]
    return MultiOmicsBatch.from_arrays(
        arrays, names, names, Targets(torch.full((n,), -1, dtype=torch.int64), time, event)
    )


STILL = FineTuneConfig(dropout=0.0)


def model(rows: MultiOmicsBatch, config: FineTuneConfig = STILL) -> SurvivalImpuTMAE:
    torch.manual_seed(0)
    bins = TimeBins.fit(
        "logistic_hazard", rows.targets.time.numpy(), rows.targets.event.numpy(), rows.sample_id, n_bins=config.n_bins
    )
    return SurvivalImpuTMAE(ImpuTMAE(AXES, PRETRAIN), bins, config)


def test_it_gives_twenty_hazards_and_a_risk() -> None:
    rows = batch()
    own = model(rows).eval()
    assert own.hazards(rows).shape == (40, 20)
    assert own.risk(rows).shape == (40,)
    assert own.encode(rows).z.shape == (40, 16)
    assert own.reconstruct(rows, ["meth"])["meth"].shape == (40, 22)
    assert SurvivalImpuTMAE.capabilities <= CAPABILITIES


@pytest.mark.parametrize(("unfreeze", "kept"), [(0, 2), (1, 1), (2, 0)])
def test_the_last_layers_learn_and_the_imputer_does_not(unfreeze: int, kept: int) -> None:
    rows = batch()
    own = model(rows, FineTuneConfig(unfreeze=unfreeze))
    assert own.encoders.training
    before = {name: p.detach().clone() for name, p in own.named_parameters()}
    optimizer = own.configure_optimizers()["optimizer"]
    for _ in range(2):
        own.loss(rows).backward()
        optimizer.step()
    assert not own.imputer.training
    moved = {name for name, p in own.named_parameters() if not torch.equal(p, before[name])}
    assert not [name for name in moved if name.startswith("imputer")]
    for m in AXES:
        layers = {int(n.split(".")[4]) for n in moved if n.startswith(f"encoders.{m}.blocks.layers")}
        assert layers == set(range(kept, 2))
        assert f"encoders.{m}.cls" not in moved
    assert {"fusion.linear1.weight", "head.layers.2.weight"} <= moved


def test_nothing_is_read_where_nothing_was_measured() -> None:
    rows = batch()
    own = model(rows).eval()
    filled = replace(
        rows, values={m: torch.where(rows.target_mask(m), v, float("nan")) for m, v in rows.values.items()}
    )
    assert torch.equal(own.hazards(filled), own.hazards(rows))
    nobody = replace(rows.targets, time=torch.where(torch.isnan(rows.targets.time), -5.0, rows.targets.time))
    assert torch.equal(own.loss(replace(rows, targets=nobody)), own.loss(rows))


def test_an_imputed_modality_is_read_like_a_measured_one() -> None:
    rows = batch()
    own = model(rows).eval()
    torch.testing.assert_close(own.hazards(own.imputer.complete(rows)), own.hazards(rows), rtol=1e-4, atol=1e-5)


def test_it_learns_who_dies_first() -> None:
    from lifelines.utils import concordance_index

    rows = batch()
    own = model(rows, FineTuneConfig(dropout=0.0, unfreeze=2)).train()
    optimizer = torch.optim.AdamW([p for p in own.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        own.loss(rows).backward()
        optimizer.step()
    with torch.no_grad():
        risk = own.eval().risk(rows)[:-2]
    assert concordance_index(rows.targets.time[:-2], -risk, rows.targets.event[:-2]) > 0.8
