"""The NCI Genomic Data Commons: open-access files of a project, as gdc-client would leave them.

The endpoints are those of the GDC API's user guide (https://docs.gdc.cancer.gov/API/Users_Guide/); ``clinical_tar`` is
what the data portal's own button for clinical data asks. Only files with ``access: open`` are ever asked for.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omicstore import progress
from omicstore.errors import FetchError, UnknownNameError
from omicstore.fetch.names import TCGA_COHORTS, chosen
from omicstore.fetch.plan import Item, Part, Plan, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from omicstore.fetch.http import Http

__all__ = ["DEFAULT", "ENDPOINT", "OFFERS", "Offer", "plan"]

ENDPOINT = "https://api.gdc.cancer.gov"
LICENCE = "GDC open access, https://gdc.cancer.gov/access-data/data-access-policies"

#: Hits asked for at a time.
PAGE = 1000

#: Declared, so that a mistyped one is told without asking; those of other programmes GDC names itself.
TCGA = tuple(f"TCGA-{code}" for code in TCGA_COHORTS)

_FIELDS = (
    "file_id", "file_name", "md5sum", "file_size", "state", "access", "data_category", "data_type", "platform",
    "associated_entities.entity_submitter_id", "cases.submitter_id", "cases.project.project_id",
    "cases.samples.submitter_id", "cases.samples.sample_type", "cases.samples.preservation_method",
)  # fmt: skip
_SHEET = (
    "File ID", "File Name", "Data Category", "Data Type", "Project ID", "Case ID", "Sample ID", "Sample Type",
    "Preservation Method", "Aliquot ID",
)  # fmt: skip
_UUID = re.compile(r"[0-9a-fA-F-]{8,64}")

_ARRAYS = {
    "illumina human methylation 27": "hm27",
    "illumina human methylation 450": "hm450",
    "illumina methylation epic": "epic",
    "illumina methylation epic v2": "epicv2",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind of data that GDC has.

    The data format is not asked for: kind and workflow tell the files, and GDC has renamed formats (TXT, now TSV).

    Attributes
    ----------
    name, title
        What is asked for, and what it is.
    data_type, workflow
        GDC's own names, by which its files are found; no workflow where it does not matter.
    format, modality, unit
        What the study file says of it; no format where it needs a choice that is the user's.
    """

    name: str
    title: str
    data_type: str = ""
    workflow: str | None = None
    format: str | None = None
    modality: str | None = None
    unit: str | None = None


OFFERS: dict[str, Offer] = {
    o.name: o
    for o in (
        Offer(
            "rna", "gene expression, STAR counts and TPM", "Gene Expression Quantification", "STAR - Counts",
            "gdc-star-counts", "rna", "tpm",
        ),
        Offer(
            "meth", "methylation beta values, SeSAMe", "Methylation Beta Value", None,
            "gdc-methylation", "meth", "beta",
        ),
        Offer(
            "prot", "protein abundance, RPPA", "Protein Expression Quantification", None,
            "gdc-rppa", "prot", "log2_ratio",
        ),
        Offer(
            "mirna", "miRNA expression", "miRNA Expression Quantification", "BCGSC miRNA Profiling",
            "gdc-mirna", "mirna", "rpm",
        ),
        Offer(
            "cnv", "copy number of genes, ASCAT3", "Gene Level Copy Number", "ASCAT3",
            "gdc-cnv", "cnv", "copy_number",
        ),
        Offer(
            "mut", "somatic mutations, masked", "Masked Somatic Mutation",
            "Aliquot Ensemble Somatic Variant Merging and Masking", "maf", "mut", "mutated",
        ),
        Offer("clinical", "clinical tables of all cases", format="gdc-clinical"),
        Offer("slides", "diagnostic and tissue slides (very large)", "Slide Image"),
    )
}  # fmt: skip

DEFAULT = ("rna", "meth", "prot", "mirna", "clinical")


