"""UCSC Xena's hubs: one matrix or table per cohort and kind, ready to read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore import progress
from omicstore.errors import FetchError, UnknownNameError
from omicstore.fetch.names import TCGA_COHORTS, chosen
from omicstore.fetch.plan import Item, Part, Plan
from omicstore.identifiers import COHORT_UNIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.fetch.http import Http

__all__ = ["DEFAULT", "HUBS", "Dataset", "Hub", "plan"]

_TERMS = "open; cite Goldman et al. 2020 and the data's producer, https://xenabrowser.net/datapages/"


@dataclass(frozen=True, slots=True)
class Dataset:
    """One data set that a hub has for each cohort.

    Attributes
    ----------
    name, title
        What is asked for, and what it is.
    place
        Its place on the hub; ``{cohort}`` stands for the cohort's code, ``{project}`` for GDC's project.
    format, modality, unit, platform
        What the study file says of it.
    """

    name: str
    title: str
    place: str
    format: str
    modality: str | None = None
    unit: str | None = None
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Hub:
    """One of Xena's hubs.

    Attributes
    ----------
    name, title
        What is asked for, and what it is.
    endpoint
        The folder that the places of its data sets are below.
    datasets
        What it has, by name.
    """

    name: str
    title: str
    endpoint: str
    datasets: dict[str, Dataset]


def _hub(name: str, title: str, bucket: str, *datasets: Dataset) -> Hub:
    return Hub(name, title, f"https://{bucket}.s3.us-east-1.amazonaws.com/download", {d.name: d for d in datasets})


_LEGACY = "TCGA.{cohort}.sampleMap%2F"

HUBS: dict[str, Hub] = {
    h.name: h
    for h in (
        _hub(
            "gdc", "GDC hub: hg38, GENCODE v36", "gdc-hub",
            Dataset("rna", "STAR TPM", "{project}.star_tpm.tsv.gz", "xena-matrix", "rna", "log2(tpm+1)"),
            Dataset("meth", "450k betas", "{project}.methylation450.tsv.gz", "xena-matrix", "meth", "beta", "hm450"),
            Dataset("meth27", "27k betas", "{project}.methylation27.tsv.gz", "xena-matrix", "meth", "beta", "hm27"),
            Dataset("prot", "RPPA", "{project}.protein.tsv.gz", "xena-matrix", "prot", "log2_ratio"),
            Dataset("mirna", "stem loops, RPM", "{project}.mirna.tsv.gz", "xena-matrix", "mirna", "log2(rpm+1)"),
            Dataset(
                "cnv", "copy number of genes, ASCAT3", "{project}.gene-level_ascat3.tsv.gz",
                "xena-matrix", "cnv", "copy_number",
            ),
            Dataset(
                "mut", "somatic mutations, a row each", "{project}.somaticmutation_wxs.tsv.gz",
                "xena-mutation", "mut", "mutated",
            ),
            Dataset("clinical", "phenotypes", "{project}.clinical.tsv.gz", "xena-clinical"),
            Dataset("survival", "overall survival", "{project}.survival.tsv.gz", "xena-survival"),
        ),
        _hub(
            "legacy", "TCGA hub: hg19, level 3", "tcga-xena-hub",
            Dataset("rna", "RSEM", _LEGACY + "HiSeqV2.gz", "xena-matrix", "rna", "log2(rsem_normalized+1)"),
            Dataset("meth", "450k betas", _LEGACY + "HumanMethylation450.gz", "xena-matrix", "meth", "beta", "hm450"),
            Dataset("meth27", "27k betas", _LEGACY + "HumanMethylation27.gz", "xena-matrix", "meth", "beta", "hm27"),
            Dataset("prot", "RPPA", _LEGACY + "RPPA.gz", "xena-matrix", "prot", "log2_ratio"),
            Dataset(
                "mirna", "mature strands, RPM", _LEGACY + "miRNA_HiSeq_gene.gz", "xena-matrix", "mirna", "log2(rpm+1)"
            ),
            Dataset(
                "cnv", "GISTIC2 calls", _LEGACY + "Gistic2_CopyNumber_Gistic2_all_thresholded.by_genes.gz",
                "xena-matrix", "cnv", "gistic",
            ),
            Dataset(
                "mut", "MC3, genes with a non-silent mutation", "mc3_gene_level%2F{cohort}_mc3_gene_level.txt.gz",
                "xena-matrix", "mut", "mutated",
            ),
            Dataset("clinical", "phenotypes", _LEGACY + "{cohort}_clinicalMatrix", "xena-clinical"),
            Dataset("survival", "OS, DSS, DFI, PFI", "survival%2F{cohort}_survival.txt", "xena-survival"),
        ),
        _hub(
            "toil", "Toil hub: all of TCGA in one matrix", "toil-xena-hub",
            Dataset("rna", "RSEM TPM", "tcga_RSEM_gene_tpm.gz", "xena-matrix", "rna", "log2(tpm+0.001)"),
        ),
    )
}  # fmt: skip

DEFAULT = ("rna", "meth", "prot", "mirna", "clinical", "survival")

#: The cohort that stands for all of them.
ALL = "PANCAN"


def plan(
    http: Http,
    cohorts: Sequence[str],
    modalities: Sequence[str] = (),
    hub: str = "gdc",
    endpoint: str | None = None,
    jobs: int = 4,
) -> Plan:
    """Ask a hub for the sizes of what it has.

    Parameters
    ----------
    http
        The client.
    cohorts
        ``BRCA``, ...; on the GDC hub also projects of other programmes, such as ``TARGET-AML``.
    modalities
        Names of the hub's data sets; `DEFAULT`, as far as the hub has them, where absent.
    hub
        A name of `HUBS`.
    endpoint
        Instead of the hub's own.
    jobs
        How many files are asked for at a time.

    Raises
    ------
    UnknownNameError
        If a cohort, modality or hub is mistyped; names the nearest.
    FetchError
        If the hub does not answer, or has nothing of what is asked for.
    """
    (at,) = chosen("hub", [hub], HUBS)
    datasets = chosen("modality", modalities or [n for n in DEFAULT if n in at.datasets], at.datasets)
    names = [ALL] if at.name == "toil" else [_cohort(name, at) for name in cohorts]
    base = (endpoint or at.endpoint).rstrip("/")
    asked = [(name, dataset) for name in dict.fromkeys(names) for dataset in datasets]
    with progress.task(f"asking the {at.name} hub", len(asked), "files") as advance:

        def ask(one: tuple[str, Dataset]) -> Part:
            part = _part(http, at, base, *one)
            advance()
            return part

        with ThreadPoolExecutor(jobs) as pool:
            parts = tuple(pool.map(ask, asked))
    if not any(part.items for part in parts):
        raise FetchError(
            f"the {at.name} hub has no {' or '.join(d.name for d in datasets)} of {', '.join(names)}",
            expected="at least one file",
            run="look what it has at https://xenabrowser.net/datapages/, or ask for other --modalities or --hub",
        )
    return Plan(f"Xena's {at.name} hub", "tcga" if not any("-" in name for name in names) else "gdc", parts)


def _cohort(name: str, hub: Hub) -> str:
    code = name.upper().removeprefix("TCGA-")
    unions = COHORT_UNIONS if hub.name == "legacy" else ()
    known = sorted({*TCGA_COHORTS, *unions})
    if code in known or (hub.name == "gdc" and "-" in code):  # other programmes: the hub itself will say
        return code
    raise UnknownNameError("cohort", name, known, run=f"choose from {', '.join(known)}")


def _part(http: Http, hub: Hub, base: str, cohort: str, dataset: Dataset) -> Part:
    project = cohort if "-" in cohort else f"TCGA-{cohort}"
    place = dataset.place.format(cohort=cohort, project=project)
    head = http.head(f"{base}/{place}")
    if head is None:
        return Part(cohort, dataset.name, dataset.title, note="the hub has none of this cohort")
    path = f"{cohort}/{hub.name}/{place.rpartition('%2F')[2]}"
    known = {"platform": dataset.platform, "modality": dataset.modality, "cohort": cohort, "unit": dataset.unit}
    entry = {"format": dataset.format} | {k: v for k, v in known.items() if v is not None} | {"licence": _TERMS}
    return Part(
        group=cohort,
        name=dataset.name,
        title=dataset.title,
        items=(Item(path, f"{base}/{place}", head.size, etag=head.etag),),
        path=path,
        entry=entry,
    )
