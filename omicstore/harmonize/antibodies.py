"""Antibodies of protein arrays: a plain name, what was said of its quality, and its genes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore.harmonize.antibody_genes import ANTIBODY_GENES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.harmonize.genes import GeneResolver

__all__ = ["Antibody", "antibodies", "antibody_symbols"]

_CAUTION = re.compile(r"[ _-]*_caution$", re.IGNORECASE)
_SUFFIX = re.compile(r"-(?P<host>[RMGT])-(?P<validation>V|C|E|Q|NA)$")
_QUALITY = {"V": "valid", "C": "caution", "E": "under evaluation", "Q": "under evaluation"}
_PARENTHESIS = re.compile(r"\((?!Lys)[^)]*\)")
_MODIFIED = re.compile(r"[ _-](?:p[STY]\d|cleaved).*$")


@dataclass(frozen=True, slots=True)
class Antibody:
    """An antibody of one source.

    Attributes
    ----------
    feature_id
        The name without marks of quality; with them where two names of the source would else be the same.
    quality
        ``valid``, ``caution``, ``under evaluation``, or None where the name does not say.
    suffix
        Host and validation, e.g. ``R-V``, or None.
    source_name
        The name as the file has it.
    symbols
        The genes, joined by semicolons; None where none is known.
    """

    feature_id: str
    quality: str | None
    suffix: str | None
    source_name: str
    symbols: str | None


def antibodies(names: Sequence[str], genes: GeneResolver | None) -> list[Antibody]:
    """Read the antibody names of one source.

    Parameters
    ----------
    names
        As the file has them.
    genes
        Knows whether a name is itself the symbol of a gene; None where the study names no gene reference.

    Examples
    --------
    >>> [a.feature_id for a in antibodies(["HER2-M-V", "HER2_pY1248-R-C", "HER2_pY1248-R-V"], None)]
    ['HER2', 'HER2_pY1248-R-C', 'HER2_pY1248-R-V']
    """
    parts = [_split(name) for name in names]
    taken = Counter(plain for plain, _, _ in parts)
    return [
        Antibody(
            feature_id=plain if taken[plain] == 1 else name.strip(),
            quality=quality,
            suffix=suffix,
            source_name=name,
            symbols=antibody_symbols(plain, genes),
        )
        for name, (plain, quality, suffix) in zip(names, parts, strict=True)
    ]


def _split(name: str) -> tuple[str, str | None, str | None]:
    plain, quality, suffix = name.strip(), None, None
    if _CAUTION.search(plain):
        plain, quality = _CAUTION.sub("", plain).rstrip(), "caution"
    if match := _SUFFIX.search(plain):
        plain, suffix = plain[: match.start()], match.group(0)[1:]
        quality = quality or _QUALITY.get(match["validation"])
    return plain, quality, suffix


def antibody_symbols(plain: str, genes: GeneResolver | None) -> str | None:
    """Return the genes of an antibody, joined by semicolons, or None.

    Examples
    --------
    >>> antibody_symbols("HER2_pY1248", None), antibody_symbols("Akt_pS473", None)
    ('ERBB2', 'AKT1;AKT2;AKT3')
    >>> antibody_symbols("X4E.BP1_pS65", None)
    'EIF4EBP1'
    """
    protein = _MODIFIED.sub("", _PARENTHESIS.sub("", plain))
    folded = re.sub(r"[^a-z0-9]", "", protein.lower())
    # R writes an X before a name that begins with a digit (X4E.BP1, X14.3.3_beta).
    known = ANTIBODY_GENES.get(folded) or ANTIBODY_GENES.get(re.sub(r"^x(?=\d)", "", folded))
    if known is not None:
        return ";".join(known)
    if genes is None:
        return None
    found = genes.symbol(protein.strip())
    return found.gene.symbol if found.gene is not None else None
