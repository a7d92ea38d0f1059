"""Who the rows of a table are: the part that the tables of patients, outcomes, labels and reports share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.harmonize.samples import Sample, SampleMap, check_cohort
from omicstore.readers.table import Drops

if TYPE_CHECKING:
    from collections.abc import Iterable

    from omicstore.harmonize.references import References
    from omicstore.readers.table import RawTable
    from omicstore.sources import Study

__all__ = ["Members", "Note", "Raws", "Row", "source_name"]

#: Source id and what its reader found, in the order of the study file.
Raws = list[tuple[str, "RawTable"]]


@dataclass(slots=True)
class Note:
    """What became of one source's table: rows kept, rows dropped by reason, warnings."""

    kept: int = 0
    drops: Drops = field(default_factory=Drops)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table whose person is known."""

    index: int
    sample: Sample


class Members:
    """The patients and samples of one cohort's study, by which rows of tables are kept.

    Parameters
    ----------
    study, cohort, refs
        What is being built.
    profiles
        The profiles of the cohort so far; a table's row is kept if its patient has one.
    """

    def __init__(self, study: Study, cohort: str, refs: References, profiles: pl.DataFrame) -> None:
        self.cohort, self._map, self._sites = cohort, SampleMap(study, cohort), refs.sites
        self._found: dict[str, Sample | None] = {}
        self.patients = set(profiles.get_column("patient_id").to_list())
        self._by_sample: dict[str, str] = dict(profiles.select("sample_id", "patient_id").unique().iter_rows())

    def find(self, raw_id: str) -> Sample | None:
        """Return who a raw id means: by the grammar of ids, or as a sample or patient of the study."""
        if raw_id not in self._found:
            self._found[raw_id] = self._find(raw_id.strip())
        return self._found[raw_id]

    def _find(self, raw_id: str) -> Sample | None:
        if (sample := self._map.sample(raw_id)) is not None:
            return sample
        if raw_id in self._by_sample:
            return Sample(profile_id=raw_id, sample_id=raw_id, patient_id=self._by_sample[raw_id])
        if raw_id in self.patients:
            return Sample(profile_id=raw_id, sample_id="", patient_id=raw_id, patient_level=True)
        return None

    def has_sample(self, sample_id: str) -> bool:
        """Whether the sample has a profile."""
        return sample_id in self._by_sample

    def rows(self, raw: RawTable, note: Note, *, only_members: bool = True) -> list[Row]:
        """Return the rows of a table whose person belongs here, and count the others.

        Parameters
        ----------
        raw
            A table with a column raw_id.
        note
            Counts what is left out.
        only_members
            Leave out those without a profile in the study.

        Raises
        ------
        SourceError
            If no row says whose it is, or if most are of another cohort than the source's.
        """
        assert raw.frame is not None
        ids = raw.frame.get_column("raw_id").cast(pl.String).to_list()
        found = [self.find(raw_id) if raw_id else None for raw_id in ids]
        note.drops.add("id says no patient", [raw_id or "" for raw_id, s in zip(ids, found, strict=True) if s is None])
        known = [Row(i, s) for i, s in enumerate(found) if s is not None]
        if ids and not known:
            raise SourceError(
                raw.source.path,
                f"none of its {len(ids)} rows says whose it is, e.g. {ids[0]!r}",
                expected="a column with barcodes or with the ids of study.samples",
                run="name it with id: in the source",
            )
        if raw.source.cohort == self.cohort:
            note.warnings += check_cohort([row.sample for row in known], self.cohort, self._sites, raw.source)
        if not only_members:
            return known
        absent = [row for row in known if row.sample.patient_id not in self.patients]
        note.drops.add("patient without a profile or report", [row.sample.patient_id for row in absent])
        if self.patients and known and len(absent) == len(known):
            one, other = known[0].sample.patient_id, min(self.patients)
            note.warnings.append(f"none of its patients, such as {one!r}, has a profile, as {other!r} has")
        return [row for row in known if row.sample.patient_id in self.patients]


def source_name(raw: RawTable) -> str:
    """Return how the tables name a source: its file name."""
    return raw.source.path.name


def by_precedence(raws: Iterable[tuple[int, RawTable]]) -> list[tuple[int, RawTable]]:
    """Return the tables in the order of precedence: tcga-cdr first, then as in the study file."""
    return sorted(raws, key=lambda entry: (entry[1].source.format != "tcga-cdr", entry[0]))
