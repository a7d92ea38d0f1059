"""Methylation probes: which array they are of, and which genes they speak for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

__all__ = [
    "GROUPS",
    "PLATFORMS",
    "SNP_PREFIX",
    "SPELLED",
    "SUFFIX",
    "is_probe",
    "plain_name",
    "platform_name",
    "platform_of",
]

#: A probe speaks for its gene where it lies in one of these; 3'UTR does not. The names are Illumina's
#: (`omicstore.readers.manifests` says what they mean).
GROUPS = frozenset({"TSS1500", "TSS200", "5'UTR", "1stExon", "Body"})

#: Other names of groups, as patterns, and what they are here: an exon but the first lies in the gene's body.
SPELLED = {"5UTR": "5'UTR", "3UTR": "3'UTR", "exon_1": "1stExon", r"exon_\d+": "Body", "ExonBnd": "Body"}

#: What EPIC v2 adds to a probe's name: strands, design and which of its replicates it is.
SUFFIX = r"_[TB][CO]\d+$"

#: Probes whose names begin so measure a genotype, not methylation.
SNP_PREFIX = "rs"

#: Arrays by canonical name, with the number of probes that they have.
PLATFORMS: dict[str, int] = {"hm27": 27_578, "hm450": 485_577, "epic": 866_895, "epicv2": 937_055}

_SPELLINGS = {
    "hm27": ("27", "27k", "hm27", "hm27k", "humanmethylation27", "illumina27k", "illuminahumanmethylation27"),
    "hm450": ("450", "450k", "hm450", "hm450k", "humanmethylation450", "illuminahumanmethylation450"),
    "epic": ("epic", "850k", "hm850", "epicv1", "methylationepic", "humanmethylationepic", "illuminamethylationepic"),
    "epicv2": ("epicv2", "epic2", "935k", "900k", "methylationepicv2", "methylationepicv20", "humanmethylationepicv2"),
}
_SUFFIX = re.compile(SUFFIX)
_PROBE = re.compile(r"(?:cg\d{6,}|ch\.[\dXY]+\.\d+[FR]?|rs\d+)(?:_[TB][CO]\d+)?")


def is_probe(name: str) -> bool:
    """Whether the name is an Illumina methylation probe's.

    Examples
    --------
    >>> is_probe("cg00000029"), is_probe("ch.1.131529R"), is_probe("TP53")
    (True, True, False)
    """
    return _PROBE.fullmatch(name) is not None


def plain_name(probe: str) -> str:
    """Return a probe's name without the suffix of EPIC v2; replicates of a probe have the same.

    Examples
    --------
    >>> plain_name("cg00000029_TC21"), plain_name("cg00000029")
    ('cg00000029', 'cg00000029')
    """
    return _SUFFIX.sub("", probe)


def platform_name(spelled: str) -> str:
    """Return the canonical name of an array, however it is spelled; other names are returned in lower case.

    Examples
    --------
    >>> platform_name("HumanMethylation450"), platform_name("27k")
    ('hm450', 'hm27')
    """
    folded = re.sub(r"[^a-z0-9]", "", spelled.lower())
    return next((name for name, known in _SPELLINGS.items() if folded in known), spelled.lower())


def platform_of(probe_ids: Iterable[str], annotated: Mapping[str, AbstractSet[str]]) -> str | None:
    """Tell the array from the probes of a file.

    Parameters
    ----------
    probe_ids
        The probes of one file.
    annotated
        Array to the probes in its reference, for the arrays that the study has a reference of.

    Returns
    -------
    str or None
        ``hm27``, ``hm450``, ``epic`` or ``epicv2``; None where the probes are on several of them.

    Notes
    -----
    Nine in ten probes of the 27k array are on the 450k array too, and the 27k references lack some probes, so a share
    of known probes does not tell them apart. What does: a 450k file has none of the probes that only the 27k
    reference has, and a 27k file has them at every length. EPIC v2 alone puts suffixes to its names; where they have
    been taken off, the reference that knows more of the probes decides between it and EPIC v1.
    """
    probes = {p for p in probe_ids if p.startswith("cg")}
    if not probes:
        return None
    if 2 * sum(map(bool, map(_SUFFIX.search, probes))) > len(probes):
        return "epicv2"
    told = _of_old_arrays(probes, annotated)
    if told == "epic" and "epicv2" in annotated:
        first = annotated.get("epic", frozenset())
        return "epicv2" if len(probes & annotated["epicv2"]) > len(probes & first) else "epic"
    return told


def _of_old_arrays(probes: set[str], annotated: Mapping[str, AbstractSet[str]]) -> str | None:
    small, large = annotated.get("hm27"), annotated.get("hm450")
    if large is None:
        return _without_450k(probes, small)
    in_large = len(probes & large)
    if small is not None and len(probes) <= PLATFORMS["hm27"]:
        in_small = len(probes & small)
        only_small = len((probes & small) - large)
        if only_small > 0.002 * len(probes):
            return "hm27"
        if in_small == len(probes):
            return None
    share = in_large / len(probes)
    if share >= 0.97:
        return "hm450"
    if share >= 0.88:
        # 94% of a 27k file are on the 450k array; a share says nothing of a handful of probes.
        return "hm27" if 1000 <= len(probes) <= PLATFORMS["hm27"] else None
    # EPIC keeps nine in ten probes of the 450k array, and they are half of its own.
    return "epic" if 0.3 <= share < 0.8 else None


def _without_450k(probes: set[str], small: AbstractSet[str] | None) -> str | None:
    if small is not None and len(probes & small) >= 0.85 * len(probes):
        return "hm27"
    sizes = {"hm27": (20_000, 27_578), "hm450": (300_000, 485_577), "epic": (600_000, 1_000_000)}
    return next((name for name, (low, high) in sizes.items() if low <= len(probes) <= high), None)
