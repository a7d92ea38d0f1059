"""Held-out rows come out only through what was fitted on that fold's training rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

import omicstore
from omicstore.errors import LeakageError, SplitError, UnknownNameError, UsageError
from omicstore.files import canonical_json
from omicstore.store.splitfile import body_hash, frame_hash, row_hash


@dataclass(frozen=True)
class State:
    """What a person may hand in: it says all that it must, and multiplies two features by ten."""

    manifest_hash: str
    fold: int
    fitted_on: tuple[str, ...]
    part: str = "train"
    modalities: tuple[str, ...] = ("rna",)
    as_is: tuple[str, ...] = ()

    @property
    def fitted_on_row_hash(self):
        return row_hash(self.fitted_on)

    def apply(self, modality, values, feature_ids):
        return values[:, :2] * 10

    def features(self, modality):
        return ("ENSG00000000000", "ENSG00000000001")


def fitted(split, fold=0, **more):
    """Return a state of the training rows of a fold."""
    rows = split[2].filter((pl.col("fold") == fold) & (pl.col("part") == "train"))
    return State(split[1], fold, tuple(rows["sample_id"].sort()), **more)


def make_split(folder, store, name="cv"):
    """Write a split as specs/splits.md says: by patient, three parts in each of two folds."""
    samples = store.samples().filter(pl.col("cohort").is_in(["AAA", "BBB"]))
    patients = samples["patient_id"].unique().sort().to_list()
    rows = []
    for fold in (0, 1):
        part = {p: ("train", "train", "val", "test")[(i + fold) % 4] for i, p in enumerate(patients)}
        rows.append(
            samples.select("sample_id", "patient_id", group_id="patient_id", site="site", cohort="cohort").with_columns(
                fold=pl.lit(fold, pl.Int64), part=pl.col("patient_id").replace_strict(part)
            )
        )
    assignments = pl.concat(rows).sort("fold", "sample_id")
    return seal(folder / name, assignments, store.release)


def seal(target, assignments, release):
    """Write a split whose hashes are right, whatever its rows are."""
    body = {
        "format": "omicstore.split/1",
        "name": target.name,
        "release": {"id": release},
        "assignments_hash": frame_hash(assignments),
    }
    made = body_hash(body)
    target.mkdir(parents=True, exist_ok=True)
    (target / "manifest.json").write_bytes(canonical_json({**body, "manifest_hash": made}))
    assignments.write_parquet(target / "assignments.parquet")
    return target, made, assignments


@pytest.fixture
def store(tiny_store):
    with omicstore.open(tiny_store) as opened:
        yield opened


@pytest.fixture
def split(tmp_path, store):
    return make_split(tmp_path, store)


def ask(store, split, **kwargs):
    return store.query("AAA", "rna", split=split[0], **{"fold": 0, **kwargs})


def test_train_is_raw(store, split):
    train = ask(store, split, part="train")
    assigned = split[2].filter((pl.col("fold") == 0) & (pl.col("part") == "train"))["sample_id"]
    whole = store.query("AAA", "rna")
    expected = whole.samples["sample_id"].is_in(assigned.implode())
    assert train.samples["sample_id"].to_list() == whole.samples["sample_id"].filter(expected).to_list()
    np.testing.assert_array_equal(train.to_numpy("rna"), whole.to_numpy("rna")[expected.to_numpy()])
    assert train.marked == "split"
    assert train.summary()["split"] == {"name": "cv", "manifest_hash": split[1], "fold": 0, "part": "train"}
    assert whole.marked == whole.summary()["reads"] == "unsplit"


@pytest.mark.parametrize("part", ["val", "test"])
def test_held_out_rows_need_a_state(store, split, part):
    with pytest.raises(
        LeakageError, match=rf"part {part} of split cv was asked for without a fitted state.*fold 0, part train"
    ):
        ask(store, split, part=part)


@pytest.mark.parametrize("part", ["val", "test"])
def test_held_out_rows_come_through_the_state(store, split, part):
    held_out = ask(store, split, part=part, state=fitted(split))
    raw = store.query("AAA", "rna")
    mine = raw.samples["sample_id"].is_in(held_out.samples["sample_id"].implode()).to_numpy()
    assert mine.any()
    np.testing.assert_array_equal(held_out.to_numpy("rna"), raw.to_numpy("rna")[mine][:, :2] * 10)
    assert held_out.features("rna")["symbol"].to_list() == ["GENE0", "GENE1"]
    assert held_out.to_polars("rna").width == 3


def test_train_can_come_through_the_state(store, split):
    train = ask(store, split, part="train", state=fitted(split))
    np.testing.assert_array_equal(train.to_numpy("rna"), ask(store, split, part="train").to_numpy("rna")[:, :2] * 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"manifest_hash": "f" * 64}, "with a state of manifest ffffffffffff"),
        ({"fold": 1}, "with a state of fold 1. Expected fold 0"),
        ({"part": "val"}, "with a state of part val. Expected part train"),
        ({"part": "all"}, "with a state of part all. Expected part train"),
    ],
)
@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_state_of_other_rows_is_refused(store, split, change, message, part):
    with pytest.raises(LeakageError, match=message):
        ask(store, split, part=part, state=replace(fitted(split), **change))


def test_test_reads_are_logged(store, split):
    log = split[0] / "test_reads.jsonl"
    ask(store, split, part="val", state=fitted(split)).to_numpy()
    read = ask(store, split, part="test", state=fitted(split))
    assert not log.exists()
    read.to_numpy()
    read.to_polars("rna")
    ask(store, split, part="test", state=fitted(split)).to_numpy("rna")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0] == {
        "release": store.release, "manifest_hash": split[1], "fold": 0, "modalities": ["rna"], "n_samples": len(read),
        "reader": "State", "previous": "",
    }  # fmt: skip


def test_a_test_read_that_cannot_be_logged_is_refused(store, split):
    (split[0] / "test_reads.jsonl").mkdir()
    read = ask(store, split, part="test", state=fitted(split))
    with pytest.raises(LeakageError, match="the test part of cv is not read, since that cannot be recorded"):
        read.to_numpy("rna")


@pytest.mark.parametrize("column", ["sample_id", "patient_id", "group_id"])
def test_a_sealed_split_that_a_person_crosses_is_refused(store, split, column):
    folder, _, rows = split
    one, other = (
        rows.filter((pl.col("fold") == 0) & (pl.col("part") == p)).row(0, named=True) for p in ("train", "test")
    )
    twice = pl.DataFrame([{**other, column: one[column]}], schema=rows.schema)
    made = seal(folder, pl.concat([rows, twice]), store.release)
    with pytest.raises(LeakageError, match=rf"{column} {one[column]} is in two parts of one fold of cv"):
        ask(store, made, part="train")


def test_changed_rows_are_refused(store, split):
    rows = pl.read_parquet(split[0] / "assignments.parquet")
    rows.with_columns(part=pl.lit("train")).write_parquet(split[0] / "assignments.parquet")
    with pytest.raises(SplitError, match=r"assignments\.parquet was changed after it was made"):
        ask(store, split, part="train")


def test_changed_manifest_is_refused(store, split):
    body = json.loads((split[0] / "manifest.json").read_bytes())
    (split[0] / "manifest.json").write_bytes(canonical_json({**body, "name": "other"}))
    with pytest.raises(SplitError, match=r"manifest\.json was changed after it was made"):
        ask(store, split, part="train")
    (split[0] / "manifest.json").write_text("{}")
    with pytest.raises(SplitError, match="is not a split manifest"):
        ask(store, split, part="train")


def test_split_of_another_release_is_refused(store, tmp_path):
    class Other:
        release = "0" * 64
        samples = store.samples

    made = make_split(tmp_path, Other(), "old")
    with pytest.raises(SplitError, match="the split old was made on release 000000000000, this store is"):
        ask(store, made, part="train")


def test_fold_and_part_must_be_named(store, split):
    with pytest.raises(UsageError, match="is named without part"):
        ask(store, split)
    with pytest.raises(UsageError, match="is named without fold"):
        ask(store, split, part="train", fold=None)
    with pytest.raises(UsageError, match="without a split"):
        store.query("AAA", "rna", fold=0, part="train")
    with pytest.raises(UnknownNameError, match="unknown part 'tst'. Expected one of test"):
        ask(store, split, part="tst")
    with pytest.raises(UnknownNameError, match="unknown fold of cv '7'"):
        ask(store, split, part="train", fold=7)


def test_split_by_name(store, tiny_store):
    target = tiny_store.parent.parent / "splits"
    made = make_split(target, store, "named")
    assert len(store.query("AAA", "rna", split="named", fold=0, part="train")) == len(ask(store, made, part="train"))
    with pytest.raises(SplitError, match="there is no split 'nmed'; there are named"):
        store.query("AAA", "rna", split="nmed", fold=0, part="train")


def test_a_split_that_omicstore_made(store, tmp_path):
    splits = pytest.importorskip("omicstore.splits")
    spec = splits.SplitSpec(name="made", strategy="grouped_kfold", k=3, seed=1, cohorts=("AAA",))
    manifest = splits.make(store, spec, tmp_path / "made")
    train = store.query("AAA", "rna", split=tmp_path / "made", fold=0, part="train")
    assert len(train)
    assert train.summary()["split"]["manifest_hash"] == manifest.manifest_hash


def test_a_fold_of_numpy_and_the_manifests_own_path_are_as_good(store, split):
    train = ask(store, split, part="train")
    again = store.query("AAA", "rna", split=split[0] / "manifest.json", fold=np.int64(0), part="train")
    assert again.samples.equals(train.samples)
    read = ask(store, split, part="test", fold=np.int64(0), state=fitted(split))
    read.to_numpy()
    assert json.loads((split[0] / "test_reads.jsonl").read_text())["fold"] == 0
    for fold in ("0", 0.0, True, np.array([0, 1])):
        with pytest.raises(UsageError, match="a whole number, counted from 0"):
            ask(store, split, part="train", fold=fold)


@pytest.mark.parametrize("state", ["state/0/default.json", {"manifest_hash": "x"}, object()])
def test_what_is_no_state_is_told_by_its_type(store, split, state):
    with pytest.raises(LeakageError, match=f"was asked for with a {type(state).__name__} as its state"):
        ask(store, split, part="val", state=state)
