"""The formats that nearly any table fits: a matrix, a table of patients; and what content tells of any matrix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.readers.followup import endpoints
from omicstore.recognise.ids import kind_of_profiles
from omicstore.recognise.measured import judge
from omicstore.recognise.values import measure

if TYPE_CHECKING:
    from omicstore.readers.delimited import Layout
    from omicstore.recognise.finding import Finding
    from omicstore.recognise.grid import Columns, Grid
    from omicstore.recognise.names import Named, Sidecar

#: Columns that a table of patients has at most where a matrix could have as many.
_TABLE, _SMALL = 200, 30

__all__ = ["describe_matrix", "describe_table", "is_matrix", "patient_column"]

#: Words of the columns that tables of patients have.
_CLINICAL = re.compile(
    r"(?:^|[._ ])(?:age|sex|gender|race|ethnicity|stage|grade|vital_?status|histolog\w*|diagnosis|diagnoses"
    r"|tumou?r_?stage|survival\w*|os|pfs|dfs|dss|pfi|dfi|status|event|death|dead|censor\w*|followup|follow_?up|smok\w*"
    r"|treatment\w*|therapy|subtype\w*|sample_?type|bmi|recurrence|metastasis|is_female|days_to_\w+|ffpe"
    r"|is_ffpe|class)(?:$|[._ ])|^[TNM]$",
    re.IGNORECASE,
)
#: Words of the columns that may be follow-up.
_FOLLOWED = re.compile(
    r"(?:^|[._ ])(?:time|event|surv\w*|death|dead|died|vital|status|follow\w*|censor\w*|os|pfs|dfs)(?:$|[._ (])",
    re.IGNORECASE,
)
#: Columns that name a patient or sample, the likeliest first.
_ID = re.compile(
    r"^(?:_?patient|patient[_. ]?id|case[_. ]?id|cases\.submitter_id|submitter_id|bcr_patient_barcode"
    r"|bcr_sample_barcode|sample|sample[_. ]?id|sampleid|subject|subject[_. ]?id|participant\w*|case|donor\w*|id"
    r"|barcode|cell_?line\w*|slide_?id)$",
    re.IGNORECASE,
)


def is_matrix(grid: Grid, columns: Columns) -> bool:
    """Whether a table of numbers is a matrix rather than a table of patients."""
    words, width = _clinical(columns), len(columns.layout.header)
    if words > max(1, 0.2 * width):
        return False
    # Laboratory values are named as metabolites are: an age among few columns makes them a table of patients.
    if not grid.in_rows and ((words > 1 and width < _TABLE) or (words and width < _SMALL)):
        return False
    if grid.feature_kind is not None and (len(grid.features) > 3 or grid.in_rows):
        return True
    if grid.in_rows:  # barcodes in the header
        return True
    return words == 0 and len(grid.features) >= 10


def patient_column(columns: Columns) -> int | None:
    """Return the column that says who a row is of, or None."""
    header = columns.layout.header
    candidates = [i for i in range(min(len(header), 200)) if columns.cells(i)]
    told = {i: kind_of_profiles(columns.cells(i)) for i in candidates}
    sure = [i for i in candidates if told[i][0] is not None and told[i][1] > 0.5]
    for choice in (
        [i for i in sure if told[i][0] != "tcga slide" and _ID.fullmatch(header[i])],
        [i for i in sure if told[i][0] != "tcga slide"],
        [i for i in candidates if _ID.fullmatch(header[i])],
    ):
        if choice:
            return choice[0]
    return None


def describe_table(found: Finding, columns: Columns) -> bool:
    """Fill in a table of patients; return whether the table is one."""
    at = patient_column(columns)
    words = _clinical(columns)
    if at is None and not words >= 2:
        return False
    header = columns.layout.header
    barcodes = at is not None and kind_of_profiles(columns.cells(at))[0] is not None
    found.format = "clinical-table"
    found.profiles = kind_of_profiles(columns.cells(at))[0] if at is not None else None
    found.ids = tuple(columns.cells(at if at is not None else 0))
    if at not in (None, 0) and header.count(header[at]) == 1:
        found.keys["id"] = header[at]
    if at is None:
        found.unsure["id"] = f"the column that names the patients; the first one, {header[0]!r}, is taken"
    repeated = len(found.ids) - len(set(found.ids))
    if repeated:
        found.notes.append("it has several rows of one patient: of what they say differently the first row counts")
    if not endpoints(header) and any(_FOLLOWED.search(name) for name in header):
        found.notes.append(
            "no column's name is known as follow-up: where there is one, say outcomes:"
            " {OS: {time: COLUMN, event: COLUMN, unit: months}} in the study file"
        )
    if not barcodes and not words:
        found.unsure["format"] = "whether a row is a patient or sample: no column is one of a clinical table"
    elif not words:
        found.notes.append("no column is known as clinical: all are kept under their own names")
    return True


def _clinical(columns: Columns) -> int:
    return sum(bool(_CLINICAL.search(name)) for name in columns.layout.header[:3000])


def describe_matrix(found: Finding, grid: Grid, layout: Layout, name: Named, beside: Sidecar) -> None:
    """Fill in what the first rows of a matrix tell, where no reader told it."""
    header = layout.header
    orientation = "features_in_rows" if grid.in_rows else "features_in_columns"
    if found.orientation is None:
        found.orientation = orientation
        if not grid.certain:
            found.unsure["orientation"] = "which axis the samples are on: neither has ids of a known form"
    found.features, found.profiles = found.features or grid.feature_kind, grid.profile_kind
    found.ids = tuple(grid.profiles)
    if grid.in_rows:
        found.n_samples = len(grid.profiles)
    if grid.id != 0:
        found.keys.setdefault("id", header[grid.id])
    dropped = [] if grid.in_rows else _id_columns(grid, layout)
    if dropped:
        found.keys.setdefault("drop", dropped)
    stats = measure(grid.values)
    if stats is None:
        found.notes.append("no number in the first rows")
        return
    if stats.floor is not None:
        token = f"{stats.floor:.0e}".replace("e-0", "e-").replace("e+0", "e+")
        found.keys.setdefault("missing", [token])
        found.notes.append(f"{token} is far under all other values and is taken for a token of missing ones")
    told = judge(grid.feature_kind, grid.feature_certainty, stats, name)
    if found.modality is None:
        found.modality = told.modality
        _doubt(found, told.unsure, "modality")
    if found.unit is None and beside.unit is not None:
        found.unit = beside.unit
    elif found.unit is None:
        found.unit = told.unit
        _doubt(found, told.unsure, "unit")
    if name.platform and "platform" not in found.keys and found.modality in ("meth", "rna", "metab"):
        found.keys["platform"] = name.platform


def _doubt(found: Finding, unsure: dict[str, str], name: str) -> None:
    if name in unsure:
        found.unsure[name] = unsure[name]


def _id_columns(grid: Grid, layout: Layout) -> list[str]:
    """Columns of text that hold ids of the same profiles again: they are dropped, not kept as annotation."""
    taken = set(grid.features)
    again = []
    for i, name in enumerate(layout.header[:50]):
        if i == grid.id or not name or name in taken or not layout.is_text(i):
            continue
        if kind_of_profiles([row[i] for row in layout.rows if i < len(row)])[0] is not None:
            again.append(name)
    return again
