"""Illumina's methylation manifests, CSV tables between a ``[Heading]`` and the ``[Controls]``, and lists of probes.

Columns of the 450k, EPIC v1 and EPIC v2 manifests, as Illumina describes them (knowledge.illumina.com, reference
material 1567 and 1568): ``IlmnID`` names a probe, with a suffix such as ``_TC21`` on EPIC v2, where ``Name`` lacks it.
``UCSC_RefGene_Name`` and ``UCSC_RefGene_Group`` list, in the same order and separated by semicolons, the transcripts
that a probe lies in and the part of each: TSS1500 and TSS200 (bases before the start of transcription), 5'UTR, 1stExon,
Body and 3'UTR; EPIC adds ExonBnd, within 20 bases of an exon's end. EPIC v2 writes 5UTR, 3UTR and exon_1, exon_2, ...
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.bytestream import line_chunks, read_bytes
from omicstore.readers.delimited import DELIMITERS, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["NAMES", "read_manifest", "read_probe_list"]

#: Bytes of text that are parsed at once: a manifest has half a gigabyte in fifty columns, of which five are needed.
CHUNK = 16 << 20

#: What lists of probes call the column of their names, and one that says which of the probes are meant.
NAMES, MASK = ("probe_id", "probeid", "targetid", "ilmnid", "name", "id"), ("mask_general", "mask")

_PROBE = re.compile(r"(?:c[gh]|rs|nv)\.?\d")

_ASSAY, _CONTROLS, _FIRST = b"[Assay]", b"[Controls]", b"IlmnID"


def read_manifest(path: Path, columns: Mapping[str, str]) -> pl.DataFrame:
    """Read the probes of a manifest.

    Parameters
    ----------
    path
        The CSV file; plain, gzip or zip.
    columns
        Canonical names to the manifest's.

    Returns
    -------
    polars.DataFrame
        The canonical columns, strings, null where empty; chromosomes begin with ``chr``.

    Raises
    ------
    SourceError
        If there is no table of probes, or a column is absent.
    """
    chunks = _assay(path)
    header = next(chunks).decode("utf-8", "replace").strip().split(",")
    absent = [name for name in columns.values() if name not in header]
    if absent:
        raise SourceError(
            path,
            f"there is no column {absent[0]!r}; the columns are {', '.join(header[:8])}",
            expected="a methylation manifest of the 450k, EPIC or EPIC v2 array",
            run="mend path or format of this reference in the study file",
        )
    at = {header.index(name): canonical for canonical, name in columns.items()}
    frames = [
        pl.read_csv(
            io.BytesIO(chunk),
            has_header=False,
            schema={str(i): pl.String for i in range(len(header))},
            columns=sorted(at),
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
        )
        for chunk in chunks
    ]
    if not frames:
        raise SourceError(path, "there is a header and no probe", expected="a row for each probe")
    frame = pl.concat(frames).rename({str(i): name for i, name in at.items()}).select(list(columns))
    frame = frame.with_columns(pl.all().str.strip_chars()).with_columns(pl.when(pl.all() != "").then(pl.all()))
    placed = pl.col("chromosome").str.replace("^(?:chr)?", "chr")
    return frame.filter(pl.col("probe_id").is_not_null()).with_columns(
        chromosome=pl.when(placed != "chr0").then(placed)
    )


def _assay(path: Path) -> Iterator[bytes]:
    """Yield the header line of the table of probes, and then its lines."""
    begun = False
    for chunk in line_chunks(path, CHUNK):
        lines = chunk
        if not begun:
            head = lines.find(_ASSAY)
            start = 0 if head < 0 else lines.find(b"\n", head) + 1
            end = lines.find(b"\n", start) + 1
            if not lines[start:end].removeprefix(b"\xef\xbb\xbf").startswith(_FIRST):
                raise SourceError(
                    path,
                    "there is no table of probes",
                    expected="a line [Assay], then a header that begins with IlmnID",
                    run="name the manifest in CSV, as Illumina has it",
                )
            begun = True
            yield lines[start:end].removeprefix(b"\xef\xbb\xbf")
            lines = lines[end:]
        stop = lines.find(b"\n" + _CONTROLS)
        if lines.startswith(_CONTROLS):
            return
        if stop >= 0:
            yield lines[: stop + 1]
            return
        if lines:
            yield lines


def read_probe_list(path: Path) -> pl.DataFrame:
    """Read a list of probes to leave out: SNP and cross-reactive probes as papers and SeSAMe publish them.

    One probe a line, with or without a header, or a delimited table with a column of their names; where there is a
    column ``MASK_general`` or ``MASK``, the rows in which it is true.

    Returns
    -------
    polars.DataFrame
        ``probe_id``.

    Raises
    ------
    SourceError
        If there is no probe in it.
    """
    lines = read_bytes(path).decode("utf-8-sig", "replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    rows = [[cell.strip(' "') for cell in split(line, delimiter)] for line in lines if line.strip()]
    header = [cell.lower() for cell in rows[0]] if rows else []
    at = next((header.index(name) for name in NAMES if name in header), 0)
    mask = next((header.index(name) for name in MASK if name in header), None)
    found = [
        row[at]
        for row in rows
        if at < len(row)
        and _PROBE.match(row[at])
        and (mask is None or (mask < len(row) and row[mask].upper() in ("TRUE", "T", "1")))
    ]
    if not found:
        raise SourceError(
            path,
            f"there is no probe in it; it begins with {first[:60]!r}",
            expected="a list of probes such as cg00000029",
            run="mend path or format of this reference in the study file",
        )
    return pl.DataFrame({"probe_id": found})
