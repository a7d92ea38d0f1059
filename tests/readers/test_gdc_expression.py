"""RNA-seq of the GDC: STAR's and HTSeq's files, tied to their aliquots by a sample sheet."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.errors import SourceError
from omicstore.readers import profile_ids, read
from omicstore.sources import Source

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second"
    "\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded"
)
GENES = ("ENSG00000000003.15", "ENSG00000000005.6", "ENSG00000182378.15_PAR_Y")


def star(values: list[float], model: str = "v36", genes: tuple[str, ...] = GENES) -> str:
    """The text of a STAR count file whose TPM are `values`; the other columns are multiples of them."""
    lines = [f"# gene-model: GENCODE {model}", HEADER]
    lines += [
        f"{name}\t\t\t10\t10\t10\t\t\t" for name in ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")
    ]
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


def test_files_of_a_sheet_beside_the_folder(folder: Path) -> None:
    papers = sorted(folder.glob("gdc_*"))
    for paper in papers:
        paper.rename(folder.parent / paper.name)
    (raw,) = read(source(folder))
    assert raw.ids == ["TCGA-XX-A001-01A", "TCGA-XX-A002-01A"]
    assert raw.warnings == [
        "gdc_sample_sheet.2025-01-01.tsv lies beside the folder: put it into the folder, so that a change is noticed"
    ]


def test_a_single_file_finds_its_sheet(folder: Path) -> None:
    one = next(folder.rglob("n0*counts.tsv"))
    (raw,) = read(source(one))
    assert raw.ids == ["TCGA-XX-A002-01A"]


def test_genes_in_another_order_are_brought_to_one(folder: Path) -> None:
    (folder / "gdc_manifest.2025-01-01.txt").unlink()
    first, second = sorted(folder.rglob("n*counts.tsv"))
    second.write_text(star([7.0, 8.0, 9.0], genes=(GENES[2], GENES[0], GENES[1])))
    (raw,) = read(source(folder))
    assert raw.values is not None
    by_id = dict(zip(raw.ids, raw.values[:, [raw.features.index(g) for g in GENES]].tolist(), strict=True))
    assert by_id == {"TCGA-XX-A001-01A": [8.0, 9.0, 7.0], "TCGA-XX-A002-01A": [1.5, 0.0, 3.25]}
    assert first.exists()


def test_compressed_files_and_a_lost_one(folder: Path) -> None:
    (folder / "gdc_manifest.2025-01-01.txt").unlink()
    lost, kept = sorted(folder.rglob("n*counts.tsv"))
    lost.unlink()
    kept.with_name(kept.name + ".gz").write_bytes(gzip.compress(kept.read_bytes()))
    kept.unlink()
    (raw,) = read(source(folder))
    assert raw.ids == ["TCGA-XX-A001-01A"]
    assert raw.warnings == [
        f"1 files of the sample sheet are not in the folder, e.g. {lost.name}: was the download finished?"
    ]


def test_files_of_other_projects_are_left_out(folder: Path) -> None:
    paper = folder / "gdc_sample_sheet.2025-01-01.tsv"
    paper.write_text(paper.read_text().replace("TCGA-BLCA", "TCGA-LUAD", 1))
    (raw,) = read(source(folder))
    assert raw.ids == ["TCGA-XX-A001-01A"]
    assert raw.drops.counts == {"file of another project": 1}
    (other,) = read(source(folder, cohort="LUAD"))
    assert other.ids == ["TCGA-XX-A002-01A"]


def test_selected_genes_and_dropped_profiles(folder: Path) -> None:
    one = Source(
        folder, "gdc-star-counts", "rna", "BLCA", "tpm", select=("^ENSG",), drop=("_PAR_Y", "TCGA-XX-A001-01A")
    )
    (raw,) = read(one)
    assert (raw.ids, raw.features) == (["TCGA-XX-A002-01A"], [*GENES[:2]])
    assert profile_ids(one) == raw.ids


HTSEQ = {"counts": "a.htseq.counts", "fpkm": "b.FPKM.txt.gz", "fpkm_uq": "b.FPKM-UQ.txt.gz"}


@pytest.mark.parametrize("unit", sorted(HTSEQ))
def test_htseq_files_are_chosen_by_the_unit(tmp_path: Path, unit: str) -> None:
    """A download of all three workflows into one folder."""
    for i, (name, file) in enumerate(sorted(HTSEQ.items())):
        text = f"ENSG00000000003.13\t{i}.5\n__no_feature\t7\n".encode()
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(gzip.compress(text) if file.endswith(".gz") else text)
    rows = [(name, file, "TCGA-BLCA", "TCGA-XX-A001-01A") for name, file in HTSEQ.items()]
    (tmp_path / "gdc_sample_sheet.tsv").write_text(sheet(rows))
    (raw,) = read(source(tmp_path, unit))
    assert raw.values is not None
    assert raw.values[0, 0] == sorted(HTSEQ).index(unit) + 0.5
    assert raw.drops.counts == {"file of another kind": 2}
    with pytest.raises(SourceError, match=r"it holds counts, fpkm, fpkm_uq, and the study says unit: tpm"):
        read(source(tmp_path))


@pytest.mark.parametrize("kind", ["htseq_counts", "htseq_fpkm", "htseq_fpkm-uq"])
def test_real_htseq_files(real_data: Path, tmp_path: Path, kind: str) -> None:
    folder = real_data / "fixtures" / "xena_gdc_files" / "TCGA-BRCA" / "Raw_Data" / kind
    (file,) = sorted(folder.iterdir())
    unit = kind.removeprefix("htseq_").replace("-", "_")
    copied = tmp_path / file.name
    copied.write_bytes(file.read_bytes())
    (tmp_path / "gdc_sample_sheet.tsv").write_text(sheet([("x", f"{file.name}.gz", "TCGA-BRCA", "TCGA-A1-A0SP-01A")]))
    (raw,) = read(source(tmp_path, unit, "BRCA"))
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    assert raw.features == [line[0] for line in lines]
    assert raw.values is not None
    np.testing.assert_array_equal(raw.values[0], np.array([float(line[1]) for line in lines], np.float32))


def test_the_gdcs_own_sample_of_a_star_file(real_data: Path, tmp_path: Path) -> None:
    """What the GDC's tool makes in its tests: comment, header, summary rows without TPM."""
    made = real_data / "fixtures" / "gdc_native" / "gdc-rnaseq-tool" / "tests" / "etc" / "test_set_1.final.tsv.gz"
    path = tmp_path / "u1" / "n.rna_seq.augmented_star_gene_counts.tsv.gz"
    path.parent.mkdir()
    path.write_bytes(made.read_bytes())
    (tmp_path / "gdc_sample_sheet.tsv").write_text(sheet([("u1", path.name, "TCGA-BRCA", "TCGA-A1-A0SP-01A")]))
    text = [line.split("\t") for line in gzip.decompress(made.read_bytes()).decode().splitlines()[2:]]
    for unit, column in (("counts", 3), ("tpm", 6), ("fpkm", 7), ("fpkm_uq", 8)):
        (raw,) = read(source(tmp_path, unit, "BRCA"))
        assert raw.values is not None
        expected = np.array([float(row[column] or "nan") for row in text], np.float32)
        np.testing.assert_array_equal(raw.values[0], expected)
