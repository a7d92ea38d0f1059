"""What ``train.tune`` may say, and the parts that heads are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.batch import MultiOmicsBatch, Targets
from models.components.time_bins import TimeBins
from models.tune.config import PRESETS, ClassConfig, DiscreteConfig, HeadTask, head_config, read_tasks
from models.tune.network import Scale, Views, make_head, start
from omicstore.errors import OmicstoreError


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (["subtype"], "train.tune of params.yaml is ['subtype']. Expected a mapping of names to {task, head, how, "),
        ({"a/b": {"task": "OS", "head": "cox"}}, "train.tune of params.yaml names a head 'a/b'. Expected letters"),
        ({"x": {"task": "OS"}}, "train.tune.x of params.yaml is {'task': 'OS'}. Expected task and head."),
        (
            {"x": {"task": "OS", "head": "cox", "hwo": "probe"}},
            "unknown key of train.tune.x 'hwo'. Expected one of how. To mend it: edit params.yaml",
        ),
        (
            {"x": {"task": "OS", "head": "coxx"}},
            "unknown head of train.tune.x 'coxx'. Expected one of cox. To mend it: set train.tune.x.head",
        ),
        (
            {"x": {"task": "OS", "head": "cox", "how": "prob"}},
            "unknown how of train.tune.x 'prob'. Expected one of probe. To mend it: set train.tune.x.how",
        ),
        (
            {"x": {"task": "OSS", "head": "cox"}},
            "unknown follow-up for the cox head of train.tune.x 'OSS'. Expected one of OS, DSS.",
        ),
        (
            {"x": {"task": "OS", "head": "class"}},
            "train.tune.x puts the head class on OS. Expected head cox or discrete. To mend it: set train.tune.x.head",
        ),
    ],
)
def test_mistakes_are_named(section: Any, message: str) -> None:
    with pytest.raises(OmicstoreError) as caught:
        read_tasks(section)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("head", "config", "message"),
    [
        (
            "class",
            {"patince": 3},
            "unknown setting of train.tune.x 'patince'. Expected one of patience, balance, batch_size. To mend it: set",
        ),
        ("class", {"select": "loss"}, "unknown setting of train.tune.x 'select'"),
        (
            "cox",
            {"select": "cindex"},
            "unknown select of train.tune.x 'cindex'. Expected one of c_index. To mend it: set train.tune.x.config",
        ),
        ("discrete", {"n_bins": "many"}, "train.tune.x.config.n_bins is 'many'. Expected a value of type int."),
    ],
)
def test_mistaken_settings_are_named(head: Any, config: dict[str, Any], message: str) -> None:
    with pytest.raises(OmicstoreError) as caught:
        head_config(HeadTask("x", "t", head, "probe", config), {})
    assert str(caught.value).startswith(message)


def test_settings_of_a_model_stand_between_the_preset_and_what_is_asked() -> None:
    task = HeadTask("x", "OS", "discrete", "finetune", {"lr": 0.5, "hidden": [8]})
    found = head_config(task, {"lr": 0.1, "n_bins": 20, "balance": "rows"})
    assert isinstance(found, DiscreteConfig)
    assert (found.lr, found.n_bins, found.hidden) == (0.5, 20, (8,))
    assert found.patience == PRESETS["discrete"]["finetune"].patience


def test_nothing_asked_is_no_head() -> None:
    assert read_tasks(None) == ()
    assert read_tasks({}) == ()


def test_components_are_those_of_scikit_learn_in_units_of_the_first() -> None:
    from sklearn.decomposition import PCA

    z = np.random.default_rng(0).normal(size=(30, 6)) * np.arange(1, 7)
    scale = Scale(6, 3)
    scale.fit(torch.tensor(z, dtype=torch.float32))
    found = scale(torch.tensor(z, dtype=torch.float32)).numpy()
    expected = PCA(3).fit_transform(z)
    expected /= expected[:, 0].std()
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
    assert Scale(6, 9).width == 6


def test_fewer_rows_than_components_leave_the_last_at_nothing() -> None:
    scale = Scale(6, 5)
    scale.fit(torch.tensor(np.random.default_rng(0).normal(size=(3, 6)), dtype=torch.float32))
    assert torch.isfinite(scale(torch.randn(4, 6))).all()


def test_a_training_step_reads_some_rows_from_a_modality_that_they_have() -> None:
    z = {name: np.full((400, 1), i, dtype=np.float32) for i, name in enumerate(("all", "rna", "prot"))}
    z["prot"][:200] = np.nan
    names = [str(i) for i in range(400)]
    batch = MultiOmicsBatch.from_arrays(z, names, names)
    torch.manual_seed(0)
    drawn = Views(0.5).train()(batch)[:, 0]
    assert set(drawn[:200].tolist()) == {0.0, 1.0}
    assert set(drawn[200:].tolist()) == {0.0, 1.0, 2.0}
    assert 0.4 < (drawn > 0).double().mean() < 0.6
    assert (Views(0.5).eval()(batch) == 0).all()


def test_heads_begin_as_the_guess_that_knows_nothing() -> None:
    rng = np.random.default_rng(1)
    time, event = rng.exponential(500, 200).astype(np.float32), (rng.random(200) < 0.5).astype(np.float32)
    targets = Targets(torch.full((200,), -1), torch.from_numpy(time), torch.from_numpy(event))
    z = torch.randn(200, 4)
    for convention in ("logistic_hazard", "mahmood_nll"):
        bins = TimeBins.fit(convention, time, event, [str(i) for i in range(200)])
        head = make_head(4, DiscreteConfig(convention=convention), bins=bins)
        start(head, targets)
        begun = head.loss(head(z), targets)
        with torch.no_grad():  # no other constant is much better
            for i in range(bins.n_bins):
                for step in (-0.3, 0.3):
                    head.layers[-1].bias[i] += step
                    assert head.loss(head(z), targets) > begun - 1e-3
                    head.layers[-1].bias[i] -= step
    head = make_head(4, ClassConfig(hidden=(3,)), weights=torch.ones(3))
    start(head, targets)
    assert torch.equal(head(z), torch.zeros(200, 3))
