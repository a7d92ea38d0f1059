"""Whose samples a file holds: by its content, by tissue source sites, by the names of file and folder."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import OmicstoreError
from omicstore.identifiers import COHORT_UNIONS, cohort_of_disease, cohorts_agree, find_barcode
from omicstore.readers.references import read_reference
from omicstore.sources import Reference, load_study

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from omicstore.recognise.finding import Finding
    from omicstore.recognise.names import Named, Sidecar

__all__ = ["describe_cohort", "site_table", "study_sites"]

#: How much of a file is searched for barcodes, in characters, and what may be one.
_TEXT = 40_000
_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{4}[-._][A-Za-z0-9]{2}[-._][A-Za-z0-9]{4}(?![A-Za-z0-9])")

#: So few barcodes do not speak for a file.
_FEW = 10

_SETTLE = "the name alone says {}; a table of tissue source sites settles it (--references FILE)"


def site_table(path: Path) -> dict[str, str]:
    """Read a table of tissue source sites: site code to cohort, without those of no disease.

    Raises
    ------
    SourceError
        If the file is no such table.
    """
    frame = read_reference(Reference("sites", path, "tcga-tss"))
    pairs = frame.filter(pl.col("code").is_not_null()).select("code", "disease").iter_rows()
    return {code.upper(): cohort for code, disease in pairs if (cohort := cohort_of_disease(disease or ""))}


def study_sites(folder: Path) -> Path | None:
    """Return the table of sites of the study that a folder lies in, if there is one."""
    for place in (folder, *folder.parents):
        params = place / "params.yaml"
        if params.is_file():
            try:
                reference = load_study(params).reference("sites")
            except OmicstoreError:
                return None
            return reference.path if reference is not None and reference.path.is_file() else None
    return None


def describe_cohort(found: Finding, text: str, name: Named, beside: Sidecar, sites: Mapping[str, str]) -> None:
    """Fill in the cohort, where nothing told it for certain; `text` is the file's first part."""
    if found.cohort is not None:
        return
    if beside.cohort is not None:
        found.cohort = beside.cohort
        return
    counts = _by_site([*found.ids, *_WORD.findall(found.path.name), *_WORD.findall(text[:_TEXT])], sites)
    by_site = _one_cohort(counts, name.cohort)
    if by_site is not None:
        found.cohort = by_site
        if sum(counts.values()) < _FEW and by_site != name.cohort:
            found.unsure["cohort"] = f"only {sum(counts.values())} barcodes were seen, and no name says {by_site}"
        return
    if counts:
        held = ", ".join(f"{n} of {cohort}" for cohort, n in counts.most_common(4))
        found.notes.append(f"its first barcodes are of several cohorts: {held}")
    if name.cohort is not None:
        found.cohort = name.cohort
        found.unsure["cohort"] = _SETTLE.format(name.cohort)
        if not any(map(find_barcode, [*found.ids[:20], found.path.name, text[:_TEXT]])):
            found.unsure["cohort"] = f"the name alone says {name.cohort}"
        return
    if found.format == "clinical-table" or (found.format or "").endswith(("clinical", "survival")):
        return  # a table of patients may have none: it is read for every cohort
    found.cohort = name.folder or "COHORT"
    found.unsure["cohort"] = "nothing says whose samples these are; choose a name for them"


def _by_site(ids: Iterable[str], sites: Mapping[str, str]) -> Counter[str]:
    codes = (find_barcode(text) for text in ids)
    return Counter(cohort for code in codes if code and (cohort := sites.get(code.site)))


def _one_cohort(counts: Counter[str], named: str | None) -> str | None:
    """Return the cohort that nearly all barcodes are of, or the union of several that is."""
    total = sum(counts.values())
    if not total:
        return None
    first, most = counts.most_common(1)[0]
    if named is not None and sum(n for c, n in counts.items() if cohorts_agree(c, named)) >= 0.95 * total:
        return named
    if most >= 0.95 * total:
        return first
    for union, members in sorted(COHORT_UNIONS.items()):
        if set(counts) <= set(members):
            return union
    return None
