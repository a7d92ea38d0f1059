"""Who is in a study's matrices, from headers and id columns alone; no value is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.harmonize.samples import Sample, SampleMap
from omicstore.modalities import MODALITIES
from omicstore.progress import task
from omicstore.readers import expand, profile_ids
from omicstore.readers.axes import features_in_rows, profile_test
from omicstore.readers.delimited import read_texts, sniff
from omicstore.study.defaults import Measured, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.readers.delimited import Layout
    from omicstore.sources import Sampling, Source, Study

__all__ = ["measured_samples"]

#: Sample types that a model is trained on where nothing else is said: what a query returns by default.
DEFAULT_TYPES = ("primary", "cell_line")

#: A column is the id column if most of the cells that are looked at say which sample they are.
MOSTLY = 0.5


def measured_samples(study: Study) -> list[Measured]:
    """Return who has which modality in which unit: one entry per modality and unit.

    Parameters
    ----------
    study
        The study; its files are opened, and only ids are read.

    Raises
    ------
    SourceError
        If a file is not what the study says it is.
    """
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for modality, cohort, source in _matrices(study):
        samples = _samples(source, SampleMap(study, cohort), study.samples)
        kept = {s.sample_id for s in samples if s.sample_type in DEFAULT_TYPES}
        key = (modality, unit_of(source.unit or ""))
        found.setdefault(key, {}).setdefault(cohort, set()).update(kept)
    return [
        Measured(modality, unit, {cohort: frozenset(ids) for cohort, ids in by_cohort.items()})
        for (modality, unit), by_cohort in sorted(found.items())
    ]


def _matrices(study: Study) -> Iterator[tuple[str, str, Source]]:
    """Yield modality, cohort and source of each matrix of the study's cohorts."""
    with task("looking at the files", len(study.sources), "files") as advance:
        for whole in study.sources:
            for part in expand(whole):
                if not part.modality or not part.cohort or part.cohort not in study.cohorts:
                    continue
                if MODALITIES[part.modality].kind == "matrix":
                    yield part.modality, part.cohort, part
            advance()


def _samples(source: Source, people: SampleMap, sampling: Sampling | None) -> list[Sample]:
    if (ids := profile_ids(source)) is not None:
        return [sample for name in ids if (sample := _named(name, people, source))]
    layout = sniff(source.path, two_headers=source.format.startswith("firehose"))
    column = _id_column(layout, source, people)
    names = [name for i, name in enumerate(layout.header) if i != column]
    across = [sample for name in names if (sample := _named(name, people, source))]
    in_rows = source.orientation == "features_in_rows"
    if source.orientation is None and column is not None and _any_id_is_a_sample(people):
        # Such a rule says nothing about which way round the file is.
        rows = [row[column] for row in layout.rows if column < len(row)]
        in_rows = features_in_rows(layout, rows, names, sampling, profile_test(sampling), layout.header[column])
    if in_rows or (column is None and across):
        return across
    if column is None or (len(across) > 1 and not _any_id_is_a_sample(people)):
        return across
    ids = read_texts(layout, [column]).to_series().drop_nulls().unique().to_list()
    return [sample for name in ids if (sample := _named(name, people, source))]


def _id_column(layout: Layout, source: Source, people: SampleMap) -> int | None:
    if source.id is not None:
        return layout.index(source.id)
    if _any_id_is_a_sample(people):
        return 0
    for column, first in enumerate(layout.rows[0]):
        if _named(first, people, source) is None:
            continue
        cells = [row[column] for row in layout.rows if column < len(row)]
        if sum(_named(cell, people, source) is not None for cell in cells) > MOSTLY * len(cells):
            return column
    return None


def _any_id_is_a_sample(people: SampleMap) -> bool:
    return people.sample("no id of any programme") is not None


def _named(text: str, people: SampleMap, source: Source) -> Sample | None:
    return None if text in source.drop else people.sample(text)
