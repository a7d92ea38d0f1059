"""Neighbours, clusters, translation and the drop-modality sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from models.batch import MultiOmicsBatch
from models.evaluate.clusters import knn_accuracy, leiden
from models.evaluate.dropping import DropPlan, drop_sweep, embedding_score
from models.evaluate.translation import translation_matrix
from models.module import Embedding, MultiOmicsModule

if TYPE_CHECKING:
    from collections.abc import Sequence

RNG = np.random.default_rng(0)
LABEL = np.repeat([0, 1, 2], [40, 30, 20])
Z = RNG.normal(size=(90, 4)) + LABEL[:, None] * 30


class Sum(MultiOmicsModule):
    """Embeds a row by the sums of its modalities, and predicts each feature of another as the source's mean."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"missing_modality", "translate"})

    def encode(self, batch: MultiOmicsBatch) -> Embedding:
        return Embedding(torch.stack([batch.input(m).sum(dim=1) for m in self.axes], dim=1), {})

    def reconstruct(self, batch: MultiOmicsBatch, targets: Sequence[str]) -> dict[str, torch.Tensor]:
        n = sum(self.axes[m] * batch.has(m) for m in self.axes)
        mean = self.encode(batch).z.sum(dim=1) / n
        return {m: mean[:, None].repeat(1, self.axes[m]) for m in targets}

    def loss(self, batch: MultiOmicsBatch) -> torch.Tensor:
        raise AssertionError


def make_batch(n: int = 40) -> MultiOmicsBatch:
    level = RNG.normal(size=(n, 1))
    rna, prot = level.repeat(5, axis=1), level.repeat(3, axis=1) + RNG.normal(0, 0.1, (n, 3))
    rna[:4], prot[4:10] = np.nan, np.nan
    ids = [f"s{i:02d}" for i in range(n)]
    return MultiOmicsBatch.from_arrays({"rna": rna, "prot": prot}, ids, ids)


def test_neighbours_vote_and_the_unlabelled_do_not() -> None:
    assert knn_accuracy(Z, LABEL, Z + 0.1, LABEL) == 1
    misled = np.concatenate([Z, Z]), np.concatenate([LABEL, np.full(90, -1)])
    assert knn_accuracy(*misled, Z, np.where(LABEL == 0, -1, LABEL)) == 1
    assert knn_accuracy(Z, LABEL, Z, (LABEL + 1) % 3) == 0


def test_leiden_finds_what_lies_apart_whatever_the_order_and_names_its_resolution() -> None:
    found = leiden(Z, resolution=0.2, seed=3)
    assert found.agreement(LABEL) == {"nmi": 1, "ari": 1, "n_clusters": 3, "resolution": 0.2, "neighbours": 15}
    assert (leiden(Z, resolution=0.2, seed=3).membership == found.membership).all()
    order = RNG.permutation(90)
    assert adjusted_rand_score(leiden(Z[order], resolution=0.2).membership, found.membership[order]) == 1
    assert leiden(Z, resolution=4.0).membership.max() > 2


def test_agreement_leaves_out_the_unlabelled() -> None:
    found = leiden(Z, resolution=0.2)
    wrong = LABEL.copy()
    wrong[:10] = 2
    assert found.agreement(wrong)["ari"] < 1
    assert found.agreement(np.where(np.arange(90) < 10, -1, LABEL))["ari"] == 1


def test_fewer_rows_than_neighbours_still_make_a_graph() -> None:
    assert len(leiden(Z[:6]).membership) == 6


def test_translation_reads_the_source_alone_and_judges_rows_that_have_both() -> None:
    batch = make_batch()
    cells = {(c.source, c.target): c for c in translation_matrix(Sum({"rna": 5, "prot": 3}), batch, n_boot=40, seed=1)}
    assert set(cells) == {("rna", "rna"), ("rna", "prot"), ("prot", "rna"), ("prot", "prot")}
    assert [cells[k].n_samples for k in cells] == [36, 30, 30, 34]
    assert cells["rna", "rna"].scores["mse"]["value"] == pytest.approx(0, abs=1e-9)
    found = cells["rna", "prot"].scores
    rows = slice(10, None)
    truth, guess = batch.values["prot"][rows].numpy(), batch.values["rna"][rows, :3].numpy()
    assert found["mse"]["value"] == pytest.approx(((truth - guess) ** 2).mean(), abs=1e-6)
    assert found["pearson"]["value"] > 0.9
    assert found["mse"]["low"] <= found["mse"]["value"] <= found["mse"]["high"]


def test_translation_of_too_few_rows_gives_no_scores() -> None:
    cells = translation_matrix(Sum({"rna": 5, "prot": 3}), make_batch(15), n_boot=5, seed=1)
    assert [(c.n_samples, bool(c.scores)) for c in cells] == [(11, True), (5, False), (5, False), (9, True)]


def test_what_is_dropped_is_drawn_once_and_grows() -> None:
    batch = make_batch()
    plan = DropPlan.draw(batch, "prot", seed=5)
    assert len(plan.order) == 30
    assert DropPlan.from_json(plan.to_json()) == plan
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


def test_the_sweep_judges_any_model_and_reads_nothing_that_was_dropped() -> None:
    batch, module = make_batch(), Sum({"rna": 5, "prot": 3})
    plan = DropPlan.draw(batch, "prot", seed=5)
    score = embedding_score(module, lambda z: {"rows with protein": float((z[:, 1] != 0).sum())})
    found = drop_sweep(batch, plan, [0.0, 0.5, 1.0], score)
    assert [(d.share, d.n_rows, d.scores["rows with protein"]) for d in found] == [
        (0.0, 0, 34.0),
        (0.5, 15, 19.0),
        (1.0, 30, 4.0),
    ]
    whole = plan.apply(batch, 1.0)
    whole.values["prot"][~whole.has("prot")] = 1e9
    assert score(whole) == found[-1].scores
