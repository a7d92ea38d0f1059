"""Protocols: whom they judge, what they may read, and what their baselines are fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
import pytest
import torch

from models.batch import MultiOmicsBatch, Targets
from models.evaluate.classes import judge_classes
from models.evaluate.clusters_table import judge_clusters
from models.evaluate.labels import Labelled
from models.evaluate.survival_table import judge_survival
from models.evaluate.sweep import SHARES, judge_drop
from models.evaluate.tables import Tables
from models.evaluate.translation import judge_translation
from models.evaluate.trial import PARTS, Trial, joined
from models.module import Embedding, MultiOmicsModule
from models.settings import EvaluateSettings, Survival

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZES = {"train": 60, "val": 24, "test": 32}
NAMES = np.array(["A", "B", "C"])


class Sum(MultiOmicsModule):
    """Embeds a row by the first columns of its modalities, and predicts each feature of another as their mean."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"missing_modality", "translate"})

    def encode(self, batch: MultiOmicsBatch) -> Embedding:
        return Embedding(torch.cat([batch.input(m)[:, :2] for m in self.axes], dim=1), {})

    def reconstruct(self, batch: MultiOmicsBatch, targets: Sequence[str]) -> dict[str, torch.Tensor]:
        mean = self.encode(batch).z.mean(dim=1)
        return {m: mean[:, None].repeat(1, self.axes[m]) for m in targets}

    def loss(self, batch: MultiOmicsBatch) -> torch.Tensor:
        raise AssertionError


def part(name: str, seed: int) -> tuple[MultiOmicsBatch, np.ndarray]:
    """Return rows in which class and risk rule both modalities; some lack one."""
    rng, n = np.random.default_rng(seed), SIZES[name]
    label = np.arange(n) % 3
    arrays = {m: (label[:, None] + rng.normal(0, 0.7, (n, p))).astype(np.float32) for m, p in (("rna", 6), ("prot", 4))}
    arrays["rna"][:3], arrays["prot"][3:8] = np.nan, np.nan
    time = (rng.exponential(400, n) / (1 + label) + 1).round()
    event = (rng.random(n) < 0.8).astype(np.float32)
    targets = Targets(torch.full((n,), -1), torch.tensor(time, dtype=torch.float32), torch.tensor(event))
    ids = [f"{name}{i:02d}" for i in range(n)]
    return MultiOmicsBatch.from_arrays(arrays, ids, ids, targets), NAMES[label]


def make_trial(**changes: Any) -> Trial:
    made = {name: part(name, seed) for seed, name in enumerate(PARTS)}
    ids = [s for batch, _ in made.values() for s in batch.sample_id]
    n = len(ids)
    patients = pl.DataFrame(
        {
            "patient_id": ids, "cohort": [("X", "Y")[i % 2] for i in range(n)], "age_years": [50.0 + i % 30 for i in range(n)],
            "sex": ["female"] * n, "stage": ["II"] * n,
        }
    )  # fmt: skip
    settings = EvaluateSettings(impute="no", survival=Survival(min_events=5, components=3), bootstrap=25)
    trial = Trial(
        name="sum",
        module=Sum({"rna": 6, "prot": 4}),
        parts={name: batch for name, (batch, _) in made.items()},
        patients=patients,
        settings=settings,
        features={},
        labelled={"kind": Labelled.of("kind", {name: label for name, (_, label) in made.items()})},
    )
    return replace(trial, **changes)


def judged(trial: Trial, *protocols: Callable[[Trial, Tables], None]) -> Tables:
    tables = Tables()
    for judge in protocols:
        judge(trial, tables)
    return tables


ALL = (judge_translation, judge_classes, judge_clusters, judge_survival, judge_drop)


@pytest.fixture(scope="module")
def found() -> Tables:
    return judged(make_trial(), *ALL)


def test_nothing_is_read_where_a_modality_is_absent(found: Tables) -> None:
    trial = make_trial()
    for batch in trial.parts.values():
        for modality, values in batch.values.items():
            values[~batch.has(modality)] = 1e9
    again = judged(trial, *ALL)
    assert again.body == found.body
    assert all(a.equals(b) for a, b in zip(again.predictions, found.predictions, strict=True))


