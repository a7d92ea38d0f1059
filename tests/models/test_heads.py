"""Heads read no target that is not known, and their views are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from models.batch import MultiOmicsBatch, Targets
from models.components.heads import ClassHead, CoxHead, DiscreteTimeHead, Head, HeadConfig
from models.components.losses import balanced_weights, class_loss, observed_huber, observed_mse
from models.components.time_bins import TimeBins

NAN = float("nan")
CONFIG = HeadConfig(hidden=(8,), activation="selu", norm=True)
RNG = np.random.default_rng(0)
DAYS = RNG.integers(1, 900, 30).astype(np.float32)
DIED = (RNG.random(30) < 0.6).astype(np.float32)
IDS = [f"s{i:02d}" for i in range(30)]


def bins(convention: str) -> TimeBins:
    return TimeBins.fit(convention, DAYS, DIED, IDS, n_bins=4)


def heads() -> dict[str, Head]:
    torch.manual_seed(0)
    return {
        "class": ClassHead(6, 3, CONFIG, weights=torch.tensor([1.0, 2.0, 0.5])),
        "cox": CoxHead(6, CONFIG),
        "logistic_hazard": DiscreteTimeHead(6, bins("logistic_hazard"), CONFIG),
        "mahmood_nll": DiscreteTimeHead(6, bins("mahmood_nll"), CONFIG, alpha=0.4),
    }


def targets() -> Targets:
    label = torch.arange(30) % 3
    return Targets(label, torch.from_numpy(DAYS), torch.from_numpy(DIED))


@pytest.mark.parametrize("name", list(heads()))
def test_rows_without_a_target_are_never_read(name: str) -> None:
    head, known = heads()[name], targets()
    z = torch.randn(30, 6, generator=torch.Generator().manual_seed(1))
    hidden = torch.arange(30) < 7
    alone = head.loss(head(z[7:]), known.take(torch.arange(7, 30)))
    for garbage in (0.0, -1e9, NAN, float("inf")):
        # The class of a row is known or -1; of a follow-up either half may be there.
        mixed = Targets(
            torch.where(hidden, -1, known.label),
            torch.where(hidden, NAN, known.time),
            torch.where(hidden, torch.tensor(garbage), known.event),
        )
        other = Targets(
            mixed.label,
            torch.where(hidden, torch.tensor(garbage), known.time),
            torch.where(hidden, NAN, known.event),
        )
        for truth in (mixed, other):
            head.zero_grad()
            loss = head.loss(head(z), truth)
            assert loss.item() == pytest.approx(alone.item(), rel=1e-5)
            loss.backward()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("name", list(heads()))
def test_nothing_known_is_nothing_lost(name: str) -> None:
    head = heads()[name]
    loss = head.loss(head(torch.ones(5, 6)), Targets.empty(5))
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and (p.grad == 0).all() for p in head.parameters())


@pytest.mark.parametrize("name", list(heads()))
def test_a_head_learns_what_there_is(name: str) -> None:
    head, known = heads()[name], targets()
    z = torch.randn(30, 6, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    first = head.loss(head(z), known).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = head.loss(head(z), known)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7 * first


@pytest.mark.parametrize("name", list(heads()))
def test_the_published_widths_pass_on_meta(name: str) -> None:
    with torch.device("meta"):
        head = {
            "class": lambda: ClassHead(512, 33, HeadConfig((256, 128), "selu", 0.1, norm=True)),
            "cox": lambda: CoxHead(512, HeadConfig((512, 256), "selu", norm=True)),
            "logistic_hazard": lambda: DiscreteTimeHead(256, bins("logistic_hazard"), HeadConfig(dropout=0.1)),
            "mahmood_nll": lambda: DiscreteTimeHead(256, bins("mahmood_nll"), HeadConfig()),
        }[name]()
        width = next(head.parameters()).shape[1]
        outputs = head(torch.zeros(24, width))
        loss = head.loss(outputs, Targets(torch.zeros(24, dtype=torch.int64), torch.zeros(24), torch.zeros(24)))
        loss.backward()
    assert loss.shape == ()
    assert loss.device.type == "meta"


def test_layers_stand_in_the_order_of_the_papers() -> None:
    n = sum(p.numel() for p in ClassHead(512, 33, HeadConfig((256, 128), norm=True)).parameters())
    assert n == 512 * 256 + 256 + 256 * 128 + 128 + 2 * 128 + 128 * 33 + 33
    assert sum(p.numel() for p in CoxHead(512, HeadConfig()).parameters()) == 513


def test_curves_fall_from_one_and_a_higher_hazard_is_a_higher_risk() -> None:
    low, high = torch.full((1, 4), -2.0), torch.full((1, 4), 1.0)
    for convention in ("logistic_hazard", "mahmood_nll"):
        head = DiscreteTimeHead(6, bins(convention), CONFIG)
        times = torch.linspace(0, 2000, 50)
        curve = head.survival_at(low, times)[0]
        assert (curve.diff() <= 0).all()
        assert curve.min() > 0
        assert curve.max() <= 1
        assert head.risk(high) > head.risk(low)
        assert (head.survival_at(high, times) <= head.survival_at(low, times)).all()
    head = DiscreteTimeHead(6, bins("mahmood_nll"), CONFIG)
    assert head.survival_at(low, torch.tensor([0.0, head.bins.edges[0]])).tolist() == [[1.0, 1.0]]
    assert head.risk(low).item() == pytest.approx(-sum((1 - 1 / (1 + np.exp(2))) ** k for k in range(1, 5)))


def test_risk_of_logistic_hazard_is_read_at_the_median_event() -> None:
    head = DiscreteTimeHead(6, bins("logistic_hazard"), CONFIG)
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
    at = torch.tensor([float(np.median(DAYS[DIED == 1]))])
    torch.testing.assert_close(head.risk(logits), 1 - head.survival_at(logits, at)[:, 0])


def test_edges_are_no_weights() -> None:
    assert "edges" not in DiscreteTimeHead(6, bins("mahmood_nll"), CONFIG).state_dict()


def test_class_loss_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 5, generator=generator)
    label = torch.randint(-1, 5, (40,), generator=generator)
    weights = torch.rand(5, generator=generator) / 100
    for w in (None, weights):
        theirs = functional.cross_entropy(logits, label, weight=w, ignore_index=-1)
        torch.testing.assert_close(class_loss(logits, label, w), theirs)


def test_balanced_weights_are_sklearns() -> None:
    label = np.array([0, 0, 0, 1, 2, 2, -1])
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=label[label >= 0])
    np.testing.assert_allclose(balanced_weights(torch.from_numpy(label), 3).numpy(), theirs, rtol=1e-6)


def test_reconstruction_is_judged_on_what_was_observed_and_asked_for() -> None:
    truth = RNG.normal(size=(5, 4)).astype(np.float32)
    truth[0, 1], truth[2] = np.nan, np.nan
    batch = MultiOmicsBatch.from_arrays(
        {"rna": truth.copy(), "prot": truth[:, :2].copy()}, list("abcde"), list("abcde")
    )
    batch.values["rna"][2], batch.values["rna"][0, 1] = 1e9, NAN
    guess = {m: torch.zeros_like(v).requires_grad_() for m, v in batch.values.items()}
    every = np.concatenate([truth.ravel(), truth[:, :2].ravel()])
    loss = observed_mse(guess, batch, balance="entries")
    assert loss.item() == pytest.approx(np.nanmean(every**2), rel=1e-5)
    loss.backward()
    assert guess["rna"].grad is not None
    assert (guess["rna"].grad[2] == 0).all()
    halves = observed_mse(guess, batch, balance="modalities").item()
    assert halves == pytest.approx((np.nanmean(truth**2) + np.nanmean(truth[:, :2] ** 2)) / 2, rel=1e-5)
    only = {m: torch.zeros_like(v, dtype=torch.bool) for m, v in batch.values.items()}
    assert observed_mse(guess, batch, balance="modalities", only=only).item() == 0
    only["rna"][4, 3] = only["rna"][2, 2] = True
    assert observed_mse(guess, batch, balance="entries", only=only).item() == pytest.approx(truth[4, 3] ** 2, rel=1e-5)
    small = np.clip(np.abs(every), 0, 1)
    huber = np.nanmean(small * (np.abs(every) - small / 2))
    assert observed_huber(guess, batch, balance="entries").item() == pytest.approx(huber, rel=1e-5)


def test_a_step_is_one_graph() -> None:
    z = torch.randn(30, 6, generator=torch.Generator().manual_seed(1))
    known = targets()
    for head in heads().values():
        whole = torch.compile(lambda z, truth, h=head: h.loss(h(z), truth), fullgraph=True, backend="eager")
        torch.testing.assert_close(whole(z, known), head.loss(head(z), known))
