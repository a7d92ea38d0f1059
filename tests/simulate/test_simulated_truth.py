"""What is known of the simulated samples can be found again in their measurements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omicstore.simulate import AGE_EFFECT, COHORTS, HAZARD, LATENTS
from omicstore.simulate.aliquots import make_aliquots
from omicstore.simulate.assays import Assays
from omicstore.simulate.genes import make_genes
from omicstore.simulate.layouts import LAYOUTS
from omicstore.simulate.panels import make_antibodies
from omicstore.simulate.people import base36, make_people
from omicstore.simulate.probes import make_probes
from omicstore.simulate.programmes import make_programmes, make_state
from omicstore.simulate.survival import make_follow_up

SEED = 7


@pytest.fixture(scope="module")
def world():
    genes = make_genes(SEED)
    programmes = make_programmes(SEED, genes)
    return genes, make_probes(SEED, genes), programmes


def assays_of(world, design):
    genes, probes, programmes = world
    people = make_people(design, SEED, 1.0)
    return Assays(SEED, people, make_state(SEED, people, programmes), genes, probes, programmes)


def ridge_r2(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, penalty: float) -> np.ndarray:
    mean, deviation = x[train].mean(0), x[train].std(0) + 1e-6
    xt, xv = (x[train] - mean) / deviation, (x[test] - mean) / deviation
    centre = np.nanmean(y[train], axis=0)
    yt = np.nan_to_num(y[train] - centre)
    weights = np.linalg.solve(xt @ xt.T + penalty * np.eye(len(train)), yt)
    error = np.nansum((y[test] - centre - xv @ (xt.T @ weights)) ** 2, axis=0)
    return 1 - error / np.nansum((y[test] - centre) ** 2, axis=0)


def test_proteins_can_be_predicted_from_rna_to_a_middling_degree(world):
    antibodies = make_antibodies(SEED, world[0])
    x, y = [], []
    for design in COHORTS:
        assays = assays_of(world, design)
        rna, prot = (make_aliquots(SEED, assays.people, m, LAYOUTS[design.name, m].ids, 1.0) for m in ("rna", "prot"))
        log_tpm = dict(zip(rna.sample.tolist(), np.log2(assays.rna(rna) + 1), strict=True))
        for sample, row in zip(
            prot.sample.tolist(), assays.proteins(prot, antibodies.gene, antibodies.phospho), strict=True
        ):
            if sample in log_tpm:
                x.append(log_tpm[sample])
                y.append(row)
    order = np.random.default_rng(0).permutation(len(x))
    cut = int(0.7 * len(x))
    r2 = ridge_r2(np.array(x), np.array(y), order[:cut], order[cut:], 1000.0)
    assert 0.3 < r2.mean() < 0.5
    assert (r2 > 0).mean() > 0.9


def test_two_aliquots_of_a_sample_are_nearer_than_two_patients(world):
    assays = assays_of(world, next(d for d in COHORTS if d.name == "UCEC"))
    rna = make_aliquots(SEED, assays.people, "rna", "aliquot", 1.0)
    values = np.log2(assays.rna(rna) + 1)
    r = np.corrcoef(values - values.mean(0))
    same = rna.sample[:, None] == rna.sample[None, :]
    np.fill_diagonal(same, val=False)
    different = r[~same & ~np.eye(len(rna), dtype=bool)]
    # Two of the four are from paraffin and noisier.
    assert np.sort(r[same])[-1] > np.quantile(different, 0.999)
    assert np.median(r[same]) > np.quantile(different, 0.99)


def test_promoter_methylation_goes_against_expression(world):
    assays = assays_of(world, COHORTS[0])
    _, probes, _ = world
    rna, meth = (make_aliquots(SEED, assays.people, m, "vial", 1.0) for m in ("rna", "meth"))
    tpm = dict(zip(rna.sample.tolist(), np.log2(assays.rna(rna) + 1), strict=True))
    beta = dict(zip(meth.sample.tolist(), assays.methylation(meth), strict=True))
    shared = [s for s in tpm if s in beta]
    expression = np.array([tpm[s] for s in shared])
    used = np.flatnonzero(probes.promoter & (probes.gene >= 0))[:300]
    r = []
    for probe in used:
        own, b = expression[:, probes.gene[probe]], np.array([beta[s][probe] for s in shared])
        seen = ~np.isnan(b)
        if seen.sum() > 50 and own[seen].std() > 0.2:
            r.append(np.corrcoef(own[seen], b[seen])[0, 1])
    assert np.median(r) < -0.15


def test_the_hazard_is_found_again_by_a_cox_model(world):
    lifelines = pytest.importorskip("lifelines")
    design = replace(COHORTS[0], patients=1500)
    people = make_people(design, SEED, 1.0)
    state = make_state(SEED, people, world[2])
    follow_up = make_follow_up(SEED, people, state)
    names = [*HAZARD, "stroma"]
    frame = follow_up.frame.select("OS", "OS.time").to_pandas()
    for name in names:
        frame[name] = state.latents[people.primary, LATENTS.index(name)]
    frame["age"] = people.patients["age_years"].to_numpy()
    fitted = lifelines.CoxPHFitter().fit(frame[frame["OS.time"] > 0], "OS.time", "OS").params_
    for name, effect in HAZARD.items():
        assert fitted[name] == pytest.approx(effect, abs=0.12)
    assert fitted["stroma"] == pytest.approx(0.0, abs=0.12)
    assert fitted["age"] == pytest.approx(AGE_EFFECT, abs=0.01)
    assert 1 - follow_up.frame["OS"].mean() == pytest.approx(design.censored, abs=0.01)


def test_a_further_cohort_changes_no_other(world):
    alone = make_people(COHORTS[3], SEED, 1.0)
    make_people(replace(COHORTS[0], name="KIRC"), SEED, 1.0)
    assert make_people(COHORTS[3], SEED, 1.0).patients.equals(alone.patients)


@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0])
def test_any_scale_gives_a_cohort_with_sites(scale):
    for design in COHORTS:
        people = make_people(design, SEED, scale)
        assert people.patients.height >= 24
        assert people.patients["site"].n_unique() >= 3
        assert people.patients["patient_id"].is_unique().all()
        measured = people.patients["has_rna"] | people.patients["has_meth"]
        assert measured.all()


def test_base36_counts_up():
    assert [base36(n, 2) for n in (0, 35, 36)] == ["00", "0Z", "10"]
