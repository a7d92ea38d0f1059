"""From a raw id to the sample and the patient: by barcode grammar, or as ``study.samples`` says."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError, StudyError
from omicstore.identifiers import NOT_A_DISEASE, cohort_of_disease, cohorts_agree, find_barcode, parse_barcode
from omicstore.readers import people

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omicstore.readers.table import Drops
    from omicstore.sources import Sampling, Source, Study

__all__ = ["Sample", "SampleMap", "check_cohort"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Who a profile was measured in; the fields are those of the profiles table.

    `profile_id` is the canonical spelling of the raw id. `patient_level` says that the id names only the patient.
    """

    profile_id: str
    sample_id: str
    patient_id: str
    sample_type: str | None = None
    sample_type_code: str | None = None
    sample_type_inferred: bool = False
    vial: str | None = None
    portion: str | None = None
    analyte: str | None = None
    plate: str | None = None
    center: str | None = None
    site: str | None = None
    tissue: str | None = None
    patient_level: bool = False


class SampleMap:
    """How the ids of one cohort become samples.

    Parameters
    ----------
    study
        Its ``samples`` rule, where the ids are no barcodes.
    cohort
        The cohort, which decides what a patient-level barcode means.
    """

    def __init__(self, study: Study, cohort: str) -> None:
        self.cohort, self._rule = cohort, study.samples
        self._table: dict[str, Sample] | None = None
        self._elsewhere: set[str] = set()
        self._pattern = re.compile(self._rule.pattern) if self._rule and self._rule.pattern else None
        self._tissue = re.compile(self._rule.tissue) if self._rule and self._rule.tissue else None
        if self._rule is not None and self._rule.path is not None:
            self._table, self._elsewhere = _sample_table(self._rule, cohort)
        #: What sources say that list their own samples; asked last.
        self._told = {
            row["raw_id"]: Sample(
                profile_id=row["raw_id"],
                sample_id=row["sample_id"],
                patient_id=row["patient_id"],
                sample_type=row["sample_type"] or "primary",
                sample_type_inferred=row["sample_type"] is None,
                patient_level=row["patient_level"],
            )
            for source in study.sources_of(cohort)
            if (listed := people(source)) is not None
            for row in listed.iter_rows(named=True)
        }

    def sample(self, raw_id: str) -> Sample | None:
        """Return the sample of a raw id, or None if the id says nothing."""
        raw_id = raw_id.strip()
        return self._by_rule(raw_id) or self._told.get(raw_id)

    def _by_rule(self, raw_id: str) -> Sample | None:
        if self._rule is None:
            return self._from_barcode(raw_id)
        if self._table is not None:
            return self._table.get(raw_id)
        return self._from_rule(raw_id, self._rule)

    def is_elsewhere(self, raw_id: str) -> bool:
        """Whether the sample table says that the id belongs to another cohort."""
        return raw_id.strip() in self._elsewhere

    def resolve(self, raw_ids: Sequence[str], source: Source, drops: Drops) -> tuple[list[int], list[Sample]]:
        """Resolve all ids of a matrix.

        Parameters
        ----------
        raw_ids
            The ids, in the order of the matrix's rows.
        source
            Named in errors.
        drops
            Counts the ids that belong to another cohort.

        Returns
        -------
        rows
            The rows that belong to this cohort.
        samples
            Their samples.

        Raises
        ------
        SourceError
            If there are no ids, if none says which sample it is, or if only some do.
        """
        if not raw_ids:
            raise SourceError(source.path, "there are 0 samples in it", expected="at least one profile")
        found = [self.sample(raw) for raw in raw_ids]
        elsewhere = [raw for raw in raw_ids if self.is_elsewhere(raw)]
        drops.add("sample of another cohort", elsewhere)
        lost = [r for r, s in zip(raw_ids, found, strict=True) if s is None and not self.is_elsewhere(r)]
        if lost:
            raise self._unresolved(lost, [r for r, s in zip(raw_ids, found, strict=True) if s is not None], source)
        rows = [i for i, s in enumerate(found) if s is not None]
        if not rows:
            raise SourceError(
                source.path,
                f"all {len(raw_ids)} samples belong to other cohorts than {self.cohort}",
                expected=f"samples of {self.cohort}",
                run="correct the cohort of the source, or the table that study.samples names",
            )
        return rows, [s for s in found if s is not None]

    def _unresolved(self, lost: list[str], found: list[str], source: Source) -> SourceError:
        what, expected, run = "barcodes", "barcodes such as TCGA-4Z-AA7M-01A", "add study.samples to params.yaml"
        if self._rule is not None:
            what, expected = "in the form of study.samples", "ids that study.samples describes"
            run = "correct study.samples, or leave the columns out with drop:"
        if not found:
            return SourceError(source.path, f"no id is {what}, e.g. {lost[0]!r}", expected=expected, run=run)
        return SourceError(
            source.path,
            f"mixed ids: {len(found)} are {what}, e.g. {found[0]!r}, and {len(lost)} are not, e.g. {lost[0]!r}",
            expected=expected,
            run=run if self._rule is not None else "leave the other columns out with drop:",
        )

    def _from_barcode(self, raw_id: str) -> Sample | None:
        code = parse_barcode(raw_id) or find_barcode(raw_id)
        if code is None:
            return None
        at = code.as_sample(self.cohort)
        return Sample(
            profile_id=code.text,
            sample_id=at.sample_id or "",
            patient_id=at.patient_id,
            sample_type=at.sample_type,
            sample_type_code=at.sample_type_code,
            sample_type_inferred=at.sample_type_inferred,
            vial=at.vial,
            portion=at.portion,
            analyte=at.analyte,
            plate=at.plate,
            center=at.center,
            site=at.site,
            patient_level=at.sample_type_inferred,
        )

    def _from_rule(self, raw_id: str, rule: Sampling) -> Sample | None:
        if not raw_id:
            return None
        patient, sample, kind = raw_id, raw_id, rule.sample_type
        if self._pattern is not None:
            match = self._pattern.search(raw_id)
            if match is None:
                return None
            groups = match.groupdict()
            patient = sample = groups.get("patient") or raw_id
            if code := groups.get("type"):
                sample, kind = f"{patient}-{code}", rule.types.get(code, code)
        tissue = self._tissue.search(raw_id) if self._tissue is not None else None
        return Sample(
            profile_id=raw_id,
            sample_id=sample,
            patient_id=patient,
            sample_type=kind,
            tissue=tissue.group(1) if tissue and tissue.groups() else None,
        )


