"""Reference tables, from those who keep them: genes, symbols, probes. They ship with no one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from omicstore import progress
from omicstore.errors import FetchError
from omicstore.fetch.names import chosen
from omicstore.fetch.plan import Item, Part, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.fetch.http import Http

__all__ = ["DEFAULT", "TABLES", "Table", "plan"]

_XENA = "https://gdc-hub.s3.us-east-1.amazonaws.com/download"
_ILLUMINA = "https://webdata.illumina.com/downloads/productfiles"


@dataclass(frozen=True, slots=True)
class Table:
    """One reference table.

    Attributes
    ----------
    name, title
        What is asked for, and what it is.
    kind, format, platform
        What the study file says of it.
    url
        Where it lies; None where nobody serves it as a table.
    note
        What a person does instead.
    """

    name: str
    title: str
    kind: str
    format: str
    platform: str | None = None
    url: str | None = None
    note: str = ""


TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        Table(
            "genes", "GENCODE v36 genes with positions", "genes", "xena-probemap",
            url=f"{_XENA}/gencode.v36.annotation.gtf.gene.probemap",
        ),
        Table(
            "symbols", "HGNC complete set: approved, previous and alias symbols", "symbols", "hgnc",
            url="https://storage.googleapis.com/public-download-files/hgnc/tsv/tsv/hgnc_complete_set.txt",
        ),
        Table(
            "hm450", "450k probes to genes, hg38, GENCODE v36", "probes", "xena-probemap", "hm450",
            url=f"{_XENA}/HM450.hg38.manifest.gencode.v36.probeMap",
        ),
        Table(
            "hm27", "27k probes to genes, hg38, GENCODE v36", "probes", "xena-probemap", "hm27",
            url=f"{_XENA}/HM27.hg38.manifest.gencode.v36.probeMap",
        ),
        Table(
            "epic", "EPIC v1 probes, Illumina's manifest B5, hg19", "probes", "illumina-manifest", "epic",
            url=f"{_ILLUMINA}/methylationEPIC/infinium-methylationepic-v-1-0-b5-manifest-file-csv.zip",
        ),
        Table(
            "sites", "TCGA tissue source sites", "sites", "tcga-tss",
            note="GDC shows it only as a web page: save the table of https://gdc.cancer.gov/resources-tcga-users/"
            "tcga-code-tables/tissue-source-site-codes as CSV and name it as references.sites",
        ),
    )
}  # fmt: skip

DEFAULT = ("genes", "symbols", "hm450", "hm27", "sites")


def plan(http: Http, names: Sequence[str] = DEFAULT, endpoint: str | None = None) -> Plan:
    """Ask for the sizes of the tables.

    Parameters
    ----------
    http
        The client.
    names
        Names of `TABLES`.
    endpoint
        A mirror: takes the place of scheme and host of every URL.

    Raises
    ------
    UnknownNameError
        If a name is mistyped; names the nearest.
    FetchError
        If a table has gone from where it was.
    """
    tables = chosen("reference", names, TABLES)
    parts = []
    with progress.task("asking for reference tables", len(tables), "files") as advance:
        for table in tables:
            parts.append(_part(http, table, endpoint))
            advance()
    return Plan("the keepers of the references", "references", tuple(parts))


def _part(http: Http, table: Table, endpoint: str | None) -> Part:
    if table.url is None:
        return Part("references", table.name, table.title, note=table.note)
    url = table.url if endpoint is None else endpoint.rstrip("/") + urlsplit(table.url).path
    head = http.head(url)
    if head is None:
        raise FetchError(
            f"{url} is not there any more",
            expected=table.title,
            run="find where it has gone and name it in study.references, or leave it out with --tables",
        )
    path = f"references/{url.rpartition('/')[2]}"
    entry = {"format": table.format} | ({"platform": table.platform} if table.platform else {})
    item = Item(path, url, head.size, etag=head.etag)
    return Part("references", table.name, table.title, (item,), path, entry, table.kind)
