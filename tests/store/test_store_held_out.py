"""No public member of a query's result, and no export, gives a held-out row raw: all of them are tried.

A member or a format that is new fails here until it is put where it belongs.
"""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from store_factory import make_cohort, make_patches

import omicstore
from omicstore.errors import LeakageError, UnknownNameError, UsageError
from omicstore.export import EXPORTERS, export
from omicstore.files import canonical_json
from omicstore.store.cohort import Cohort
from omicstore.store.splitfile import body_hash, frame_hash, row_hash
from omicstore.store.writer import assemble

MATRICES, RECORDS = ["rna", "prot"], ["report", "patches"]

#: What stands for every number that went through the state.
THROUGH = -7.5


@dataclass(frozen=True)
class State:
    """Gives one number for whatever it is shown."""

    manifest_hash: str
    fold: int
    fitted_on: tuple[str, ...]
    fitted_on_row_hash: str
    part: str = "train"
    modalities: tuple[str, ...] = ("rna", "prot")
    as_is: tuple[str, ...] = ()

    def features(self, modality):
        return {"rna": ("ENSG00000000000", "ENSG00000000001"), "prot": ("AB000",)}[modality]

    def apply(self, modality, values, feature_ids):
        return np.full((len(values), len(self.features(modality))), THROUGH, np.float32)


def slide(c: Cohort) -> str:
    return c.slides()["slide_id"][0]


#: Members that give numbers of matrices, of records, and neither; and how each is used.
OF_MATRICES: dict[str, Callable[[Cohort], Any]] = {
    "columns": lambda c: [c.columns(m, 0, 30) for m in c.matrices],
    "row_reader": lambda c: [c.row_reader(m).read(np.arange(len(c))[::-1]) for m in c.matrices],
    "blocks": lambda c: [list(c.blocks(m, 500)) for m in c.matrices],
    "take": lambda c: c.take(np.arange(len(c))).to_numpy(),
    "to_anndata": lambda c: [c.to_anndata(m) for m in c.matrices],
    "to_mudata": lambda c: c.to_mudata(),
    "to_numpy": lambda c: [c.to_numpy(), *(c.to_numpy(m) for m in c.matrices)],
    "to_pandas": lambda c: [c.to_pandas(m) for m in c.matrices],
    "to_polars": lambda c: [c.to_polars(m) for m in c.modalities],
    "to_torch": lambda c: c.to_torch(),
}
OF_RECORDS: dict[str, Callable[[Cohort], Any]] = {
    "patches": lambda c: list(c.patches(slide(c))),
    "pick_patches": lambda c: [values for _, values in c.pick_patches({slide(c): [0]}, "features")],
    "prototypes": lambda c: c.prototypes(k=1),
    "report_prototypes": lambda c: c.report_prototypes(k=1),
    "reports": lambda c: [c.reports(), c.reports(redact="subtype")],
    "sentences": lambda c: c.sentences(),
}
OF_NEITHER: dict[str, Callable[[Cohort], Any]] = {
    "clinical": lambda c: c.clinical(),
    "facts": lambda c: [c.facts(m) for m in c.matrices],
    "features": lambda c: [c.features(m) for m in c.matrices],
    "left_out": lambda c: c.left_out,
    "marked": lambda c: c.marked,
    "matrices": lambda c: c.matrices,
    "modalities": lambda c: c.modalities,
    "notes": lambda c: c.notes,
    "opening": lambda c: c.opening,
    "question": lambda c: c.question,
    "samples": lambda c: c.samples,
    "slides": lambda c: c.slides() if "patches" in c.modalities else None,
    "split": lambda c: c.split,
    # Whoever asks the store itself names no split, and gets rows that are marked so.
    "store": lambda c: repr(c.store),
    "summary": lambda c: c.summary(),
    "units": lambda c: c.units,
    "warnings": lambda c: c.warnings,
}
EVERY = OF_MATRICES | OF_RECORDS | OF_NEITHER

