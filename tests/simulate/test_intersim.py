from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.errors import SourceError, UsageError
from omicstore.simulate.intersim import draw_clusters
from omicstore.simulate.intersim_moments import Moments, read_moments, simulated_moments

SMALL = simulated_moments(3, genes=12, cpgs=30, proteins=15)


def folder_of(moments: Moments, root: Path, *, rho: float = 0.0) -> Path:
    """Write moments as InterSIM's package has them; with a correlation, genes are pulled towards -2."""

    def write(name: str, header: str, rows: list[str]) -> None:
        with gzip.open(root / f"{name}.csv.gz", "wt") as file:
            file.write("\n".join([header, *rows]) + "\n")

    def values(name: str, names: tuple[str, ...], numbers: list[float]) -> None:
        write(name, '"name","value"', [f'"{n}",{float(v)!r}' for n, v in zip(names, numbers, strict=True)])

    names = moments.features
    for modality, mean, cov in (
        ("meth", "mean.M", "cov.M"),
        ("rna", "mean.expr", "cov.expr"),
        ("prot", "mean.protein", "cov.protein"),
    ):
        values(mean, names[modality], list(moments.mean[modality]))
        header = ",".join(['""', *(f'"{n}"' for n in names[modality])])
        rows = [
            f'"{n}",' + ",".join(repr(float(v)) for v in row)
            for n, row in zip(names[modality], moments.cov[modality], strict=True)
        ]
        write(cov, header, rows)
    for modality, other, correlation in (
        ("rna", "methyl.gene.level.mean", "rho.methyl.expr"),
        ("prot", "mean.expr.with.mapped.protein", "rho.expr.protein"),
    ):
        values(other, names[modality], [-2.0] * len(names[modality]))
        values(correlation, names[modality], [rho] * len(names[modality]))
    genes = names["rna"]
    write(
        "CpG.gene.map.for.DEG",
        '"","tmp.cg","tmp.gene"',
        [f'"{n}","{n}","{genes[g]}"' for n, g in zip(names["meth"], moments.cpg_gene, strict=True)],
    )
    write(
        "protein.gene.map.for.DEP",
        '"","protein","gene"',
        [f'"{n}","{n}","{genes[g]}"' for n, g in zip(names["prot"], moments.protein_gene, strict=True)],
    )
    return root


def logit(beta: np.ndarray) -> np.ndarray:
    beta = beta.astype(np.float64)
    return np.log(beta / (1 - beta))


