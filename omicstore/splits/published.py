"""Folds that others have published: who trains and who is tested, from the files as they lie."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SplitError, UnknownNameError, UsageError
from omicstore.identifiers import find_barcode
from omicstore.splits.sharing import shared_sites

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ORIGINS", "Published", "is_published", "read_published"]

#: Where published folds come from, and what their files are.
ORIGINS: dict[str, str] = {
    "survpath": "a folder of splits_0.csv ... with the columns train and val",
    "mcat": "a folder of splits_0.csv ... with the columns train and val",
    "preserved-site-cv": "a CSV of slides with the columns submitter_id and CV..., which hold the number of the fold",
}

_NUMBERED = re.compile(r"splits_(\d+)\.csv")
_COLUMN = re.compile(r"CV\d+_.+")
_PERSON = "submitter_id"


@dataclass(frozen=True, slots=True)
class Published:
    """Published folds.

    Attributes
    ----------
    origin
        One of `ORIGINS`.
    name
        Of the folds, for people: the folder, or the column.
    rows
        fold, patient_id, site (null where the id is no barcode), part (``train`` or ``test``: what the publication
        calls val is what it reports); sorted and without duplicates.
    files
        name and sha256 of each file.
    """

    origin: str
    name: str
    rows: pl.DataFrame
    files: tuple[dict[str, str], ...]

    @property
    def k(self) -> int:
        """How many folds."""
        return int(self.rows["fold"].n_unique())

    @property
    def patients(self) -> tuple[str, ...]:
        """Everybody whom a fold names, sorted."""
        return tuple(self.rows["patient_id"].unique().sort().to_list())

    @property
    def keeps_sites(self) -> bool:
        """Whether sites are known and none is on both sides of a fold."""
        sited = self.rows.drop_nulls("site")
        return not sited.is_empty() and not any(s.n_shared for s in shared_sites(sited))

    def with_sites(self, sites: pl.DataFrame) -> Published:
        """Return the folds with the sites that a store knows (patient_id, site), where the ids name none."""
        known = sites.drop_nulls().unique("patient_id", keep="first", maintain_order=True)
        known = known.select("patient_id", known="site")
        rows = self.rows.join(known, on="patient_id", how="left", maintain_order="left")
        return replace(self, rows=rows.with_columns(site=pl.coalesce("site", "known")).drop("known"))


def is_published(path: Path) -> bool:
    """Tell whether a path looks like published folds, by its names alone."""
    if path.is_dir():
        return not (path / "manifest.json").exists() and any(_NUMBERED.fullmatch(p.name) for p in path.iterdir())
    return path.is_file() and path.suffix == ".csv"


def read_published(path: Path, origin: str | None = None, column: str | None = None) -> list[Published]:
    """Read published folds.

    Parameters
    ----------
    path
        A folder of numbered files, one of them, or a file of columns.
    origin
        One of `ORIGINS`; None takes what the columns say.
    column
        Of a file with several sets of folds, the one to read; all where absent.

    Returns
    -------
    list of Published
        One, or as many as the file has columns of folds.

    Raises
    ------
    UnknownNameError
        If there is no such origin or column; names the nearest.
    SplitError
        If the files are no such folds.
    """
    if origin is not None and origin not in ORIGINS:
        raise UnknownNameError("kind of published folds", origin, ORIGINS, run=f"--from {'|'.join(ORIGINS)}")
    if not path.exists():
        raise SplitError(f"{path} does not exist", expected=ORIGINS.get(origin or "", "published folds"))
    if path.is_dir():
        files = sorted((p for p in path.iterdir() if _NUMBERED.fullmatch(p.name)), key=lambda p: (_number(p), p.name))
        if not files:
            found = f"{path} is a folder without splits_0.csv, splits_1.csv and so on"
            raise SplitError(found, expected=_expected(origin))
        frames = {p: _read(p, origin) for p in files}
    else:
        frames = {path: _read(path, origin)}
    first = next(iter(frames.values()))[0]
    if _PERSON in first.columns and origin not in ("survpath", "mcat"):
        return _columns(path, *next(iter(frames.values())), column)
    if column is not None:
        raise UsageError(f"{path.name} has no columns of folds to choose from", run="leave --column out")
    rows, described = [], []
    for number, (file, (frame, sha256)) in enumerate(frames.items()):
        for theirs, ours in (("train", "train"), ("val", "test")):
            people = frame[theirs].str.strip_chars().replace("", None).drop_nulls()
            if people.is_empty():
                raise SplitError(f"{file} names nobody in {theirs}", expected=_expected(origin))
            rows.append(_rows(people, number, ours))
        described.append({"name": file.name, "sha256": sha256})
    return [_published(origin or "survpath", path.stem if path.is_file() else path.resolve().name, rows, described)]


def _columns(path: Path, frame: pl.DataFrame, sha256: str, column: str | None) -> list[Published]:
    there = [c for c in frame.columns if _COLUMN.fullmatch(c)]
    if column is not None and column not in there:
        raise UnknownNameError(f"column of folds in {path.name}", column, there)
    found = []
    for name in there if column is None else [column]:
        held = frame.select(person=_PERSON, value=pl.col(name).str.strip_chars().replace("", None)).drop_nulls()
        values = sorted(held["value"].unique().to_list(), key=lambda v: (len(v), v))
        if len(values) < 2:
            raise SplitError(f"{path}, column {name} has {len(values)} folds", expected="at least two")
        rows = [
            _rows(held.filter((pl.col("value") == value) == own)["person"], fold, part)
            for fold, value in enumerate(values)
            for own, part in ((True, "test"), (False, "train"))
        ]
        found.append(_published("preserved-site-cv", name, rows, [{"name": path.name, "sha256": sha256}]))
    return found


def _rows(people: pl.Series, fold: int, part: str) -> pl.DataFrame:
    codes = [(text, find_barcode(text)) for text in people.unique().sort().to_list()]
    return pl.DataFrame(
        {
            "fold": [fold] * len(codes),
            "patient_id": [text if code is None else code.patient_id for text, code in codes],
            "site": [None if code is None else code.site for _, code in codes],
            "part": [part] * len(codes),
        },
        schema={"fold": pl.Int64, "patient_id": pl.String, "site": pl.String, "part": pl.String},
    )


def _published(origin: str, name: str, rows: list[pl.DataFrame], files: list[dict[str, str]]) -> Published:
    return Published(origin, name, pl.concat(rows).unique().sort("fold", "patient_id", "part"), tuple(files))


def _read(path: Path, origin: str | None) -> tuple[pl.DataFrame, str]:
    try:
        content = path.read_bytes()
        frame = pl.read_csv(io.BytesIO(content), infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise SplitError(f"{path} cannot be read: {reason}", expected=_expected(origin)) from error
    columns = set(frame.columns)
    tabled = {"train", "val"} <= columns
    slides = _PERSON in columns and any(_COLUMN.fullmatch(c) for c in columns)
    fits = {None: tabled or slides, "preserved-site-cv": slides}.get(origin, tabled)
    if not fits:
        raise SplitError(f"{path} has the columns {_names(frame)}", expected=_expected(origin))
    return frame, hashlib.sha256(content).hexdigest()


def _expected(origin: str | None) -> str:
    return ORIGINS[origin] if origin else " or ".join(dict.fromkeys(ORIGINS.values()))


def _names(frame: pl.DataFrame) -> str:
    shown = [c or "''" for c in frame.columns[:6]]
    return ", ".join(shown) + (f" and {frame.width - 6} more" if frame.width > 6 else "")


def _number(path: Path) -> int:
    found = _NUMBERED.fullmatch(path.name)
    return int(found[1]) if found else 0