def _sample_table(rule: Sampling, cohort: str) -> tuple[dict[str, Sample], set[str]]:
    path = rule.path
    assert path is not None
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StudyError(
            f"study.samples: {path} cannot be read: {error}", expected="a CSV table with a row per profile"
        ) from None
    needed = ("column", "sample_id", "patient_id")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise StudyError(
            f"study.samples: {path} has no column {', '.join(missing)}",
            expected="column, sample_id, patient_id and, where they differ, cohort and sample_type",
        )
    here: dict[str, Sample] = {}
    elsewhere: set[str] = set()
    for row in frame.iter_rows(named=True):
        column = (row["column"] or "").strip()
        if (row.get("cohort") or rule.cohort or cohort).upper() != cohort:
            elsewhere.add(column)
            continue
        here[column] = Sample(
            profile_id=column,
            sample_id=row["sample_id"],
            patient_id=row["patient_id"],
            sample_type=row.get("sample_type") or rule.sample_type,
        )
    return here, elsewhere


def check_cohort(
    samples: Sequence[Sample], cohort: str, sites: Mapping[str, tuple[str, str]], source: Source
) -> list[str]:
    """Compare the tissue source sites of a source's barcodes with its cohort.

    Parameters
    ----------
    samples
        All samples of the source.
    cohort
        The cohort that the study file names; one that is no disease's is not checked.
    sites
        Site code to (site name, disease).
    source
        Named in the error.

    Returns
    -------
    list of str
        A warning where a minority of the barcodes belongs to another cohort.

    Raises
    ------
    SourceError
        If most of the barcodes belong to another cohort.
    """
    if cohort_of_disease(cohort) is None:
        return []
    others: dict[str, str] = {}
    known = 0
    for sample in samples:
        disease = sites.get(sample.site or "", ("", ""))[1]
        code = cohort_of_disease(disease) if disease else None
        if code is None or code in NOT_A_DISEASE:
            continue
        known += 1
        if not cohorts_agree(code, cohort):
            others[sample.profile_id] = code
    if not others:
        return []
    counts = ", ".join(f"{n} of {c}" for c, n in sorted(Counter(others.values()).items(), key=lambda x: (-x[1], x[0])))
    first = min(others)
    if len(others) > known / 2:
        raise SourceError(
            source.path,
            f"wrong cohort: the tissue source sites of {len(others)} of {known} barcodes belong to other cohorts"
            f" ({counts}), e.g. {first}",
            expected=f"barcodes of {cohort}",
            run="correct the cohort of the source in study.sources",
        )
    return [f"{len(others)} barcodes are of another cohort's tissue source sites ({counts}), e.g. {first}"]
