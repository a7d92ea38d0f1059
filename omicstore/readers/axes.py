"""Which way round a matrix is, told from its ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.errors import SourceError, StudyError
from omicstore.identifiers import is_ensembl_gene, parse_barcode
from omicstore.readers.delimited import read_texts, sniff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from omicstore.readers.delimited import Layout
    from omicstore.sources import Sampling

__all__ = ["features_in_rows", "profile_test"]

#: What the first cell of the header calls the ids below it, in lower case.
_CORNER_OF_FEATURES = re.compile(
    r"(gene|probe|protein|antibody|metabolite|compound|feature|analyte|mirna|ensembl|hugo|symbol|entrez|attrib|composite)"
)
_CORNER_OF_PROFILES = re.compile(
    r"(sample|patient|case|subject|donor|participant|aliquot|barcode|cell_?line|depmap|individual)"
)

#: Ids that are features in any file: array probes, miRNAs, SYMBOL|ENTREZ.
_FEATURE = re.compile(r"^(?:c[gh]\.?\d|rs\d|hsa-|\S+\|\d+$|C\d{5}$|HMDB\d)")


def profile_test(sampling: Sampling | None) -> Callable[[str], bool]:
    """Return a function that says whether an id is surely a profile's.

    An id is one if it is a barcode, if the study's sample map lists it, or if the study's pattern finds it.

    Raises
    ------
    StudyError
        If the sample map has no column ``column``, or the pattern is none.
    """
    known: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    if sampling is not None and sampling.path is not None:
        known = _listed(sampling)
    elif sampling is not None and sampling.pattern:
        pattern = _compiled(sampling.pattern)

    def is_profile(text: str) -> bool:
        return text in known or bool(pattern and pattern.search(text)) or parse_barcode(text) is not None

    return is_profile


def _listed(sampling: Sampling) -> frozenset[str]:
    assert sampling.path is not None
    layout = sniff(sampling.path)
    column = layout.index("column")
    return frozenset(read_texts(layout, [column]).to_series().drop_nulls().to_list())


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise StudyError(f"study.samples: {pattern!r} is no regular expression ({error})") from None


def features_in_rows(
    layout: Layout,
    rows: Sequence[str],
    columns: Sequence[str],
    sampling: Sampling | None,
    is_profile: Callable[[str], bool],
    corner: str = "",
) -> bool:
    """Tell whether the features are in the rows.

    Parameters
    ----------
    layout
        Of the file, for the message.
    rows
        Ids of the first rows.
    columns
        The header without the id column.
    sampling
        The study's rule for ids.
    is_profile
        From `profile_test`.
    corner
        The header of the id column, which decides where the ids themselves do not: ``gene``, ``patient_id``.

    Raises
    ------
    SourceError
        If neither axis has ids that look like samples or like features.
    """
    tests: list[tuple[Callable[[str], bool], bool]] = [(is_profile, True)]
    if sampling is not None and sampling.tissue:  # weak: a feature's name may match it by chance
        tissue = _compiled(sampling.tissue)
        tests.append((lambda text: bool(tissue.search(text)), True))
    tests.append((lambda text: is_ensembl_gene(text) or bool(_FEATURE.match(text)), False))
    for test, finds_profiles in tests:
        in_columns, in_rows = _share(columns, test), _share(rows, test)
        if in_columns != in_rows:
            return (in_columns > in_rows) == finds_profiles
    of_features, of_profiles = (bool(p.search(corner.lower())) for p in (_CORNER_OF_FEATURES, _CORNER_OF_PROFILES))
    if of_features != of_profiles:
        return of_features
    shown = f"{', '.join(columns[:2])}, ... in the header and {', '.join(rows[:2])}, ... in the rows"
    raise SourceError(
        layout.path,
        f"cannot tell which ids are samples: {shown}",
        expected="barcodes, or ids that study.samples of params.yaml explains",
        run="add orientation: features_in_rows or orientation: features_in_columns to this source in the study file",
    )


def _share(ids: Sequence[str], test: Callable[[str], bool]) -> float:
    sample = ids if len(ids) <= 400 else [*ids[:200], *ids[-200:]]
    return sum(map(test, sample)) / max(len(sample), 1)