def on_normal_scale(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {m: logit(v) if m == "meth" else v.astype(np.float64) for m, v in values.items()}


def agree(moments: Moments, drawn: dict[str, np.ndarray]) -> None:
    """Check empirical moments against the true ones, by their standard errors under normality."""
    for modality, values in on_normal_scale(drawn).items():
        n, cov = len(values), moments.cov[modality]
        sd = np.sqrt(np.diag(cov))
        assert np.abs((values.mean(axis=0) - moments.mean[modality]) / (sd / np.sqrt(n))).max() < 5
        error = np.sqrt((np.outer(sd**2, sd**2) + cov**2) / n)
        assert np.abs((np.cov(values.T) - cov) / error).max() < 6


def test_without_a_shift_the_moments_are_those_put_in() -> None:
    agree(SMALL, draw_clusters(SMALL, 20_000, delta=0.0, seed=4).values)


@pytest.mark.real
def test_real_moments_come_back(real_data: Path) -> None:
    moments = read_moments(real_data / "intersim")
    assert {m: len(names) for m, names in moments.features.items()} == {"meth": 367, "rna": 131, "prot": 160}
    agree(moments, draw_clusters(moments, 20_000, delta=0.0, seed=4).values)


def test_a_shift_moves_the_features_of_a_cluster_and_no_covariance() -> None:
    drawn = draw_clusters(SMALL, 20_000, delta=1.5, shares=(0.5, 0.3, 0.2), seed=2)
    assert np.bincount(drawn.cluster).tolist() == [10_000, 6_000, 4_000]
    for modality, values in on_normal_scale(drawn.values).items():
        sd = np.sqrt(np.diag(SMALL.cov[modality]))
        for k in range(3):
            own = values[drawn.cluster == k]
            moved = own.mean(axis=0) - SMALL.mean[modality]
            expected = np.where(drawn.shifted[modality][k], 1.5, 0.0)
            assert np.abs((moved - expected) / (sd / np.sqrt(len(own)))).max() < 5
            np.testing.assert_allclose(np.cov(own.T), SMALL.cov[modality], atol=0.12 * sd.max() ** 2)


def test_genes_follow_their_cpgs_and_proteins_their_genes() -> None:
    shifted = draw_clusters(SMALL, 5, p_dmp=0.1, seed=9).shifted
    for k in range(5):
        genes = set(SMALL.cpg_gene[shifted["meth"][k]].tolist())
        assert set(np.flatnonzero(shifted["rna"][k]).tolist()) == genes
        np.testing.assert_array_equal(shifted["prot"][k], np.isin(SMALL.protein_gene, list(genes)))
    assert draw_clusters(simulated_moments(), 5, seed=1).shifted["meth"].mean() == pytest.approx(0.2, abs=0.04)


def test_only_the_cluster_links_modalities() -> None:
    drawn = on_normal_scale(draw_clusters(SMALL, 20_000, delta=2.0, seed=5).values)
    cluster = draw_clusters(SMALL, 20_000, delta=2.0, seed=5).cluster
    for own, other in (("meth", "rna"), ("rna", "prot"), ("meth", "prot")):
        apart = []
        for m in (own, other):
            centre = np.stack([drawn[m][cluster == k].mean(axis=0) for k in range(5)])
            left = drawn[m] - centre[cluster]
            apart.append(left / left.std(axis=0))
        between = apart[0].T @ apart[1] / len(cluster)
        assert np.abs(between).max() < 5 / np.sqrt(len(cluster))


@given(n=st.integers(1, 60), seed=st.integers(0, 50), delta=st.floats(0, 5))
def test_values_have_their_ranges_and_the_seed_decides_all(n: int, seed: int, delta: float) -> None:
    drawn, again = (draw_clusters(SMALL, n, delta=delta, shares=(0.6, 0.4), seed=seed) for _ in range(2))
    assert {m: v.shape for m, v in drawn.values.items()} == {"meth": (n, 30), "rna": (n, 12), "prot": (n, 15)}
    assert ((drawn.values["meth"] > 0) & (drawn.values["meth"] < 1)).all()
    assert abs(int((drawn.cluster == 0).sum()) - 0.6 * n) <= 0.5
    for modality, values in drawn.values.items():
        np.testing.assert_array_equal(values, again.values[modality])


def test_shares_must_add_up() -> None:
    with pytest.raises(UsageError, match=r"the clusters have shares \(0.5, 0.2\)\. Expected shares that add up to 1"):
        draw_clusters(SMALL, 10, shares=(0.5, 0.2))


def test_a_folder_of_moments_is_read_back(tmp_path: Path) -> None:
    read = read_moments(folder_of(SMALL, tmp_path))
    assert read.features == SMALL.features
    for modality in SMALL.mean:
        np.testing.assert_allclose(read.mean[modality], SMALL.mean[modality])
        np.testing.assert_allclose(read.cov[modality], SMALL.cov[modality])
    np.testing.assert_array_equal(read.cpg_gene, SMALL.cpg_gene)
    np.testing.assert_array_equal(read.protein_gene, SMALL.protein_gene)


def test_a_correlation_pulls_the_means(tmp_path: Path) -> None:
    read = read_moments(folder_of(SMALL, tmp_path, rho=0.6))
    np.testing.assert_allclose(read.mean["rna"], 0.6 * -2 + 0.8 * SMALL.mean["rna"])
    np.testing.assert_allclose(read.mean["meth"], SMALL.mean["meth"])


def test_a_folder_that_is_not_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"mean\.M\.csv\.gz: there is no such file"):
        read_moments(tmp_path)
    folder_of(SMALL, tmp_path)
    path = tmp_path / "rho.expr.protein.csv.gz"
    content = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(content.replace("SimP003", "SimP9").encode()))
    with pytest.raises(SourceError, match=r"rho\.expr\.protein\.csv\.gz: it names SimP9 for SimP003"):
        read_moments(tmp_path)
    path = tmp_path / "CpG.gene.map.for.DEG.csv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"SIMG002", b"NOGENE")))
    (tmp_path / "rho.expr.protein.csv.gz").write_bytes(gzip.compress(content.encode()))
    with pytest.raises(SourceError, match=r"it has the gene NOGENE\. Expected genes of mean\.expr"):
        read_moments(tmp_path)


def test_simulated_moments_are_moments() -> None:
    moments = simulated_moments()
    for modality, cov in moments.cov.items():
        assert np.linalg.eigvalsh(cov).min() > 0
        np.testing.assert_allclose(cov, cov.T)
        assert moments.mean[modality].shape == (len(cov),)
    assert set(moments.cpg_gene.tolist()) == set(moments.protein_gene.tolist()) == set(range(131))
    assert not np.array_equal(simulated_moments(1).mean["rna"], moments.mean["rna"])
    with pytest.raises(UsageError, match=r"the moments of rna are \(3,\) and \(12, 12\)"):
        Moments(SMALL.features, SMALL.mean | {"rna": np.zeros(3)}, SMALL.cov, SMALL.cpg_gene, SMALL.protein_gene)
