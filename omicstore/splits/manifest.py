"""``omicstore.split/1``: a split on disk, and its hash."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SplitError, UnknownNameError
from omicstore.files import canonical_json, write_if_changed
from omicstore.splits.edges import EDGES, STRUCK
from omicstore.splits.placing import ASSIGNMENTS
from omicstore.store.splitfile import PARTS, body_hash

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILES", "FORMAT", "Manifest", "load", "read"]

FORMAT = "omicstore.split/1"

#: What a split is on disk.
FILES = ("manifest.json", "assignments.parquet", "identity.parquet")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A split: who is in which part of which fold, from what, and what was checked.

    Attributes
    ----------
    body
        The content of manifest.json.
    assignments
        sample_id, patient_id, group_id, site, cohort, fold, part: one row per sample and fold.
    edges
        kind, left, right, evidence: the identity graph that the groups come from; and struck, the reason why an edge
        joins nobody, where any is struck out.
    """

    body: dict[str, Any]
    assignments: pl.DataFrame
    edges: pl.DataFrame

    @property
    def name(self) -> str:
        """The split's name."""
        return str(self.body["name"])

    @property
    def manifest_hash(self) -> str:
        """The sha256 of the canonical body, as the manifest states it."""
        return str(self.body["manifest_hash"])

    @property
    def release(self) -> str:
        """The release id of the store that was split."""
        return str(self.body["release"]["id"])

    @property
    def k(self) -> int:
        """The number of folds, of all rounds."""
        return int(self.body["strategy"]["k"]) * int(self.body["strategy"]["repeats"])

    def part(self, fold: int, part: str) -> list[str]:
        """Return the sample ids of a part of a fold, sorted.

        Raises
        ------
        UnknownNameError
            If there is no such fold or part.
        """
        if part not in PARTS:
            raise UnknownNameError("part", part, PARTS)
        if fold not in range(self.k):
            raise UnknownNameError("fold", str(fold), [str(f) for f in range(self.k)])
        rows = self.assignments.filter((pl.col("fold") == fold) & (pl.col("part") == part))
        return rows["sample_id"].unique().sort().to_list()

    def write(self, out: Path) -> None:
        """Write manifest.json, assignments.parquet and identity.parquet under `out`; manifest.json last.

        Files whose bytes are there already are left as they are.
        """
        out.mkdir(parents=True, exist_ok=True)
        write_if_changed(out / "assignments.parquet", _parquet(self.assignments))
        write_if_changed(out / "identity.parquet", _parquet(self.edges))
        write_if_changed(out / "manifest.json", canonical_json(self.body))


def load(path: Path) -> Manifest:
    """Read a split and verify that it is what its hash says.

    Parameters
    ----------
    path
        The split's folder, or the manifest.json in it.

    Raises
    ------
    SplitError
        If there is none, it is in another format, or its content does not have its hash.
    """
    manifest = read(path)
    if body_hash(manifest.body) != manifest.body.get("manifest_hash"):
        raise SplitError(
            f"{path} was changed after it was made: its content does not have its manifest_hash",
            expected=str(manifest.body.get("manifest_hash")),
            run="omicstore split make",
        )
    from omicstore.splits.verify import broken_rows

    for sentence in broken_rows(manifest):
        raise SplitError(
            f"{path} was changed after it was made: {sentence}", expected="the rows as made", run="omicstore split make"
        )
    return manifest


def read(path: Path) -> Manifest:
    """Read a split as it lies, whatever its hashes say; for `omicstore.splits.verify`."""
    folder = path.parent if path.name == "manifest.json" else path
    for name in FILES:
        if not (folder / name).is_file():
            raise SplitError(f"{folder / name} does not exist", expected="a split's folder", run="omicstore split make")
    try:
        body = json.loads((folder / "manifest.json").read_bytes())
        assignments = pl.read_parquet(folder / "assignments.parquet")
        edges = pl.read_parquet(folder / "identity.parquet")
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise SplitError(
            f"{folder} cannot be read: {str(error).splitlines()[0]}", expected="a split", run="omicstore split make"
        ) from error
    found = body.get("format") if isinstance(body, dict) else None
    if found != FORMAT:
        raise SplitError(
            f"{folder / 'manifest.json'} has the format {found!r}", expected=FORMAT, run="omicstore split make"
        )
    kinds = EDGES | {STRUCK: pl.String} if STRUCK in edges.columns else EDGES
    for frame, columns, name in ((assignments, ASSIGNMENTS, FILES[1]), (edges, kinds, FILES[2])):
        if frame.schema != pl.Schema(columns):
            raise SplitError(
                f"{folder / name} has the columns {', '.join(frame.columns)}",
                expected=", ".join(f"{c} ({t})" for c, t in columns.items()),
                run="omicstore split make",
            )
    return Manifest(body, assignments, edges)


def _parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream, compression="lz4", statistics=False)
    return stream.getvalue()
