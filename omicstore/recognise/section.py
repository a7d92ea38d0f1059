"""The study section to start from, with comments at what is unsure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from omicstore.formats import FORMATS
from omicstore.modalities import MATRIX_MODALITIES, MODALITIES
from omicstore.paths import relative
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from omicstore.recognise.finding import Finding

#: Source (by identity) to its modalities that clash with another source's, and why.
Clashes: TypeAlias = "Mapping[int, tuple[AbstractSet[str], str]]"

__all__ = ["Section", "make_section", "section_text"]

#: Keys of a source in the order in which a person reads them.
_ORDER = ("path", "format", "modality", "cohort", "unit", "platform", "orientation")

#: What samples are where their ids say it: T and N, cell lines.
_PAIRED = r"^(?P<patient>.+)[_.-](?P<type>[TN])$"
_TISSUE = r"_(.+)$"

_COMMENT = "  # ? "


@dataclass(slots=True)
class Section:
    """A study section.

    Attributes
    ----------
    body
        The mapping, as `omicstore.sources.load_study` reads it.
    doubts
        For each source and each kind of reference, by position, the keys that are guesses and what would settle them.
    sample_doubt
        What would settle the rule for ids in ``samples``; empty where nothing is to be settled.
    left_out
        Sources that cannot be in one study with the others, and why.
    """

    body: dict[str, Any]
    doubts: list[dict[str, str]] = field(default_factory=list)
    sample_doubt: str = ""
    left_out: list[tuple[Finding, str]] = field(default_factory=list)


def make_section(findings: Sequence[Finding], root: Path) -> Section | None:
    """Make a study section of what was found; None if no source is among it.

    Parameters
    ----------
    findings
        From `omicstore.recognise.survey`.
    root
        The folder that its paths are to be relative to.
    """
    told = [f for f in findings if f.kind == "source"]
    sources = [f for f in told if (f.modality and f.unit) or not _is_matrix(f)]
    if not sources:
        return None
    rule, members, doubt = _samples(sources)
    section = Section({}, sample_doubt=doubt)
    section.left_out += [(f, "say its modality and unit") for f in told if f not in sources]
    nameless = [f for f in sources if "samples" in f.unsure]
    if len(nameless) < len(sources):  # the others can be built meanwhile
        section.left_out += [(f, f.unsure["samples"]) for f in nameless]
        sources = [f for f in sources if f not in nameless]
    kept = []
    for source in sources:
        if id(source) in members:
            kept.append(source)
        else:
            section.left_out.append((source, "its samples' ids are of another kind, which needs a study of its own"))
    kept.sort(key=_order)
    clashes = _clashes(kept)
    for source in [f for f in kept if id(f) in clashes and not _measured(f, clashes)]:
        kept.remove(source)
        section.left_out.append((source, clashes[id(source)][1]))
    section.body["dataset"] = _dataset(kept)
    section.body["cohorts"] = sorted({f.cohort for f in kept if f.cohort}) or ["COHORT"]
    if refs := _references(findings, root):
        section.body["references"] = refs
    entries = []
    for finding in kept:
        entry = _entry(finding, root)
        if id(finding) in clashes:
            section.left_out.append((finding, clashes[id(finding)][1]))
        for modality in _measured(finding, clashes) if id(finding) in clashes else [entry.get("modality")]:
            chosen = {"modality": modality} if modality else {}
            entries.append({key: (entry | chosen)[key] for key in (*_ORDER, *entry) if key in entry | chosen})
            section.doubts.append(dict(finding.unsure))
    section.body["sources"] = entries
    if rule is not None:
        section.body["samples"] = rule | {"cohort": section.body["cohorts"][0]}
    return section


def _is_matrix(found: Finding) -> bool:
    return FORMATS[found.format or ""].kind == "matrix"


def _order(found: Finding) -> tuple[str, bool, str]:
    """Cohort by cohort, measurements before tables; tables of all cohorts last."""
    return found.cohort or "~", FORMATS[found.format or ""].kind == "table", str(found.path)


def _dataset(sources: Sequence[Finding]) -> str:
    if any((f.profiles or "").startswith("tcga") or f.format == "tcga-cdr" for f in sources):
        return "tcga"
    return (sources[0].cohort or "study").lower()


def _measured(found: Finding, clashes: Clashes) -> list[str]:
    """Return the modalities of a source that do not clash with another's."""
    held: list[str | None] = [p.modality for p in found.parts if p.modality] or [found.modality]
    return [m for m in held if m is not None and m not in clashes.get(id(found), ((), ""))[0]]


