"""Mutations of a cBioPortal study: whose were looked for, and in which genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.readers.bytestream import pieces
from omicstore.readers.cbioportal_meta import fields_of, refuse_pointer
from omicstore.readers.cbioportal_profiles import find_column, has_column, layout_of
from omicstore.readers.delimited import read_texts
from omicstore.readers.maf import read_calls, to_table

if TYPE_CHECKING:
    from omicstore.readers.cbioportal_meta import Profile, Study
    from omicstore.readers.maf import Calls
    from omicstore.readers.table import RawTable
    from omicstore.sources import Source

__all__ = ["looked_at", "read_mutations"]

#: Panels that are all genes.
WHOLE = frozenset(["wes", "wxs", "wgs", "whole_exome", "whole-exome"])


def read_mutations(source: Source, study: Study, profile: Profile, people: pl.DataFrame) -> RawTable:
    """Read the mutations: 0 or 1 for the samples that were sequenced, NaN for genes that a sample's panel lacks.

    Raises
    ------
    SourceError
        If the file is no MAF, or no sample of it is in the study.
    """
    refuse_pointer(profile.data, next(pieces(profile.data)))
    calls = read_calls(profile.data)
    samples, warnings = looked_at(study, profile, people, calls)
    raw = to_table(source, calls, samples)
    raw.warnings += warnings
    return _only_panels(raw, study, profile)


def looked_at(study: Study, profile: Profile, people: pl.DataFrame, calls: Calls) -> tuple[list[str], list[str]]:
    """Return the samples whose mutations are known, and what a person must know of how that was told."""
    listed = set(people.filter(~pl.col("patient_level"))["raw_id"])
    mutated = set(calls.frame["sample"]) & listed
    cases = _case_list(study, "sequenced")
    panels = {sample for sample, _ in _panel_of(study, profile)} & listed
    if cases is None and not panels:
        told = "the study has no list of the samples that were sequenced (case_lists/cases_sequenced.txt): "
        return sorted(mutated), [f"{told}those without any mutation are not known"]
    known = (set(cases or ()) & listed) | panels
    beyond = sorted(mutated - known)
    warnings = []
    if beyond:
        warnings.append(f"{len(beyond)} samples have mutations and are not in the case list, e.g. {beyond[0]}")
    return sorted(known | mutated), warnings


def _case_list(study: Study, suffix: str) -> list[str] | None:
    for path in sorted((study.folder / "case_lists").glob("*.txt")):
        fields = fields_of(path)
        if fields.get("stable_id", "").endswith(f"_{suffix}"):
            return fields.get("case_list_ids", "").split()
    return None


def _panel_of(study: Study, profile: Profile) -> list[tuple[str, str]]:
    """Return sample and panel of those whose mutations were looked for on one."""
    for matrix in study.of_kind("GENE_PANEL_MATRIX", "GENE_PANEL_MATRIX"):
        layout = layout_of(matrix.data)
        at = find_column(layout, "SAMPLE_ID")
        column = has_column(layout, profile.id)
        if column is not None:
            texts = read_texts(layout, [at, column]).select(str(at), str(column)).drop_nulls()
            return [(s, p) for s, p in texts.iter_rows() if p.lower() != "na"]
    return []


def _panels(study: Study) -> dict[str, list[str]]:
    """Return the genes of the panels whose files are in the folder."""
    found = {}
    for path in sorted(study.folder.glob("*gene_panel*.txt")):
        if "matrix" in path.name:
            continue
        fields = fields_of(path)
        if "gene_list" in fields and "stable_id" in fields:
            found[fields["stable_id"]] = fields["gene_list"].split()
    return found


def _only_panels(raw: RawTable, study: Study, profile: Profile) -> RawTable:
    """Set to NaN what a sample's panel does not hold, and add the genes of the panels that no sample has mutated."""
    assert raw.values is not None
    ids = set(raw.ids)
    on = {s: panel for s, panel in _panel_of(study, profile) if s in ids and panel.lower() not in WHOLE}
    panels = _panels(study)
    if absent := sorted({panel for panel in on.values() if panel not in panels}):
        raw.warnings.append(
            f"the genes of panel {', '.join(absent)} are not in the folder: those that it lacks read as not mutated"
        )
    symbols = [feature.partition("|")[0] for feature in raw.features]
    more = sorted({gene for panel in on.values() for gene in panels.get(panel, ())} - set(symbols))
    raw.features, symbols = [*raw.features, *more], [*symbols, *more]
    raw.values = np.hstack([raw.values, np.zeros((len(raw.ids), len(more)), np.float32)])
    for row, sample in enumerate(raw.ids):
        if (genes := panels.get(on.get(sample, ""))) is not None:
            raw.values[row, ~np.isin(symbols, genes)] = np.nan
    return raw