def plan(http: Http, projects: Sequence[str], modalities: Sequence[str] = DEFAULT, endpoint: str = ENDPOINT) -> Plan:
    """Ask GDC which files there are.

    Parameters
    ----------
    http
        The client.
    projects
        ``TCGA-BLCA``, ``CPTAC-3``, ...; ``BLCA`` is taken for TCGA's.
    modalities
        Names of `OFFERS`.
    endpoint
        The API.

    Raises
    ------
    UnknownNameError
        If a project or modality is mistyped; names the nearest.
    FetchError
        If GDC does not answer, or has no open file of what is asked for.
    """
    base = endpoint.rstrip("/")
    offers = chosen("modality", modalities, OFFERS)
    names = _projects(http, projects, base)
    parts: list[Part] = []
    with progress.task("asking GDC", len(names) * len(offers), "lists") as advance:
        for project in names:
            for offer in offers:
                made = (
                    [_clinical(http, base, project, offer)]
                    if not offer.data_type
                    else _files(http, base, project, offer)
                )
                parts += made
                advance()
    if not any(part.items for part in parts):
        raise FetchError(
            f"GDC has no open {' or '.join(o.name for o in offers)} of {', '.join(names)}",
            expected="at least one file",
            run="look what the project has at https://portal.gdc.cancer.gov, or ask for other --modalities",
        )
    return Plan("GDC", "tcga" if all(n in TCGA for n in names) else "gdc", tuple(parts))


def _projects(http: Http, given: Iterable[str], base: str) -> list[str]:
    names = [f"TCGA-{name}" if f"TCGA-{name}".upper() in TCGA else name for name in given]
    names = [name.upper() if name.upper() in TCGA else name for name in names]
    strange = [name for name in names if name not in TCGA]
    if strange:
        answer = http.json(f"{base}/projects", {"fields": "project_id", "size": 10_000})
        known = {p["project_id"].casefold(): p["project_id"] for p in _hits(answer, "projects")[0]}
        known |= {name.casefold(): name for name in TCGA}
        for name in strange:
            if name.casefold() not in known:
                raise UnknownNameError("project", name, known.values())
        names = [known[name.casefold()] for name in names]
    return list(dict.fromkeys(names))


def _hits(answer: Any, what: str) -> tuple[list[dict[str, Any]], int]:
    """Return the hits of an answer and how many there are in all."""
    try:
        data = answer["data"]
        return list(data["hits"]), int(data["pagination"]["total"])
    except (KeyError, TypeError, ValueError):
        raise FetchError(
            f"GDC's list of {what} has no data.hits", expected="an answer of the GDC API", run="check --endpoint"
        ) from None


def _is(field: str, value: str) -> dict[str, Any]:
    return {"op": "in", "content": {"field": field, "value": [value]}}


def _files(http: Http, base: str, project: str, offer: Offer) -> list[Part]:
    """Return the files of one kind: a part for each array they were measured on."""
    asked = {
        "cases.project.project_id": project,
        "access": "open",
        "data_type": offer.data_type,
        "analysis.workflow_type": offer.workflow,
    }
    content = [_is(field, value) for field, value in asked.items() if value is not None]
    body = {
        "filters": {"op": "and", "content": content}, "fields": ",".join(_FIELDS), "format": "JSON",
        "sort": "file_id:asc", "size": PAGE,
    }  # fmt: skip
    hits: dict[str, dict[str, Any]] = {}
    total, start = 1, 0
    while start < total:
        page, total = _hits(http.json(f"{base}/files", {**body, "from": start}), "files")
        if not page and start < total:
            raise FetchError(
                f"GDC's list of {offer.name} files of {project} ends after {start:,} of {total:,}",
                expected="all of them",
                run="run the same command later",
            )
        hits |= {str(hit.get("file_id", "")): hit for hit in page}
        start += len(page)
    by_array: dict[str, list[dict[str, Any]]] = {}
    for _, hit in sorted(hits.items()):
        if hit.get("access") == "open":
            by_array.setdefault(str(hit.get("platform") or "") if offer.name == "meth" else "", []).append(hit)
    if not by_array:
        return [Part(project, offer.name, offer.title, note="GDC has no open files of this kind")]
    return [_part(base, project, offer, array, found) for array, found in sorted(by_array.items())]


