"""The simulated study as a whole: its cohorts' files, its study file and its README."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from omicstore.progress import task
from omicstore.simulate import clinical
from omicstore.simulate.aliquots import make_aliquots
from omicstore.simulate.assays import Assays
from omicstore.simulate.design import COHORTS, CohortDesign
from omicstore.simulate.genes import make_genes, write_gene_references
from omicstore.simulate.headers import GENE_HEADERS
from omicstore.simulate.layouts import LAYOUTS, Layout
from omicstore.simulate.panels import make_antibodies, metabolite_names, write_metabolite_reference
from omicstore.simulate.people import make_people, write_sites
from omicstore.simulate.probes import make_probes, write_probe_reference
from omicstore.simulate.programmes import make_programmes, make_state
from omicstore.simulate.reports import write_reports
from omicstore.simulate.slides import write_slides
from omicstore.simulate.survival import FollowUp, make_follow_up
from omicstore.simulate.truth import write_truth

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.simulate.aliquots import Aliquots

__all__ = ["simulate"]

Entry = dict[str, Any]

README = """SIMULATED DATA. No patient, gene, site or slide in this folder is real.

omicstore simulate wrote it, with seed {seed} and scale {scale:g}. The cohorts carry the codes of TCGA cohorts so that
the file layouts, which are those of public portals, apply. Their patients (SIMU-...), genes (SIMG0001, ENSG9...),
probes (cg9...), antibodies, metabolites and tissue source sites are made up. Nothing about any disease can be
learned from them.

