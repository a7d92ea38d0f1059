from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.outside.mofa import MOFA
from omicstore.errors import MissingExtraError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

pytest.importorskip("mofapy2", reason="MOFA2 is of the extra bench")

PLANTED, N = 3, 120


def make(n: int, seed: int) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Rows of three planted factors: two modalities, some entries and some whole modalities missing."""
    fixed = np.random.default_rng(1)
    weights = {
        m: fixed.normal(size=(PLANTED, f)) * (fixed.random((PLANTED, f)) < 0.5) for m, f in (("rna", 80), ("meth", 60))
    }
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, PLANTED))
    views = {m: 2 + z @ w + 0.5 * rng.normal(size=(n, w.shape[1])) for m, w in weights.items()}
    views["rna"][rng.random(views["rna"].shape) < 0.05] = np.nan
    views["meth"][: n // 4] = np.nan
    views["meth"][:, 7] = 1.5  # never varies
    views["rna"][:, 3] = np.nan  # never observed
    return views, z


@pytest.fixture(scope="module")
def model() -> MOFA:
    return MOFA.fit(make(N, 0)[0], factors=5)


def agreement(found: NDArray[np.float64], planted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each planted factor's multiple correlation with the found ones: they may come back rotated."""
    inputs = np.column_stack([np.ones(len(found)), found])
    fitted = inputs @ np.linalg.lstsq(inputs, planted)[0]
    return np.asarray(fitted.std(axis=0) / planted.std(axis=0))


def test_planted_factors_come_back_and_no_others(model: MOFA) -> None:
    z = make(N, 0)[1]
    assert agreement(model.factors, z).min() > 0.97
    assert int((model.factors.std(axis=0) > 0.1).sum()) == PLANTED
    # New rows, and from one modality alone.
    new, z_new = make(200, 9)
    assert agreement(model.factors_of(new), z_new).min() > 0.95
    assert agreement(model.factors_of({"rna": new["rna"]}), z_new).min() > 0.9


def test_training_rows_project_onto_their_own_factors(model: MOFA) -> None:
    views, _ = make(N, 0)
    assert model.factors_of(views) == pytest.approx(model.factors, abs=0.01)


def test_a_row_does_not_depend_on_the_rows_beside_it(model: MOFA) -> None:
    views, _ = make(30, 5)
    alone = np.concatenate([model.factors_of({m: v[i : i + 1] for m, v in views.items()}) for i in range(30)])
    assert model.factors_of(views) == pytest.approx(alone)


def test_what_is_absent_is_not_read(model: MOFA) -> None:
    views, _ = make(40, 5)
    gone = {"rna": views["rna"], "meth": np.full_like(views["meth"], np.nan)}
    assert model.factors_of(gone) == pytest.approx(model.factors_of({"rna": views["rna"]}))
    # The target's own values change nothing, and a constant or never observed feature tells nothing.
    wild = views | {"meth": views["meth"] * 1000}
    assert model.predict(wild, "meth") == pytest.approx(model.predict(views, "meth"))
    odd = {"rna": views["rna"].copy(), "meth": views["meth"].copy()}
    odd["rna"][:, 3] = 1e6
    odd["meth"][:, 7] = -1e6
    assert model.factors_of(odd) == pytest.approx(model.factors_of(views))
    nothing = {m: np.full((2, v.shape[1]), np.nan) for m, v in views.items()}
    assert (model.factors_of(nothing) == 0).all()
    assert model.predict(nothing, "meth") == pytest.approx(np.tile(model.views["meth"].mean, (2, 1)))


def test_a_modality_is_predicted_from_the_other(model: MOFA) -> None:
    views, _ = make(200, 9)
    rows = ~np.isnan(views["meth"][:, 0])
    guess, truth = model.predict({"rna": views["rna"]}, "meth")[rows], views["meth"][rows]
    error, trivial = np.square(guess - truth).mean(), np.square(model.views["meth"].mean - truth).mean()
    assert error < 0.5 * trivial
    assert guess[:, 7] == pytest.approx(1.5)


def test_the_seed_decides_everything_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    views, _ = make(50, 2)
    before = {m: v.copy() for m, v in views.items()}
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    first, again = (MOFA.fit(views, factors=4, seed=1) for _ in range(2))
    assert np.random.rand() == expected  # noqa: NPY002
    assert (first.factors == again.factors).all()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert all(np.array_equal(views[m], before[m], equal_nan=True) for m in views)


def test_wrong_views_are_told(model: MOFA) -> None:
    with pytest.raises(UnknownNameError, match="unknown view 'ran'.*rna"):
        model.factors_of({"ran": np.zeros((1, 80))})
    with pytest.raises(UnknownNameError, match="unknown view 'met'.*meth"):
        model.predict({"rna": np.zeros((1, 80))}, "met")
    with pytest.raises(UsageError, match="different numbers of rows"):
        MOFA.fit({"rna": np.zeros((3, 2)), "meth": np.zeros((4, 2))})
    with pytest.raises(UsageError, match="no feature of meth varies"):
        MOFA.fit({"rna": np.random.default_rng(0).normal(size=(20, 5)), "meth": np.ones((20, 4))})


def test_without_mofapy2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(name: str, given: Mapping[str, object] | None = None, *rest: Any) -> Any:
        if name.startswith("mofapy2"):
            raise ImportError(name)
        return whole(name, given, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"mofapy2.*omicstore\[bench\]"):
        MOFA.fit(make(20, 0)[0], factors=2)
