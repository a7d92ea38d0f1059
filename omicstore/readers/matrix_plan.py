"""Which column and which row of a delimited matrix is what."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError, nearest
from omicstore.readers.axes import features_in_rows
from omicstore.readers.delimited import duplicates, line_of, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from omicstore.readers.delimited import Layout
    from omicstore.readers.table import Drops
    from omicstore.sources import Sampling, Source

__all__ = ["Plan", "info_frame", "info_names", "kept_rows", "plan_columns", "refuse_mixed", "selected"]


@dataclass(slots=True)
class Plan:
    """Which column is what."""

    in_rows: bool
    id: int
    numbers: list[int]
    info: list[int] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)

    @property
    def n_text(self) -> int | None:
        """How many columns at the left hold no numbers, where all of them stand there; else None."""
        left = sorted([self.id, *self.info, *self.ignored])
        return len(left) if left == list(range(len(left))) else None


def plan_columns(
    source: Source,
    layout: Layout,
    sampling: Sampling | None,
    is_profile: Callable[[str], bool],
    drops: Drops,
    columns: Sequence[int] | None,
) -> Plan:
    """Tell the id column, the columns of numbers and those about them; of `columns` only, where they are given.

    Raises
    ------
    SourceError
        If there are no numbers, or a feature comes twice.
    """
    header = layout.header
    at = layout.index(source.id) if source.id is not None else 0
    others = [i for i in (range(len(header)) if columns is None else columns) if i != at]
    if not others:
        raise SourceError(source.path, "there is only the id column: 0 samples", expected="columns of numbers")
    text = {i for i in others if layout.is_text(i)}
    if len(text) == len(others):
        cell = next(row[others[0]] for row in layout.rows if others[0] < len(row))
        found = f"no column holds numbers; the first rows have {cell!r} under {header[others[0]]!r}"
        raise SourceError(source.path, found, expected="a matrix of numbers", run="name another file or format")
    if source.orientation is not None:
        in_rows = source.orientation == "features_in_rows"
    else:
        rows = [row[at] for row in layout.rows if at < len(row)]
        in_rows = features_in_rows(layout, rows, [header[i] for i in others], sampling, is_profile, header[at])
    if in_rows:
        return _rows_plan(source, layout, at, others, text, is_profile)
    drops.add("unnamed column", [f"column {i + 1}" for i in others if not header[i] and i not in text])
    named = [i for i in others if i not in text and header[i]]
    asked = matches(header, source.drop)
    drops.add("text column", [header[i] for i in sorted(text) if header[i] not in asked])
    drops.add("dropped by the study file", [header[i] for i in sorted(text) if header[i] in asked])
    kept = selected(source, [header[i] for i in named], drops, what="columns")
    numbers = [i for i, keep in zip(named, kept, strict=True) if keep]
    _refuse_duplicates(layout, numbers)
    info = [i for i in sorted(text) if header[i] not in asked]
    ignored = [i for i in others if not header[i] or (i in text and i not in info)]
    return Plan(in_rows, at, numbers, info, ignored)


def _rows_plan(
    source: Source, layout: Layout, at: int, others: list[int], text: set[int], is_profile: Callable[[str], bool]
) -> Plan:
    """Tell sample columns from columns about the features, which come first."""
    header = layout.header
    dropped = matches([header[i] for i in others], source.drop)
    sure = [i for i in others if is_profile(header[i])]
    if sure:
        samples = set(sure)
        numbers = [i for i in others if i in samples or (i > sure[0] and i not in text and header[i])]
    else:
        last = max((i for i in text if header[i] not in dropped), default=-1)
        numbers = [i for i in others if i > last and i not in text and header[i]]
        _refuse_between(layout, [i for i in others if i < last and i not in text and header[i]], last, numbers)
    numbers = [i for i in numbers if header[i] not in dropped or is_profile(header[i])]
    if not numbers:
        raise SourceError(source.path, "no column is a sample: 0 samples", expected="sample ids in the header")
    taken = set(numbers)
    info = [i for i in others if i not in taken and header[i] not in dropped]
    ignored = [i for i in range(len(header)) if i != at and i not in taken and i not in info]
    return Plan(in_rows=True, id=at, numbers=numbers, info=info, ignored=ignored)


def _refuse_between(layout: Layout, before: list[int], text: int, behind: list[int]) -> None:
    """Refuse a column of text among samples: those before it would be taken for columns about the features."""
    forms = {re.sub(r"\d+", "#", layout.header[i]) for i in behind}
    for i in before:
        form = re.sub(r"\d+", "#", layout.header[i])
        if form in forms and "#" in form:
            name = layout.header[text]
            raise SourceError(
                layout.path,
                f"the column {name!r} holds text, and samples stand on both sides of it, such as {layout.header[i]!r}",
                expected="columns about the features before all samples",
                run=f"leave it out with drop: [{name!r}] in the study file, or add missing: if its words mean that",
            )


def selected(source: Source, names: Sequence[str], drops: Drops, *, what: str) -> list[bool]:
    """Return which features the source's ``select`` and ``drop`` keep, and count those they leave out.

    Raises
    ------
    SourceError
        If ``select`` finds none.
    """
    chosen = matches(names, source.select) if source.select else set(names)
    if not chosen:
        close = ", ".join(repr(n) for n in nearest(source.select[0], names[:5000]))
        raise SourceError(
            source.path,
            f"select {list(source.select)} finds none of {len(names)} {what}",
            expected=f"names or patterns that find some, e.g. {close}",
            run="mend select: in the study file",
        )
    dropped = matches(names, source.drop) if source.drop else set()
    drops.add("not selected", [n for n in names if n not in chosen])
    drops.add("dropped by the study file", [n for n in names if n in chosen and n in dropped])
    return [n in chosen and n not in dropped for n in names]


def kept_rows(source: Source, layout: Layout, plan: Plan, ids: list[str], drops: Drops) -> NDArray[np.bool_]:
    """Return which rows are kept, and count the others."""
    kept = np.array([bool(name) for name in ids], bool)
    drops.add("row without an id", [], count=int((~kept).sum()))
    if not plan.in_rows:  # rows are samples, and only their names drop them: patterns are for features
        dropped = set(source.drop)
        drops.add("dropped by the study file", [name for name in ids if name in dropped])
        kept &= np.array([name not in dropped for name in ids], bool)
    elif source.select or source.drop:
        columns = set(layout.header)
        rows_only = replace(source, drop=tuple(entry for entry in source.drop if entry not in columns))
        kept[kept] = selected(rows_only, [name for name in ids if name], drops, what="rows")
    if not kept.any():
        raise SourceError(layout.path, "no row is left: 0 samples", expected="rows with an id")
    return kept


def _refuse_duplicates(layout: Layout, numbers: list[int]) -> None:
    names = [layout.header[i] for i in numbers]
    for name, positions in duplicates(names).items():
        places = " and ".join(str(numbers[p] + 1) for p in positions[:3])
        raise SourceError(
            layout.path,
            f"the feature {name!r} comes {len(positions)} times, in columns {places}",
            line=1,
            expected="one column for each feature",
            run=f"rename or take out one of them, or leave both out with drop: [{name!r}] in the study file",
        )


def refuse_mixed(
    source: Source,
    layout: Layout,
    plan: Plan,
    ids: list[str],
    lines: list[int] | None,
    is_profile: Callable[[str], bool],
) -> None:
    """Refuse profiles of which some are surely such and some are not; `ids` and `lines` are those of the rows."""
    profiles = [layout.header[i] for i in plan.numbers] if plan.in_rows else ids
    sure = [is_profile(name) for name in profiles]
    wrong = [i for i, yes in enumerate(sure) if not yes and profiles[i] and profiles[i] not in source.drop]
    if not any(sure) or not wrong:
        return
    name = profiles[wrong[0]]
    line = 1
    if not plan.in_rows:
        line = lines[wrong[0]] if lines is not None else line_of(layout, wrong[0])
    raise SourceError(
        layout.path,
        f"mixed ids: {len(wrong)} of {len(profiles)} samples have no barcode, the first is {name!r}",
        line=line,
        expected="a barcode such as TCGA-XX-XXXX-01A for every sample, or for none",
        run=f"leave it out with drop: [{name!r}] in the study file, or give study.samples a table of all ids",
    )


def info_names(layout: Layout, plan: Plan) -> list[str]:
    """Return distinct names of the columns that hold no numbers."""
    names = [layout.header[i] or f"column_{i + 1}" for i in plan.info]
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return result


def info_frame(first: str, ids: list[str], info: dict[str, list[str | None]]) -> pl.DataFrame | None:
    """Return a table of such columns, or None where there are none."""
    if not info:
        return None
    return pl.DataFrame({first: ids, **{n: c for n, c in info.items() if n != first}}, strict=False)