#: Formats, the package that each needs, and whether it holds records.
FORMATS = {
    "parquet": ("pyarrow", True),
    "arrow": ("pyarrow", True),
    "csv": ("isal", True),
    "h5ad": ("anndata", False),
    "h5mu": ("mudata", False),
    "npz": ("numpy", False),
    "safetensors": ("safetensors", False),
    "cbioportal": ("isal", False),
    "mae": ("isal", False),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with a cohort that has matrices, reports with vectors, and slides; and a split of it."""
    root = tmp_path_factory.mktemp("held-out")
    data = make_cohort("AAA", seed=3, n_patients=24, modalities=("rna", "prot"), reports=True, missing=0.1)
    n = data.reports.height
    vectors = np.random.default_rng(1).normal(size=(n, 3)).astype(np.float32)
    data.reports = data.reports.with_columns(
        text=pl.Series([f"Zebra tumour of grade Q{i}X." for i in range(n)]),
        encoder=pl.lit("tiny"),
        n_sentences=pl.lit(1, pl.Int64),
        embeddings=pl.Series(vectors.tolist(), dtype=pl.List(pl.Float32)),
    )
    data.patches = make_patches(sorted(data.parts["rna"].rows["sample_id"]), n=1)
    data.write(root / "data/store", "AAA")
    assemble(root / "data/store", ["AAA"], dataset="tiny", simulated=True)
    with omicstore.open(root / "data/store") as store:
        samples = store.samples().filter(sample_type="primary")
        rows = samples.select("sample_id", "patient_id", group_id="patient_id", site="site", cohort="cohort")
        parts = [("train", "train", "val", "test")[i % 4] for i in range(rows.height)]
        rows = rows.with_columns(fold=pl.lit(0, pl.Int64), part=pl.Series(parts))
        rows = pl.concat([rows, rows.with_columns(fold=pl.lit(1, pl.Int64), part=pl.col("part").reverse())])
        body = {"name": "cv", "release": {"id": store.release}, "assignments_hash": frame_hash(rows)}
    (root / "splits/cv").mkdir(parents=True)
    rows.write_parquet(root / "splits/cv/assignments.parquet")
    (root / "splits/cv/manifest.json").write_bytes(canonical_json(body | {"manifest_hash": body_hash(body)}))
    return root


@pytest.fixture
def store(study):
    (study / "splits/cv/test_reads.jsonl").unlink(missing_ok=True)
    with omicstore.open(study / "data/store") as opened:
        yield opened


@pytest.fixture(scope="module")
def state(study):
    rows = pl.read_parquet(study / "splits/cv/assignments.parquet").filter(fold=0, part="train")["sample_id"]
    made = json.loads((study / "splits/cv/manifest.json").read_bytes())["manifest_hash"]
    return State(made, 0, tuple(rows.sort()), row_hash(rows))


def ask(store, part, state=None, modalities=MATRICES, **more):
    return store.query(modalities=modalities, split="cv", part=part, state=state, **{"fold": 0, **more})


def leaves(value: Any) -> Iterator[Any]:
    """Yield every number and every text in what a member gives."""
    kind = type(value).__name__
    if isinstance(value, pl.DataFrame):
        yield from leaves(list(value))
    elif isinstance(value, pl.Series):
        yield from leaves(value.to_list())
    elif kind == "MuData":
        yield from leaves([value.mod, value.obs, value.uns])
    elif kind == "AnnData":
        yield from leaves([value.X, value.obs, value.var, value.uns])
    elif dataclasses.is_dataclass(value):
        yield from leaves([getattr(value, f.name) for f in dataclasses.fields(value)])
    elif hasattr(value, "items"):
        for key, inner in value.items():
            yield from (*leaves(key), *leaves(inner))
    elif hasattr(value, "tolist"):
        yield from leaves(value.tolist())
    elif isinstance(value, list | tuple | set | Iterator):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


class Raw:
    """The numbers and texts of the store as they are."""

    def __init__(self, store, part):
        rows = pl.read_parquet(store.root.parent.parent / "splits/cv/assignments.parquet")
        chosen = rows.filter(fold=0, part=part)["sample_id"].implode()
        whole = store.query(modalities=[*MATRICES, *RECORDS])
        mine = whole.samples["sample_id"].is_in(chosen)
        rows = whole.take(np.flatnonzero(mine.to_numpy()))
        self.matrices = self._sorted(rows.to_numpy())
        self.records = self._sorted([rows.sentences()["features"], rows.to_polars("patches")["features"]])
        self.texts = set(rows.reports()["text"])

    @staticmethod
    def _sorted(found):
        numbers = np.array([v for v in leaves(found) if isinstance(v, float)])
        return np.sort(numbers[np.isfinite(numbers) & (np.abs(numbers) > 1e-3)])

    @staticmethod
    def _among(numbers, known):
        if not len(numbers):
            return False
        near = known[np.clip(np.searchsorted(known, numbers), 1, len(known) - 1)[:, None] - [0, 1]]
        return bool((np.abs(near - numbers[:, None]) <= 1e-6 * np.abs(numbers[:, None])).any())

    def found_in(self, value) -> set[str]:
        """Return what of it is in a result: matrices, records."""
        held = list(leaves(value))
        numbers = np.array([v for v in held if isinstance(v, float) and v == v and abs(v) > 1e-3 and v != round(v, 1)])
        text = "\n".join(v for v in held if isinstance(v, str))
        found = {"matrices"} if self._among(numbers, self.matrices) else set()
        if self._among(numbers, self.records) or any(known in text for known in self.texts):
            found.add("records")
        return found


def test_every_public_member_is_known(store):
    cohort = ask(store, "train")
    assert {name for name in (*dir(cohort), *vars(cohort)) if not name.startswith("_")} == set(EVERY)
    assert not set(OF_MATRICES) & set(OF_RECORDS)
    assert set(FORMATS) == set(EXPORTERS)


@pytest.mark.parametrize("name", EVERY)
def test_on_training_rows_it_shows_what_it_reads(store, name):
    """The other tests can find what they look for."""
    for package in ("anndata", "mudata", "pandas", "torch", "sklearn"):
        pytest.importorskip(package)
    raw = Raw(store, "train")
    found = raw.found_in(EVERY[name](ask(store, "train", modalities=[*MATRICES, *RECORDS])))
    expected = {"matrices"} if name in OF_MATRICES else {"records"} if name in OF_RECORDS else set()
    assert found == ({"matrices", "records"} if name == "to_polars" else expected)


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("name", EVERY)
def test_no_member_gives_a_held_out_row_raw(store, state, name, part):
    for package in ("anndata", "mudata", "pandas", "torch"):
        pytest.importorskip(package)
    raw, cohort = Raw(store, part), ask(store, part, state)
    if name in OF_RECORDS:
        with pytest.raises(UnknownNameError, match="unknown modality of this query"):
            EVERY[name](cohort)
        return
    given = EVERY[name](cohort)
    assert raw.found_in(given) == set()
    if name in OF_MATRICES:
        assert THROUGH in set(leaves(given))
    logged = (store.root.parent.parent / "splits/cv/test_reads.jsonl").exists()
    assert logged == (part == "test" and (name in OF_MATRICES or name == "clinical"))
    assert (cohort.opening is not None) == (logged and name != "take")


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("name", OF_RECORDS)
def test_records_come_as_they_are_where_the_state_says_so(store, state, name, part):
    pytest.importorskip("sklearn")
    raw = Raw(store, part)
    cohort = ask(store, part, replace(state, as_is=("patches", "report")), [*MATRICES, *RECORDS])
    assert raw.found_in(EVERY[name](cohort)) == {"records"}
    assert raw.found_in(cohort.to_numpy()) == set()
    assert (cohort.opening is not None) == (part == "test")


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("modality", RECORDS)
def test_records_that_the_state_does_not_cover_are_refused(store, state, modality, part):
    with pytest.raises(
        LeakageError, match=rf"does not say that {modality} is read as it is.*fit it with as_is=\['{modality}'\]"
    ):
        ask(store, part, state, [modality])
    with pytest.raises(LeakageError, match="does not say that"):
        ask(store, part, state, None)  # all that the store has


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_matrix_that_the_state_does_not_cover_is_refused(store, state, part):
    with pytest.raises(LeakageError, match=r"was not fitted for prot.*a state of prot; this one covers rna"):
        ask(store, part, replace(state, modalities=("rna",)))


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("name", EXPORTERS)
def test_no_export_holds_a_held_out_row_raw(store, state, tmp_path, name, part):
    package, _ = FORMATS[name]
    pytest.importorskip(package)
    raw = Raw(store, part)
    export(ask(store, part, state), name, tmp_path / "out")
    held = list(content(tmp_path / "out"))
    assert raw.found_in(held) == set()
    assert any(v == THROUGH for v in held)
    assert (store.root.parent.parent / "splits/cv/test_reads.jsonl").exists() == (part == "test")


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_export_of_training_rows_is_raw(store, tmp_path, name):
    package, records = FORMATS[name]
    pytest.importorskip(package)
    export(ask(store, "train", modalities=[*MATRICES, *RECORDS]), name, tmp_path / "out")
    found = Raw(store, "train").found_in(list(content(tmp_path / "out")))
    assert found == ({"matrices", "records"} if records else {"matrices"})


def content(folder: Path) -> Iterator[Any]:
    """Yield every number and text in the files of an export; a format that is not known here is an error."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        match path.suffix:
            case ".parquet":
                yield from leaves(pl.read_parquet(path))
            case ".arrow":
                yield from leaves(pl.read_ipc(path))
            case ".npz":
                with np.load(path, allow_pickle=False) as held:
                    yield from leaves([held[name] for name in held])
            case ".safetensors":
                from safetensors.numpy import load_file

                yield from leaves(load_file(path))
            case ".h5ad" | ".h5mu":
                import h5py

                found: list[Any] = []
                with h5py.File(path) as file:
                    file.visititems(
                        lambda _, item, into=found: into.append(item[()]) if hasattr(item, "shape") else None
                    )
                yield from leaves([v.decode() if isinstance(v, bytes) else v for v in found])
            case ".gz" | ".csv" | ".txt" | ".md" | ".json" | ".R":
                data = path.read_bytes()
                text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
                yield text
                yield from map(float, re.findall(r"(?<![\w.-])-?\d+\.\d+(?:e-?\d+)?(?![\w.])", text))
            case _:
                raise AssertionError(f"what is in {path.name}?")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "was asked for without a fitted state"),
        ({"manifest_hash": "f" * 64}, "with a state of manifest ffffffffffff"),
        ({"fold": 1}, "with a state of fold 1"),
        ({"part": "val"}, "with a state of part val"),
        ({"part": "test"}, "with a state of part test"),
        ({"fitted_on": ()}, "was fitted on no row"),
        ({"fitted_on_row_hash": "f" * 64}, "claims rows of hash ffffffffffff and names rows of"),
    ],
)
@pytest.mark.parametrize("part", ["val", "test"])
def test_without_the_right_state_nothing_is_asked(store, state, part, change, message):
    with pytest.raises(LeakageError, match=message):
        ask(store, part, None if change is None else replace(state, **change))


