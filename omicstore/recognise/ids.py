"""What kind of thing ids are: features of a kind, or profiles of a programme; told from the ids alone."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING

from omicstore.harmonize.antibodies import antibody_symbols
from omicstore.harmonize.probes import is_probe
from omicstore.identifiers import is_ensembl_gene, parse_barcode, split_symbol_entrez

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from omicstore.identifiers import Barcode

__all__ = ["GENE_IDS", "kind_of_features", "kind_of_profiles", "same_form", "sample_of", "share"]

#: Kinds of feature ids that are genes.
GENE_IDS = frozenset({"ensembl", "ensembl.version", "symbol", "symbol|entrez", "entrez"})

#: Symbols that are in nearly any table of genes; one of them is worth more than a hundred words that look like symbols.
_KNOWN = frozenset(
    """
    TP53 EGFR KRAS BRAF PTEN PIK3CA MYC BRCA1 BRCA2 ERBB2 ESR1 ACTB GAPDH CDKN2A RB1 AKT1 MTOR VEGFA TNF IL6 CD4 CD8A
    FOXA1 GATA3 KIT MET ALK APC SMAD4 CTNNB1 NOTCH1 CDH1 VIM FN1 STAT3 JAK2 A1BG A2M AAAS AACS AARS ABL1 ACVRL1 ANXA1
    ATM BAX BCL2 CCND1 CDK4 CDK6 CHEK1 CHEK2 MDM2 NF1 NRAS HRAS PDGFRA SRC TERT VHL XRCC1 YWHAB ZNF148 RPS11 MMP2
    """.split()  # noqa: SIM905 - a list of words is read more easily so
)

_SYMBOL = re.compile(r"(?:[A-Z][A-Z0-9]*\d[A-Z0-9]*|[A-Z]{2,8}|[A-Z0-9]+(?:-[A-Z0-9]+)+|C\d+orf\d+)(?:\.\d+)?")
_MIRNA = re.compile(r"(?:hsa-)?(?:mir|let|MIR|miR)-?\d*\S*|MIMAT\d{7}|MI\d{7}")
_ANTIBODY = re.compile(r".*(?:_p[STY]\d+.*|-[RMGT]-[VCEQ]|_Caution)")
_METABOLITE_ID = re.compile(r"C\d{5}|HMDB\d{5,7}")
_METABOLITE = re.compile(
    r"C\d+:\d+ .+|.*(?:ate|ine|ose|ol|acid|ide|one|hine|phan|Lyso\w+\(.+|P[CEISG]\(.+|adenosine|NAD\+?|GMP|AMP|FAD)",
    re.IGNORECASE,
)

_CCLE = re.compile(r"[A-Z0-9]+_[A-Z][A-Z_]+")
_DEPMAP = re.compile(r"ACH-\d{6}")
_CPTAC = re.compile(r"(?:C3[LN]-\d{5}|\d{2}(?:BR|CO|OV|LU)\d{3})(?:[-.][A-Z0-9]+)*")
_METABRIC = re.compile(r"(?:MB|MTS)-[A-Z]?\d{4}")
#: Not probes, genes, miRNAs and compounds, whose ids look alike.
_NUMBERED = re.compile(r"(?!cg\d|rs\d|ENS[A-Z]*G\d|MI(?:MAT)?\d|HMDB\d|C\d{5}$|hsa)(?P<stem>[A-Za-z]+)[-_. ]?\d+")
_PAIRED = re.compile(r".+[_.-](?P<type>[TN])")

#: Whole headers are long; the ends tell as much as the middle.
_SAMPLE = 400

#: Fewer numbers than these are not taken for Entrez ids.
_FEW = 20

#: Fewer names than these may begin alike by chance.
_FEW_NAMES = 3


def sample_of(ids: Sequence[str]) -> list[str]:
    """Return at most 400 of the ids that are not empty, from both ends."""
    full = [text.strip() for text in ids if text.strip()]
    return full if len(full) <= _SAMPLE else [*full[: _SAMPLE // 2], *full[-_SAMPLE // 2 :]]


def share(ids: Sequence[str], test: Callable[[str], object]) -> float:
    """Return the share of ids that pass a test."""
    return sum(bool(test(text)) for text in ids) / max(len(ids), 1)


def kind_of_features(ids: Sequence[str]) -> tuple[str | None, float]:
    """Tell what features the ids name, and how certain that is (0 to 1).

    Returns
    -------
    kind
        ``illumina_probe``, ``ensembl``, ``ensembl.version``, ``symbol|entrez``, ``symbol``, ``entrez``, ``mirna``,
        ``antibody``, ``metabolite``; None if they are none of these.
    certainty
        The share of ids that have the form, lessened where other things have it too.

    Examples
    --------
    >>> kind_of_features(["cg00000029", "cg00000108"])
    ('illumina_probe', 1.0)
    >>> kind_of_features(["ENSG00000141510.16"])
    ('ensembl.version', 1.0)
    >>> kind_of_features(["TP53", "EGFR", "A1BG"])[0]
    'symbol'
    >>> kind_of_features(["the", "first", "ward"])
    (None, 0.0)
    """
    some = sample_of(ids)
    if not some:
        return None, 0.0
    for kind, test in _CERTAIN.items():
        if (found := share(some, test)) > 0.5:
            return kind, found
    antibodies = share(some, lambda text: _ANTIBODY.fullmatch(text) or antibody_symbols(text, None))
    marked = share(some, _ANTIBODY.fullmatch)
    if marked >= 0.05 and antibodies >= 0.3:
        return "antibody", max(antibodies, 0.9)
    if kind_of_profiles(some)[0] == "numbered":  # no family of genes is as large
        return None, 0.0
    known = len({text.split(".")[0] for text in ids} & _KNOWN)
    symbols = share(some, _SYMBOL.fullmatch)
    if symbols >= 0.6 and (known or len(some) < 100):
        return "symbol", symbols if known >= min(3, max(1, len(ids) // 500)) else symbols * 0.7
    metabolites = share(some, _METABOLITE.fullmatch)
    if metabolites >= 0.35:
        return "metabolite", 0.9
    if symbols >= 0.8:
        return "symbol", symbols * 0.6
    if len(some) >= _FEW and share(some, str.isdigit) > 0.95 and not _counts_up(some):
        return "entrez", 0.5
    return None, 0.0


def _is_versioned(text: str) -> bool:
    return is_ensembl_gene(text) and "." in text


_CERTAIN: dict[str, Callable[[str], object]] = {
    "illumina_probe": is_probe,
    "ensembl.version": _is_versioned,
    "ensembl": is_ensembl_gene,
    "symbol|entrez": split_symbol_entrez,
    "mirna": _MIRNA.fullmatch,
    "metabolite": _METABOLITE_ID.fullmatch,
}


def _counts_up(ids: Sequence[str]) -> bool:
    """Whether the ids are row numbers."""
    return all(int(b) - int(a) == 1 for a, b in itertools.pairwise(ids))


def kind_of_profiles(ids: Sequence[str]) -> tuple[str | None, float]:
    """Tell whose profiles the ids name.

    Returns
    -------
    kind
        ``tcga patient``, ``tcga sample``, ``tcga vial``, ``tcga aliquot``, ``tcga slide``; ``ccle``, ``depmap``,
        ``cptac``, ``metabric``; ``numbered`` (``P001``, ``P002``), ``paired`` (free names that end with T or N); None
        if they have no known form.
    share
        Of the ids that have it.

    Examples
    --------
    >>> kind_of_profiles(["TCGA-4Z-AA7M-01A-11R-A39I-07", "TCGA-4Z-AA7N-01A-11R-A39I-07"])
    ('tcga aliquot', 1.0)
    >>> kind_of_profiles(["DMS53_LUNG", "SW1116_LARGE_INTESTINE"])
    ('ccle', 1.0)
    """
    some = sample_of(ids)
    if not some:
        return None, 0.0
    barcodes = [code for text in some if (code := parse_barcode(text))]
    if len(barcodes) > 0.5 * len(some):
        levels = Counter(_level(code) for code in barcodes)
        return f"tcga {levels.most_common(1)[0][0]}", len(barcodes) / len(some)
    for kind in ("depmap", "cptac", "metabric", "ccle"):
        if (found := share(some, _PATTERNS[kind].fullmatch)) > 0.9:
            return kind, found
    if (found := _same_stem(some)) > 0.9:
        return "numbered", found
    paired = [match["type"] for text in some if (match := _PAIRED.fullmatch(text))]
    if len(paired) > max(3, 0.5 * len(some)) and min(Counter(paired).values()) > 0.1 * len(paired):
        return "paired", len(paired) / len(some)
    return None, 0.0


def _same_stem(ids: Sequence[str]) -> float:
    """Return the share of ids that are one word with a number behind it."""
    stems = Counter(match["stem"] for text in ids if (match := _NUMBERED.fullmatch(text)))
    if len(set(ids)) < _FEW_NAMES or not stems:
        return 0.0
    return stems.most_common(1)[0][1] / len(ids)


def _level(code: Barcode) -> str:
    if code.slide:
        return "slide"
    if code.plate or code.portion:
        return "aliquot"
    if code.vial:
        return "vial"
    return "sample" if code.sample_id else "patient"


def same_form(text: str, kind: str) -> bool:
    """Whether an id is of the kind that `kind_of_profiles` told of its column or header."""
    if kind.startswith("tcga"):
        return parse_barcode(text) is not None
    return _PATTERNS[kind].fullmatch(text.strip()) is not None


_PATTERNS: dict[str, re.Pattern[str]] = {
    "depmap": _DEPMAP,
    "cptac": _CPTAC,
    "metabric": _METABRIC,
    "ccle": _CCLE,
    "numbered": _NUMBERED,
    "paired": _PAIRED,
}
