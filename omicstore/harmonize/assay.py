"""From what a reader found to canonical samples, features and units: one assay per source and modality."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.diskmatrix import row_blocks
from omicstore.errors import SourceError, StudyError
from omicstore.harmonize.features import (
    Found,
    antibody_axis,
    array_of,
    gene_axis,
    holds_probes,
    metabolite_axis,
    plain_axis,
    probe_axis,
    probe_level_axis,
)
from omicstore.harmonize.fixation import formalin_fixed
from omicstore.harmonize.measured import measured
from omicstore.harmonize.samples import Sample, SampleMap, check_cohort
from omicstore.modalities import MODALITIES
from omicstore.readers.followup import is_follow_up
from omicstore.readers.table import Drops
from omicstore.schema import PROFILES
from omicstore.units import Unit, parse_unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.diskmatrix import Rows
    from omicstore.harmonize.references import References
    from omicstore.readers.table import RawTable
    from omicstore.sources import Source, Study

__all__ = ["Assay", "Matrix", "content_hashes", "to_assays"]

#: Units of a single sample's own making; what other units were fitted on is not known from the unit.
_SELF_CONTAINED = frozenset(
    {"tpm", "fpkm", "fpkm_uq", "rsem_normalized", "counts", "rpm", "beta", "mutated", "copy_number"}
)


@dataclass(slots=True)
class Assay:
    """One modality of one source, in canonical units and features, for one cohort.

    Attributes
    ----------
    modality, cohort
        What was measured, in whom.
    unit, unit_in
        The stored unit and the source's expression.
    upstream_fit
        Over which samples the upstream normalisation was fitted: none, per_cohort, all_samples, unknown.
    platform
        The array or instrument, None where the source does not say.
    values
        (profiles, features) float32, NaN where missing; on the disk where probes are too many to be held.
    profiles
        Row by row the columns of the profiles table, without chosen, reason, nearest_profile and nearest_r.
    features
        Column by column the columns of the features table; sorted by feature_id.
    source, source_id
        Where it came from.
    drops, warnings
        What harmonising left out, and sentences for the provenance record.
    """

    modality: str
    cohort: str
    unit: str
    unit_in: str
    upstream_fit: str
    platform: str | None
    values: Rows
    profiles: pl.DataFrame
    features: pl.DataFrame
    source: Source
    source_id: str
    drops: Drops = field(default_factory=Drops)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Matrix:
    """What the store holds of one modality and cohort.

    Attributes
    ----------
    values
        (chosen profiles, features) float32, sorted by sample_id; on the disk where the assay's are.
    rows
        sample_id, profile_id of each row, as `omicstore.schema.matrix_rows` names them.
    features
        The columns of the features table; sorted by feature_id.
    profiles
        The profiles table: all profiles, chosen or not.
    """

    modality: str
    cohort: str
    unit: str
    upstream_fit: str
    platform: str | None
    values: Rows
    rows: pl.DataFrame
    features: pl.DataFrame
    profiles: pl.DataFrame
    warnings: list[str] = field(default_factory=list)


def to_assays(
    raw: RawTable, cohort: str, study: Study, refs: References, source_id: str, scratch: Path | None = None
) -> list[Assay]:
    """Harmonise a matrix.

    Parameters
    ----------
    raw
        What the reader found; its values are used up, to hold a large matrix only once.
    cohort
        The cohort that is being built.
    study, refs
        The study and its reference tables.
    source_id
        The source's short content hash.
    scratch
        A folder for probes that are kept and too many to be held; the system's where None.

    Returns
    -------
    list of Assay
        Empty if the source has nothing for the cohort; two for methylation whose probes are kept.

    Raises
    ------
    SourceError
        If the ids are mixed or unknown, the cohort or the platform is wrong, or a value is out of range.
    ReferenceMissingError
        If a reference is needed that the study does not name.
    """
    if raw.kind != "matrix" or raw.source.cohort not in (None, cohort) or (raw.values is None and raw.blocks is None):
        return []
    source, modality = raw.source, raw.modality or raw.source.modality or ""
    unit = _unit(source, modality)
    numbers = measured(raw, modality, unit, refs, scratch)
    if not raw.features:
        raise SourceError(source.path, "there are 0 features in it", expected="at least one feature")
    sample_drops = Drops()
    rows, samples = SampleMap(study, cohort).resolve(raw.ids, source, sample_drops)
    numbers.check_range()
    warnings = check_cohort(samples, cohort, refs.sites, source)
    empty = numbers.empty()
    sample_drops.add("no value measured", [raw.ids[r] for r in rows if r in empty])
    kept = [i for i, r in enumerate(rows) if r not in empty]
    if not kept:
        raise SourceError(source.path, "every profile is empty", expected="measured values")
    order = sorted(kept, key=lambda i: (samples[i].sample_id, samples[i].profile_id, rows[i]))
    picked, people = np.array([rows[i] for i in order], dtype=np.intp), [samples[i] for i in order]

    assays: list[Assay] = []
    axes = _axes(raw, modality, unit, refs)
    for name, platform, found in axes:
        last = len(assays) == len(axes) - 1
        values = numbers.on(name, found.axis, platform, picked, last=last)
        drops = Drops()
        drops.update(sample_drops)
        drops.update(found.drops)
        profiles = _profiles(raw, picked, people, values, found.axis.frame, (cohort, name, platform, source_id))
        assays.append(
            Assay(
                modality=name,
                cohort=cohort,
                unit=unit.stored,
                unit_in=unit.text,
                upstream_fit=source.upstream_fit or ("none" if unit.stored in _SELF_CONTAINED else "unknown"),
                platform=platform,
                values=values,
                profiles=profiles,
                features=found.axis.frame,
                source=source,
                source_id=source_id,
                drops=drops,
                warnings=[*warnings, *found.warnings],
            )
        )
    raw.values = None  # used up
    return assays


def _unit(source: Source, modality: str) -> Unit:
    unit = parse_unit(source.unit or "")
    if (unit.stored == "beta") != modality.startswith("meth") and (unit.stored == "beta" or unit.base.additive):
        raise StudyError(
            f"{source.path.name}: modality {modality} with the unit {source.unit}",
            expected="beta or m_value for methylation, and for nothing else",
            run="correct modality or unit of the source in study.sources",
        )
    return unit


def _axes(raw: RawTable, modality: str, unit: Unit, refs: References) -> list[tuple[str, str | None, Found]]:
    """Return modality, platform and axis of each assay that a source makes."""
    if modality == "meth_probe" or (modality == "meth" and holds_probes(raw)):
        platform = array_of(raw, refs)
        found: list[tuple[str, str | None, Found]] = []
        if modality == "meth":
            found.append(("meth", platform, probe_axis(raw, platform, refs)))
        if modality == "meth_probe" or raw.source.keep_probes:
            found.append(("meth_probe", platform, probe_level_axis(raw, platform, refs)))
        return found
    namespace = MODALITIES[modality].namespace
    if namespace != "ensembl_gene":
        _refuse_follow_up(raw)
    if namespace == "antibody":
        axis = antibody_axis(raw, refs)
    elif namespace == "metabolite":
        axis = metabolite_axis(raw, refs)
    elif namespace == "mirbase":
        axis = plain_axis(raw)
    else:
        axis = gene_axis(raw, refs.genes, unit.base.several)
    return [(modality, raw.source.platform, axis)]


def _refuse_follow_up(raw: RawTable) -> None:
    """Refuse an outcome among the features: a model would be given what it is to predict."""
    told = [name for name in raw.features if is_follow_up(name)]
    if told:
        raise SourceError(
            raw.source.path,
            f"{len(told)} of its {len(raw.features)} features are follow-up, e.g. {', '.join(told[:3])}",
            expected=f"measurements of {raw.modality or raw.source.modality} alone",
            run="name another format if this is a table of patients, or leave the columns out with drop:",
        )


def _profiles(
    raw: RawTable,
    rows: NDArray[np.intp],
    samples: list[Sample],
    values: Rows,
    features: pl.DataFrame,
    what: tuple[str, str, str | None, str],
) -> pl.DataFrame:
    cohort, modality, platform, source_id = what
    ffpe = formalin_fixed(raw)
    hashes = content_hashes(values, features.get_column("feature_id").to_list())
    missing = [int(n) for _, block in row_blocks(values) for n in np.isnan(block).sum(axis=1)]
    records: list[dict[str, Any]] = []
    for row, sample, digest, absent in zip(rows.tolist(), samples, hashes, missing, strict=True):
        raw_id = raw.ids[row]
        records.append(
            {name: getattr(sample, name) for name in _SAMPLE_COLUMNS}
            | {
                "cohort": cohort,
                "modality": modality,
                "raw_id": raw_id,
                "source_id": source_id,
                "platform": platform,
                "ffpe": ffpe.get(raw_id),
                "content_hash": digest,
                "n_features": values.shape[1],
                "n_missing": absent,
            }
        )
    skipped = ("chosen", "reason", "nearest_profile", "nearest_r")
    schema = {name: dtype for name, dtype in PROFILES.columns.items() if name not in skipped}
    return pl.DataFrame(records, schema=schema)


_SAMPLE_COLUMNS = (
    "profile_id", "sample_id", "patient_id", "sample_type", "sample_type_code", "sample_type_inferred", "vial",
    "portion", "analyte", "plate", "center", "site",
)  # fmt: skip


def content_hashes(values: Rows, feature_ids: Sequence[str]) -> list[str]:
    """Return a sha256 for each row: over the feature ids and the values as little-endian float32.

    NaN must have one bit pattern and zero one sign, as `aggregate` leaves them.
    """
    axis = hashlib.sha256("\n".join(feature_ids).encode()).digest()
    return [
        hashlib.sha256(axis + row.tobytes()).hexdigest()
        for _, block in row_blocks(values)
        for row in np.ascontiguousarray(block, dtype="<f4")
    ]
