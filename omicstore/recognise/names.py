"""What the name of a file, its folders and the file beside it say: cohort, unit, modality, platform."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omicstore.errors import OmicstoreError
from omicstore.harmonize.probes import platform_name
from omicstore.identifiers import cohort_of_disease
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Named", "Sidecar", "named", "sidecar"]

#: Words that are in the names of files of a unit's base; the first that is found counts.
_BASES: tuple[tuple[str, str], ...] = (
    (r"fpkm[-_. ]?uq|uq[-_. ]?fpkm", "fpkm_uq"),
    (r"fpkm", "fpkm"),
    (r"tpm", "tpm"),
    (r"rsem|rnaseqv2|hiseqv2", "rsem_normalized"),
    (r"counts?(?![a-z])", "counts"),
    (r"rpm|cpm", "rpm"),
    (r"z[-_. ]?scores?", "zscore"),
    (r"gistic", "gistic"),
    (r"(?<![a-z])betas?(?![a-z])", "beta"),
    (r"m[-_. ]?values?", "m_value"),
    (r"intensit", "intensity"),
)

_MODALITIES: tuple[tuple[str, str], ...] = (
    (r"rppa|protein|proteom", "prot"),
    (r"mirna|mir(?![a-z])", "mirna"),
    (r"methyl|(?<![a-z])meth(?![a-z])|(?<![a-z])hm(?:27|450)", "meth"),
    (r"metabol", "metab"),
    (r"(?<![a-z])cn[av](?![a-z])|copy[-_. ]?number|gistic", "cnv"),
    (r"mutat|(?<![a-z])mut(?![a-z])|somatic|(?<![a-z])maf(?![a-z])", "mut"),
    (r"m?rna|expression|(?<![a-z])expr|transcript|htseq|fpkm|tpm|rsem", "rna"),
)

_LOGS: tuple[tuple[str, str], ...] = ((r"log10", "log10"), (r"log1p|(?<![a-z])ln(?![a-z])", "ln"))

_PLATFORMS = ("agilent", "gc-ms", "lc-ms")

_ARRAY = re.compile(r"(?:methyl(?:ation)?|hm)[-_]?(27|450|epic|850)|(?<![a-z0-9])(27|450|850)k|(?<![a-z])(epic)")

#: What people call a cohort beside its code.
_COHORTS = {"KIDNEY": "KIPAN", "BREAST": "BRCA", "COLORECTAL": "COADREAD", "GLIOMA": "GBMLGG", "CRC": "COADREAD"}

#: Folders that say nothing of what is in them.
_PLAIN = frozenset(
    """
    data raw input inputs files file tmp temp download downloads study studies test tests test_data source sources etc
    results output outputs omics tcga csv tsv share shared home root work refs references bad made real simulated
    raw_data main src var opt mnt media users user documents desktop
    """.split()  # noqa: SIM905 - a list of words is read more easily so
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a path says, in words that are no proof; None where it says nothing.

    `log` is the logarithm, log2 where the name says none. `folder` is the nearest folder with a name of its own, upper
    case, for data whose cohort nothing names.
    """

    cohort: str | None
    base: str | None
    logged: bool
    modality: str | None
    platform: str | None
    folder: str | None
    log: str = "log2"


def named(path: Path) -> Named:
    """Read the words of a path.

    Examples
    --------
    >>> from pathlib import Path
    >>> found = named(Path("tcga/COADREAD/rna_ensembl_log2_fpkm_uq.tsv.gz"))
    >>> found.cohort, found.base, found.logged, found.modality
    ('COADREAD', 'fpkm_uq', True, 'rna')
    """
    text = path.name.lower()
    whole = path.absolute()
    folders = [whole, *whole.parents] if path.is_dir() else list(whole.parents)
    platform = next((p for p in _PLATFORMS if re.search(p.replace("-", "[-_ ]?"), text)), None)
    array = _ARRAY.search(text)
    if array is not None:
        platform = platform_name("".join(filter(None, array.groups())).replace("850", "850k"))
    return Named(
        cohort=next((c for part in (whole.name, *(p.name for p in whole.parents)) if (c := _cohort(part))), None),
        base=next((base for words, base in _BASES if re.search(words, text)), None),
        logged=bool(re.search(r"log2|log10|log1p|(?<![a-z])(?:log|ln)(?![a-z])", text)),
        modality=next((modality for words, modality in _MODALITIES if re.search(words, text)), None),
        platform=platform,
        folder=next((_code(p.name) for p in folders if p.name and p.name.lower() not in _PLAIN), None),
        log=next((log for words, log in _LOGS if re.search(words, text)), "log2"),
    )


def _cohort(part: str) -> str | None:
    """Return the cohort code in one part of a path; short codes only where they stand in capitals."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", part) if word]
    for word in words:
        code = cohort_of_disease(word)
        if code is not None and (word.isupper() or len(word) >= 4):
            return code
    for word in words:
        if (code := _COHORTS.get(word.upper())) is not None:
            return code
    return next((word.upper() for word in words if word.upper() in ("CCLE", "METABRIC", "CPTAC", "GTEX")), None)


def _code(folder: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", folder.upper()) or "COHORT"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What Xena's ``FILE.json`` beside a file says of it; None where it says nothing."""

    kind: str | None = None
    unit: str | None = None
    cohort: str | None = None


def sidecar(path: Path) -> Sidecar:
    """Read the description that lies beside a file of a Xena hub, if there is one."""
    beside = path.absolute().with_name(f"{path.name.removesuffix('.gz')}.json")
    try:
        body: Any = json.loads(beside.read_bytes()[: 1 << 20])
    except (OSError, ValueError):
        return Sidecar()
    if not isinstance(body, dict):
        return Sidecar()
    cohort = re.search(r"\(([A-Z]+)\)", str(body.get("cohort", "")))
    return Sidecar(
        kind=str(body["type"]) if "type" in body else None,
        unit=_unit(str(body.get("unit", ""))),
        cohort=cohort_of_disease(cohort[1]) if cohort else None,
    )


def _unit(text: str) -> str | None:
    squeezed = text.lower().replace("fpkm-uq", "fpkm_uq").replace("count+", "counts+").removesuffix(" value")
    try:
        return parse_unit(squeezed).text
    except OmicstoreError:
        return None
