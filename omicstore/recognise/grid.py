"""How a delimited table lies: which axis the profiles are on, which column names the rows, what the numbers are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omicstore.readers.cells import MISSING, is_finite, is_number
from omicstore.recognise.ids import kind_of_features, kind_of_profiles, same_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.readers.delimited import Layout

__all__ = ["Columns", "Grid", "columns_of", "grid_of"]

#: Of the columns beside the id, this share must hold numbers in a matrix.
NUMERIC = 0.7

#: How columns of feature names are headed, the likeliest first.
_NAMES = (
    r"antibody|composite|probe",
    r"^metabolites?( name)?$|^compound( name)?$",
    r"^ensembl|^gene_id$",
    r"hugo|symbol|^genes?$|gene_?name",
)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table by what the first rows hold: numbers, text, or nothing."""

    layout: Layout
    numbers: list[int]
    text: list[int]
    blank: list[int]

    def cells(self, column: int) -> list[str]:
        """Return the first cells of a column."""
        return [row[column].strip() for row in self.layout.rows if column < len(row)]


def columns_of(layout: Layout) -> Columns:
    """Tell the kinds of columns; a missing value is no text."""
    numbers, text, blank = [], [], []
    for i in range(len(layout.header)):
        cells = [row[i].strip() for row in layout.rows if i < len(row)]
        full = [cell for cell in cells if cell and cell not in MISSING]
        count = sum(is_number(cell) for cell in full)
        if not full:
            blank.append(i)
        elif count >= 0.9 * len(full):
            numbers.append(i)
        else:
            text.append(i)
    return Columns(layout, numbers, text, blank)


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix as far as its first rows tell.

    Attributes
    ----------
    in_rows
        Whether features are in the rows.
    certain
        Whether the ids of an axis leave no doubt of it.
    id
        The column that names the rows.
    features, profiles
        Their ids, as far as they are in the first rows and the header.
    feature_kind, feature_certainty, profile_kind
        From `omicstore.recognise.ids`.
    values
        (profiles, features), NaN where missing.
    """

    in_rows: bool
    certain: bool
    id: int
    features: list[str]
    profiles: list[str]
    feature_kind: str | None
    feature_certainty: float
    profile_kind: str | None
    values: NDArray[np.float64]


def grid_of(columns: Columns) -> Grid | None:
    """Read a table as a matrix; None if it holds too few numbers or neither axis names features or profiles."""
    header = columns.layout.header
    measured = [i for i in columns.numbers if header[i]]
    # Row numbers, as pandas writes them, measure nothing.
    if measured and measured[0] == 0 and not _is_profile_column(columns, 0):
        measured = measured[1:]
    if not measured or len(measured) < NUMERIC * (len(header) - len(columns.blank) - 1 - _n_info(columns)):
        return None
    across = kind_of_profiles([header[i] for i in measured])[0]
    if across is not None:
        return _features_in_rows(columns, measured, across)
    down = _profile_column(columns)
    if down is not None:
        return _features_in_columns(columns, measured, down, certain=True)
    of_header, of_rows = kind_of_features([header[i] for i in measured]), _feature_column(columns, len(header))
    if of_header[0] is not None and (of_rows is None or of_header[1] >= of_rows[2]):
        return _features_in_columns(columns, measured, _first_unmeasured(columns, measured), certain=False)
    if of_rows is not None:
        return _features_in_rows(columns, [i for i in measured if i > max(columns.text, default=0)], None)
    return None


def _n_info(columns: Columns) -> int:
    """How many text columns stand before the numbers of a matrix: they tell of the features."""
    last = max(columns.numbers, default=0)
    before = [i for i in columns.text if i < last]
    return len(before) if len(before) < 0.2 * len(columns.numbers) else 0


def _is_profile_column(columns: Columns, column: int) -> bool:
    return kind_of_profiles(columns.cells(column))[0] is not None


def _profile_column(columns: Columns) -> int | None:
    candidates = dict.fromkeys([0, *columns.text])
    found = {i: kind_of_profiles(columns.cells(i)) for i in candidates}
    strong = [i for i, (kind, share) in found.items() if kind is not None and share > 0.9]
    named = [i for i in strong if found[i][0] != "depmap"]  # the name tells the tissue too
    return next(iter([*named, *strong]), None)


def _first_unmeasured(columns: Columns, measured: list[int]) -> int:
    taken = set(measured)
    return next((i for i in [*columns.text, 0] if i not in taken), 0)


def _features_in_columns(columns: Columns, measured: list[int], at: int, *, certain: bool) -> Grid:
    header = columns.layout.header
    measured = [i for i in measured if i != at]
    features = [header[i] for i in measured]
    profiles = columns.cells(at)
    kind, certainty = kind_of_features(features)
    return Grid(
        in_rows=False,
        certain=certain or certainty > 0.9,
        id=at,
        features=features,
        profiles=profiles,
        feature_kind=kind,
        feature_certainty=certainty,
        profile_kind=kind_of_profiles(profiles)[0],
        values=_values(columns, measured),
    )


def _features_in_rows(columns: Columns, measured: list[int], kind: str | None) -> Grid | None:
    header = columns.layout.header
    if kind is not None:
        measured = [i for i in measured if same_form(header[i], kind)]
    found = _feature_column(columns, measured[0] if measured else 0)
    at, of_rows, certainty = found if found is not None else (0, None, 0.0)
    measured = [i for i in measured if i != at]
    if not measured:
        return None
    return Grid(
        in_rows=True,
        certain=kind is not None or certainty > 0.9,
        id=at,
        features=columns.cells(at),
        profiles=[header[i] for i in measured],
        feature_kind=of_rows,
        feature_certainty=certainty,
        profile_kind=kind,
        values=_values(columns, measured).T,
    )


def _feature_column(columns: Columns, before: int) -> tuple[int, str | None, float] | None:
    """Return the column that names the features best, its kind and certainty."""
    header = columns.layout.header
    candidates = [i for i in dict.fromkeys([0, *columns.text]) if i < before and (i in columns.text or i == 0)]
    told = {i: kind_of_features(columns.cells(i)) for i in candidates}
    for pattern in _NAMES:
        for i in candidates:
            if re.search(pattern, header[i], re.IGNORECASE) and told[i][0] is not None and _distinct(columns, i):
                return i, *told[i]
    for i in candidates:
        if told[i][0] is not None and _distinct(columns, i):
            return i, *told[i]
    return None


def _distinct(columns: Columns, column: int) -> bool:
    """Whether most cells of a column differ, as names do."""
    cells = [cell for cell in columns.cells(column) if cell]
    repeated = sum(n - 1 for n in Counter(cells).values())
    return bool(cells) and repeated <= 0.2 * len(cells)


def _values(columns: Columns, measured: list[int]) -> NDArray[np.float64]:
    """Return (rows, columns) of numbers."""
    out = np.full((len(columns.layout.rows), len(measured)), np.nan)
    for r, row in enumerate(columns.layout.rows):
        for c, i in enumerate(measured):
            if i < len(row) and is_finite(row[i]):
                out[r, c] = float(row[i])
    return out
