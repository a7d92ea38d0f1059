"""Clusters, and which rows lose a modality."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from models.batch import MultiOmicsBatch
from models.evaluate.clusters import leiden
from models.evaluate.dropping import DropPlan

RNG = np.random.default_rng(0)
LABEL = np.repeat([0, 1, 2], [40, 30, 20])
Z = RNG.normal(size=(90, 4)) + LABEL[:, None] * 30


def make_batch(n: int = 40) -> MultiOmicsBatch:
    level = RNG.normal(size=(n, 1))
    rna, prot = level.repeat(5, axis=1), level.repeat(3, axis=1) + RNG.normal(0, 0.1, (n, 3))
    rna[:4], prot[4:10] = np.nan, np.nan
    ids = [f"s{i:02d}" for i in range(n)]
    return MultiOmicsBatch.from_arrays({"rna": rna, "prot": prot}, ids, ids)


def test_leiden_finds_what_lies_apart_whatever_the_order_and_names_its_resolution() -> None:
    found = leiden(Z, resolution=0.2, seed=3)
    assert (found.membership == LABEL).all()  # the largest first
    assert (found.resolution, found.neighbours) == (0.2, 15)
    assert (leiden(Z, resolution=0.2, seed=3).membership == found.membership).all()
    order = RNG.permutation(90)
    assert adjusted_rand_score(leiden(Z[order], resolution=0.2).membership, found.membership[order]) == 1
    assert leiden(Z, resolution=4.0).membership.max() > 2


def test_fewer_rows_than_neighbours_still_make_a_graph() -> None:
    assert len(leiden(Z[:6]).membership) == 6


def test_what_is_dropped_is_drawn_once_and_grows() -> None:
    batch = make_batch()
    plan = DropPlan.draw(batch, "prot", seed=5)
    assert len(plan.order) == 30
    assert DropPlan.draw(batch.take(torch.arange(39, -1, -1)), "prot", seed=5) == plan
    assert DropPlan.draw(batch, "prot", seed=6) != plan
    before: set[str] = set()
    for share in (0.0, 0.25, 0.5, 1.0):
        left = plan.apply(batch, share)
        gone = {s for s, a, b in zip(batch.sample_id, batch.has("prot"), left.has("prot"), strict=True) if a and not b}
        assert len(gone) == round(30 * share)
        assert before <= gone
        assert (left.has("rna") == batch.has("rna")).all()
        assert left.present.any(dim=1).all()
        before = gone