def test_test_labels_and_follow_up_change_no_prediction_but_of_who_is_told(found: Tables) -> None:
    trial = make_trial()
    names = dict(trial.labelled["kind"].names)
    names["test"] = np.roll(names["test"], 1)
    parts = dict(trial.parts)
    turned = Targets(
        parts["test"].targets.label, parts["test"].targets.time.flip(0), parts["test"].targets.event.flip(0)
    )
    parts["test"] = replace(parts["test"], targets=turned)
    again = judged(replace(trial, labelled={"kind": Labelled.of("kind", names)}, parts=parts), *ALL)
    said = ["task", "method", "sample_id", "class", "probability", "risk", "squared_error"]
    one, other = (
        pl.concat(t.predictions).filter(pl.col("method") != "class_mean").select(said).sort(said[:4])
        for t in (found, again)
    )
    assert one.equals(other)
    assert found.body["classes"]["kind"]["methods"] != again.body["classes"]["kind"]["methods"]


def test_other_test_rows_change_no_fit() -> None:
    """Half of the test rows get the same predictions when the other half is another."""
    trial = make_trial()
    half = list(range(0, 32, 2))
    whole, few = (
        pl.concat(judged(t, judge_classes, judge_survival).predictions)
        for t in (
            trial,
            replace(trial, parts=dict(trial.parts) | {"test": trial.test.take(half)}, labelled=_halved(trial)),
        )
    )
    keys = ["task", "method", "sample_id", "class"]
    both = few.join(whole, on=keys, how="left", suffix="_whole", nulls_equal=True)
    assert both.height == few.height > 0
    for column in ("probability", "risk"):
        gap = both.select((pl.col(column) - pl.col(f"{column}_whole")).abs().max()).item()
        assert gap < 1e-6


def _halved(trial: Trial) -> dict[str, Labelled]:
    names = dict(trial.labelled["kind"].names)
    names["test"] = names["test"][::2]
    return {"kind": Labelled.of("kind", names)}


def test_a_class_without_training_rows_is_left_out_and_said() -> None:
    trial = make_trial()
    names = {p: v.copy() for p, v in trial.labelled["kind"].names.items()}
    names["test"][:2] = "Z"
    names["test"][2] = ""
    table = judged(replace(trial, labelled={"kind": Labelled.of("kind", names)}), judge_classes).body["classes"]["kind"]
    assert table["n_samples"] == SIZES["test"] - 3
    assert "2 test samples of class Z are left out: no training sample is of it" in table["notes"]
    assert "1 test samples have no kind" in table["notes"]


@pytest.mark.parametrize(
    ("part_name", "label", "reason"),
    [
        ("train", "A", "the training samples have 1 classes of kind"),
        ("test", "A", "the test samples have one class of kind"),
        ("test", "", "60 training and 0 test samples have a class of kind"),
    ],
)
def test_too_few_classes_are_said(part_name: str, label: str, reason: str) -> None:
    trial = make_trial()
    names = dict(trial.labelled["kind"].names) | {part_name: np.full(SIZES[part_name], label)}
    own = {"kind": Labelled.of("kind", names)}
    body = judged(replace(trial, labelled=own), judge_classes, judge_clusters).body
    assert reason in body["classes"]["kind"]["not_applicable"]
    assert body["clusters"]["kind"] == body["classes"]["kind"]


def test_every_method_stands_beside_the_trivial_ones(found: Tables) -> None:
    methods = {row["method"]: row for row in found.body["classes"]["kind"]["methods"]}
    assert set(methods) == {
        "embedding", "knn5", "majority", "pca", "pca_knn5", "forest", "logistic_rna", "logistic_prot",
    }  # fmt: skip
    assert methods["embedding"]["auroc"]["value"] > 0.8
    assert methods["majority"]["auroc"]["value"] == 0.5
    cells = found.body["translation"]
    assert set(cells) == {"rna_to_prot", "prot_to_rna"}
    assert [row["method"] for row in cells["rna_to_prot"]["methods"]] == [
        "sum", "train_mean", "cohort_mean", "class_mean", "ridge",
    ]  # fmt: skip
    survival = {row["method"]: row for row in found.body["survival"]["methods"]}
    assert set(survival) == {
        "embedding",
        "clinical",
        "clinical + embedding",
        "pca",
        "ridge_rna",
        "ridge_prot",
        "forest",
    }
    assert all({"c", "c_within_cohorts", "c_uno", "c_antolini", "ibs"} < set(row) for row in survival.values())
    for row in survival.values():
        if row["method"] not in ("forest", "clinical"):  # many patients are of one age
            assert row["c_antolini"]["value"] == pytest.approx(row["c"]["value"], abs=0.03)