def _clashes(sources: Sequence[Finding]) -> Clashes:
    """Return which modalities of which sources come in another unit than the same cohort's other sources.

    The canonical unit of the modality stays, or that of the first source. A part without a unit clashes with any.
    """
    units: dict[tuple[str, str], dict[str, list[Finding]]] = {}
    for found in sources:
        for modality, unit in [(p.modality, p.unit) for p in found.parts] or [(found.modality, found.unit)]:
            if modality in MATRIX_MODALITIES and unit is not None and found.cohort is not None:
                stored = units.setdefault((found.cohort, modality), {})
                stored.setdefault(parse_unit(unit).stored, []).append(found)
    clashes: dict[int, tuple[set[str], str]] = {}
    for found in sources:
        if unsaid := {p.modality for p in found.parts if p.modality and not p.unit}:
            clashes[id(found)] = (unsaid, f"its {' and '.join(sorted(unsaid))}: say the unit, with part: and unit:")
    for (cohort, modality), by_unit in units.items():
        stays = MODALITIES[modality].unit
        stays = stays if stays in by_unit else next(iter(by_unit))
        for unit, clashing in by_unit.items():
            why = f"{modality} of {cohort} in {unit}, which others have in {stays}; a cohort of its own can hold it"
            for found in clashing if unit != stays else []:
                clashes.setdefault(id(found), (set(), why))[0].add(modality)
    return clashes


def _entry(found: Finding, root: Path) -> dict[str, Any]:
    """Return the entry of a source in the study file."""
    form = FORMATS[found.format or ""]
    entry: dict[str, Any] = {"path": relative(found.path.resolve(), root.resolve()), "format": found.format}
    if found.modality is not None:
        entry["modality"] = found.modality
    if found.cohort is not None:
        entry["cohort"] = found.cohort
    if form.kind == "matrix":
        entry["unit"] = found.unit
    # Where ids do not tell the reader which way round the matrix is, the study file has to.
    if form.name == "matrix" and not (found.profiles or "").startswith("tcga"):
        entry["orientation"] = found.orientation
    return entry | found.keys


def _references(findings: Sequence[Finding], root: Path) -> dict[str, Any]:
    """Return the references section: one of each kind, the last by name (the newest release), but all probe tables."""
    refs: dict[str, Any] = {}
    for found in sorted((f for f in findings if f.kind == "reference"), key=lambda f: str(f.path)):
        entry = {"path": relative(found.path.resolve(), root.resolve()), "format": found.format, **found.keys}
        kind = found.reference or ""
        if kind in ("probes", "masks"):
            refs.setdefault(kind, []).append(entry)
        else:
            refs[kind] = entry
    return {
        kind: refs[kind] for kind in ("genes", "symbols", "probes", "masks", "sites", "metabolites") if kind in refs
    }


