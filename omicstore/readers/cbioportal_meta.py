"""The meta files of a cBioPortal study: which data files there are, what they measure, and in which unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore.errors import OmicstoreError, SourceError
from omicstore.modalities import MODALITIES
from omicstore.units import LINEAR_UNITS, parse_unit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Profile", "Study", "fields_of", "read_study", "refuse_pointer"]

#: The kinds of molecular profiles to modalities; of the generic ones and miRNAs see `_modality`.
MODALITY: dict[str, str] = {
    "MRNA_EXPRESSION": "rna",
    "COPY_NUMBER_ALTERATION": "cnv",
    "METHYLATION": "meth",
    "PROTEIN_LEVEL": "prot",
    "MUTATION_EXTENDED": "mut",
}

#: Why a kind of file brings no profile.
LEFT_OUT: dict[str, str] = {
    "GENESET_SCORE": "scores of gene sets are made of an expression profile",
    "STRUCTURAL_VARIANT": "structural variants are no modality",
    "FUSION": "fusions are no modality",
    "GISTIC_GENES_AMP": "results about the cohort, not about samples",
    "GISTIC_GENES_DEL": "results about the cohort, not about samples",
    "MUTSIG": "results about the cohort, not about samples",
    "CANCER_TYPE": "the names of cancer types",
    "GENE_PANEL_MATRIX": "it says in which genes mutations were looked for",
}

_META = re.compile(r"(?:^|[^a-z0-9])meta(?:[^a-z0-9]|$)", re.IGNORECASE)
_LOGGED = re.compile(r"(?:log2|log10|ln|log)\s*\(\s*[a-z_\- ]+?\s*(?:\+\s*[0-9.]+)?\s*\)")
_TOLD = re.compile(r"\bunit:\s*([a-z0-9_()+. ]+)")

#: Words of a profile's names to the linear unit, the more telling ones first.
_AMOUNTS = (
    (r"\btpm\b", "tpm"),
    (r"\bfpkm ?uq\b", "fpkm_uq"),
    (r"\b(?:fpkm|rpkm)\b", "fpkm"),
    (r"\brsem\b|\brna ?seq ?v2\b", "rsem_normalized"),
    (r"\b(?:rpm|cpm)\b", "rpm"),
    (r"\bcounts?\b", "counts"),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """One data file of a study and what its meta file says of it.

    Attributes
    ----------
    meta, data
        The two files.
    id
        Its stable id, else the name of its data file without ``data_`` and ending.
    kind, datatype
        genetic_alteration_type and datatype, upper case.
    fields
        All that the meta file says.
    modality, unit
        None where it fits none, or where nothing tells the unit.
    reason
        Why it is left out; empty where it has a modality or is a table of patients.
    """

    meta: Path
    data: Path
    id: str
    kind: str
    datatype: str
    fields: dict[str, str]
    modality: str | None = None
    unit: str | None = None
    reason: str = ""

    @property
    def says(self) -> str:
        """Its name and description, for a person."""
        return self.fields.get("profile_name") or self.fields.get("description") or self.kind

    @property
    def by_patient(self) -> bool:
        """Whether its columns are patients, not samples."""
        return self.fields.get("patient_level", "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Study:
    """A study's folder: its data files in the order of the names of their meta files, and its own identifier."""

    folder: Path
    id: str
    profiles: tuple[Profile, ...]

    def of_kind(self, kind: str, datatype: str) -> list[Profile]:
        """Return the data files of a kind."""
        return [p for p in self.profiles if p.kind == kind and p.datatype == datatype]

    def chosen(self, modality: str | None = None) -> list[Profile]:
        """Return the profiles to take where the study file names no part: one for each modality.

        That is the one whose unit is the modality's own, else a linear one, a ratio, a call, a score, in this order.
        The methylation arrays are all taken: they measure different samples.
        """
        found: list[Profile] = []
        for name in [m for m in MODALITIES if modality in (None, m)]:
            held = sorted((p for p in self.profiles if p.modality == name), key=_preference)
            alike = [p for p in held if (p.unit, p.kind) == (held[0].unit, held[0].kind)]
            found += alike if name == "meth" else held[:1]
        return found


def read_study(folder: Path) -> Study:
    """Read all meta files of a study.

    Raises
    ------
    SourceError
        If the folder has none, one cannot be read, or a data file is not there.
    """
    metas = (
        sorted(p for p in folder.iterdir() if p.suffix == ".txt" and _META.search(p.stem)) if folder.is_dir() else []
    )
    read = [(path, fields_of(path)) for path in metas]
    named = [(path, fields) for path, fields in read if "data_filename" in fields]
    if not named:
        raise SourceError(
            folder,
            "there is no meta file that names a data file",
            expected="a cBioPortal study: meta_*.txt beside data_*.txt",
            run="name the folder that holds meta_study.txt",
        )
    study = next((f["cancer_study_identifier"] for _, f in read if "cancer_study_identifier" in f), folder.name)
    return Study(folder, study, tuple(_profile(path, fields) for path, fields in named))


def refuse_pointer(path: Path, start: bytes) -> None:
    """Refuse what Git LFS leaves where a file has not been fetched.

    Raises
    ------
    SourceError
        If the file is such a pointer.
    """
    if start.startswith(b"version https://git-lfs"):
        raise SourceError(
            path,
            "this is a pointer of Git LFS, not the data",
            expected="the data file itself",
            run="git lfs pull, in the repository that it is from",
        )


