"""A delimited matrix of methylation probes, block by block.

A 450k array of a thousand samples is 2 GB of float32 that nobody needs whole: what becomes of it is some 20,000 genes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import SourceError
from omicstore.readers.matrix_plan import info_frame, info_names, kept_rows, refuse_mixed
from omicstore.readers.numbers import NumberStream
from omicstore.readers.table import Blocks, Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from omicstore.readers.delimited import Layout
    from omicstore.readers.matrix_plan import Plan
    from omicstore.sources import Source

__all__ = ["no_number", "stream", "worth_streaming"]

#: Files of fewer bytes, compressed or not, are read whole.
STREAMED = 64 << 20

#: What methylation probes begin with; whoever takes the blocks looks at all of their names.
_PROBE = re.compile(r"c[gh]\.?\d")


def worth_streaming(source: Source, layout: Layout, plan: Plan) -> bool:
    """Whether a matrix is large, of probes, and laid out so that it can be read in blocks."""
    if not (source.modality or "").startswith("meth") or plan.n_text is None:
        return False
    names = [row[plan.id] for row in layout.rows] if plan.in_rows else [layout.header[i] for i in plan.numbers[:50]]
    return any(map(_PROBE.match, names)) and layout.path.stat().st_size >= STREAMED


def stream(
    source: Source, layout: Layout, plan: Plan, drops: Drops, is_profile: Callable[[str], bool] | None
) -> RawTable:
    """Return a matrix whose numbers come in blocks; `drops` are those of its columns.

    `is_profile` tells profiles from other ids, where some of one kind speak against the others.
    """
    raw = RawTable("matrix", source, source.modality, columns_in=len(layout.header))
    names = [layout.header[i] for i in plan.numbers]
    if plan.in_rows:
        raw.ids = names
    else:
        raw.features = names
    rows = _Rows(raw, layout, plan, drops, is_profile)
    raw.blocks = Blocks("features" if plan.in_rows else "profiles", rows.read)
    return raw


class _Rows:
    """The rows of the file, which fill what the table says while they are read."""

    def __init__(
        self,
        raw: RawTable,
        layout: Layout,
        plan: Plan,
        column_drops: Drops,
        is_profile: Callable[[str], bool] | None,
    ) -> None:
        self._raw, self._layout, self._plan = raw, layout, plan
        self._column_drops, self._is_profile = column_drops, is_profile
        assert plan.n_text is not None
        self._stream = NumberStream(layout, plan.n_text, plan.numbers, raw.source.missing)
        self._kept: NDArray[np.bool_] | None = None

    def read(self) -> Iterator[NDArray[np.float32]]:
        """Yield the rows that are kept."""
        raw, plan, found = self._raw, self._plan, self._stream
        names = raw.features if plan.in_rows else raw.ids
        names.clear()
        if self._kept is None and plan.in_rows and (raw.source.select or raw.source.drop):
            # A pattern may mean any of the names, so that all of them must be known first.
            self._kept = kept_rows(raw.source, self._layout, plan, found.ids(), Drops())
        at, numbers = 0, False
        for block in found.blocks():
            ids = found.texts[plan.id][at : at + len(block)]
            kept = self._keep(ids) if self._kept is None else self._kept[at : at + len(block)]
            at += len(block)
            if not kept.all():
                block = block[kept]
                ids = [name for name, keep in zip(ids, kept.tolist(), strict=True) if keep]
            names += ids
            numbers = numbers or not np.isnan(block).all()
            if len(block):
                yield np.ascontiguousarray(block)
        self._finish()
        if not numbers:
            raise no_number(raw.source)

    def _keep(self, ids: list[str]) -> NDArray[np.bool_]:
        dropped = set() if self._plan.in_rows else set(self._raw.source.drop)
        return np.array([bool(name) and name not in dropped for name in ids], bool)

    def _finish(self) -> None:
        """Say what only the end of the file tells."""
        raw, layout, plan, found = self._raw, self._layout, self._plan, self._stream
        ids = found.texts[plan.id]
        raw.rows_in, raw.decimals = len(ids), found.decimals
        raw.drops, raw.warnings = Drops(), []
        raw.drops.update(self._column_drops)
        kept = kept_rows(raw.source, layout, plan, ids, raw.drops)
        if found.n_sentinels:
            told = " or ".join(raw.source.missing)
            raw.warnings.append(f"{found.n_sentinels:,} cells hold {told} and were read as missing")
        if self._is_profile is not None:
            refuse_mixed(raw.source, layout, plan, ids, found.lines, self._is_profile)
        at = np.flatnonzero(kept).tolist()
        info: dict[str, list[str | None]] = {
            name: [found.texts[i][row] or None for row in at]
            for name, i in zip(info_names(layout, plan), plan.info, strict=True)
        }
        if plan.in_rows:
            raw.feature_info = info_frame("raw_feature", raw.features, info)
        else:
            raw.profile_info = info_frame("raw_id", raw.ids, info)


def no_number(source: Source) -> SourceError:
    """Return the error of a matrix without any number."""
    return SourceError(
        source.path, "no cell holds a number", expected="a matrix of numbers", run="name another file or format"
    )
