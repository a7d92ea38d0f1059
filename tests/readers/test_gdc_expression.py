"""RNA-seq of the GDC: STAR's and HTSeq's files, tied to their aliquots by a sample sheet."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.readers import profile_ids, read
from omicstore.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = (
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second"
    "\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded"
)
GENES = ("ENSG00000000003.15", "ENSG00000000005.6", "ENSG00000182378.15_PAR_Y")


def star(values: list[float], model: str = "v36", genes: tuple[str, ...] = GENES) -> str:
    """The text of a STAR count file whose TPM are `values`; the other columns are multiples of them."""
    lines = [f"# gene-model: GENCODE {model}", HEADER]
    lines += [f"{name}\t\t\t10\t10\t10\t\t\t" for name in ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")]
    lines += [
        f"{gene}\tG{i}\tprotein_coding\t{int(v * 100)}\t1\t1\t{v}\t{v * 2}\t{v * 4}"
        for i, (gene, v) in enumerate(zip(genes, values, strict=True))
    ]
    return "\n".join(lines) + "\n"


def sheet(rows: list[tuple[str, str, str, str]]) -> str:
    """A sample sheet of id, name, project and sample."""
    head = "File ID\tFile Name\tData Category\tData Type\tProject ID\tCase ID\tSample ID\tSample Type\n"
    return head + "".join(f"{i}\t{n}\tc\tt\t{p}\t{s[:12]}\t{s}\tPrimary Tumor\n" for i, n, p, s in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as gdc-client leaves it: two files, their sheet and their manifest."""
    root, rows, sums = tmp_path / "rna", [], ["id\tfilename\tmd5\tsize\tstate"]
    for i, sample in enumerate(("TCGA-XX-A002-01A", "TCGA-XX-A001-01A")):
        name = f"n{i}.rna_seq.augmented_star_gene_counts.tsv"
        path = root / f"u{i}" / name
        path.parent.mkdir(parents=True)
        path.write_text(star([1.5 + i, 0.0, 3.25]))
        (path.parent / "annotations.txt").write_text("id\tnote\nx\ty\n")
        (path.parent / "logs").mkdir()
        (path.parent / "logs" / f"{name}.parcel").write_bytes(b"\x80\x04")
        rows.append((f"u{i}", name, "TCGA-BLCA", sample))
        sums.append(f"u{i}\t{name}\t{hashlib.md5(path.read_bytes()).hexdigest()}\t1\treleased")
    (root / "gdc_sample_sheet.2025-01-01.tsv").write_text(sheet(rows))
    (root / "gdc_manifest.2025-01-01.txt").write_text("\n".join(sums) + "\n")
    return root


def source(path: Path, unit: str = "tpm", cohort: str = "BLCA") -> Source:
    return Source(path, "gdc-star-counts", "rna", cohort, unit)


@pytest.mark.parametrize(("unit", "factor"), [("tpm", 1), ("counts", 100), ("fpkm", 2), ("fpkm_uq", 4)])
def test_the_unit_chooses_the_column(folder: Path, unit: str, factor: int) -> None:
    (raw,) = read(source(folder, unit))
    assert raw.ids == ["TCGA-XX-A001-01A", "TCGA-XX-A002-01A"] == profile_ids(source(folder, unit))
    assert raw.values is not None
    genes = [raw.features.index(gene) for gene in GENES]
    expected = np.array([[2.5, 0, 3.25], [1.5, 0, 3.25]], np.float32) * factor
    np.testing.assert_array_equal(raw.values[:, genes], expected)
    assert raw.warnings == []
