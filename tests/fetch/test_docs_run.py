"""The commands of the documents run as they are written, against a portal on the loopback."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from omicstore.fetch.references import TABLES

ROOT = Path(__file__).parents[2]
MADE = ROOT / "tests" / "made" / "gdc"

#: Symbol, Ensembl id, Entrez id, HGNC number.
GENES = """
AKT1 ENSG00000142208 207 391, BRCA1 ENSG00000012048 672 1100, BRCA2 ENSG00000139618 675 1101,
CCND1 ENSG00000110092 595 1582, CDH1 ENSG00000039068 999 1748, CDKN2A ENSG00000147889 1029 1787,
EGFR ENSG00000146648 1956 3236, ERBB2 ENSG00000141736 2064 3430, ESR1 ENSG00000091831 2099 3467,
FGFR3 ENSG00000068078 2261 3690, FOXA1 ENSG00000129514 3169 5021, GATA3 ENSG00000107485 2625 4172,
KRAS ENSG00000133703 3845 6407, KRT5 ENSG00000186081 3852 6442, MKI67 ENSG00000148773 4288 7107,
MYC ENSG00000136997 4609 7553, PGR ENSG00000082175 5241 8910, PTEN ENSG00000171862 5728 9588,
RB1 ENSG00000139687 5925 9884, TP53 ENSG00000141510 7157 11998, VIM ENSG00000026025 7431 12692
"""


def commands(page: str) -> list[str]:
    """The lines of the first block of commands of a page."""
    block = re.search(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert block is not None
    return block[1].splitlines()


@pytest.fixture
def mirror(portal: Any) -> Any:
    genes = [line.split() for line in GENES.replace("\n", " ").split(",")]
    probemap = ["id\tgene\tchrom\tchromStart\tchromEnd\tstrand"]
    probemap += [f"{ensembl}.1\t{symbol}\tchr1\t{i}000\t{i}500\t+" for i, (symbol, ensembl, *_) in enumerate(genes, 1)]
    hgnc = ["hgnc_id\tsymbol\tname\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id"]
    hgnc += [f"HGNC:{n}\t{symbol}\t{symbol}\t\t\t{entrez}\t{ensembl}" for symbol, ensembl, entrez, n in genes]
    probes = "id\tgene\tchrom\tchromStart\tchromEnd\tstrand\ncg00000029\tRB1\tchr1\t1\t2\t+\n"
    texts = {"genes": "\n".join(probemap) + "\n", "symbols": "\n".join(hgnc) + "\n", "hm450": probes, "hm27": probes}
    for name, text in texts.items():
        portal.files[(TABLES[name].url or "").partition(".com")[2]] = text.encode()
    portal.projects.append("TCGA-BRCA")
    return portal


def run(lines: list[str], folder: Path, portal: Any) -> list[subprocess.CompletedProcess[str]]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "OMICSTORE_ENDPOINT": portal.url, "COLUMNS": "120", "DVC_NO_ANALYTICS": "1"}
    done = [
        subprocess.run(line, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)
        for line in lines
    ]
    # A query over what was just built has no warnings; to be unsure of a unit is one.
    for line, one in zip(lines, done, strict=True):
        allowed = (0, 3) if line.startswith("omicstore sources") else (0,)
        assert one.returncode in allowed, f"{line}\n{one.stdout}\n{one.stderr}"
    return done


def test_from_ones_own_tables_to_a_query(mirror: Any, tmp_path: Path) -> None:
    for name in ("patients.csv", "expression.csv"):
        shutil.copy(ROOT / "docs" / "example" / name, tmp_path)
    lines = commands("my-patients.md")
    assert len(lines) == 5
    *_, query = run(lines, tmp_path, mirror)
    assert "8 primary samples of 8 patients" in query.stdout


def test_from_a_portal_to_a_query(mirror: Any, tmp_path: Path) -> None:
    for patient, folder in zip("MNO", sorted((MADE / "star_counts_made").glob("*-*")), strict=True):
        (path,) = folder.iterdir()
        mirror.add_gdc(path.name, path.read_bytes(), project="TCGA-BRCA", sample=f"TCGA-4Z-AA7{patient}-01A")
    for path in sorted((MADE / "rppa_made").glob("*/*.tsv")):
        mirror.add_gdc(
            path.name, path.read_bytes(), project="TCGA-BRCA", sample=path.name[:16], analysis={},
            data_type="Protein Expression Quantification", data_category="Proteome Profiling",
        )  # fmt: skip
    text = (MADE / "clinical_made" / "clinical.tsv").read_bytes().replace(b"TCGA-BLCA", b"TCGA-BRCA")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("clinical.tsv")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    mirror.files["/clinical_tar"] = packed.getvalue()
    lines = commands("tcga-brca.md")
    assert len(lines) == 5
    *_, query = run(lines, tmp_path, mirror)
    assert "BRCA: 3 primary samples of 3 patients" in query.stdout
    sql = "SELECT patient_id, stage, sex FROM patients WHERE stage IS NOT NULL ORDER BY ALL LIMIT 1"
    (found,) = run([f'omicstore sql "{sql}"'], tmp_path, mirror)
    assert "TCGA-4Z-AA7M" in found.stdout
