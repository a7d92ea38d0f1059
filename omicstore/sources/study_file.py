"""Reading the study file, and telling what is wrong with it and where."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import yaml

from omicstore.errors import StudyError, UnknownNameError
from omicstore.formats import get_format
from omicstore.modalities import get_modality
from omicstore.paths import below
from omicstore.sources.declared import ENDPOINTS, UPSTREAM_FITS, FollowUp, Reference, Sampling, Source, Study
from omicstore.sources.encoders import encoder_keys

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["REFERENCE_FORMATS", "load_study"]

REFERENCE_FORMATS: tuple[str, ...] = (
    "xena-probemap", "hgnc", "probe-table", "illumina-manifest", "probe-list", "tcga-tss",
    "metabolite-table",
)  # fmt: skip

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def load_study(path: Path) -> Study:
    """Read the study section of a params.yaml or of a study file.

    Parameters
    ----------
    path
        A YAML file with a mapping ``study``. Relative paths in it are relative to its folder.

    Raises
    ------
    StudyError
        If the file is absent or not YAML, or the section is wrong; the message says where.
    UnknownNameError
        If a format, modality or key is mistyped; the message names the nearest ones.
    """
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"{path} does not exist",
            expected="a params.yaml or a study file",
            run="omicstore init DIR --sources FILE",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(body, dict) or not isinstance(body.get("study"), dict):
        raise StudyError(
            f"{path} has no section 'study'", expected="a mapping 'study' with dataset, cohorts and sources"
        )
    return _study(body["study"], path)


def _study(section: dict[str, Any], path: Path) -> Study:
    root = path.parent
    known = ("dataset", "cohorts", "references", "sources", "samples", "simulated")
    _check_keys(section, known, f"{path}, study")
    raw_sources = section.get("sources")
    if not isinstance(raw_sources, list) or not raw_sources:
        raise StudyError(f"{path}: study.sources is empty", expected="a list with one entry per file")
    sources = tuple(_source(entry, root, f"{path}, study.sources[{i}]") for i, entry in enumerate(raw_sources))
    cohorts = section.get("cohorts") or sorted({s.cohort for s in sources if s.cohort})
    cohorts = tuple(str(c).upper() for c in cohorts)
    if not cohorts:
        raise StudyError(
            f"{path}: no cohort is named in study.cohorts or in a source", expected="study.cohorts: [NAME]"
        )
    if len(set(cohorts)) != len(cohorts):
        raise StudyError(f"{path}: study.cohorts names a cohort twice: {', '.join(cohorts)}")
    for i, source in enumerate(sources):
        if source.cohort is None and not source.is_table:
            raise StudyError(f"{path}, study.sources[{i}]: {source.path.name} has no cohort", expected="cohort: NAME")
    return Study(
        dataset=str(section.get("dataset", "study")),
        cohorts=cohorts,
        sources=sources,
        references=tuple(_references(section.get("references") or {}, root, path)),
        samples=_sampling(section["samples"], root, path) if section.get("samples") else None,
        simulated=bool(section.get("simulated", False)),
        root=root,
    )


def _source(entry: Any, root: Path, where: str) -> Source:
    if not isinstance(entry, dict):
        raise StudyError(f"{where}: {entry!r} is not a mapping", expected="path, format, modality, cohort, unit")
    names = [f.name for f in fields(Source)]
    _check_keys(entry, names, where)
    if "format" not in entry or "path" not in entry:
        raise StudyError(
            f"{where} has no {'format' if 'path' in entry else 'path'}", expected="at least path and format"
        )
    form = get_format(str(entry["format"]), where)
    values = {"unit": form.unit, "modality": form.modality} | {k: v for k, v in entry.items() if v is not None}
    values["path"] = below(root, entry["path"])
    for key in ("select", "drop", "missing", "redact", "redact_words"):
        value = entry.get(key) or ()
        values[key] = (value,) if isinstance(value, str) else tuple(str(v) for v in value)
    values["cohort"] = str(entry["cohort"]).upper() if entry.get("cohort") else None
    values["modality"] = get_modality(values["modality"]).name if values["modality"] else None
    values["outcomes"] = _outcomes(entry.get("outcomes") or {}, where)
    for key in ("redact", "redact_words"):
        if values[key] and form.kind != "report":
            raise StudyError(f"{where}: {key} is for reports, not for {form.name}", expected="format: reports")
    values |= encoder_keys(entry, form, root, where)
    source = Source(**values)
    if source.modality is None and form.kind == "matrix":
        raise StudyError(f"{where}: {source.path.name} has no modality", expected="modality: rna, meth, prot, ...")
    if source.upstream_fit is not None and source.upstream_fit not in UPSTREAM_FITS:
        raise UnknownNameError(f"upstream_fit in {where}", source.upstream_fit, UPSTREAM_FITS)
    if source.sha256 is not None and not (isinstance(source.sha256, str) and _SHA256.fullmatch(source.sha256)):
        raise StudyError(f"{where}: sha256 is {source.sha256!r}", expected="64 hexadecimal digits, in quotes")
    kind = get_modality(source.modality).kind if source.modality else None
    if kind == "matrix" and source.unit is None and form.kind == "matrix":
        raise StudyError(f"{where}: {source.path.name} has no unit", expected="unit: tpm, log2(tpm+1), beta, ...")
    if source.orientation not in (None, "features_in_rows", "features_in_columns"):
        raise UnknownNameError(
            f"orientation in {where}", source.orientation, ("features_in_rows", "features_in_columns")
        )
    return source


def _outcomes(section: Any, where: str) -> dict[str, FollowUp]:
    _check_keys(section, ENDPOINTS, f"{where}, outcomes")
    found = {}
    for endpoint, entry in section.items():
        at = f"{where}, outcomes.{endpoint}"
        _check_keys(entry, ("time", "event", "unit"), at)
        if "time" not in entry or "event" not in entry:
            raise StudyError(
                f"{at} has no {'event' if 'time' in entry else 'time'}", expected="time: and event: columns"
            )
        unit = str(entry.get("unit", "days"))
        if unit not in ("days", "months", "years"):
            raise UnknownNameError(f"unit in {at}", unit, ("days", "months", "years"))
        found[endpoint] = FollowUp(str(entry["time"]), str(entry["event"]), unit)
    return found


def _references(section: dict[str, Any], root: Path, path: Path) -> list[Reference]:
    kinds = ("genes", "symbols", "probes", "sites", "metabolites", "masks")
    _check_keys(section, kinds, f"{path}, study.references")
    found = []
    for kind, entries in section.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            where = f"{path}, study.references.{kind}"
            _check_keys(entry, ("path", "format", "platform"), where)
            if entry.get("format") not in REFERENCE_FORMATS:
                raise UnknownNameError(f"format in {where}", str(entry.get("format")), REFERENCE_FORMATS)
            found.append(Reference(kind, below(root, entry["path"]), entry["format"], entry.get("platform")))
    return found


def _sampling(section: dict[str, Any], root: Path, path: Path) -> Sampling:
    where = f"{path}, study.samples"
    _check_keys(section, ("path", "from", "patient", "pattern", "types", "cohort", "sample_type", "tissue"), where)
    cohort = str(section["cohort"]).upper() if section.get("cohort") else None
    if "path" in section:
        return Sampling(path=below(root, section["path"]), cohort=cohort)
    if section.get("from") not in ("id", "column"):
        raise StudyError(
            f"{where}: from is {section.get('from')!r}",
            expected="from: id or from: column, or path: samples.csv",
        )
    tissue = section.get("tissue")
    return Sampling(
        origin=section["from"],
        pattern=section.get("pattern"),
        types={str(k): str(v) for k, v in (section.get("types") or {}).items()},
        cohort=cohort,
        sample_type=section.get("sample_type"),
        tissue=tissue.get("pattern") if isinstance(tissue, dict) else None,
    )


def _check_keys(section: Any, known: Any, where: str) -> None:
    if not isinstance(section, dict):
        raise StudyError(f"{where}: {section!r} is not a mapping")
    for key in section:
        if key not in known:
            raise UnknownNameError(f"key in {where}", str(key), known)