study.yaml     which file is what: omicstore init DIR --sources study.yaml
references/    simulated genes, probes, sites and metabolites
BRCA/ ...      one folder for each cohort
truth/         what the simulator knows: latents of every sample, hazards, loadings of the genes
"""


def simulate(out: Path, *, seed: int = 7, scale: float = 1.0) -> Path:
    """Write the simulated study: raw files and references in upstream layouts, a study file, and the truth.

    Parameters
    ----------
    out
        The folder to write to; made if absent.
    seed
        Same seed, same bytes.
    scale
        Multiplies the numbers of patients of `omicstore.simulate.COHORTS`; features stay as many as they are.

    Returns
    -------
    Path
        The study file, ``out/study.yaml``; its paths are relative to `out`.
    """
    genes = make_genes(seed)
    probes = make_probes(seed, genes)
    programmes = make_programmes(seed, genes)
    references = out / "references"
    write_gene_references(references, genes)
    write_probe_reference(references / "simulated_hm450.tsv.gz", probes, genes)
    write_metabolite_reference(references / "simulated_metabolites.csv")
    write_sites(references / "simulated_tss.csv", COHORTS)
    entries: list[Entry] = []
    truth = []
    with task("simulating", len(COHORTS), "cohorts") as advance:
        for design in COHORTS:
            people = make_people(design, seed, scale)
            state = make_state(seed, people, programmes)
            follow_up = make_follow_up(seed, people, state)
            assays = Assays(seed, people, state, genes, probes, programmes)
            entries += _write_cohort(out / design.name, assays, follow_up, scale)
            truth.append((people, state, follow_up))
            advance()
    clinical.write_cdr(out / "SIMU-CDR.csv.gz", [(people, follow_up) for people, _, follow_up in truth])
    entries.append({"path": "SIMU-CDR.csv.gz", "format": "tcga-cdr"})
    write_truth(out / "truth", seed, scale, truth, genes, programmes)
    (out / "README.txt").write_text(README.format(seed=seed, scale=scale), encoding="utf-8", newline="\n")
    return _write_study(out / "study.yaml", entries)


def _write_cohort(folder: Path, assays: Assays, follow_up: FollowUp, scale: float) -> list[Entry]:
    people, design = assays.people, assays.people.design
    entries = []
    aliquots: dict[str, Aliquots] = {}
    for (cohort, modality), layout in LAYOUTS.items():
        if cohort != design.name:
            continue
        measured = make_aliquots(assays.seed, people, modality, layout.ids, scale)
        features, values = _measure(assays, modality, measured)
        layout.write(folder, measured.ids, features, values)
        entries.append(_matrix_entry(cohort, modality, layout))
        aliquots[modality] = measured
    slides = write_slides(folder / "trident", assays).relative_to(folder.parent).as_posix()
    entries.append(
        {"path": slides, "format": "patches-h5", "modality": "patches", "cohort": design.name, "exposure": "none"}
    )
    write_reports(folder / "path_reports.csv.gz", assays.seed, people, assays.state, follow_up)
    entries.append(
        {
            "path": f"{design.name}/path_reports.csv.gz",
            "format": "reports",
            "modality": "report",
            "cohort": design.name,
            "text": "ocr_text",
            "id": "pdf_file_name_path",
        }
    )
    return entries + _write_tables(folder, assays, follow_up, design, aliquots["rna"])


def _measure(assays: Assays, modality: str, aliquots: Aliquots) -> tuple[list[str], NDArray[np.float64]]:
    if modality == "rna":
        return GENE_HEADERS[assays.people.design.name](assays.genes, assays.rna(aliquots))
    if modality == "meth":
        return assays.probes.frame["probe_id"].to_list(), assays.methylation(aliquots)
    if modality == "prot":
        antibodies = make_antibodies(assays.seed, assays.genes)
        names = antibodies.full if assays.people.design.name == "BRCA" else antibodies.names
        return names, assays.proteins(aliquots, antibodies.gene, antibodies.phospho)
    return metabolite_names(), np.power(10.0, assays.metabolites(aliquots))


def _matrix_entry(cohort: str, modality: str, layout: Layout) -> Entry:
    entry: Entry = {"path": f"{cohort}/{layout.file}", "format": layout.format, "modality": modality, "cohort": cohort}
    entry["unit"] = layout.unit
    if layout.platform:
        entry["platform"] = layout.platform
    if layout.keep_probes:
        entry["keep_probes"] = True
    entry["upstream_fit"] = "per_cohort" if modality == "prot" else "none"
    return entry


def _write_tables(
    folder: Path, assays: Assays, follow_up: FollowUp, design: CohortDesign, rna: Aliquots
) -> list[Entry]:
    people, cohort = assays.people, design.name
    if cohort == "BRCA":
        clinical.write_xena_phenotype(folder / "SIMU-BRCA.GDC_phenotype.tsv.gz", people, follow_up, rna)
        clinical.write_xena_survival(folder / "SIMU-BRCA.survival.tsv", people, follow_up)
        return [
            {
                "path": "BRCA/SIMU-BRCA.GDC_phenotype.tsv.gz", "format": "xena-clinical", "cohort": cohort,
                "labels": {"subtype": "simulated_subtype"},
            },
            {"path": "BRCA/SIMU-BRCA.survival.tsv", "format": "xena-survival", "cohort": cohort},
        ]  # fmt: skip
    if cohort == "LGG":
        clinical.write_plain(folder / "clinical.tsv", assays.seed, people, follow_up)
        labels = {"subtype": "simulated_subtype"}
        return [{"path": "LGG/clinical.tsv", "format": "clinical-table", "cohort": cohort, "labels": labels}]
    clinical.write_firehose(folder / f"{cohort}.clin.merged.tsv.gz", assays.seed, people, follow_up)
    clinical.write_subtypes(folder / "subtypes.csv", people)
    return [
        {"path": f"{cohort}/{cohort}.clin.merged.tsv.gz", "format": "firehose-clinical", "cohort": cohort},
        {
            "path": f"{cohort}/subtypes.csv", "format": "clinical-table", "cohort": cohort, "id": "patient",
            "labels": {"subtype": "Simulated_Subtype"},
        },
    ]  # fmt: skip


def _write_study(path: Path, entries: list[Entry]) -> Path:
    references = {
        "genes": {"path": "references/simulated.gene.probemap.gz", "format": "xena-probemap"},
        "symbols": {"path": "references/simulated_hgnc.txt.gz", "format": "hgnc"},
        "probes": [{"path": "references/simulated_hm450.tsv.gz", "format": "probe-table", "platform": "hm450"}],
        "sites": {"path": "references/simulated_tss.csv", "format": "tcga-tss"},
        "metabolites": {"path": "references/simulated_metabolites.csv", "format": "metabolite-table"},
    }
    study = {
        "dataset": "simulated",
        "simulated": True,
        "cohorts": [design.name for design in COHORTS],
        "references": references,
        "sources": entries,
    }
    text = yaml.safe_dump({"study": study}, sort_keys=False, default_flow_style=None, width=200)
    head = "# SIMULATED DATA: no patient in these files is real. Written by omicstore simulate.\n"
    path.write_text(head + text, encoding="utf-8", newline="\n")
    return path
