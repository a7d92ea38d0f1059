"""Reference tables, told by their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.errors import SourceError
from omicstore.harmonize.probes import PLATFORMS, is_probe
from omicstore.readers.recognise import look
from omicstore.readers.references import COLUMNS
from omicstore.recognise.finding import Finding
from omicstore.recognise.grid import columns_of
from omicstore.recognise.ids import kind_of_features, share
from omicstore.recognise.names import named

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.recognise import Head

__all__ = ["is_site_table", "reference"]

_KINDS = {
    "xena-probemap": "genes",
    "hgnc": "symbols",
    "tcga-tss": "sites",
    "metabolite-table": "metabolites",
    "probe-list": "masks",
}


def reference(head: Head) -> Finding | None:
    """Tell a reference table; None if the file is none."""
    header = set(head.header)
    # Lines about the array stand before the header of a manifest, and a list of probes has none.
    if any(line.startswith("IlmnID,") for line in head.lines[:20]):
        header = {"IlmnID"}
    for form, columns in COLUMNS.items():
        needed = [set(names) for names in columns.values() if "*" not in names]
        if form == "illumina-manifest":
            fits = header == {"IlmnID"}
        elif form == "probe-list":
            fits = _lists_probes(head)
        else:
            fits = all(header & names for names in needed)
        if fits:
            found = Finding(head.path, "reference", form, reference=_KINDS.get(form, "probes"))
            _fill(found, head)
            return found
    return None


def _lists_probes(head: Head) -> bool:
    """Whether a file lists probes and measures nothing."""
    if head.layout is None:
        ids = [line.strip() for line in head.lines if line.strip()][1:]
    elif head.header[0] in COLUMNS["probe-list"]["probe_id"] and not columns_of(head.layout).numbers:
        ids = list(head.ids)
    else:
        return False
    return len(ids) > 1 and share(ids, is_probe) > 0.9


def _fill(found: Finding, head: Head) -> None:
    if found.format in ("tcga-tss", "metabolite-table"):
        return
    if found.format in ("hgnc", "probe-list"):
        found.features = "symbol" if found.format == "hgnc" else "illumina_probe"
        return
    found.features = "illumina_probe" if found.format == "illumina-manifest" else kind_of_features(head.ids)[0]
    if found.features != "illumina_probe":
        found.reference = "genes"
        return
    found.reference = "probes"
    platform = named(head.path).platform
    if platform in PLATFORMS:
        found.keys["platform"] = platform
    else:
        found.keys["platform"] = "hm450"
        found.unsure["platform"] = "the array (hm27, hm450, epic), which neither the name nor the first probes tell"


def is_site_table(path: Path) -> bool:
    """Whether a file is a table of tissue source sites."""
    try:
        header = set(look(path).header)
    except SourceError:
        return False
    return all(header & set(names) for names in COLUMNS["tcga-tss"].values())