def _samples(sources: Sequence[Finding]) -> tuple[dict[str, Any] | None, set[int], str]:
    """Return the rule for ids that are no barcodes, which sources it leaves in, and what is unsure of it."""
    kinds: dict[str, list[Finding]] = {}
    neutral = []
    for found in sources:
        family = _family(found)
        if family is None:
            neutral.append(found)
        else:
            kinds.setdefault(family, []).append(found)
    family = max(kinds, key=lambda name: len(kinds[name]), default="barcode")
    if family == "free" and "paired" in kinds and not any(map(_is_matrix, kinds["free"])):
        family = "paired"  # measurements go before tables of others
    theirs = _of_patients(kinds.get("free", []), kinds["paired"]) if family == "paired" else []
    members = {id(f) for f in [*neutral, *kinds.get(family, []), *theirs]}
    if family == "barcode":
        return None, members, ""
    if family == "paired":
        rule = {"from": "column", "pattern": _PAIRED, "types": {"T": "primary", "N": "normal"}}
        return rule, members, "T is taken for tumour and N for normal, at the end of each id"
    if family == "cell lines":
        rule = {"from": "id", "patient": "id", "sample_type": "cell_line"}
        if any(f.profiles == "ccle" for f in kinds[family]):
            rule["tissue"] = {"from": "id", "pattern": _TISSUE}
        return rule, members, ""
    rule = {"from": "id", "patient": "id", "sample_type": "primary"}
    return rule, members, "each id is taken for a patient of its own, and each sample for a primary tumour"


def _of_patients(tables: Sequence[Finding], paired: Sequence[Finding]) -> list[Finding]:
    """Return the tables whose ids are the patients of ids that end with T or N."""
    patients = {match["patient"] for f in paired for name in f.ids if (match := re.fullmatch(_PAIRED, name))}
    return [f for f in tables if FORMATS[f.format or ""].kind == "table" and patients.intersection(f.ids)]


def _family(found: Finding) -> str | None:
    kind = found.profiles or ""
    if kind.startswith("tcga") or found.format in _BARCODED:
        return "barcode"
    if kind in ("ccle", "depmap"):
        return "cell lines"
    if kind == "paired":
        return "paired"
    if FORMATS[found.format or ""].folder or _names_its_samples(found):
        return None
    return "free"


def _names_its_samples(found: Finding) -> bool:
    """Whether the reader tells patients and sample types itself, by `omicstore.readers.people`."""
    return hasattr(import_module(FORMATS[found.format or ""].reader.partition(":")[0]), "people")


#: Formats whose ids are barcodes in any case.
_BARCODED = frozenset(
    name for name in FORMATS if name.startswith(("firehose-", "xena-", "tcga-", "mcat-", "maf", "gdc-clin", "gdc-bio"))
)


def section_text(section: Section) -> str:
    """Return the section as YAML, one source after the other, with a comment at each guess.

    It reads back with `omicstore.sources.load_study`.
    """
    lines = ["study:"]
    body = section.body
    lines += [f"  {key}: {_flow(body[key])}" for key in ("dataset", "cohorts")]
    if "references" in body:
        lines.append("  references:")
        for kind, entries in body["references"].items():
            if isinstance(entries, list):
                lines.append(f"    {kind}:")
                lines += [f"      - {_flow(entry)}" for entry in entries]
            else:
                lines.append(f"    {kind}: {_flow(entries)}")
    lines.append("  sources:")
    for entry, doubts in zip(body["sources"], section.doubts, strict=True):
        mark = "-"
        for key, value in entry.items():
            doubt = doubts.get(key, "")
            lines.append(f"    {mark} {key}: {_flow(value)}" + (_COMMENT + doubt.partition(";")[0] if doubt else ""))
            mark = " "
        lines += [f"      {_COMMENT.strip()} {key}: {doubt}" for key, doubt in doubts.items() if key not in entry]
    if "samples" in body:
        doubt = _COMMENT + section.sample_doubt if section.sample_doubt else ""
        lines.append(f"  samples:{doubt}")
        lines += [f"    {key}: {_flow(value)}" for key, value in body["samples"].items()]
    for found, why in section.left_out:
        lines.append(f"  # left out: {found.path}: {why}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return re.sub(r"\n\.\.\.\n$", "", text).strip()
