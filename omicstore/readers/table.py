"""What every reader returns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl
    from numpy.typing import NDArray

    from omicstore.sources import Source

__all__ = ["Blocks", "Drops", "RawTable"]


@dataclass(slots=True)
class Drops:
    """What was left out, why, and a few examples.

    Examples
    --------
    >>> drops = Drops()
    >>> drops.add("no gene", ["?|100134869", "?|10431"])
    >>> drops.counts["no gene"], drops.examples["no gene"]
    (2, ['?|100134869', '?|10431'])
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, names: list[str], *, count: int | None = None, keep: int = 50) -> None:
        """Count `names` (or `count` of them) under a reason and keep the first few as examples."""
        number = len(names) if count is None else count
        if number:
            self.counts[reason] += number
            kept = self.examples.setdefault(reason, [])
            kept.extend(names[: keep - len(kept)])

    def update(self, other: Drops) -> None:
        """Add the counts and examples of another record."""
        for reason, count in other.counts.items():
            self.add(reason, other.examples.get(reason, []), count=count)


@dataclass(frozen=True, slots=True)
class Blocks:
    """A matrix that is read block by block, so that the whole of it is never held.

    Attributes
    ----------
    along
        What the rows of a block are: ``profiles`` (each block is (k, features), as `RawTable.values` would be) or
        ``features`` (each block is (k, profiles)).
    read
        Starts from the beginning and yields the blocks, float32, C order, NaN where missing. It may be called again.
        A block belongs to whoever takes it, who may write to it.

    Notes
    -----
    The ids across the blocks stand in the `RawTable` from the start. Those along them, `RawTable.ids` or
    `RawTable.features`, may stand there too; a reader that meets them on its way adds them before it yields their
    block, and empties the list when it starts again. So the first block is of the first k of them, and so on. What
    else only the end of a file tells (counts, drops, ``profile_info``) is there when the last block has been taken.

    A reader of one file per sample yields (1, features) from each file; nothing more is needed.
    """

    along: Literal["profiles", "features"]
    read: Callable[[], Iterator[NDArray[np.float32]]]


@dataclass(slots=True)
class RawTable:
    """What a reader found in one file, still under the file's own ids and in its own unit.

    Attributes
    ----------
    kind
        ``matrix``: `values` with one row per profile and one column per feature, whatever way round the file had it.
        ``clinical``: `frame` with one row per patient or sample, columns under canonical names (see
        `omicstore.schema.PATIENTS`) or, for what has none, under the file's own. ``outcome``: `frame` with
        raw_id, endpoint, time_days (Float64), event (Int8). ``label``: `frame` with raw_id, task, label.
        ``report``: `frame` with raw_id, text. ``patches``: `frame` with raw_id, slide_id, path, encoder, n_patches.
    source
        The source it came from.
    modality
        Of a matrix, patches or report; None for tables of patients.
    ids
        Raw ids of the profiles (matrix) as the file has them; empty for other kinds, whose ids are ``frame["raw_id"]``.
    features
        Raw feature ids, as the file has them.
    values
        (len(ids), len(features)) float32, C order, NaN where missing; in the unit of ``source.unit``, not converted.
        None where there are `blocks`.
    blocks
        Instead of `values`, for a matrix too large to be held, such as methylation probes of many samples.
    frame
        The rows of what is no matrix, in the columns that `kind` says; None of a matrix.
    feature_info
        Further columns about the features that the file had, with a first column ``raw_feature``; or None.
    profile_info
        Further columns about the profiles that the file had, with a first column ``raw_id``; or None. ``ffpe`` says
        whether one is of formalin-fixed tissue; a table of samples may say it of profiles in other files.
    decimals
        The most decimals in a cell of the file, where the reader could tell: what "precision of zero" means.
    rows_in, columns_in
        The size of the file before anything was left out.
    drops
        What the reader left out (not what harmonising leaves out).
    warnings
        Sentences for the provenance record.
    """

    kind: Literal["matrix", "clinical", "outcome", "label", "report", "patches"]
    source: Source
    modality: str | None = None
    ids: list[str] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    values: NDArray[np.float32] | None = None
    blocks: Blocks | None = None
    frame: pl.DataFrame | None = None
    feature_info: pl.DataFrame | None = None
    profile_info: pl.DataFrame | None = None
    decimals: int | None = None
    rows_in: int = 0
    columns_in: int = 0
    drops: Drops = field(default_factory=Drops)
    warnings: list[str] = field(default_factory=list)

    def hold(self) -> None:
        """Read the blocks into `values`, for those who need the whole."""
        if self.blocks is None:
            return
        blocks = list(self.blocks.read())
        joined = np.concatenate(blocks)
        self.values = joined if self.blocks.along == "profiles" else np.ascontiguousarray(joined.T)
        self.blocks = None