@pytest.mark.parametrize("asked", ["train", "val", "test"])
@pytest.mark.parametrize("seen", ["val", "test", "nobody"])
def test_a_state_that_saw_other_than_training_rows_is_refused(store, state, study, seen, asked):
    rows = pl.read_parquet(study / "splits/cv/assignments.parquet").filter(fold=0)
    other = "SIMU-none" if seen == "nobody" else rows.filter(part=seen)["sample_id"].sort()[0]
    mixed = (*state.fitted_on, other)
    cheat = replace(state, fitted_on=mixed, fitted_on_row_hash=row_hash(mixed))
    with pytest.raises(LeakageError, match=rf"was fitted on {other}, which is no training sample"):
        ask(store, asked, cheat)


def test_a_state_of_some_training_rows_is_let_through(store, state):
    some = state.fitted_on[:3]
    ask(store, "val", replace(state, fitted_on=some, fitted_on_row_hash=row_hash(some))).to_numpy()


@pytest.mark.parametrize("lacking", ["fitted_on", "fitted_on_row_hash", "modalities", "as_is", "features", "apply"])
def test_an_object_that_merely_claims_a_manifest_is_no_state(store, state, lacking):
    names = [
        "manifest_hash",
        "fold",
        "part",
        "fitted_on",
        "fitted_on_row_hash",
        "modalities",
        "as_is",
        "features",
        "apply",
    ]
    forged = type("Forged", (), {name: getattr(state, name) for name in names if name != lacking})()
    with pytest.raises(LeakageError, match=f"does not say its {lacking}"):
        ask(store, "val", forged)


