"""Slides in batches: what a row holds of its patches, and that nothing of a held-out slide comes out unasked."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from model_runs import run_evaluate, run_train
from store_factory import make_cohort, make_patches

import omicstore
from models.checkpoint import load_checkpoint
from models.datamodule import CohortDataModule
from models.slides.axis import SlideAxis, SlideSettings
from models.slides.read import choose, find_axis
from models.transforms.refuse import refuse_foreign
from models.transforms.state import load_state
from omicstore.audit import audit
from omicstore.errors import LeakageError, OmicstoreError, StudyError
from omicstore.splits import SplitSpec, make
from omicstore.store.writer import assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.store.reader import Store

WIDTH, SIDE = 6, 16
SPLIT = {"name": "default", "strategy": "grouped_kfold", "k": 4, "seed": 1, "cohorts": ["AAA"]}


def jpeg(rng: np.random.Generator) -> bytes:
    image = pytest.importorskip("PIL.Image", reason="needs the extra slides")
    out = io.BytesIO()
    image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)).save(out, "JPEG")
    return out.getvalue()


def write(root: Path, *, tiles: bool = False) -> Path:
    """Write a study in which two in three patients have a slide, of 3 to 9 patches, and one of these has two."""
    data = make_cohort("AAA", seed=1, n_patients=90, modalities=("rna", "prot"))
    samples = sorted(set(data.parts["rna"].rows["sample_id"]))
    with_slides = [s for i, s in enumerate(samples) if i % 3]
    rng = np.random.default_rng(0)
    for i, sample in enumerate(with_slides):
        (frame,) = make_patches([sample], n=3 + i % 7, width=WIDTH, seed=i)
        if tiles:
            frame = frame.with_columns(tile=pl.Series([jpeg(rng) for _ in range(frame.height)]))
        data.patches.append(frame)
    again = make_patches(with_slides[:1], n=4, width=WIDTH, seed=99)[0]
    data.patches.append(
        again.with_columns(slide_id=pl.col("slide_id").str.replace("DX1", "DX2")) if not tiles else data.patches.pop()
    )
    data.write(root / "data" / "store", "AAA")
    assemble(root / "data" / "store", ["AAA"], dataset="tiny", simulated=True)
    params: dict[str, Any] = {
        "study": {"dataset": "tiny"},
        "split": SPLIT,
        "train": {
            "model": "imputmae", "preset": "small", "modalities": ["rna", "patches"], "cohorts": ["AAA"], "fold": 0,
            "seed": 3, "config": {"max_epochs": 2, "warm_up": 1, "hidden": 16, "mlp": 16, "decoder_hidden": 16,
            "slide_patches": 4},
        },
        "evaluate": {"impute": {"from": "rna", "to": "patches"}, "survival": {"endpoint": "OS"}, "bootstrap": 20},
    }  # fmt: skip
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    with omicstore.open(root / "data" / "store") as store:
        make(store, SplitSpec.from_params(SPLIT), root / "splits" / "default")
    return root


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("slides"))


@pytest.fixture
def opened(slides: Path) -> Iterator[Store]:
    with omicstore.open(slides / "data" / "store") as store:
        yield store


def data_of(root: Path, store: Store, seed: int = 3, **more: Any) -> CohortDataModule:
    settings = {"modalities": ["rna", "patches"], "slides": SlideSettings(n=4)} | more
    return CohortDataModule(store, root / "splits" / "default", 0, seed=seed, **settings)


@given(total=st.integers(1, 60), n=st.integers(1, 20), seed=st.none() | st.integers(0, 5))
def test_patches_are_chosen_once_each_and_in_order(total: int, n: int, seed: int | None) -> None:
    found = choose("a", total, n, seed)
    assert len(found) == min(n, total)
    assert (np.diff(found) > 0).all()
    assert 0 <= found[0] <= found[-1] < total
    assert np.array_equal(found, choose("a", total, n, seed))


def test_other_samples_and_seeds_draw_others() -> None:
    assert len({tuple(choose(s, 50, 8, seed)) for s in "abc" for seed in range(3)}) == 9


def test_a_row_holds_patches_of_its_own_slides_and_nothing_else(slides: Path, opened: Store) -> None:
    data = data_of(slides, opened)
    cohort = opened.query(cohort="AAA", modalities="patches")
    raw = cohort.to_polars("patches")
    for part in ("train", "val"):
        rows = data.part(part)
        held = rows.values["patches"].unflatten(1, (4, WIDTH))
        for i, sample in enumerate(rows.sample_id):
            own = np.stack(raw.filter(pl.col("sample_id") == sample)["features"].to_list() or [np.zeros(WIDTH)])
            scaled = (own - own.mean(1, keepdims=True)) / own.std(1, keepdims=True) if own.any() else own[:0]
            assert bool(rows.has("patches")[i]) == (len(scaled) > 0)
            got = held[i][~torch.isnan(held[i]).any(1)].numpy()
            assert len(got) == min(4, len(scaled))
            # Each vector is one of the sample's, in their order, and none comes twice.
            places = [int(np.abs(scaled - g).max(1).argmin()) for g in got]
            assert places == sorted(set(places))
            if len(got):
                np.testing.assert_allclose(got, scaled[places], atol=1e-5)


def test_train_rows_are_drawn_by_the_seed_and_held_out_ones_are_not(slides: Path, opened: Store) -> None:
    one, same, other = (data_of(slides, opened, seed=s) for s in (3, 3, 4))
    torch.testing.assert_close(
        one.part("train").values["patches"], same.part("train").values["patches"], equal_nan=True, rtol=0, atol=0
    )
    assert not torch.equal(one.part("train").input("patches"), other.part("train").input("patches"))
    assert torch.equal(one.part("val").input("patches"), other.part("val").input("patches"))


def test_held_out_slides_come_out_only_through_a_state_that_names_them(slides: Path, opened: Store) -> None:
    state = data_of(slides, opened).state
    assert state.as_is == ("patches",)
    asked = {"cohort": "AAA", "modalities": "patches", "split": str(slides / "splits" / "default"), "fold": 0}
    held = opened.query(**asked, part="val", state=state)
    slide = {held.slides()["slide_id"][0]: [0]}
    assert len(list(held.pick_patches(slide, "features"))) == 1
    with pytest.raises(LeakageError, match="patches"):
        opened.query(**asked, part="val", state=replace(state, as_is=()))
    with pytest.raises(OmicstoreError, match="slide of this query"):
        list(opened.query(**asked, part="train", state=state).pick_patches(slide, "features"))


def test_a_state_keeps_what_was_read(slides: Path, opened: Store, tmp_path: Path) -> None:
    state = data_of(slides, opened).state
    again = load_state(state.save(tmp_path))
    assert again.slides == SlideAxis(n=4, pixels=0, encoder="uni", width=WIDTH, seed=3)
    assert again.features("patches") == state.features("patches")
    data = data_of(slides, opened, state=again, seed=8, slides=SlideSettings(n=2))
    assert data.axes["patches"] == 4 * WIDTH
    with pytest.raises(LeakageError, match="other patches of slides"):
        refuse_foreign(state, replace(again, slides=replace(again.slides, seed=9)), "default")


def test_what_cannot_be_read_is_said(slides: Path, opened: Store) -> None:
    with pytest.raises(OmicstoreError, match="holds no tile of its patches"):
        data_of(slides, opened, slides=SlideSettings(n=2, pixels=8)).part("train")
    with pytest.raises(OmicstoreError, match="encoder 'gigapath'"):
        data_of(slides, opened, slides=SlideSettings(encoder="gigapath")).part("train")


@pytest.fixture(scope="module")
def trained(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained") / "study"
    shutil.copytree(slides, root)
    run_train(root)
    return root


def test_train_evaluate_and_audit(trained: Path) -> None:
    run_evaluate(trained)
    body = json.loads((trained / "reports" / "evaluation.json").read_text(encoding="utf-8"))
    assert body["imputation"]["to"] == "patches"
    assert {row["method"] for row in body["reconstruction"]["patches"]["methods"]} >= {"imputmae"}
    found = audit(trained / "artifacts" / "imputmae", store=trained / "data" / "store", checks=["checkpoint", "state"])
    assert [f.status for f in found.findings] == ["pass"] * 2


def test_a_missing_slide_is_never_read(trained: Path) -> None:
    checkpoint = load_checkpoint(trained / "artifacts" / "imputmae")
    with omicstore.open(trained / "data" / "store") as store:
        rows = data_of(trained, store, state=checkpoint.state).part("val")
    assert not rows.has("patches").all()
    assert rows.has("patches").any()
    full = {m: torch.where(rows.target_mask(m), v, 1e6) for m, v in rows.values.items()}
    with torch.inference_mode():
        clean, dirty = checkpoint.module.encode(rows), checkpoint.module.encode(replace(rows, values=full))
    assert torch.equal(clean.z, dirty.z)
    absent = ~rows.has("patches")
    assert torch.isnan(clean.per_modality["patches"][absent]).all()
    assert not torch.isnan(clean.z).any()


def test_tiles_are_read_as_images(tmp_path: Path) -> None:
    root = write(tmp_path, tiles=True)
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    params["train"]["config"] |= {"slide_patches": 2, "slide_pixels": SIDE, "square": 8}
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    run_train(root)
    checkpoint = load_checkpoint(root / "artifacts" / "imputmae")
    assert checkpoint.module.axes["patches"] == 2 * 3 * SIDE**2
    with omicstore.open(root / "data" / "store") as store:
        rows = data_of(root, store, state=checkpoint.state).part("val")
    pixels = rows.input("patches")
    assert pixels.min() >= -1
    assert pixels.max() <= 1
    # Noise from 0 to 255 is -1 to 1 here, and JPEG keeps it near that.
    there = pixels[rows.has("patches")]
    assert abs(float(there.mean())) < 0.1
    assert 0.3 < float(there.std()) < 0.7
    assert not torch.isnan(checkpoint.module.encode(rows).z).any()


def test_no_slide_at_all_is_said(opened: Store, slides: Path) -> None:
    cohort = opened.query(cohort="AAA", modalities="patches").take(np.arange(0))
    with pytest.raises(StudyError, match="no training row has a slide"):
        find_axis(cohort, SlideSettings(), 0)
