"""Reference tables, told by their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.errors import SourceError
from omicstore.harmonize.probes import PLATFORMS, is_probe
from omicstore.readers.recognise import look
from omicstore.readers.references import COLUMNS
from omicstore.recognise.finding import Finding
from omicstore.recognise.ids import feature_ids, share
from omicstore.recognise.names import named

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.recognise import Head

__all__ = ["is_site_table", "reference"]

_KINDS = {"xena-probemap": "genes", "hgnc": "symbols", "tcga-tss": "sites", "metabolite-table": "metabolites"}


def reference(head: Head) -> Finding | None:
    """Tell a reference table; None if the file is none."""
    header = set(head.header)
    for form, columns in COLUMNS.items():
        if all("*" in names or header & set(names) for names in columns.values()):
            found = Finding(head.path, "reference", form, reference=_KINDS.get(form, "probes"))
            _fill(found, head)
            return found
    return None


def _fill(found: Finding, head: Head) -> None:
    if found.format in ("tcga-tss", "metabolite-table"):
        return
    found.features = feature_ids(head.ids)[0]
    if found.format == "hgnc":
        found.features = "symbol"
        return
    if share(head.ids, is_probe) < 0.5:
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