def test_what_decides_is_not_changed_by_accident(store, state):
    cohort = ask(store, "test", state)
    for name in ("store", "question", "modalities", "split", "marked", "opening"):
        with pytest.raises(AttributeError):
            setattr(cohort, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cohort.split.state = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        cohort.question.modalities = ("report",)
    cohort.modalities.append("report")
    with pytest.raises(UnknownNameError):
        cohort.reports()
    cohort.matrices.append("report")
    assert set(leaves(cohort.to_numpy())) == {"rna", "prot", THROUGH}


def test_a_state_that_is_changed_after_the_query_is_seen_at_the_read(store, state):
    class Loose:
        pass

    loose = Loose()
    for name in ("manifest_hash", "fold", "part", "fitted_on", "fitted_on_row_hash", "modalities", "features", "apply"):
        setattr(loose, name, getattr(state, name))
    loose.as_is = ("report",)
    cohort = ask(store, "val", loose, [*MATRICES, "report"])
    loose.as_is = ()
    with pytest.raises(LeakageError, match="does not say that report is read as it is"):
        cohort.reports()
    loose.fold = 1
    with pytest.raises(LeakageError, match="with a state of fold 1"):
        cohort.to_numpy()


def test_copies_hold_to_the_split_and_pickles_are_refused(store, state):
    cohort = ask(store, "test", state)
    again = copy.copy(cohort)
    assert again.split is cohort.split
    assert set(leaves(again.to_numpy("rna"))) == {THROUGH}
    for whole in (copy.deepcopy, lambda c: c.__reduce_ex__(4)):
        with pytest.raises(UsageError, match="pickle what to_numpy"):
            whole(cohort)
