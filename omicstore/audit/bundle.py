"""Everything that an audit reads: each file once, when it is first asked for, and believed in nothing.

What is absent is None or empty, so that a check can say that it could not be made. Checks read through a `Bundle` alone
and never change what it gives out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.reading import BROKEN, at, json_object
from omicstore.errors import OmicstoreError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Bundle", "Matrix", "State"]

PARTS = ("train", "val", "test")

#: Digits of a release id in the name of its file.
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Matrix:
    """The stored numbers of one modality of one cohort.

    Attributes
    ----------
    sample_ids, profile_ids
        (n,) whose rows they are, in the order of the file.
    features
        (F,) feature ids, in the order of the columns.
    values
        (n, F) float32 in the unit that ``store.json`` names, NaN where missing.
    """

    sample_ids: list[str]
    profile_ids: list[str]
    features: list[str]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class State:
    """What a transform learned, as its two files have it: ``body`` of the JSON, ``arrays`` of the safetensors."""

    path: Path
    body: dict[str, Any]
    arrays: dict[str, NDArray[np.float32]]


class Bundle:
    """What is audited, and what it rests on.

    Parameters
    ----------
    target
        A split (its folder or manifest.json) or a trained model (its folder or sidecar.json).
    store
        The store's folder; by default ``data/store`` of the study that `target` lies in.

    Attributes
    ----------
    target
        As given.
    study
        The folder with params.yaml above the target; None where there is none.
    checkpoint
        The trained model's folder; None where a split is audited.
    split
        The split's folder; None where the model's split is not there.
    store
        The store's folder; None where there is none.

    Raises
    ------
    OmicstoreError
        If `target` is neither a split nor a trained model.
    """

    def __init__(self, target: Path, store: Path | None = None) -> None:
        self.target = target
        folder = target if target.is_dir() else target.parent
        if not (folder / "sidecar.json").is_file() and not (folder / "manifest.json").is_file():
            raise OmicstoreError(
                f"{target} is neither a split nor a trained model",
                expected="a folder with manifest.json (splits/NAME) or sidecar.json (artifacts/MODEL)",
                run="omicstore split make, or omicstore train",
            )
        self.study = next((f for f in folder.absolute().parents if (f / "params.yaml").is_file()), None)
        self.checkpoint = folder if (folder / "sidecar.json").is_file() else None
        self.split = self._split_folder() if self.checkpoint else folder
        usual = self.study / "data" / "store" if self.study else None
        if store is not None and not (store / "store.json").is_file():
            raise OmicstoreError(
                f"{store} holds no store", expected=f"{store / 'store.json'}", run="omicstore build, or another --store"
            )
        self.store = store or (usual if usual and (usual / "store.json").is_file() else None)

    def _split_folder(self) -> Path | None:
        name = at(self.sidecar, "split", "name")
        folder = self.study / "splits" / name if self.study and isinstance(name, str) else None
        return folder if folder and (folder / "manifest.json").is_file() else None

    # -- the trained model

    @cached_property
    def sidecar(self) -> dict[str, Any] | None:
        """What sidecar.json says."""
        return json_object(self.checkpoint and self.checkpoint / "sidecar.json")

    @cached_property
    def states(self) -> list[State]:
        """The fitted states that the sidecar names, as far as they are there and can be read."""
        if self.checkpoint is None:
            return []
        paths = [self.checkpoint / str(at(entry, "path")) for entry in at(self.sidecar, "states") or []]
        return [found for path in paths if (found := _state(path)) is not None]

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """The losses per epoch that training wrote."""
        found = _json(self.checkpoint and self.checkpoint / "history.json")
        return found if isinstance(found, list) else []

    @cached_property
    def reported(self) -> dict[str, Any] | None:
        """What reports/evaluation.json of the study says, of whatever model."""
        return json_object(self.study and self.study / "reports" / "evaluation.json")

    @cached_property
    def evaluation(self) -> dict[str, Any] | None:
        """What reports/evaluation.json says, if it speaks of this model."""
        model = at(self.sidecar, "model")
        return self.reported if model and at(self.reported, "trained", "model") == model else None

    # -- the split

    @cached_property
    def manifest(self) -> dict[str, Any] | None:
        """What manifest.json says."""
        return json_object(self.split and self.split / "manifest.json")

    @cached_property
    def assignments(self) -> pl.DataFrame:
        """sample_id, patient_id, group_id, site, cohort, fold, part; of all folds."""
        found = _parquet(self.split and self.split / "assignments.parquet")
        names = ("sample_id", "patient_id", "group_id", "site", "cohort", "part")
        schema = dict.fromkeys(names, pl.String) | {"fold": pl.Int64}
        whole = found is not None and all(found.schema.get(name) == dtype for name, dtype in schema.items())
        return found if found is not None and whole else pl.DataFrame(schema=schema)

    @cached_property
    def edges(self) -> pl.DataFrame | None:
        """The identity graph's edges as the split stores them."""
        return _parquet(self.split and self.split / "identity.parquet")

    @cached_property
    def folds(self) -> list[int]:
        """The folds to judge: the model's own, or all of the split."""
        if isinstance(own := at(self.sidecar, "split", "fold"), int):
            return [own]
        return sorted(self.assignments["fold"].unique().to_list())

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The assignments of `folds`."""
        return self.assignments.filter(pl.col("fold").is_in(self.folds))

    @cached_property
    def test_reads(self) -> list[dict[str, Any]]:
        """The log of reads of test parts, oldest first; lines that are no JSON come as ``{"unreadable": line}``."""
        path = self.split and self.split / "test_reads.jsonl"
        return _lines(path) if path and path.is_file() else []

    # -- the store

    @cached_property
    def current(self) -> dict[str, Any] | None:
        """What store.json says now."""
        return json_object(self.store and self.store / "store.json")

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The store.json of the release that the split or the model names: as it is now, or as it was released."""
        named = self.named_release
        if self.current is not None and (named is None or self.current.get("release") == named):
            return self.current
        for folder in self._registries() if named else []:
            entry = json_object(folder / f"{str(named)[:_DIGITS]}.json")
            if at(entry, "release") == named and isinstance(held := at(entry, "store"), dict):
                return held
        return None

    @property
    def named_release(self) -> str | None:
        """The release id that the split names, or else the model."""
        for release in (at(self.manifest, "release", "id"), at(self.sidecar, "release")):
            if isinstance(release, str):
                return release
        return None

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """What was released and retracted, oldest first, as releases/log.jsonl has it."""
        logs = (folder / "log.jsonl" for folder in self._registries())
        return next((_lines(path) for path in logs if path.is_file()), [])

    def _registries(self) -> list[Path]:
        return [f / "releases" for f in (self.study, self.store) if f is not None]

    def table(self, name: str) -> pl.DataFrame | None:
        """Return a catalogue table: patients, outcomes, labels, profiles or provenance; None where it is not there."""
        if name not in self._tables:
            path = at(self.body, "tables", name)
            self._tables[name] = _parquet(self.store / path) if self.store and path else None
        return self._tables[name]

    @cached_property
    def _tables(self) -> dict[str, pl.DataFrame | None]:
        return {}

    @property
    def matrices(self) -> list[tuple[str, str]]:
        """(cohort, modality) of every matrix, sorted."""
        held = at(self.body, "matrices") or {}
        return sorted((cohort, modality) for cohort, own in held.items() for modality in own)

    def matrix(self, cohort: str, modality: str) -> Matrix | None:
        """Return the stored numbers; None where the file is not there. Not kept: ask once."""
        entry = at(self.body, "matrices", cohort, modality)
        if entry is None or self.store is None:
            return None
        axis = _parquet(self.store / entry["features"])
        rows = _arrow(self.store / entry["values"])
        if axis is None or rows is None:
            return None
        flat = rows.column("values").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        values = np.asarray(flat, np.float32).reshape(rows.num_rows, -1)
        sample_ids, profile_ids = (rows.column(name).to_pylist() for name in ("sample_id", "profile_id"))
        return Matrix(sample_ids, profile_ids, axis["feature_id"].to_list(), values)

    def axis(self, cohort: str, modality: str) -> pl.DataFrame | None:
        """Return the features of a matrix with what is known of each; None where the file is not there."""
        entry = at(self.body, "matrices", cohort, modality)
        return _parquet(self.store / entry["features"]) if entry and self.store else None

    def features(self, cohort: str, modality: str) -> list[str]:
        """Return the feature ids of a matrix, in the order of its columns; none where they cannot be read."""
        entry = at(self.body, "matrices", cohort, modality)
        axis = _parquet(self.store / entry["features"]) if entry and self.store else None
        return [] if axis is None or "feature_id" not in axis.columns else axis["feature_id"].to_list()

    def symbols(self, cohort: str, modality: str) -> dict[str, str]:
        """Return feature id to symbol, for the features of a matrix that have one."""
        axis = self.axis(cohort, modality)
        if axis is None or "symbol" not in axis.columns:
            return {}
        return dict(axis.filter(pl.col("symbol").is_not_null()).select("feature_id", "symbol").iter_rows())

    def matrix_samples(self, cohort: str, modality: str) -> list[str]:
        """Return whose rows a matrix has, in the order of the file; none where it cannot be read."""
        entry = at(self.body, "matrices", cohort, modality)
        rows = _arrow(self.store / entry["values"], ["sample_id"]) if entry and self.store else None
        return [] if rows is None else list(rows.column("sample_id").to_pylist())

    def unit(self, cohort: str, modality: str) -> str | None:
        """Return the unit of a matrix."""
        unit = at(self.body, "matrices", cohort, modality, "unit")
        return None if unit is None else str(unit)

    def reports(self, cohort: str) -> pl.DataFrame | None:
        """Return a cohort's report texts: patient_id, sample_id, text, ...; None where it has none."""
        path = at(self.body, "reports", cohort)
        return _parquet(self.store / path) if self.store and path else None

    # -- the study

    @cached_property
    def params(self) -> dict[str, Any]:
        """What the split says of its making (``params`` of the manifest); empty where it says nothing."""
        return at(self.manifest, "params") or {}


def _json(path: Path | None) -> Any:
    if path is None or not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _lines(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in path.read_bytes().splitlines():
        try:
            body = json.loads(line)
        except ValueError:
            body = None
        found.append(body if isinstance(body, dict) else {"unreadable": line.decode("utf-8", "replace")})
    return found


def _parquet(path: Path | None) -> pl.DataFrame | None:
    if path is None or not path.is_file():
        return None
    try:
        return pl.read_parquet(path, hive_partitioning=False, glob=False)
    except BROKEN:
        return None


def _arrow(path: Path, columns: list[str] | None = None) -> Any:
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read(columns)
    except BROKEN:
        return None


def _state(path: Path) -> State | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    body = _json(path)
    if not isinstance(body, dict):
        return None
    try:
        return State(path, body, load_file(path.with_suffix(".safetensors")))
    except (OSError, SafetensorError):
        return None