def _part(base: str, project: str, offer: Offer, array: str, hits: list[dict[str, Any]]) -> Part:
    platform = _ARRAYS.get(array.casefold())
    slug = platform or re.sub(r"[^a-z0-9]+", "-", array.casefold()).strip("-")
    folder = f"{project}/{offer.name}" + (f"-{slug}" if slug else "")
    entry = None
    if offer.format is not None:
        entry = {"format": offer.format, "modality": offer.modality, "cohort": _cohort(project), "unit": offer.unit}
        entry |= {"licence": LICENCE} | ({"platform": platform} if platform else {})
    return Part(
        group=project,
        name=offer.name,
        title=offer.title + (f", {array}" if array else ""),
        items=tuple(_item(base, folder, hit) for hit in hits),
        path=folder,
        entry=entry,
        texts={f"{folder}/gdc_sample_sheet.tsv": _sheet(hits), f"{folder}/gdc_manifest.txt": _manifest(hits)},
        note=""
        if entry is not None
        else "not in study.yaml: add them as format tiles, with the encoder of your choice",
    )


def _item(base: str, folder: str, hit: dict[str, Any]) -> Item:
    identity, name = str(hit.get("file_id", "")), plain_name(str(hit.get("file_name", "")), "GDC")
    if not _UUID.fullmatch(identity):
        raise FetchError(f"GDC names a file id {identity!r}", expected="a UUID", run="check --endpoint")
    return Item(f"{folder}/{identity}/{name}", f"{base}/data/{identity}", int(hit["file_size"]), str(hit["md5sum"]))


def _sheet(hits: list[dict[str, Any]]) -> str:
    """Return the sample sheet as the portal writes it, and the aliquots that were measured, which it leaves out."""
    rows = [_SHEET]
    for hit in hits:
        cases = hit.get("cases") or []
        samples = [(case, sample) for case in cases for sample in case.get("samples") or []]
        rows.append(
            (
                hit["file_id"],
                hit["file_name"],
                hit.get("data_category") or "",
                hit.get("data_type") or "",
                _joined(case.get("project", {}).get("project_id") for case, _ in samples),
                _joined(case.get("submitter_id") for case, _ in samples),
                _joined(sample.get("submitter_id") for _, sample in samples),
                _joined(sample.get("sample_type") for _, sample in samples),
                _joined(sample.get("preservation_method") for _, sample in samples),
                _joined(entity.get("entity_submitter_id") for entity in hit.get("associated_entities") or []),
            )
        )
    return _tsv(rows)


def _manifest(hits: list[dict[str, Any]]) -> str:
    rows = [("id", "filename", "md5", "size", "state")]
    rows += [
        (h["file_id"], h["file_name"], h["md5sum"], str(h["file_size"]), h.get("state") or "released") for h in hits
    ]
    return _tsv(rows)


def _joined(texts: Iterable[Any]) -> str:
    return ", ".join(str(text or "") for text in texts)


def _tsv(rows: Iterable[Sequence[str]]) -> str:
    made = io.StringIO()
    csv.writer(made, delimiter="\t", lineterminator="\n").writerows(rows)
    return made.getvalue()


def _clinical(http: Http, base: str, project: str, offer: Offer) -> Part:
    """Return the clinical tables, which GDC writes when they are asked for: neither size nor checksum is known."""
    filters = _is("cases.project.project_id", project)
    _, cases = _hits(http.json(f"{base}/cases", {"filters": filters, "fields": "case_id", "size": 0}), "cases")
    if not cases:
        return Part(project, offer.name, offer.title, note="GDC has no cases of this project")
    path = f"{project}/clinical/clinical.project-{project}.tar.gz"
    item = Item(path, f"{base}/clinical_tar", body={"filters": filters, "size": cases, "attachment": True})
    entry = {"format": offer.format, "cohort": _cohort(project), "licence": LICENCE}
    return Part(project, offer.name, offer.title, (item,), path, entry, note=f"{cases:,} cases; written on request")


def _cohort(project: str) -> str:
    return project.removeprefix("TCGA-").upper()
