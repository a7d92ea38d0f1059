"""Profiles as they are compared across cohorts: batch by batch, on a log scale, with the batch's offsets taken out."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from omicstore.modalities import MODALITIES
from omicstore.units import LINEAR_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "CONTINUOUS",
    "LEAST_PROFILES",
    "MOST_FEATURES",
    "SKETCH",
    "Batch",
    "MatrixStore",
    "Scale",
    "batches_of",
    "scale_of",
]

#: Where two people with the same numbers cannot be chance. Calls of a few levels (cnv, mut) are often equal.
CONTINUOUS: tuple[str, ...] = tuple(m.name for m in MODALITIES.values() if m.kind == "matrix" and not m.calls)

#: A mean over fewer profiles has too much of each of them in it: of n people, a perfect copy keeps r = sqrt(1 - 1/n).
LEAST_PROFILES = 10

#: Standard deviations beyond which a value counts as this many, so that no single feature makes two profiles alike.
CLIP = 3.0

#: Features of the first look, and the most of the second.
SKETCH, MOST_FEATURES = 2048, 1 << 16

#: A spread up to this is rounding.
FLAT = 1e-6

_BLOCK_BYTES = 8 << 20


class MatrixStore(Protocol):
    """What is read of an open store."""

    @property
    def body(self) -> Mapping[str, Any]:
        """What ``store.json`` says."""

    def table(self, name: str) -> pl.DataFrame:
        """Return a table of the catalogue."""

    def read_table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a table that ``store.json`` names."""

    def matrix(self, path: str) -> Any:
        """Return an open `omicstore.store.matrixfile.MatrixFile`."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Centre and spread of each feature of a batch; row 0 for tumours and cell lines, row 1 for normals.

    Attributes
    ----------
    mean, spread
        (2, n_features) float64; the spread is infinite where a feature tells nothing.
    there
        (n_features,) bool: observed in at least half of the profiles, and not flat.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    there: NDArray[np.bool_]

    def apply(self, x: NDArray[np.floating[Any]], normal: NDArray[np.bool_]) -> None:
        """Standardise rows in place; a missing value stays NaN."""
        for kind in (0, 1):
            mine = normal == bool(kind)
            if mine.any():
                z = x if mine.all() else x[mine]  # in place as long as all rows are of one kind
                z -= self.mean[kind].astype(x.dtype)
                z /= self.spread[kind].astype(x.dtype)
                np.clip(z, -CLIP, CLIP, out=z)
                if z is not x:
                    x[mine] = z

    def of(self, columns: NDArray[np.intp]) -> Scale:
        """Return the scale of some features."""
        return Scale(self.mean[:, columns], self.spread[:, columns], self.there[columns])


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """The profiles of a cohort that one platform measured, in one unit.

    Attributes
    ----------
    store, path
        Where the numbers are.
    cohort, modality, platform, unit
        What makes the batch.
    rows
        (n,) rows in the matrix file, in the order of the sample ids.
    profiles, patients
        (n,) names.
    normal
        (n,) bool: normal tissue, which is centred by itself.
    features
        (f,) up to `MOST_FEATURES` features, as numbers that the batches of a modality share, in the order of the ids;
        those with the lowest hash where there are more.
    columns
        (f,) where they are in the matrix.
    first
        Which of them, up to `SKETCH` of the lowest hash, are looked at first. Two batches thin alike.
    """

    store: MatrixStore
    path: str
    cohort: str
    modality: str
    platform: str | None
    unit: str
    rows: NDArray[np.int64]
    profiles: NDArray[np.str_]
    patients: NDArray[np.str_]
    normal: NDArray[np.bool_]
    features: NDArray[np.intp]
    columns: NDArray[np.intp]
    first: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def key(self) -> tuple[str, str, str]:
        """What sorts the batches of a modality."""
        return self.cohort, self.platform or "", self.unit

    @property
    def title(self) -> str:
        """The cohort, its platform where it is known, and the unit, to tell a person."""
        return f"{self.cohort} ({', '.join(x for x in (self.platform, self.unit) if x)})"

    @property
    def sound(self) -> bool:
        """Whether there are enough profiles to take the batch's own offsets out."""
        return len(self) >= LEAST_PROFILES

    def on_its_scale(self, other: Batch) -> bool:
        """Whether the numbers of another batch can be centred on this one's means: one unit, one platform."""
        return self.sound and (self.unit, self.platform) == (other.unit, other.platform)

    def blocks(
        self, at: NDArray[np.intp], columns: NDArray[np.intp], dtype: type[np.floating[Any]] = np.float64
    ) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield blocks of the rows `at`: which of them, and (rows, columns) numbers; of amounts log2(1 + x)."""
        file = self.store.matrix(self.path)
        picked = self.columns[columns]
        whole = picked.size == file.width
        step = max(1, _BLOCK_BYTES // (4 * file.width))
        for start in range(0, len(at), step):
            part = slice(start, min(len(at), start + step))
            raw = np.empty((part.stop - start, file.width), np.float32)
            file.read(self.rows[at[part]], raw)
            x = (raw if whole else raw[:, picked]).astype(dtype, copy=False)
            if self.unit in LINEAR_UNITS:
                np.log2(np.maximum(x, 0, out=x) + dtype(1), out=x)
            yield part, x

    def scale(self) -> Scale:
        """Return centre and spread of all `features`, read in blocks."""
        everything = self.blocks(np.arange(len(self)), np.arange(self.features.size))
        return scale_of(((x, self.normal[part]) for part, x in everything), self.features.size)


def scale_of(blocks: Iterable[tuple[NDArray[Any], NDArray[np.bool_]]], n_features: int) -> Scale:
    """Return centre and spread of the features of a batch: blocks of rows, and which of them are normal.

    Normals have their own where there are enough of them, and so have tumours; a few are put on the others' scale.
    """
    sums = _Moments(n_features)
    for x, normal in blocks:
        sums.add(x, normal)
    return sums.scale()


class _Moments:
    """Count, mean and squared deviations of the features, of tumours and of normals, added up block by block."""

    def __init__(self, width: int) -> None:
        self._profiles = [0, 0]
        self._n = np.zeros((2, width))
        self._mean = np.zeros((2, width))
        self._squares = np.zeros((2, width))

    def add(self, x: NDArray[np.floating[Any]], normal: NDArray[np.bool_]) -> None:
        for kind in (0, 1):
            own = normal == bool(kind)
            mine = x if own.all() else x[own]
            if len(mine):
                self._profiles[kind] += len(mine)
                missing = np.isnan(mine)
                if missing.any():
                    n = (~missing).sum(axis=0, dtype=np.float64)
                    mean = np.where(missing, 0, mine).sum(axis=0, dtype=np.float64) / np.maximum(n, 1)
                    away = np.where(missing, 0, mine - mean)
                else:
                    n = np.full(mine.shape[1], float(len(mine)))
                    mean = mine.mean(axis=0, dtype=np.float64)
                    away = mine - mean
                self._join(kind, n, mean, np.einsum("ij,ij->j", away, away, dtype=np.float64))

    def _join(self, kind: int, n: NDArray[Any], mean: NDArray[Any], squares: NDArray[Any]) -> None:
        """Join the moments of two sets: Chan, Golub and LeVeque 1983."""
        both = np.maximum(self._n[kind] + n, 1)
        away = mean - self._mean[kind]
        self._squares[kind] += squares + away**2 * self._n[kind] * n / both
        self._mean[kind] += away * n / both
        self._n[kind] += n

    def scale(self) -> Scale:
        enough = [n >= LEAST_PROFILES for n in self._profiles]
        if not any(enough):  # neither is, so that they count as one kind
            self._join(0, self._n[1].copy(), self._mean[1].copy(), self._squares[1].copy())
            base, profiles = [0, 0], [sum(self._profiles), 0]
        else:
            own = 0 if enough[0] else 1
            base, profiles = [0 if enough[0] else own, 1 if enough[1] else own], self._profiles
        n, mean = self._n[base], self._mean[base]
        spread = np.sqrt(self._squares[base] / np.maximum(n, 1))
        least = np.array([[profiles[kind] / 2] for kind in base])
        told: NDArray[np.bool_] = (spread > FLAT) & (n >= least)
        return Scale(mean, np.where(told, spread, np.inf), told[0] | told[1])


def batches_of(store: MatrixStore, modality: str) -> list[Batch]:
    """Return the batches of a modality, sorted; of each sample, the profile whose numbers are stored."""
    entries = {c: held[modality] for c, held in store.body["matrices"].items() if modality in held}
    own = store.table("profiles").filter((pl.col("modality") == modality) & pl.col("chosen").fill_null(value=True))
    people = own.select("cohort", "profile_id", "sample_id", "patient_id", "sample_type", "platform")
    axes = _axes(store, entries)
    found = []
    for cohort, entry in entries.items():
        keys = pl.DataFrame(pl.from_arrow(store.matrix(entry["values"]).keys(["sample_id", "profile_id"])))
        mine = people.filter(pl.col("cohort") == cohort).unique(["sample_id"], keep="first", maintain_order=True)
        # Platforms that are set side by side are in one row, which is then on both of them.
        side_by_side = MODALITIES[modality].side_by_side
        platform = pl.lit(entry["platform"], dtype=pl.String) if side_by_side else pl.col("platform")
        rows = (
            keys.with_row_index("row")
            .join(mine.drop("profile_id"), on="sample_id", how="left", maintain_order="left")
            .with_columns(platform=platform, normal=(pl.col("sample_type") == "normal").fill_null(value=False))
            .sort("sample_id", "profile_id")
        )
        for (where,), part in rows.group_by("platform", maintain_order=True):
            found.append(
                Batch(
                    store,
                    entry["values"],
                    cohort,
                    modality,
                    None if where is None else str(where),
                    entry["unit"],
                    part["row"].to_numpy().astype(np.int64),
                    part["profile_id"].to_numpy().astype(np.str_),
                    part["patient_id"].fill_null("").to_numpy().astype(np.str_),
                    part["normal"].to_numpy().astype(np.bool_),
                    *axes[entry["axis"]],
                )
            )
    return sorted(found, key=lambda batch: batch.key)


def _axes(
    store: MatrixStore, entries: Mapping[str, Any]
) -> dict[str, tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Return for each axis the features that are read, where they are in the matrix, and which are looked at first."""
    paths = {entry["axis"]: entry["features"] for entry in entries.values()}
    read = {axis: store.read_table(path, ["feature_id"])["feature_id"] for axis, path in paths.items()}
    ids = pl.concat(list(read.values())).unique().sort()
    numbers = pl.DataFrame({"feature_id": ids, "number": np.arange(len(ids))})
    found = {}
    for axis, own in read.items():
        order = np.argsort(np.array([zlib.crc32(name.encode()) for name in own], np.uint32), kind="stable")
        kept = np.sort(order[:MOST_FEATURES])
        number = own.to_frame().join(numbers, on="feature_id", maintain_order="left")["number"].to_numpy()
        found[axis] = number.astype(np.intp)[kept], kept, np.searchsorted(kept, np.sort(order[:SKETCH]))
    return found