def test_with_nothing_taken_the_sweep_gives_the_numbers_of_the_tables(found: Tables) -> None:
    rows = found.body["drop"]["rows"]
    assert {row["share"] for row in rows} == set(SHARES)
    tables = {"macro_f1": found.body["classes"]["kind"], "c": found.body["survival"]}
    for score, table in tables.items():
        own = {row["method"]: row[score] for row in table["methods"]}
        none = [row for row in rows if row["share"] == 0 and row["score"] == score]
        assert {row["method"] for row in none} >= {"embedding", "pca"}
        for row in none:
            assert {key: row[key] for key in ("value", "low", "high")} == own[row["method"]]
    for plan in found.body["drop"]["plans"]:
        lost = {row["share"]: row["n_rows"] for row in rows if row["modality"] == plan["modality"]}
        assert lost == {share: round(share * len(plan["order"])) for share in SHARES}


def test_what_is_not_wanted_or_not_there_is_said() -> None:
    off = EvaluateSettings(impute="no", survival="no", classes="none", clusters="none", translate="none", drop="none")
    tables = judged(make_trial(settings=off, labelled={}), *ALL)
    for section in ("translation", "classes", "clusters", "survival", "drop"):
        assert tables.body[section]["not_applicable"] in ("no", "none")
    assert tables.predictions == []
    bare = judged(make_trial(labelled={}), judge_classes, judge_clusters)
    assert bare.body["classes"] == {"not_applicable": "the store has no labels"}


class Classified(Sum):
    """Says of each row the class that the mean of its first columns is nearest to."""

    def class_probabilities(self, batch: MultiOmicsBatch) -> torch.Tensor:
        nearest = self.encode(batch).z.amax(dim=1).round().clamp(0, 2).long()
        return torch.nn.functional.one_hot(nearest, 3) * 0.7 + 0.1


@dataclass
class Head:
    """A tuned head as the evaluation uses it; its classes are in an order of their own."""

    head: str = "class"
    task: str = "kind"
    classes: tuple[str, ...] = ("C", "A")

    def class_probabilities(self, batch: MultiOmicsBatch) -> np.ndarray:
        return np.tile([0.3, 0.7], (len(batch), 1))


def test_the_models_own_classes_and_tuned_heads_are_judged_under_their_names() -> None:
    heads: Any = {"kind": Head(), "other": Head(task="grade")}
    trial = make_trial(module=Classified({"rna": 6, "prot": 4}), own_task="kind", tuned=heads)
    tables = judged(trial, judge_classes)
    table = tables.body["classes"]["kind"]
    assert table["ours"] == ["embedding", "knn5", "sum", "tuned_kind"]
    assert {"sum", "tuned_kind"} <= {d["method"] for d in table["differences"]}
    rows = tables.predictions[0].filter(pl.col("method") == "tuned_kind")
    said = {c: set(rows.filter(pl.col("class") == c)["probability"].to_list()) for c in ("A", "B", "C")}
    assert said == {"A": {0.7}, "B": {0.0}, "C": {0.3}}
    methods = {row["method"]: row for row in table["methods"]}
    assert methods["sum"]["accuracy"]["value"] > methods["majority"]["accuracy"]["value"]


def test_batches_are_joined_row_by_row() -> None:
    trial = make_trial()
    one = joined([trial.test.take([0, 5]), trial.test.take([4])])
    other = trial.test.take([0, 5, 4])
    assert one.sample_id == other.sample_id
    assert torch.equal(one.present, other.present)
    assert torch.equal(one.input("rna"), other.input("rna"))
