"""Reads that name a split: held-out rows come out only through what was fitted on that fold's training rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import LeakageError, SplitError, UnknownNameError, UsageError
from omicstore.store.fitted import FittedState, check_covered, check_rows, check_state
from omicstore.store.openings import TEST_READS, append_opening
from omicstore.store.splitfile import PARTS, body_hash, frame_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.store.openings import Opening
    from omicstore.store.reader import Store

__all__ = ["FittedState", "SplitRead", "open_split"]


@dataclass(frozen=True, slots=True)
class SplitRead:
    """A read of one part of one fold, allowed.

    Attributes
    ----------
    folder
        The split's folder.
    manifest_hash, fold, part
        Which rows.
    assigned
        cohort and sample_id of these rows.
    state
        What the numbers go through; None only for raw training rows.
    """

    folder: Path
    manifest_hash: str
    fold: int
    part: str
    assigned: pl.DataFrame
    state: FittedState | None

    def admit(self, modalities: Sequence[str]) -> None:
        """Raise `LeakageError` unless the rows of these modalities may come out: through the state, or as it allows."""
        check_state(
            self.state, where=self.folder.name, manifest_hash=self.manifest_hash, fold=self.fold, part=self.part
        )
        if self.state is not None:
            check_covered(self.state, modalities, where=self.folder.name)

    def log(self, store: Store, modalities: Sequence[str], n_samples: int) -> Opening | None:
        """Record that test rows were read, and what for: how often a test part is read is a leak of its own.

        The reader is what the state says of itself in an attribute ``reader``, else the state's type. The log's format
        is that of `omicstore.store.openings`.

        Returns
        -------
        Opening or None
            Where it is recorded; None for other parts, which are not.

        Raises
        ------
        LeakageError
            If it cannot be recorded.
        """
        if self.part != "test":
            return None
        line = {
            "release": store.release, "manifest_hash": self.manifest_hash, "fold": self.fold,
            "modalities": list(modalities), "n_samples": n_samples,
            "reader": getattr(self.state, "reader", "") or type(self.state).__qualname__,
        }  # fmt: skip
        path = self.folder / TEST_READS
        try:
            return append_opening(path, line)
        except OSError as error:
            raise LeakageError(
                f"the test part of {self.folder.name} is not read, since that cannot be recorded: "
                f"{error.strerror or error}",
                expected=f"{path} to be writable",
                run=f"make {self.folder} writable, or read a copy of the split",
            ) from error


def open_split(
    store: Store, split: str | Path, fold: int | None, part: str | None, state: FittedState | None
) -> SplitRead:
    """Return the rows of a part, if the caller may have them.

    Parameters
    ----------
    store
        The open store.
    split
        A folder with manifest.json and assignments.parquet, or a name of one in the study's ``splits/``.
    fold, part
        Which rows.
    state
        What was fitted on the training rows of that fold.

    Raises
    ------
    UsageError
        If fold or part is not named.
    SplitError
        If there is no such split, or it was made on another release.
    LeakageError
        If held-out rows are asked for and `state` is absent, or if it was fitted elsewhere or on rows that are not
        training rows of this fold, or does not say on which; or if a person is in two parts.
    """
    folder = _folder(store, split)
    manifest = _manifest(folder)
    part = part.strip().lower() if isinstance(part, str) else part
    if fold is None or part is None:
        raise UsageError(
            f"the split {folder.name} is named without {'fold' if fold is None else 'part'}",
            run="--fold 0 --part train",
        )
    if part not in PARTS:
        raise UnknownNameError("part", str(part), PARTS, run=f"choose from {', '.join(PARTS)}")
    fold = _whole(fold)
    if (made_on := _release(manifest)) != store.release:
        raise SplitError(
            f"the split {folder.name} was made on release {made_on[:12]}, this store is {store.release[:12]}",
            run="omicstore split make (or dvc repro) makes it again",
        )
    _refuse_stale(folder, manifest)
    crossed = _for_price_list(folder, manifest)
    check_state(state, where=folder.name, manifest_hash=manifest["manifest_hash"], fold=fold, part=part)
    rows = _assignments(folder, manifest["assignments_hash"])
    folds = sorted(rows["fold"].unique().to_list())
    if fold not in folds:
        raise UnknownNameError(f"fold of {folder.name}", str(fold), [str(f) for f in folds])
    rows = rows.filter(pl.col("fold") == fold)
    _refuse_crossing(folder, rows, ["sample_id"] if crossed else ["sample_id", "patient_id", "group_id"])
    if state is not None:
        check_rows(state, rows.filter(pl.col("part") == "train")["sample_id"], where=folder.name)
    assigned = rows.filter(pl.col("part") == part).select("cohort", "sample_id")
    return SplitRead(folder, manifest["manifest_hash"], fold, part, assigned, state)


def _whole(fold: object) -> int:
    """Return a fold as an int: NumPy's whole numbers are as good."""
    try:
        if not isinstance(fold, bool):
            return index(fold)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise UsageError(f"the fold is {fold!r}", expected="a whole number, counted from 0")


