"""MuData files of scverse (h5mu): an AnnData for each modality.

``part:`` takes one modality by its key in the file, or a layer of it as ``key/layer``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from omicstore.errors import SourceError, StudyError
from omicstore.modalities import MODALITIES
from omicstore.readers.anndata_group import described, facts_of, names_of, opened, read_group
from omicstore.readers.anndata_matrix import element, matrix_of
from omicstore.readers.recognise import Guess

if TYPE_CHECKING:
    import h5py

    from omicstore.readers.recognise import Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["expand", "profile_ids", "read", "recognise"]

#: What others call our modalities.
_ALIASES = {
    "mrna": "rna", "gex": "rna", "rnaseq": "rna", "expression": "rna", "transcriptomics": "rna",
    "methylation": "meth", "dnam": "meth", "protein": "prot", "rppa": "prot", "proteomics": "prot",
    "metabolomics": "metab", "cna": "cnv", "mutation": "mut", "mutations": "mut",
}  # fmt: skip


def expand(source: Source) -> list[Source]:
    """Return a source for each modality in the file, or for the one that ``part:`` or ``modality:`` names.

    Raises
    ------
    SourceError
        If the file is no MuData.
    StudyError
        If nothing tells modality or unit of a part, or ``unit:`` is given for several.
    """
    with opened(source.path, "MuData") as file:
        keys = _keys(source, file)
        parts = []
        for key in keys:
            name, _, layer = key.partition("/")
            group = file["mod"][name]
            matrix_of(source.path, group, layer or None)
            facts = facts_of(group)
            facts = ({} if source.modality else _named(key)) | facts
            part = replace(source, part=key, modality=source.modality)
            parts.append(described(part, facts, whole="/" not in key, what=f", part {key}"))
    if source.unit is not None and len(parts) > 1:
        raise StudyError(
            f"{source.path.name} has the parts {', '.join(keys)}, and unit: {source.unit} does not say of which",
            expected="a source for each, with part: beside unit:",
            run=f"add part: {keys[0]} to this source",
        )
    return parts


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the modality that ``part:`` names.

    Raises
    ------
    SourceError
        As `omicstore.readers.h5ad.read`.
    """
    del sampling  # obs are samples, whatever their ids look like
    key, _, layer = (source.part or "").partition("/")
    with opened(source.path, "MuData") as file:
        about = element(source.path, file["obs"]) if "obs" in file else None
        return [read_group(source, _group(source, file, key), layer or None, about)]


def profile_ids(source: Source) -> list[str]:
    """Return the names of a part's samples."""
    with opened(source.path, "MuData") as file:
        return names_of(source.path, _group(source, file, (source.part or "").partition("/")[0]), "obs")


def recognise(head: Head) -> Guess | None:
    """Tell a MuData by its first bytes."""
    if head.is_dir or not head.start.startswith(b"MuData"):
        return None
    try:
        with opened(head.path, "MuData") as file:
            cohort = facts_of(file).get("cohorts", "")
            notes = [f"{key}: {_say(facts_of(group) or _named(key))}" for key, group in file["mod"].items()]
    except (SourceError, KeyError) as error:
        return Guess("h5mu", notes=(str(error),), specific=10)
    return Guess("h5mu", cohort=cohort if cohort and "," not in cohort else None, notes=tuple(notes), specific=10)


def _say(facts: dict[str, str]) -> str:
    modality = facts.get("modality", "what it measures is not told: add part: and modality:")
    return f"{modality}, {facts.get('unit', 'in a unit that is not told: add part: and unit:')}"


def _named(key: str) -> dict[str, str]:
    """Return the modality that a key names, if it is one of ours or a common name of it."""
    name = key.partition("/")[0].lower()
    name = _ALIASES.get(name, name)
    return {"modality": name} if name in MODALITIES else {}


def _keys(source: Source, file: h5py.File) -> list[str]:
    known = list(file["mod"]) if "mod" in file else []
    if not known:
        raise SourceError(source.path, "there is no modality in it", expected="at least one AnnData in mod")
    if source.part is not None:
        _group(source, file, source.part.partition("/")[0])
        return [source.part]
    if source.modality is None:
        return known
    told = {key: (_named(key) | facts_of(file["mod"][key])).get("modality") for key in known}
    found = [key for key in known if told[key] == source.modality]
    return found or (known if len(known) == 1 and told[known[0]] is None else [])


def _group(source: Source, file: h5py.File, key: str) -> h5py.Group:
    known = list(file["mod"]) if "mod" in file else []
    if key not in known:
        raise SourceError(
            source.path,
            f"there is no modality {key!r} in it",
            expected=f"one of {', '.join(known)}",
            run="correct part: of this source in the study file",
        )
    return file["mod"][key]