def fields_of(path: Path) -> dict[str, str]:
    """Return what a file of lines ``key: value`` says, keys in lower case.

    Raises
    ------
    SourceError
        If a line is none.
    """
    fields: dict[str, str] = {}
    text = path.read_bytes().decode("utf-8-sig", "replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if not colon:
            raise SourceError(
                path,
                f"{line.strip()[:60]!r} is no line of a meta file",
                line=number,
                expected="key: value",
                run="mend the line",
            )
        fields.setdefault(key.strip().lower(), value.strip())
    return fields


def _profile(meta: Path, fields: dict[str, str]) -> Profile:
    data = meta.parent / fields["data_filename"]
    if not data.is_file():
        raise SourceError(
            meta,
            f"the data file {fields['data_filename']!r} is not there",
            expected="it in the same folder",
            run="put it there, or take the meta file away",
        )
    kind, datatype = fields.get("genetic_alteration_type", "").upper(), fields.get("datatype", "").upper()
    name = fields.get("stable_id") or re.sub(r"^data_", "", data.stem)
    profile = Profile(meta, data, name, kind, datatype, fields)
    if kind == "CLINICAL" and datatype in ("PATIENT_ATTRIBUTES", "SAMPLE_ATTRIBUTES"):
        return profile
    modality, reason = _modality(profile)
    unit = _unit(profile, modality) if modality is not None else None
    return Profile(meta, data, name, kind, datatype, fields, modality, unit, reason)


def _modality(profile: Profile) -> tuple[str | None, str]:
    """Return the modality of a profile, or why it has none."""
    if profile.kind in LEFT_OUT:
        return None, LEFT_OUT[profile.kind]
    if "resource_type" in profile.fields:
        return None, "links to other sites"
    if profile.kind == "CLINICAL":
        return None, f"clinical data of the type {profile.datatype} has no place in the store"
    if profile.kind == "COPY_NUMBER_ALTERATION" and profile.datatype == "SEG":
        return None, "segments of the genome are not at gene level"
    if profile.kind == "GENERIC_ASSAY":
        return _generic(profile)
    modality = MODALITY.get(profile.kind)
    if modality is None:
        return None, f"the type {profile.kind or 'that its meta file does not name'} is not known"
    if modality == "rna" and "mirna" in profile.id.lower():
        merged = "mrna" in profile.id.lower()
        return (None, "genes and miRNAs in one file") if merged else ("mirna", "")
    return modality, ""


def _generic(profile: Profile) -> tuple[str | None, str]:
    what = profile.fields.get("generic_assay_type", "")
    words = " ".join((what, profile.id, profile.fields.get("profile_name", ""))).lower()
    told = {"metabol": "metab", "methylation": "meth", "mirna": "mirna"}
    modality = next((name for word, name in told.items() if word in words), None)
    if "mutated" in words and profile.datatype == "BINARY":
        return "mut", ""
    if "phospho" in words or "protein" in words:
        modality = "prot"
    if modality is None:
        return None, f"a generic assay of the type {what or 'that is not named'} fits no modality"
    if profile.datatype != "LIMIT-VALUE":
        return None, f"a generic assay of {profile.datatype} values has no numbers"
    return modality, ""


def _unit(profile: Profile, modality: str) -> str | None:
    """Return the unit that a profile's names tell, or None."""
    words = " ".join(
        (profile.id, profile.fields.get("profile_name", ""), profile.fields.get("profile_description", ""))
    ).lower()
    if (told := _TOLD.search(words)) and (unit := _parsed(told[1])):
        return unit
    if profile.datatype == "Z-SCORE" or re.search(r"z-?scores?\b", profile.id.lower()):
        return "zscore"
    if modality == "mut":
        return "mutated"
    if modality == "cnv":
        if profile.datatype.startswith("DISCRETE"):
            return "gistic"
        return "log2_ratio" if profile.datatype == "LOG2-VALUE" or "log2" in words else None
    if modality == "meth":
        return "m_value" if re.search(r"\bm[-_ ]values?\b", words) else "beta"
    if modality == "prot":
        ratio = profile.datatype == "LOG2-VALUE" or re.search(r"\brppa\b|log2|log ratio|abundance ratio", words)
        return "log2_ratio" if ratio else None
    return _amount(profile, words)


def _amount(profile: Profile, words: str) -> str | None:
    for match in _LOGGED.findall(words):
        plain = re.sub(r"[ _-]+", " ", match)
        for pattern, name in _AMOUNTS:
            plain = re.sub(pattern, name, plain)
        if unit := _parsed(plain):
            return unit
    if "log2 ratio" in words or ("agilent" in words and "microarray" in words):
        return "log2_ratio"  # two colours
    if profile.datatype == "LOG2-VALUE" or re.search(r"\blog(?:2|10)?\b", words):
        return None  # a logarithm of which nothing says what was added before
    for field in ("stable_id", "profile_name", "profile_description"):
        plain = re.sub(r"[ _-]+", " ", profile.fields.get(field, "").lower())
        if unit := next((unit for pattern, unit in _AMOUNTS if re.search(pattern, plain)), None):
            return unit
    return None


def _parsed(text: str) -> str | None:
    """Return a unit expression in its canonical spelling; None if it is none."""
    for end in (text, text.rstrip(". "), text.split(" ")[0].rstrip(".")):
        try:
            return parse_unit(end).text
        except OmicstoreError:
            continue
    return None


def _preference(profile: Profile) -> tuple[int, str]:
    """Where a profile stands among those of its modality."""
    if profile.unit is None:
        return 9, profile.id
    stored = parse_unit(profile.unit).stored
    assert profile.modality is not None
    tiers: Iterable[bool] = (
        stored == MODALITIES[profile.modality].unit,
        stored in LINEAR_UNITS,
        stored == "log2_ratio",
        stored == "gistic",
        True,
    )
    return next(i for i, yes in enumerate(tiers) if yes), profile.id