def _folder(store: Store, split: str | Path) -> Path:
    if not isinstance(split, str | Path) or not str(split).strip():
        raise UsageError(f"the split is {split!r}", expected="the name or the folder of a split", run="--split NAME")
    named = Path(split)
    candidates = [named.parent if named.name == "manifest.json" else named]
    if store.files.local is not None:  # <study>/data/store
        candidates.append(store.files.local.absolute().parent.parent / "splits" / named)
    # An export has a manifest.json as well, but no assignments.
    for name in ("assignments.parquet", "manifest.json"):
        for folder in candidates:
            if (folder / name).is_file():
                return folder
    there = sorted({p.parent.name for c in candidates for p in c.parent.glob("*/assignments.parquet")})
    raise SplitError(
        f"there is no split {str(split)!r}" + (f"; there are {', '.join(there)}" if there else ""),
        expected=f"manifest.json in {candidates[-1]}",
        run="omicstore split make",
    )


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        body = json.loads((folder / "manifest.json").read_bytes())
        made = str(body["manifest_hash"])
        body["assignments_hash"], body["release"]["id"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SplitError(f"{folder}/manifest.json is not a split manifest", run="omicstore split make") from None
    if body_hash(body) != made:
        raise _changed(folder / "manifest.json", "manifest_hash")
    return dict(body)


def _assignments(folder: Path, expected: str) -> pl.DataFrame:
    """Return the rows of a split, if they are those that its manifest was made with."""
    path = folder / "assignments.parquet"
    try:
        rows = pl.read_parquet(path)
    except (OSError, pl.exceptions.ComputeError):
        raise SplitError(
            f"{path} cannot be read", expected="the rows that manifest.json seals", run="omicstore split make"
        ) from None
    if frame_hash(rows) != expected:
        raise _changed(folder / "assignments.parquet", "assignments_hash")
    return rows


def _for_price_list(folder: Path, manifest: dict[str, Any]) -> bool:
    """Tell whether people may cross the split: rows drawn at random show what that is worth, and serve nothing else."""
    strategy = manifest.get("strategy")
    if not isinstance(strategy, dict) or strategy.get("name") != "random":
        return False
    if strategy.get("price_list") is not True:
        raise LeakageError(
            f"the split {folder.name} deals rows out at random, whoever they are of",
            expected="a split of whole people; random rows are read for the price list alone",
            run="change split.strategy in params.yaml, or set split.price_list: true for the price list",
        )
    return True


def _refuse_stale(folder: Path, manifest: dict[str, Any]) -> None:
    """Raise if this is an inner split of an outer one that was made again: it may hold whom the outer one tests now."""
    wanted = [p["manifest_hash"] for p in manifest.get("parents", []) if p.get("kind") == "outer_split"]
    outer = folder.absolute().parent.parent
    if wanted and (outer / "manifest.json").is_file() and _manifest(outer)["manifest_hash"] not in wanted:
        raise SplitError(
            f"the inner split {folder.name} of {outer.name} was made of another {outer.name} than is there now",
            expected=f"the outer split {wanted[0][:12]}",
            run="omicstore split make makes both again",
        )


def _refuse_crossing(folder: Path, rows: pl.DataFrame, columns: Sequence[str]) -> None:
    """Raise if a fold has a sample, a patient or an identity group in two parts: hashes seal wrong rows as well."""
    for column in columns:
        parts = rows.group_by(column).agg(pl.col("part").n_unique()).filter(pl.col("part") > 1)[column].sort()
        if len(parts):
            raise LeakageError(
                f"{column} {parts[0]} is in two parts of one fold of {folder.name}"
                + (f", and {len(parts) - 1} more" if len(parts) > 1 else ""),
                expected="each person in one part of a fold",
                run="omicstore split make",
            )


def _changed(path: Path, name: str) -> SplitError:
    return SplitError(
        f"{path} was changed after it was made: it does not have its {name}",
        expected="the split as it was made",
        run="dvc checkout, or omicstore split make",
    )


def _release(manifest: dict[str, Any]) -> str:
    release = manifest.get("release")
    return str(release.get("id") if isinstance(release, dict) else release)
