"""Any delimited matrix: features in rows or in columns, with or without columns about them.

This is also the reader of ``xena-matrix``, whose features are in the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from omicstore.readers.axes import profile_test
from omicstore.readers.cells import decimals_of
from omicstore.readers.delimited import read_texts, sniff
from omicstore.readers.matrix_blocks import no_number, stream, worth_streaming
from omicstore.readers.matrix_plan import info_frame, info_names, kept_rows, plan_columns, refuse_mixed
from omicstore.readers.numbers import read_numbers, to_float
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.readers.delimited import Layout
    from omicstore.readers.matrix_plan import Plan
    from omicstore.sources import Sampling, Source

__all__ = ["read_layout", "read_matrix", "read_xena_matrix"]


def read_matrix(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read a delimited matrix.

    Parameters
    ----------
    source
        ``id``, ``orientation``, ``select``, ``drop`` and ``missing`` are obeyed.
    sampling
        The study's rule for ids, which tells samples from columns about features.

    Raises
    ------
    SourceError
        If the file is no such matrix; the message names line and column.
    """
    return [read_layout(source, sniff(source.path), sampling)]


def read_xena_matrix(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read a matrix of a UCSC Xena hub: features in rows, samples in columns."""
    return read_matrix(replace(source, orientation=source.orientation or "features_in_rows"), sampling)


def read_layout(
    source: Source, layout: Layout, sampling: Sampling | None, columns: Sequence[int] | None = None
) -> RawTable:
    """Read a matrix whose first lines are known; only of `columns` where they are given."""
    is_profile = profile_test(sampling)
    drops = Drops()
    plan = plan_columns(source, layout, sampling, is_profile, drops, columns)
    names = [layout.header[i] for i in plan.numbers]
    if worth_streaming(source, layout, plan):
        return stream(source, layout, plan, drops, None if sampling is not None else is_profile)
    cells = _cells(source, layout, plan)
    keep = kept_rows(source, layout, plan, cells.ids, drops)
    raw = RawTable("matrix", source, source.modality, decimals=cells.decimals, drops=drops)
    raw.rows_in, raw.columns_in = len(cells.ids), len(layout.header)
    if cells.n_sentinels:
        raw.warnings.append(f"{cells.n_sentinels:,} cells hold {' or '.join(source.missing)} and were read as missing")
    if sampling is None:
        refuse_mixed(source, layout, plan, cells.ids, cells.lines, is_profile)
    if not keep.all():
        cells.keep(np.flatnonzero(keep).tolist(), in_rows=plan.in_rows)
    raw.ids, raw.features = (names, cells.ids) if plan.in_rows else (cells.ids, names)
    raw.values = np.ascontiguousarray(cells.values)
    if plan.in_rows:
        raw.feature_info = info_frame("raw_feature", cells.ids, cells.info)
    else:
        raw.profile_info = info_frame("raw_id", cells.ids, cells.info)
    if bool(np.isnan(raw.values).all()):
        raise no_number(source)
    return raw


@dataclass(slots=True)
class _Cells:
    """What the cells hold: ids of the rows, further columns, values with profiles in rows, the line of each row."""

    ids: list[str]
    info: dict[str, list[str | None]]
    values: NDArray[np.float32]
    lines: list[int] | None
    decimals: int | None
    n_sentinels: int = 0

    def keep(self, rows: list[int], *, in_rows: bool) -> None:
        """Keep these rows of the file only."""
        self.values = self.values[:, rows] if in_rows else self.values[rows]
        self.ids = [self.ids[r] for r in rows]
        self.info = {name: [cells[r] for r in rows] for name, cells in self.info.items()}


def _cells(source: Source, layout: Layout, plan: Plan) -> _Cells:
    names = info_names(layout, plan)
    if plan.n_text is not None:
        found = read_numbers(layout, plan.n_text, plan.numbers, missing=source.missing, turn=plan.in_rows)
        info: dict[str, list[str | None]] = {
            name: [t or None for t in found.texts[i]] for name, i in zip(names, plan.info, strict=True)
        }
        return _Cells(found.texts[plan.id], info, found.values, found.lines, found.decimals, found.n_sentinels)
    frame = read_texts(layout, [plan.id, *plan.info, *plan.numbers])
    cells = frame.select(str(i) for i in plan.numbers)
    values = to_float(layout, cells, source.missing).to_numpy()
    return _Cells(
        frame.get_column(str(plan.id)).fill_null("").to_list(),
        {name: frame.get_column(str(i)).to_list() for name, i in zip(names, plan.info, strict=True)},
        np.ascontiguousarray(values.T if plan.in_rows else values, np.float32),
        None,
        decimals_of(cell for row in cells.head(20).iter_rows() for cell in row[:200] if cell),
    )
